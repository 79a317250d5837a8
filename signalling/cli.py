"""The command ``loupe``. Imports wait until a command needs them: ``--help`` and ``token`` must be quick.

Exit codes: 0 done, 1 could not (one line on stderr says what to do), 2 wrong usage.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from mediaserver.errors import LoupeError
from signalling import export_cli, recording_cli, store_cli

if TYPE_CHECKING:
    from mediaserver.config import Settings

_Choice = TypeVar("_Choice", bound=StrEnum)

app = typer.Typer(
    name="loupe",
    help="Loupe: a real-time media server for remote surgery and consultation.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
config_app = typer.Typer(help="Show or check the configuration.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(store_cli.audit_app, name="audit")
app.add_typer(store_cli.procedure_app, name="procedure")
export_cli.add_to(recording_cli.app)
app.add_typer(recording_cli.app, name="recording")
app.command("master-key")(store_cli.master_key)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Folder for secrets, configuration, recordings.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="TOML file; otherwise loupe.toml in the data folder.")
]


class Language(StrEnum):
    """Of what is printed for people outside."""

    VI = "vi"
    EN = "en"


JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def _fail(text: str, code: int = 1) -> NoReturn:
    print(f"loupe: {text}", file=sys.stderr)
    raise typer.Exit(code)


def _one_of(kind: type[_Choice], word: str, option: str) -> _Choice:
    try:
        return kind(word)
    except ValueError:
        _fail(f"{option}: {word!r} is none of {', '.join(kind)}", 2)


def _settings(config: Path | None, overrides: dict[str, Any]) -> Settings:
    from mediaserver import config as configuration

    try:
        return configuration.load({key: value for key, value in overrides.items() if value}, config)
    except LoupeError as error:
        _fail(error.message)


def split_address(text: str) -> tuple[str, int]:
    """``HOST:PORT``, ``[V6]:PORT`` or ``:PORT`` (all addresses). Raises ``ValueError``."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit() or int(port) > 65535:
        raise ValueError("give HOST:PORT, e.g. 127.0.0.1:8080")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address needs brackets: [::1]:8080")
    return host or "0.0.0.0", int(port)  # noqa: S104 - asked for by an empty host


def _listen(value: str | None) -> dict[str, Any]:
    if value is None:
        return {}
    try:
        host, port = split_address(value)
    except ValueError as error:
        _fail(f"--listen {value}: {error}", 2)
    return {"host": host, "port": port}


