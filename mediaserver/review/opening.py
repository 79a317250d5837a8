"""Opens a recording wherever its segments lie: in its folder, or moved to object storage."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.reader import Recording, Segment
from mediaserver.store.objects import ObjectBytes, Objects, object_key
from mediaserver.vault import ChunkReader, Vault

OPEN_OBJECTS: Final = 8
"""Kept open: every opening asks for an object's size, header and last chunk."""


class KeptRecording(Recording):
    """Reads here what is here and from object storage what has moved there."""

    objects: Objects | None = None
    _readers: OrderedDict[tuple[str, int], ChunkReader]

    def read(self, segment: Segment, offset: int, length: int) -> bytes:
        """As ``Recording.read``; also ``StorageFailed``."""
        try:
            return super().read(segment, offset, length)
        except FileNotFoundError:
            if self.objects is None:
                raise
            return self._moved(segment, self.objects).read(offset, length)

    def _moved(self, segment: Segment, objects: Objects) -> ChunkReader:
        place = (segment.track, segment.number)
        reader = self._readers.get(place)
        if reader is None:
            path = self._folder.segment(segment.track, segment.number, segment.suffix)
            source = ObjectBytes.open(objects, object_key(self.id, path, self._folder.path))
            context = self._folder.segment_context(segment.track, segment.number)
            reader = self._readers[place] = ChunkReader(source, self._key, context)
            if len(self._readers) > OPEN_OBJECTS:
                self._readers.popitem(last=False)
        self._readers.move_to_end(place)
        return reader


def open_recording(folder: RecordingFolder, vault: Vault, objects: Objects | None) -> Recording:
    """Raises as ``Recording.open``."""
    recording = KeptRecording.open(folder.path, vault, folder.elsewhere)
    assert isinstance(recording, KeptRecording), "a class method of its own class"
    recording.objects, recording._readers = objects, OrderedDict()
    return recording
