"""Settings: one typed model from flags, environment, secret files and a TOML file, in that order.

Environment keys are ``LOUPE_SECTION__KEY`` (``LOUPE_MEDIA__PORT=7900``). Secret files are named like
environment keys without the prefix, in the folder ``LOUPE_SECRETS_DIR`` (systemd's
``CREDENTIALS_DIRECTORY`` serves too). An unknown key anywhere is an error.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mediaserver.errors import InvalidSettings
from mediaserver.sample_settings import SAMPLE

TOKEN_SECRET_BYTES = 32
"""256 bits (06-reliability W17)."""
SAMPLE_SECRETS = frozenset({"secret", "changeme", "change-me", "password", "sample"})

Port = Annotated[int, Field(ge=0, le=65535)]


class Section(BaseModel):
    """A group of keys; unknown ones are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(Section):
    """Where HTTP and WebSocket clients come in."""

    host: str = "127.0.0.1"
    port: Port = 8080


class Tls(Section):
    """Certificate and key (PEM files), or one made by the server itself for trials in a local network."""

    certificate: Path | None = None
    key: Path | None = None
    self_made: bool = False

    @model_validator(mode="after")
    def _both_or_none(self) -> Tls:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or neither")
        if self.self_made and self.certificate is not None:
            raise ValueError("self_made and certificate exclude each other")
        return self


class Media(Section):
    """Where media arrives: every worker binds one UDP port, ``port + i``, on each address.

    No ``addresses``: the address of the default route. ``announced`` replaces
    them in descriptions (static NAT). ``workers`` 0: one per processor.
    """

    addresses: tuple[str, ...] = ()
    announced: tuple[str, ...] = ()
    port: Port = 7882
    workers: Annotated[int, Field(ge=0, le=64)] = 0

    @field_validator("addresses", "announced")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            ipaddress.ip_address(address)
        return value

    @model_validator(mode="after")
    def _same_length(self) -> Media:
        if self.announced and len(self.announced) != len(self.addresses):
            raise ValueError("announced must name as many addresses as addresses, in the same order")
        return self


class Data(Section):
    """The folder that holds what survives a restart."""

    folder: Path = Path("loupe-data")


class Recording(Section):
    """What recording and procedures need; without a master key both are off."""

    master_key_file: Path | None = None
    """32 bytes as hex or base64, one key a line, the current one first; mode 0600, outside the data folder.

    The environment variable ``LOUPE_RECORDING_MASTER_KEY`` wins over it.
    """

    second_folder: Path | None = None
    """On another disk: where recordings go on when the data folder's disk is full."""


RetentionClass: TypeAlias = Literal["clinical", "teaching", "test"]


class Retention(Section):
    """How long recordings are kept, by class, before two people may delete them; how much they may hold."""

    clinical_days: Annotated[int, Field(ge=1, le=36_525)] = 3650
    """Ten years: medical records of inpatients."""
    teaching_days: Annotated[int, Field(ge=1, le=36_525)] = 365
    test_days: Annotated[int, Field(ge=0, le=3650)] = 7
    quota_bytes: Annotated[int, Field(ge=1)] | None = None
    """No recording begins when all of them hold this much; absent: as much as the disk."""

    def days(self, retention_class: RetentionClass) -> int:
        """Of one class."""
        return {"clinical": self.clinical_days, "teaching": self.teaching_days, "test": self.test_days}[
            retention_class
        ]


class Storage(Section):
    """Where sealed recordings move to; without ``url`` they stay in the data folder."""

    url: str | None = None
    """``s3://bucket/prefix``, or ``file:///folder`` of a network share."""
    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None
    allow_http: bool = False
    """For a store on the same machine or in a closed network."""

    @field_validator("url")
    @classmethod
    def _schemes(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("s3://", "file:///")):
            raise ValueError("must start with s3:// or file:///")
        return value


ApplicationTitle: TypeAlias = Annotated[str, Field(pattern=r"^[!-\[\]-~][ -\[\]-~]{0,15}$")]
"""Of a DICOM application entity (PS3.5 section 6.2): 1 to 16 characters, no backslash."""


class Archive(Section):
    """The hospital's DICOM archive (PACS), to which the review page may send; without ``host`` to none."""

    host: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    port: Port = 104
    title: ApplicationTitle = "PACS"
    own_title: ApplicationTitle = "LOUPE"
    """Ours, as the archive's operator has to know it."""


