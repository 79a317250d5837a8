"""``loupe recording verify``: whether recordings are as they were sealed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mediaserver.errors import LoupeError

if TYPE_CHECKING:
    from mediaserver.recording.folder import RecordingFolder
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
        asked = [RecordingFolder.find(roots, RecordingId(id)) for id in recordings or ()]
    except (LoupeError, ValueError) as error:
        print(f"loupe: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    found = [_checked(folder, vault, objects) for folder in asked or folders(*roots)]
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


def _checked(folder: RecordingFolder, vault: Vault, objects: Objects | None) -> dict[str, Any]:
    from mediaserver.recording.manifest import verify as check
    from mediaserver.store.objects import object_key

    def moved(file: Path) -> bytes:
        if objects is None:
            raise FileNotFoundError
        return objects.sha256(object_key(folder.id, file, folder.path))

    try:
        result = check(folder, vault, moved)
    except LoupeError as error:
        return {"recording": folder.id, "whole": False, "reason": error.message}
    except OSError as error:
        return {"recording": folder.id, "whole": False, "reason": error.strerror or "cannot be read"}
    return {
        "recording": folder.id,
        "whole": True,
        "segments": result.segments,
        "ended": result.closed,
        "head": result.head,
        "awaited": result.awaited,
    }
