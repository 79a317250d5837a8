"""Opens a recording wherever its segments lie: in its folder, or moved to object storage."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import Altered, Line, Manifest, authentic_lines
from mediaserver.recording.reader import Recording, Segment
from mediaserver.store.expected import Expected
from mediaserver.store.objects import ObjectBytes, Objects, object_key
from mediaserver.vault import ChunkReader, DataKey, Vault

OPEN_OBJECTS: Final = 8
"""Kept open: every opening asks for an object's size, header and last chunk."""


class KeptRecording(Recording):
    """Reads here what is here and from object storage what has moved there."""

    def __init__(
        self,
        folder: RecordingFolder,
        vault: Vault,
        key: DataKey,
        lines: list[Line],
        objects: Objects | None,
        altered: str | None,
    ) -> None:
        super().__init__(folder, vault, key, lines)
        self.altered = altered
        self._objects = objects
        self._readers: OrderedDict[tuple[str, int], ChunkReader] = OrderedDict()

    def read(self, segment: Segment, offset: int, length: int) -> bytes:
        """As ``Recording.read``; also ``StorageFailed``."""
        try:
            return super().read(segment, offset, length)
        except FileNotFoundError:
            if self._objects is None:
                raise
            return self._moved(segment, self._objects).read(offset, length)

    def sha256(self, segment: Segment) -> bytes:
        """As ``Recording.sha256``; also ``StorageFailed``."""
        try:
            return super().sha256(segment)
        except FileNotFoundError:
            if self._objects is None:
                raise
            return self._objects.sha256(self._object(segment))

    def _moved(self, segment: Segment, objects: Objects) -> ChunkReader:
        place = (segment.track, segment.number)
        reader = self._readers.get(place)
        if reader is None:
            source = ObjectBytes.open(objects, self._object(segment))
            context = self._folder.segment_context(segment.track, segment.number)
            reader = self._readers[place] = ChunkReader(source, self._key, context)
            if len(self._readers) > OPEN_OBJECTS:
                self._readers.popitem(last=False)
        self._readers.move_to_end(place)
        return reader

    def _object(self, segment: Segment) -> str:
        path = self._folder.segment(segment.track, segment.number, segment.suffix)
        return object_key(self.id, path, self._folder.path)


def open_recording(
    folder: RecordingFolder, vault: Vault, objects: Objects | None, known: Expected | None = None
) -> Recording:
    """Checks the manifest's chain and signatures, and what the database knows of it; one that was altered is
    opened as far as it can be read, and says so. Segments prove themselves when they are read.

    Raises ``Altered`` where nothing can be read of it, as ``Recording.open`` otherwise.
    """
    altered = None
    try:
        lines, end = authentic_lines(folder, vault)
        if known is not None:
            known.check(lines, end)
    except Altered as error:
        altered, lines = error.message, Manifest(folder, vault).lines()
    key = folder.open_key(vault)
    try:
        return KeptRecording(folder, vault, key, lines, objects, altered)
    except (LookupError, TypeError, ValueError, OverflowError):
        if altered is None:
            raise
        raise Altered(altered) from None
