"""Commands that take copies of recordings out of the data folder: ``loupe recording list, export, send``.

They work beside a running server and are audited as what it does is. Ctrl-C cancels and leaves no half file.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mediaserver.errors import LoupeError
from signalling.store_cli import ByOption, ConfigOption, DataOption, _actor, _fail, _store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mediaserver.recording.reader import Recording
    from mediaserver.review.export.order import Order
    from mediaserver.store.library import Entry, Query
    from mediaserver.store.objects import Objects
    from mediaserver.store.store import Store
    from mediaserver.vault import Vault

_BAR_CHARACTERS = 24
_TELL_SECONDS = 0.2


@dataclass(frozen=True)
class _Kept:
    """A store with its vault, and where its recordings lie."""

    store: Store
    vault: Vault
    roots: tuple[Path, ...]
    objects: Objects | None


@contextmanager
def _kept(data: Path | None, config: Path | None) -> Iterator[_Kept]:
    from mediaserver import config as configuration
    from mediaserver.store.objects import Objects
    from mediaserver.vault import NoMasterKey

    with _store(data, config) as store:
        if store.vault is None:
            _fail(NoMasterKey.default)
        settings = configuration.load({"data": {"folder": data}} if data else {}, config)
        yield _Kept(store, store.vault, store.roots, Objects.open(settings.storage))


def list_recordings(
    room: Annotated[str | None, typer.Option(help="Of this room only.")] = None,
    text: Annotated[str, typer.Option(help="Title, reference or staff; accents may be left out.")] = "",
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Recordings, newest first: id, start (UTC), seconds, state, room."""
    import asyncio

    from mediaserver.store.library import Query

    with _kept(data, config) as kept:
        for entry in asyncio.run(_found(kept, Query(room=room, text=text))):
            seconds = "-" if entry.seconds is None else f"{entry.seconds:.0f}"
            start = f"{entry.started_at:%Y-%m-%dT%H:%M:%SZ}"
            print(f"{entry.id}  {start}  {seconds:>6}  {entry.state:<10} {entry.room}")


async def _found(kept: _Kept, query: Query) -> list[Entry]:
    from mediaserver.recording.indexing import Indexing

    # Also where no server runs that would have done it.
    await Indexing(kept.roots, kept.vault, kept.store.recordings).step()
    return await kept.store.library.search(query)


