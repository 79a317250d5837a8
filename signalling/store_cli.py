"""Commands over the data folder: the master key, procedures and consents, the audit.

They work beside a running server: SQLite keeps the two apart, and a withdrawal reaches its recorder.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar, get_args

import typer

from mediaserver.errors import LoupeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mediaserver.audit import Actor
    from mediaserver.store.store import Store

audit_app = typer.Typer(help="Verify, export and anchor the audit.", no_args_is_help=True)
procedure_app = typer.Typer(help="Procedures and what was consented to in them.", no_args_is_help=True)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Folder for secrets, configuration, recordings.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="TOML file; otherwise loupe.toml in the data folder.")
]
ByOption = Annotated[str, typer.Option("--by", help="Who runs this command: kept sealed in the audit.")]

T = TypeVar("T")


def _fail(text: str, code: int = 1) -> NoReturn:
    print(f"loupe: {text}", file=sys.stderr)
    raise typer.Exit(code)


@contextmanager
def _store(data: Path | None, config: Path | None) -> Iterator[Store]:
    """The folder's store; errors are one line."""
    from mediaserver import config as configuration
    from mediaserver.store.schema import FILE_NAME
    from mediaserver.store.store import Store

    try:
        settings = configuration.load({"data": {"folder": data}} if data else {}, config)
        if not (settings.data.folder / FILE_NAME).exists():
            _fail(f"{settings.data.folder} holds no database; start `loupe serve` once with this folder")
        store = Store.open(settings)
        try:
            yield store
        finally:
            store.database.close()
    except LoupeError as error:
        _fail(error.message)


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _actor(by: str) -> Actor:
    from mediaserver.audit import Actor
    from mediaserver.ids import Redacted

    return Actor(id="command-line", name=Redacted(by))


def master_key(
    file: Annotated[Path, typer.Argument(help="Outside the data folder; must not exist.")],
) -> None:
    """Make a master key for recordings and procedures. Keep a copy: without it nothing can be opened."""
    from mediaserver.vault import make_master_key

    try:
        make_master_key(file)
    except LoupeError as error:
        _fail(error.message)
    print(f"made {file}; set recording.master_key_file to it, and keep a copy in a safe place")


# ---- Procedures ----


