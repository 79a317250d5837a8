"""``loupe recording verify``: whether recordings are as they were sealed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mediaserver.errors import LoupeError

if TYPE_CHECKING:
    from mediaserver.config import Settings
    from mediaserver.ids import RecordingId
    from mediaserver.recording.folder import RecordingFolder
    from mediaserver.store.expected import Expected
    from mediaserver.store.objects import Objects
    from mediaserver.vault import Vault

app = typer.Typer(help="Check recordings.", no_args_is_help=True)


@app.command()
def verify(
    recordings: Annotated[list[str] | None, typer.Argument(help="Ids; all of them without any.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The data folder.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="TOML file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Checks chain, signatures and hashes; names the first altered segment of each. Exit code 1 if one is."""
    from mediaserver import config as configuration
    from mediaserver.ids import RecordingId
    from mediaserver.recording.folder import RecordingFolder, folders
    from mediaserver.store.objects import Objects
    from mediaserver.store.store import recording_roots
    from mediaserver.vault import Vault

    try:
        settings = configuration.load({"data": {"folder": data}} if data is not None else {}, config)
        vault = Vault.open(settings)
        roots, objects = recording_roots(settings), Objects.open(settings.storage)
        known = _known(settings)  # before the folders: what is written meanwhile is not missed
        asked = [RecordingFolder.find(roots, RecordingId(id)) for id in recordings or ()]
    except (LoupeError, ValueError) as error:
        print(f"loupe: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    looked = asked or list(folders(*roots))
    found = [_checked(folder, vault, objects, known.get(folder.id)) for folder in looked]
    if not asked:
        found += [_missing(id) for id in sorted(known.keys() - {folder.id for folder in looked})]
    for result in found:
        if as_json:
            print(json.dumps(result))
        elif result["whole"]:
            print(f"{result['recording']}: whole, {result['segments']} segments, head {result['head']}")
            for kind in result["awaited"]:
                print(f"{result['recording']}: the {kind} annex is not there: not sealed yet, or cut off")
        else:
            print(f"{result['recording']}: {result['reason']}")
    if not all(result["whole"] for result in found):
        raise typer.Exit(1)


def _known(settings: Settings) -> dict[RecordingId, Expected]:
    """What the database says must be there; nothing without one. Raises ``DatabaseFailed``."""
    from mediaserver.store.database import Database
    from mediaserver.store.expected import expected
    from mediaserver.store.schema import FILE_NAME, MIGRATIONS

    file = settings.data.folder / FILE_NAME
    if not file.exists():
        print("loupe: there is no database here: what was cut off or removed is not seen", file=sys.stderr)
        return {}
    database = Database.open(file, MIGRATIONS)
    try:
        return database.read_now(expected)
    finally:
        database.close()


def _missing(recording: RecordingId) -> dict[str, Any]:
    reason = "is missing: the database knows it, and nobody deleted it"
    return {"recording": recording, "whole": False, "reason": reason}


def _checked(
    folder: RecordingFolder, vault: Vault, objects: Objects | None, known: Expected | None
) -> dict[str, Any]:
    from mediaserver.recording.manifest import Manifest
    from mediaserver.recording.manifest import verify as check
    from mediaserver.store.objects import object_key

    def moved(file: Path) -> bytes:
        if objects is None:
            raise FileNotFoundError
        return objects.sha256(object_key(folder.id, file, folder.path))

    try:
        result = check(folder, vault, moved)
        if known is not None:
            known.check(Manifest(folder, vault).lines(), result.end)
    except LoupeError as error:
        return {"recording": folder.id, "whole": False, "reason": error.message}
    except OSError as error:
        return {"recording": folder.id, "whole": False, "reason": error.strerror or "cannot be read"}
    return {
        "recording": folder.id,
        "whole": True,
        "segments": result.segments,
        "ended": result.closed,
        "end_in_audit": known is not None and known.end is not None,
        "head": result.head,
        "awaited": result.awaited,
    }
