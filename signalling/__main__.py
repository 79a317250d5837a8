"""``python -m signalling`` is ``loupe``."""

from signalling.cli import main

main()
