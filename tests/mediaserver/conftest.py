"""What several tests of the control plane share."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent
CAPTURES = HERE.parent / "captures"

# Tests are imported by file (--import-mode=importlib), so what they share is made importable by name here.
for _name in ("link", "captures", "negotiation_support", "peers", "adaptation.watching", "seconds", "desks"):
    _path = HERE / f"{_name.replace('.', '/')}.py"
    if _path.exists() and f"tests.mediaserver.{_name}" not in sys.modules:
        _spec = importlib.util.spec_from_file_location(f"tests.mediaserver.{_name}", _path)
        assert _spec is not None
        assert _spec.loader is not None
        _module = importlib.util.module_from_spec(_spec)
        sys.modules[f"tests.mediaserver.{_name}"] = _module
        _spec.loader.exec_module(_module)