def export(
    recording: Annotated[str, typer.Argument(help="Its id; see `loupe recording list`.")],
    into: Annotated[Path, typer.Option(help="Folder for the files; made if it is not there.")],
    by: ByOption,
    form: Annotated[str, typer.Option(help="mp4, png, jpeg, dicom-video or dicom-still.")] = "mp4",
    use: Annotated[str, typer.Option("--for", help="care, quality or teaching.")] = "care",
    track: Annotated[
        list[str] | None,
        typer.Option(help="Camera (id or source type); may be repeated. Default: all, as a grid."),
    ] = None,
    start: Annotated[float, typer.Option(min=0, help="Seconds from the recording's start.")] = 0.0,
    end: Annotated[float | None, typer.Option(min=0, help="Default: its end.")] = None,
    sound: Annotated[bool, typer.Option(help="Mix the microphones in.")] = True,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT.")] = "1280x720",
    rate: Annotated[int, typer.Option(help="Pictures a second.")] = 25,
    language: Annotated[str, typer.Option(help="vi or en: of the cards where a picture is missing.")] = "vi",
    patient_id: Annotated[str, typer.Option(help="DICOM only; empty: nobody is named.")] = "",
    patient_name: Annotated[str, typer.Option(help="DICOM only; as written, not split.")] = "",
    birth_date: Annotated[str, typer.Option(help="DICOM only; YYYYMMDD.")] = "",
    sex: Annotated[str, typer.Option(help="DICOM only; F, M or O.")] = "",
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a copy: a film of one camera or of all, a still, a DICOM object. The recording stays as it is."""
    wish: dict[str, Any] = {
        "form": form, "use": use, "start_seconds": start, "end_seconds": end, "sound": sound,
        "language": language,
        "frames_per_second": rate, **_size(size),
        "subject": {
            "patient_id": patient_id, "patient_name": patient_name, "birth_date": birth_date, "sex": sex,
        },
    }  # fmt: skip
    with _kept(data, config) as kept:
        opened = _open(kept, recording)
        order = _order(opened, kept.vault, wish, track or [])
        _check_use(kept.store, opened, order)
        _export(kept.store, opened, order, into, by)


def _check_use(store: Store, recording: Recording, order: Order) -> None:
    import asyncio

    from mediaserver.policy import Role
    from mediaserver.review.purposes import PatientsWill

    try:
        # Whoever has the command line is of the house.
        asyncio.run(PatientsWill(store.consents).check(Role.STAFF, order.use, recording.procedure))
    except LoupeError as error:
        _fail(error.message)


def _size(text: str) -> dict[str, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        _fail("--size: give WIDTHxHEIGHT, e.g. 1280x720", 2)
    return {"width": int(width), "height": int(height)}


def _open(kept: _Kept, id: str) -> Recording:
    from mediaserver.ids import RecordingId
    from mediaserver.recording.folder import RecordingFolder
    from mediaserver.review.opening import open_recording
    from mediaserver.store.expected import expected_of

    try:
        folder = RecordingFolder.find(kept.roots, RecordingId(id))
        known = kept.store.library.database.read_now(lambda connection: expected_of(connection, folder.id))
        return open_recording(folder, kept.vault, kept.objects, known)
    except (OSError, ValueError):
        _fail(f"no recording {id}; see `loupe recording list`")
    except LoupeError as error:
        _fail(error.message)


def _order(recording: Recording, vault: Vault, wish: dict[str, Any], cameras: list[str]) -> Order:
    """Cameras may be named by what they look at, as long as that is one."""
    import msgspec

    from mediaserver.review.export.order import Order
    from mediaserver.review.labels import labels

    chosen: list[str] = []
    for name in cameras:
        found = [
            one.id for one in recording.tracks if one.kind == "video" and name in (one.id, one.source_type)
        ]
        if len(found) != 1:
            known = ", ".join(
                f"{one.id} ({one.source_type})" for one in recording.tracks if one.kind == "video"
            )
            _fail(f"--track {name}: there is {'none' if not found else 'more than one'}; cameras: {known}", 2)
        chosen += found
    try:
        return msgspec.convert(
            {**wish, "tracks": chosen, "labels": {k: v[:64] for k, v in labels(recording, vault).items()}},
            Order,
        )
    except msgspec.ValidationError as error:
        _fail(str(error), 2)


def _export(store: Store, recording: Recording, order: Order, into: Path, by: str) -> None:
    from mediaserver.review.export.run import Cancelled, Export, plain_files
    from mediaserver.review.export.worker import NICENESS

    os.nice(NICENESS)
    over = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: over.set())
    teller = _Teller()
    note = partial(_note, store, recording, order, by)
    note("begun")  # before anything plain lies on a disk
    step = "failed"
    try:
        into.mkdir(parents=True, exist_ok=True)
        with plain_files(into) as open_sink:
            files = Export(order, recording, open_sink, teller.tell, over.is_set).run()
        step = "finished"
    except LoupeError as error:
        _fail(error.message)
    except OSError as error:
        _fail(f"{into}: {error.strerror or 'cannot be written'}")
    except Cancelled:
        step = "cancelled"
        _fail("cancelled; no file is left")
    finally:
        teller.end()
        note(step)
    for name in files:
        print(into / name)


def _note(store: Store, recording: Recording, order: Order, by: str, step: str) -> None:
    """Into the audit, and onto the disk. Raises ``DatabaseFailed``."""
    import asyncio

    from mediaserver.audit import Event

    store.audit.append(
        Event.RECORDING_EXPORT, actor=_actor(by), room=recording.room, procedure=recording.procedure,
        subject=recording.id, outcome="success" if step in ("begun", "finished") else "failed",
        details={"step": step, "form": order.form, "from": order.start_seconds, "to": order.end_seconds,
            "use": order.use.value},
    )  # fmt: skip
    asyncio.run(store.audit.flush())


class _Teller:
    """Percent, rate and time left in one line on a terminal; nothing where nobody looks."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._shows = sys.stderr.isatty()

    def tell(self, done: float, of: float) -> None:
        now = time.monotonic()
        if not self._shows or (now - self._told < _TELL_SECONDS and done < of):
            return
        self._told = now
        share = min(1.0, done / of) if of > 0 else 1.0
        rate = done / max(0.001, now - self._began)
        left = (of - done) / rate if rate > 0 else 0.0
        filled = round(share * _BAR_CHARACTERS)
        bar = "#" * filled + "." * (_BAR_CHARACTERS - filled)
        print(f"\r[{bar}] {share:4.0%}  {rate:.1f}x  {left:.0f} s left ", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shows:
            print(file=sys.stderr)


def send(
    archive: Annotated[str, typer.Argument(help="TITLE@HOST:PORT of a DICOM archive.")],
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="DICOM objects to store there.")
    ],
) -> None:
    """Hand exported DICOM objects to an archive (C-STORE)."""
    from mediaserver.review.export.archive import parse, plain, store

    try:
        where = parse(archive)
    except ValueError as error:
        _fail(str(error), 2)
    try:
        store(
            where, [plain(file) for file in files], lambda number: print(f"stored {number} of {len(files)}")
        )
    except LoupeError as error:
        _fail(error.message)


def add_to(app: typer.Typer) -> None:
    """Puts them beside the commands that check recordings."""
    for name, command in (("list", list_recordings), ("export", export), ("send", send)):
        app.command(name)(command)
