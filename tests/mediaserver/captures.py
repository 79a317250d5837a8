"""The golden offers: what real clients sent, each made by a run of that client."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "captures"
NAMES = sorted(path.stem for path in FOLDER.glob("*.sdp"))


def capture(name: str) -> str:
    """One offer, line ends as sent."""
    return (FOLDER / f"{name}.sdp").read_bytes().decode()
