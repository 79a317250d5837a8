"""Sealing: what journals hold becomes playable segments, encrypted, hashed and signed into the manifest.

Idempotent: the manifest says where a track's segments end, and a journal goes only after everything in it is
sealed and was read back. So sealing may be ended at any moment and begun again by anyone. One track never
keeps another, or the recording's end, from being sealed.
"""

from __future__ import annotations

from mediaserver.recording.annex import ANNOUNCED
from mediaserver.recording.journals import keep_all, without_track
from mediaserver.recording.manifest import Line, Manifest
from mediaserver.recording.track_round import Order, Outcome, TrackRound
from mediaserver.vault import DataKey, Vault

__all__ = ["Order", "Outcome", "seal"]


def seal(order: Order, vault: Vault) -> Outcome:
    """One round. Raises ``OSError`` when the disk does not take it, ``NotAuthentic`` without the
    recording's key."""
    key = order.folder.open_key(vault)
    manifest = Manifest(order.folder, vault)
    with order.folder.locked():
        return _seal(order, key, manifest)


def _seal(order: Order, key: DataKey, manifest: Manifest) -> Outcome:
    lines = manifest.lines()
    outcome = Outcome(begin=next((line for line in lines if line["type"] == "begin"), {}))
    if any(line["type"] == "end" for line in lines):
        return outcome
    for line in lines:
        if line["type"] == "track":
            _seal_track(TrackRound(order, key, manifest, lines, line, outcome))
    if order.state is not None:
        _keep_unknown(order, manifest, lines, outcome)
        manifest.append({"type": "end", "state": order.state, "announces": list(ANNOUNCED)})
    return outcome


def _seal_track(track: TrackRound) -> None:
    try:
        track.seal()
    except OSError:  # the disk's fault, which the next round may find mended
        raise
    except Exception as error:  # what a publisher sent must not keep the other tracks from being sealed
        track.give_up(type(error).__name__)


def _keep_unknown(order: Order, manifest: Manifest, lines: list[Line], outcome: Outcome) -> None:
    """Journals of a track whose line a killed recorder could not write: nobody knows their codec."""
    for track in sorted(without_track(order.folder, lines)):
        count = keep_all(order.folder, track)
        manifest.append({"type": "event", "at": 0.0, "name": "track_unknown", "track": track, "value": count})
        outcome.unsealable += 1
