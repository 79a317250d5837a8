"""Hands DICOM objects to a hospital's archive: C-STORE (PS3.4 annex B, PS3.7 section 9.1.1).

Needs the extra ``dicom``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from mediaserver.errors import InvalidSettings
from mediaserver.review.errors import NotAccepted, NotReached

OWN_TITLE: Final = "LOUPE"
MAX_PDU_BYTES: Final = 1024 * 1024
CONNECT_SECONDS: Final = 10
ANSWER_SECONDS: Final = 600
"""An archive may take minutes to put a film of gigabytes away before it answers."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A DICOM application entity."""

    title: str
    host: str
    port: int
    own_title: str = OWN_TITLE


OpenObject: TypeAlias = Callable[[], AbstractContextManager[Path]]
"""A DICOM object as a file that can be opened by its path as long as the block lasts."""


def plain(file: Path) -> OpenObject:
    """One that lies on a disk as it is."""
    return lambda: nullcontext(file)


def parse(text: str) -> Archive:
    """``TITLE@HOST:PORT``. Raises ``ValueError``."""
    title, at, place = text.partition("@")
    host, colon, port = place.rpartition(":")
    if not (at and colon and host and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError("give TITLE@HOST:PORT, e.g. PACS@192.0.2.7:104")
    if not 1 <= len(title) <= 16 or not title.isascii():
        raise ValueError("a title has 1 to 16 ASCII characters")
    return Archive(title, host.strip("[]"), int(port))


def store(
    archive: Archive,
    objects: Sequence[OpenObject],
    tell: Callable[[int], None] = lambda _: None,
    sent: Callable[[int], None] = lambda _: None,
) -> None:
    """Sends the objects one by one over one association; ``tell`` hears how many are stored, ``sent`` of
    bytes that left.

    Raises ``NotReached``, and ``NotAccepted`` at the first object that is not taken.
    """
    try:
        import pynetdicom
        from pydicom import dcmread
    except ImportError:
        raise InvalidSettings("DICOM needs the extra 'dicom': pip install 'loupe[dicom]'") from None
    # Films are read as they are sent: the library holds none in memory.
    pynetdicom._config.STORE_SEND_CHUNKED_DATASET = True  # the library's documented switch
    entity = pynetdicom.AE(ae_title=archive.own_title)
    entity.connection_timeout, entity.dimse_timeout, entity.network_timeout = (
        CONNECT_SECONDS, ANSWER_SECONDS, ANSWER_SECONDS,
    )  # fmt: skip
    entity.maximum_pdu_size = MAX_PDU_BYTES
    for open_object in objects:
        with open_object() as file:
            meta: Any = dcmread(file, stop_before_pixels=True).file_meta
        entity.add_requested_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    association = entity.associate(
        archive.host, archive.port, ae_title=archive.title, max_pdu=MAX_PDU_BYTES,
        evt_handlers=[(pynetdicom.evt.EVT_DATA_SENT, lambda event: sent(len(event.data)))],
    )  # fmt: skip
    if not association.is_established:
        raise NotReached
    try:
        for number, open_object in enumerate(objects, 1):
            with open_object() as file:
                _send(association, file)
            tell(number)
    finally:
        association.release()


def _send(association: Any, file: Path) -> None:
    try:
        answer = association.send_c_store(file)
    except (ValueError, RuntimeError):
        raise NotAccepted("the archive takes no objects of this kind") from None
    status = getattr(answer, "Status", None)
    if status is None:
        raise NotAccepted("the archive broke off")
    # 0xB000 to 0xBFFF are warnings: stored, with something coerced.
    if status != 0 and not 0xB000 <= status <= 0xBFFF:
        raise NotAccepted(f"the archive refused the object with status 0x{status:04X}")