@procedure_app.command("open")
def procedure_open(
    room: Annotated[str, typer.Option(help="The room that serves the procedure.")],
    reference: Annotated[str, typer.Option(help="Pseudonymous patient reference, never a name.")],
    by: ByOption,
    title: Annotated[str, typer.Option(help="What is done.")] = "",
    staff: Annotated[list[str] | None, typer.Option(help="ROLE:NAME, may be repeated.")] = None,
    retention: Annotated[str, typer.Option(help="clinical, teaching or test.")] = "clinical",
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Bind a room to a patient; prints the procedure's id."""
    from mediaserver.config import RetentionClass
    from mediaserver.ids import Redacted, room_id
    from mediaserver.policy import Role
    from mediaserver.store.procedures import StaffMember

    kept = next((one for one in get_args(RetentionClass) if one == retention), None)
    if kept is None:
        _fail(f"--retention {retention}: give clinical, teaching or test", 2)
    team = []
    for one in staff or []:
        role, _, name = one.partition(":")
        if role not in list(Role) or not name:
            _fail(f"--staff {role}: give ROLE:NAME", 2)
        team.append(StaffMember(Role(role), Redacted(name)))
    with _store(data, config) as store:
        try:
            where = room_id(room)
        except ValueError as error:
            _fail(str(error), 2)
        print(_run(store.procedures.open(where, reference, title, team, _actor(by), kept)).id)


@procedure_app.command("list")
def procedure_list(
    room: Annotated[str | None, typer.Option(help="Of this room only.")] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not closed.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """One JSON object a line: id, room, times, and what is permitted. References stay sealed."""
    from mediaserver.ids import RoomId

    with _store(data, config) as store:
        for one in _run(store.procedures.find(None if room is None else RoomId(room), open_only=open_only)):
            standing = _run(store.consents.standing(one.id))
            shown = {
                "id": one.id,
                "room": one.room,
                "opened_at": one.opened_at.isoformat(),
                "closed_at": None if one.closed_at is None else one.closed_at.isoformat(),
                "permitted": [purpose.value for purpose, what in standing.items() if what.permitted],
            }
            print(json.dumps(shown))


@procedure_app.command("close")
def procedure_close(
    procedure: str, by: ByOption, data: DataOption = None, config: ConfigOption = None
) -> None:
    """Free the room for another patient."""
    from mediaserver.ids import ProcedureId

    with _store(data, config) as store:
        _run(store.procedures.close(ProcedureId(procedure), _actor(by)))


@procedure_app.command("consent")
def procedure_consent(
    procedure: str,
    purpose: Annotated[str, typer.Argument(help="treatment_link, recording, teaching or outside_viewers.")],
    decision: Annotated[str, typer.Argument(help="given, refused or withdrawn.")],
    who: Annotated[str, typer.Option(help="Who decided.")],
    by: ByOption,
    relation: Annotated[str, typer.Option(help="patient, guardian, relative, representative.")] = "patient",
    form: Annotated[str, typer.Option(help="written, spoken, read_aloud, electronic.")] = "written",
    text_version: Annotated[str, typer.Option(help="Of the text that was shown.")] = "1",
    language: Annotated[str, typer.Option(help="Of the text.")] = "vi",
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Take down a decision. Withdrawing stops a recording of a running server within 2 s."""
    from typing import get_args

    from mediaserver.ids import ProcedureId, Redacted
    from mediaserver.store.consents import Consent, Decision, Form, Purpose, Relation
    from mediaserver.store.schema import now

    for value, known in (
        (purpose, [one.value for one in Purpose]),
        (decision, [one.value for one in Decision]),
        (relation, get_args(Relation)),
        (form, get_args(Form)),
    ):
        if value not in known:
            _fail(f"{value}: give one of {', '.join(known)}", 2)
    consent = Consent(
        purpose=Purpose(purpose),
        decision=Decision(decision),
        by=Redacted(who),
        relation=relation,  # type: ignore[arg-type] # checked above
        form=form,  # type: ignore[arg-type]
        text_version=text_version,
        language=language,
        decided_at=now(),
    )
    with _store(data, config) as store:
        _run(store.consents.decide(ProcedureId(procedure), consent, _actor(by)))


# ---- The audit ----


@audit_app.command("verify")
def audit_verify(
    anchor: Annotated[
        Path | None, typer.Option(help="A checkpoint that was kept elsewhere (`loupe audit checkpoint`).")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say whether the audit is what was written; names the first record that does not fit."""
    import msgspec

    from mediaserver.store.audit_verification import Anchor, verify

    known = None
    if anchor is not None:
        try:
            known = msgspec.json.decode(anchor.read_bytes(), type=Anchor)
        except (OSError, msgspec.MsgspecError):
            _fail(f"{anchor}: no checkpoint", 2)
    with _store(data, config) as store:
        found = store.database.read_now(lambda connection: verify(connection, store.vault, known))
    signed = "" if found.signatures_checked else "; signatures not checked: no master key is set"
    if not found.intact:
        _fail(f"{found.problem} (first at record {found.first_seq}; {found.records} read{signed})")
    print(
        f"intact: {found.records} records, {found.checkpoints} signed checkpoints, "
        f"{found.unsigned} records behind the last{signed}"
    )


@audit_app.command("checkpoint")
def audit_checkpoint(data: DataOption = None, config: ConfigOption = None) -> None:
    """Sign the audit as it is now and print the checkpoint: keep it where nobody of here can change it."""
    import msgspec

    from mediaserver.store.audit_verification import newest_anchor
    from mediaserver.vault import NoMasterKey

    with _store(data, config) as store:
        vault = store.vault
        if vault is None:
            raise NoMasterKey
        store.database.submit(store.audit.sign_head).result()
        found = store.database.read_now(lambda connection: newest_anchor(connection, vault))
    if found is None:
        _fail("the audit is empty")
    print(msgspec.json.encode(found).decode())


@audit_app.command("export")
def audit_export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; otherwise stdout.")] = None,
    room: Annotated[str | None, typer.Option(help="Of this room only.")] = None,
    procedure: Annotated[str | None, typer.Option(help="Of this procedure only.")] = None,
    since: Annotated[datetime | None, typer.Option(help="From this moment on (local time).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before this moment (local time).")] = None,
    names: Annotated[bool, typer.Option("--names", help="With names of persons and rooms.")] = False,
    by: ByOption = "",
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the audit as a FHIR R4 Bundle of AuditEvent. Exporting is audited too."""
    from mediaserver.audit import Event
    from mediaserver.store import fhir
    from mediaserver.store.audit import find_all
    from mediaserver.vault import NoMasterKey

    with _store(data, config) as store:
        if names and store.vault is None:
            raise NoMasterKey
        store.database.submit(
            lambda connection: store.audit.within(
                connection, Event.AUDIT_EXPORT, actor=_actor(by), room=room, details={"names": names}
            )
        ).result()
        records = find_all(
            store.database,
            room=None if room is None else store.audit.rooms.held(room),
            procedure=procedure,
            since=None if since is None else since.astimezone(),
            until=None if until is None else until.astimezone(),
        )
        text = fhir.bundle(records, store.vault if names else None)
        if output is None:
            sys.stdout.writelines(text)
            return
        with output.open("w", encoding="utf-8") as stream:
            stream.writelines(text)