class Limits(Section):
    """Bounds on what clients may ask for (06-reliability 4.2)."""

    rooms: Annotated[int, Field(ge=1, le=100_000)] = 1000
    participants_per_room: Annotated[int, Field(ge=1, le=1000)] = 32
    """Joined by WebSocket or publishing by WHIP."""
    viewers_per_room: Annotated[int, Field(ge=0, le=10_000)] = 1000
    """Watching by WHEP: they cost no room state that others see."""
    publications_per_participant: Annotated[int, Field(ge=1, le=32)] = 8
    subscriptions_per_participant: Annotated[int, Field(ge=1, le=256)] = 32
    sdp_bytes: Annotated[int, Field(ge=1024, le=1_048_576)] = 65_536
    media_sections: Annotated[int, Field(ge=1, le=256)] = 32
    candidates: Annotated[int, Field(ge=1, le=1024)] = 64
    data_channels: Annotated[int, Field(ge=0, le=1024)] = 64
    message_bytes: Annotated[int, Field(ge=1024, le=1_048_576)] = 65_536
    messages_per_second: Annotated[int, Field(ge=1, le=10_000)] = 50
    api_body_bytes: Annotated[int, Field(ge=1024, le=16_777_216)] = 1_048_576
    handshakes_per_worker: Annotated[int, Field(ge=1, le=10_000)] = 200
    connections_per_source: Annotated[int, Field(ge=1, le=100_000)] = 50
    connections_per_identity: Annotated[int, Field(ge=1, le=1000)] = 3
    """Sessions of one subject that stand at once."""
    sessions_per_invitation: Annotated[int, Field(ge=1, le=10_000)] = 24
    """Sessions that stand at once by one invitation link."""
    header_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    body_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0
    tls_hello_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    idle_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    resume_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0
    empty_room_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0

    @property
    def subscriptions(self) -> int:
        """What one participant is offered at once: an answer may have no more sections either."""
        return min(self.subscriptions_per_participant, self.media_sections)


class Tokens(Section):
    """How long a join token lives; its secret: a file in the data folder, or ``secret`` of a secret file."""

    lifetime_seconds: Annotated[int, Field(ge=10, le=600)] = 600
    secret: SecretStr | None = None

    @field_validator("secret")
    @classmethod
    def _is_strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value()
        if len(text.encode()) < TOKEN_SECRET_BYTES or text.lower().strip() in SAMPLE_SECRETS:
            raise ValueError(f"must be a random text of at least {TOKEN_SECRET_BYTES} bytes")
        return value


class Watch(Section):
    """What watches the server for operators, in processes of their own."""

    pictures: bool = True
    """Looks at key frames of each source: black, blurred, unchanged. Keeps none."""
    pictures_share: Annotated[float, Field(ge=0.01, le=1)] = 0.25
    """Of a processor core, for all looks together: of many sources each is looked at less often."""
    thumbnails: bool = False
    """Operators may have one small picture of a source taken. Each is audited, none is kept."""
    canary: bool = False
    """Sends a synthetic picture to itself by the real path, so that silence is told from health."""


class History(Section):
    """What is kept for operators, in ``history.db`` of the data folder: samples, events, alerts. No names."""

    keep_days: Annotated[float, Field(gt=0, le=3660)] = 30.0
    max_bytes: Annotated[int, Field(ge=1024 * 1024)] = 4 * 1024**3
    """When it is full the oldest samples go first."""


