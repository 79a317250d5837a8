"""What a recording's sources were called; people call them after people, so the manifest has it sealed."""

from __future__ import annotations

from mediaserver.recording.reader import Recording
from mediaserver.vault import NotAuthentic, Vault


def labels(recording: Recording, vault: Vault) -> dict[str, str]:
    """By track; empty where there is none, or none that this vault opens."""
    return {track.id: _open(track.id, track.label_sealed, vault) for track in recording.tracks}


def _open(track: str, sealed: bytes, vault: Vault) -> str:
    if not sealed:
        return ""
    try:
        return vault.open_field(sealed, f"track/{track}/label")
    except NotAuthentic:
        return ""