def _present(**values: object) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _version(wanted: bool) -> None:
    if not wanted:
        return
    from mediaserver import __version__

    try:
        from mediaserver.plane import NATIVE_VERSION

        plane = f"native plane {NATIVE_VERSION}"
    except ImportError:
        plane = "native plane missing: run make setup"
    print(f"loupe {__version__} ({plane})")
    raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options before the command."""


@app.command()
def serve(
    listen: Annotated[str | None, typer.Option(help="HOST:PORT for HTTP and WebSocket.")] = None,
    media_address: Annotated[
        list[str] | None, typer.Option(help="IP address for media; may be repeated, IPv4 first.")
    ] = None,
    media_port: Annotated[int | None, typer.Option(help="First UDP port for media.")] = None,
    announce_address: Annotated[
        list[str] | None, typer.Option(help="Address that clients shall use instead (static NAT).")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Media workers; 0: one per processor.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key, PEM.")] = None,
    self_made_tls: Annotated[bool, typer.Option("--self-made-tls", help="Make a certificate.")] = False,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="No TLS although not on loopback (a proxy does it).")
    ] = False,
    public_url: Annotated[str | None, typer.Option(help="What clients reach this server by.")] = None,
    lenient_trickle: Annotated[
        bool, typer.Option("--lenient-trickle", help="Take WHIP/WHEP PATCH without If-Match.")
    ] = False,
    drain_seconds: Annotated[float, typer.Option(min=0, help="Time to leave after SIGTERM.")] = 10.0,
) -> None:
    """Run the server in the foreground until SIGTERM or Ctrl-C."""
    import gc

    # Importing makes a great many objects and no garbage; ``serve.run`` turns it on again.
    gc.disable()

    from mediaserver.errors import InvalidSettings
    from signalling.serve import may_use_plain_http

    where = _listen(listen)
    tls: dict[str, Any] = _present(certificate=tls_cert, key=tls_key)
    if self_made_tls:
        tls["self_made"] = True
    settings = _settings(
        config,
        {
            "listen": where,
            "tls": tls,
            "media": _present(
                addresses=media_address or None,
                announced=announce_address or None,
                port=media_port,
                workers=workers,
            ),
            "data": _present(folder=data),
            "public_url": public_url,
        },
    )
    if plain_http and (settings.tls.certificate is not None or settings.tls.self_made):
        _fail("--plain-http and a certificate exclude each other", 2)
    try:
        _run(
            settings,
            plain_http or may_use_plain_http(settings.listen.host, False),
            lenient_trickle,
            drain_seconds,
        )
    except InvalidSettings as error:
        _fail(error.message)
    except LoupeError as error:
        _fail(error.message)
    except KeyboardInterrupt:
        _fail("stopped before it was ready")


def _run(settings: Settings, plain_http: bool, lenient_trickle: bool, drain_seconds: float) -> None:
    import asyncio

    import uvloop

    from mediaserver import log
    from signalling.serve import run

    log.configure(settings.log.level, settings.log.format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            run(
                settings,
                plain_http=plain_http,
                lenient_trickle=lenient_trickle,
                drain_seconds=drain_seconds,
            )
        )


@app.command()
def token(
    room: Annotated[str, typer.Option(help="The room; '*' for an operator or auditor of all rooms.")],
    role: Annotated[
        str, typer.Option(help="surgeon, staff, specialist, moderator, observer, operator, auditor.")
    ],
    data: DataOption = None,
    config: ConfigOption = None,
    name: Annotated[
        str | None, typer.Option(help="Shown to the others; cannot be changed by the holder.")
    ] = None,
    lifetime: Annotated[
        int | None, typer.Option(help="Seconds; default: ten minutes, twelve hours for an invitation.")
    ] = None,
    rights: Annotated[
        list[str] | None, typer.Option("--right", help="Narrows the role's rights; may be repeated.")
    ] = None,
    invitation: Annotated[
        bool, typer.Option("--invitation", help="For a link: PAGE#TOKEN, exchanged for join tokens.")
    ] = False,
    single_use: Annotated[
        bool, typer.Option("--single-use", help="Opens one session, whichever way.")
    ] = False,
    clinical: Annotated[
        str | None,
        typer.Option(
            "--class", help="What the room is for: surgery, emergency, consult (as usual), teaching or test."
        ),
    ] = None,
    procedure: Annotated[str | None, typer.Option(help="Whose recordings a specialist may study.")] = None,
) -> None:
    """Print a token and nothing else. Works whether or not the server runs.

    While it lives it opens one WebSocket session and any number of WHIP and WHEP sessions; with --single-use
    one session in all, as the tokens that invitations are exchanged for.
    """
    import time

    from mediaserver.clinical import ClinicalClass
    from mediaserver.policy import Right, Role
    from signalling import keys, tokens
    from signalling.messages import MAX_NAME_CHARACTERS
    from signalling.names import clean

    if invitation and single_use:
        _fail("--single-use is for join tokens; an invitation is exchanged for such", 2)
    settings = _settings(config, {"data": _present(folder=data)})
    audience = tokens.Audience.INVITE if invitation else tokens.Audience.JOIN
    usual = tokens.INVITATION_LIFETIME_SECONDS if invitation else settings.tokens.lifetime_seconds
    try:
        claims = tokens.new_claims(
            audience=audience,
            room=room,
            role=_one_of(Role, role, "--role"),
            now_seconds=time.time(),
            lifetime_seconds=usual if lifetime is None else lifetime,
            name=clean(name or "", MAX_NAME_CHARACTERS),
            rights=frozenset(_one_of(Right, right, "--right") for right in rights) if rights else None,
            reusable=not (invitation or single_use),
            clinical=None if clinical is None else _one_of(ClinicalClass, clinical, "--class"),
            procedure=procedure,
        )
    except ValueError as error:
        _fail(str(error), 2)
    try:
        print(tokens.sign(keys.load_or_create(settings), claims))
    except LoupeError as error:
        _fail(error.message)


@app.command()
def doctor(
    data: DataOption = None,
    config: ConfigOption = None,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT that serve will use.")] = None,
    media_address: Annotated[list[str] | None, typer.Option(help="IP address for media.")] = None,
    media_port: Annotated[int | None, typer.Option(help="First UDP port for media.")] = None,
    json: JsonOption = False,
    preflight: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Check the way from here to a server; best with a whole invitation link."
        ),
    ] = None,
    language: Annotated[Language, typer.Option(help="Of the preflight's page.")] = Language.VI,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Tell the invitation to a server with an untrusted certificate."),
    ] = False,
    page: Annotated[
        Path | None, typer.Option(help="Write the preflight's page here as well, as HTML.")
    ] = None,
) -> None:
    """Check this machine: ports, clock, addresses, UDP, buffers, certificate, disk, native plane.

    With --preflight, for a hospital's IT: one page with what is open to a server, what is blocked, and
    what to ask for.
    """
    if preflight is not None:
        _preflight(preflight, json, language, page, insecure)
        return
    from signalling import doctor as checks

    settings = _settings(
        config,
        {
            "listen": _listen(listen),
            "media": _present(addresses=media_address or None, port=media_port),
            "data": _present(folder=data),
        },
    )
    found = checks.examine(settings)
    print(checks.as_json(found) if json else checks.as_text(found, colour=_colour()))
    if any(check.verdict is checks.Verdict.BAD for check in found):
        raise typer.Exit(1)


def _preflight(url: str, as_json: bool, language: Language, file: Path | None, insecure: bool) -> None:
    import asyncio

    import msgspec

    from signalling.preflight import examination, network
    from signalling.preflight import page as sheet

    try:
        target = network.parse_target(url)
    except ValueError as error:
        _fail(f"--preflight: {error}", 2)
    found = asyncio.run(examination.examine(target, insecure=insecure))
    print(msgspec.json.encode(found).decode() if as_json else sheet.as_text(found, language.value))
    if file is not None:
        try:
            file.write_text(sheet.as_html(found, language.value))
        except OSError as error:
            _fail(f"--page {file}: {error.strerror}")
    if not found.passed:
        raise typer.Exit(1)


@app.command()
def drain(
    data: DataOption = None,
    config: ConfigOption = None,
    url: Annotated[str | None, typer.Option(help="The server; otherwise the configured one here.")] = None,
    override: Annotated[
        str,
        typer.Option(
            help="Why live surgeries are interrupted, at least ten letters; audited where a master key is."
        ),
    ] = "",
) -> None:
    """End the running server once everybody was told to move. Refused while a surgery is live."""
    import asyncio

    import aiohttp

    from signalling import drain as asking

    settings = _settings(config, {"data": _present(folder=data)})
    try:
        answer = asyncio.run(asking.ask(settings, url or asking.own_url(settings), override))
    except (aiohttp.ClientError, TimeoutError) as error:
        _fail(f"the server cannot be asked: {str(error) or type(error).__name__}")
    if not answer.done:
        _fail(answer.text)
    print(answer.text)


@app.command()
def demo(
    port: Annotated[
        int, typer.Option(min=364, max=65535, help="HTTPS port for other computers; plain HTTP is 363 below.")
    ] = 8443,
    media_port: Annotated[int, typer.Option(help="First UDP port for media.")] = 7882,
    workers: Annotated[int, typer.Option(help="Media workers; 0: one per processor.")] = 0,
    data: Annotated[Path, typer.Option(help="Folder for secrets and configuration.")] = Path("data"),
    video: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Publish this film instead.")
    ] = None,
    room: Annotated[str | None, typer.Option(help="Name of the room; otherwise a new one.")] = None,
    qr: Annotated[bool, typer.Option(help="Show QR codes.")] = True,
    browser: Annotated[bool, typer.Option(help="Open the observer's page, on a desktop.")] = True,
) -> None:
    """A running room with a synthetic operating theatre, everything embedded."""
    from signalling.demo import command

    try:
        recording = command.recording_beside(data)
    except LoupeError as error:
        _fail(error.message)
    settings = _settings(
        None,
        {
            "recording": recording,
            "listen": {"host": "0.0.0.0", "port": port},  # noqa: S104 - other computers shall see it
            "tls": {"self_made": True},
            "media": {"port": media_port, "workers": workers},
            "data": {"folder": data},
        },
    )
    shows = command.Shows(
        qr and sys.stdout.isatty(), browser and sys.stdout.isatty() and command.on_desktop()
    )
    try:
        command.run_demo(settings, room or command.new_room(), video, shows)
    except LoupeError as error:
        _fail(error.message)
    except KeyboardInterrupt:
        raise typer.Exit from None


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def loadtest(context: typer.Context) -> None:
    """Publish to a server and watch it with many real WebRTC endpoints (``loupe loadtest --help``)."""
    program = Path(sys.executable).parent / "loupe-loadtest"
    if not program.exists():
        _fail("the load client is not built; run: make loadtest")
    os.execv(program, [str(program), *context.args])  # noqa: S606 - our own program, no shell


@app.command()
def openapi() -> None:
    """Print the OpenAPI 3.1 description of the REST interface."""
    import json

    from mediaserver import __version__
    from signalling import api, operations, operator_actions
    from signalling import openapi as description

    print(
        json.dumps(
            description.document((*api.ROUTES, *operations.ROUTES, *operator_actions.ROUTES), __version__),
            indent=2,
        )
    )


@app.command()
def schema() -> None:
    """Print the JSON Schema of the WebSocket protocol."""
    from signalling import schema as export

    print(export.schema_text(), end="")


@config_app.command("show")
def config_show(data: DataOption = None, config: ConfigOption = None) -> None:
    """Print what is in force, secrets masked."""
    print(_settings(config, {"data": _present(folder=data)}).effective())


@config_app.command("check")
def config_check(data: DataOption = None, config: ConfigOption = None) -> None:
    """Say whether the configuration can be used."""
    _settings(config, {"data": _present(folder=data)})
    print("the configuration can be used")


def _colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def main() -> None:
    """The console script."""
    try:
        app()
    except ImportError as error:
        if "_dataplane" not in str(error):
            raise
        print(
            "loupe: the native media plane is not built, or not for this Python; run: make setup",
            file=sys.stderr,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