class Webhook(Section):
    """Where alerts are sent, signed as by Standard Webhooks; ``secret`` begins with ``whsec_``."""

    url: str
    secret: SecretStr

    @field_validator("url")
    @classmethod
    def _is_web(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// (or http://, for an allowed network)")
        return value

    @field_validator("secret")
    @classmethod
    def _is_signing_key(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        try:
            key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
        except ValueError:
            key = b""
        if not text.startswith("whsec_") or not 24 <= len(key) <= 64:
            raise ValueError("must be whsec_ and 24 to 64 random bytes in base64")
        return value


class Alerts(Section):
    """``allowed_networks``: what webhooks may reach although it is not public (06-reliability W20)."""

    webhooks: Annotated[tuple[Webhook, ...], Field(max_length=16)] = ()
    allowed_networks: tuple[str, ...] = ()

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value


class IceServer(Section):
    """A STUN or TURN server that clients are told of."""

    urls: Annotated[tuple[str, ...], Field(min_length=1)]
    username: str | None = None
    credential: SecretStr | None = None

    @field_validator("urls")
    @classmethod
    def _schemes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not url.startswith(("stun:", "stuns:", "turn:", "turns:")) or any(c in url for c in ' ,;"<>'):
                raise ValueError(f"{url!r} is no stun: or turn: URL")
        return value


class Log(Section):
    """``auto``: console on a terminal, JSON otherwise."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="LOUPE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    listen: Listen = Listen()
    tls: Tls = Tls()
    media: Media = Media()
    data: Data = Data()
    recording: Recording = Recording()
    retention: Retention = Retention()
    storage: Storage = Storage()
    archive: Archive = Archive()
    limits: Limits = Limits()
    tokens: Tokens = Tokens()
    history: History = History()
    watch: Watch = Watch()
    alerts: Alerts = Alerts()
    ice_servers: tuple[IceServer, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    """Networks of proxies in front: their connections are many people's and not counted for one source."""
    public_url: str | None = None
    """What clients reach this server by, e.g. ``https://loupe.example``."""
    log: Log = Log()

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return None if value is None else value.rstrip("/")

    def effective(self) -> str:
        """What is in force, as JSON with secrets masked."""
        return self.model_dump_json(indent=2)


def load(overrides: Mapping[str, Any] | None = None, file: Path | None = None) -> Settings:
    """Reads all sources. ``overrides`` (from flags) are nested like the file: ``{"media": {"port": 7900}}``.

    Without ``file``: ``LOUPE_CONFIG``, else ``loupe.toml`` in the data folder if it is there. Raises
    ``InvalidSettings`` with one line that names the key.
    """
    given: dict[str, Any] = dict(overrides or {})
    content = _read_file(_find_file(given, file))
    _refuse_unknown_environment()
    secrets_folder = os.environ.get("LOUPE_SECRETS_DIR") or os.environ.get("CREDENTIALS_DIRECTORY")

    class Sources(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - given by name
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            sources = [init_settings, env_settings]
            if secrets_folder:
                sources.append(
                    NestedSecretsSettingsSource(
                        file_secret_settings,
                        secrets_dir=secrets_folder,
                        secrets_prefix="",
                        secrets_nested_delimiter="__",
                        secrets_dir_missing="error",
                    )
                )
            sources.append(InitSettingsSource(settings_cls, content))
            return tuple(sources)

    try:
        return Sources(**given)
    except ValidationError as error:
        raise InvalidSettings(_one_line(error)) from None
    except Exception as error:  # pydantic-settings' own errors have no common base (SettingsError, OSError)
        raise InvalidSettings(f"settings cannot be read: {error}".splitlines()[0]) from None


def first_start(settings: Settings) -> tuple[Path, ...]:
    """Makes the data folder, a commented ``loupe.toml`` and the token secret where missing; says which.

    Raises ``InvalidSettings`` when the folder cannot be written.
    """
    folder = settings.data.folder
    made: list[Path] = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = folder / "loupe.toml"
        if not config.exists():
            _write_new(config, SAMPLE.encode(), 0o644)
            made.append(config)
        key = _token_file(settings)
        if not key.exists():
            _write_new(key, secrets.token_hex(TOKEN_SECRET_BYTES).encode(), 0o600)
            made.append(key)
    except OSError as error:
        reason = error.strerror or "failed"
        raise InvalidSettings(
            f"data.folder {folder}: {reason}; choose a folder this user may write"
        ) from None
    return tuple(made)


def token_secret(settings: Settings) -> bytes:
    """The key that join tokens are signed with (HS256). Raises ``InvalidSettings`` when there is none."""
    if settings.tokens.secret is not None:
        return settings.tokens.secret.get_secret_value().encode()
    path = _token_file(settings)
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        reason = error.strerror or "failed"
        raise InvalidSettings(
            f"token secret {path}: {reason}; start `loupe serve` once with this folder"
        ) from None
    if len(key) < TOKEN_SECRET_BYTES:
        raise InvalidSettings(
            f"token secret {path}: shorter than {TOKEN_SECRET_BYTES} bytes; delete it to get a new one"
        )
    return key


def _token_file(settings: Settings) -> Path:
    return settings.data.folder / "token.key"


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _find_file(given: Mapping[str, Any], file: Path | None) -> Path | None:
    if file is not None:
        return file
    if named := os.environ.get("LOUPE_CONFIG"):
        return Path(named)
    data = given.get("data")
    folder = data.get("folder") if isinstance(data, Mapping) else None
    candidate = Path(folder or os.environ.get("LOUPE_DATA__FOLDER") or Data().folder) / "loupe.toml"
    return candidate if candidate.exists() else None


def _read_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        told = f"{file}: {error.strerror or 'cannot be read'}"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        told = f"{file} is no TOML: {error}"
    raise InvalidSettings(f"{told}; mend it, or name another with --config")


_OTHER_VARIABLES = {"LOUPE_CONFIG", "LOUPE_RECORDING_MASTER_KEY", "LOUPE_SECRETS_DIR", "LOUPE_SHARED"}


def _refuse_unknown_environment() -> None:
    # pydantic-settings ignores variables whose first part is no field; no misspelt key may pass in silence.
    known = {f"LOUPE_{name.upper()}" for name in Settings.model_fields}
    for variable in os.environ:
        ours = variable.startswith("LOUPE_") and variable not in _OTHER_VARIABLES
        if ours and variable.split("__", 1)[0].upper() not in known:
            raise InvalidSettings(f"environment variable {variable} is no setting; see `loupe.toml`")


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    text = (
        "is no setting" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    )
    return f"{key}: {text}" if key else text
