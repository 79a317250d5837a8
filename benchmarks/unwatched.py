"""``loupe`` without the operators' second: nothing is sampled, judged or written to the history.

What watching costs is the difference to the server as it is (``benchmarks/history.py``).
"""

from __future__ import annotations

from mediaserver.operations.desk import Desk
from signalling.cli import main

if __name__ == "__main__":
    setattr(Desk, "second", lambda *_: None)  # noqa: B010 - a type checker refuses the plain assignment
    main()
