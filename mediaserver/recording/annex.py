"""What is sealed with a recording after its end, and named by a line of its manifest behind the end.

The line that ends a recording announces its annexes, so that one cut off with its line is missed too.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Final

from mediaserver.recording.folder import RecordingFolder, write_whole
from mediaserver.recording.manifest import Manifest
from mediaserver.vault import ChunkReader, ChunkWriter, FileBytes, Vault

RECEPTION: Final = "reception"
"""What each viewer got, and when."""
ANNOUNCED: Final = (RECEPTION,)
"""By every recording's end."""


@dataclass(frozen=True, slots=True)
class Annex:
    """Of one recording, one kind."""

    folder: RecordingFolder
    vault: Vault
    kind: str = RECEPTION

    def seal(self, content: bytes | None) -> None:
        """Encrypts under the recording's key, then names it; None: there is nothing to seal, which is said
        too. Raises ``NotAuthentic``, ``OSError``."""
        sha256 = None if content is None else self._write(content)
        manifest = Manifest(self.folder, self.vault)
        manifest.append({"type": "annex", "kind": self.kind, "sha256": sha256})

    def settled(self) -> bool:
        """Whether the manifest says what became of it. Raises ``OSError``."""
        return Manifest(self.folder, self.vault).annex(self.kind) is not None

    def open(self) -> bytes | None:
        """Its content; None where none was sealed. Raises ``NotAuthentic``, ``OSError``."""
        line = Manifest(self.folder, self.vault).annex(self.kind)
        if line is None or line["sha256"] is None:
            return None
        with FileBytes(self.folder.annex(self.kind)) as source:
            reader = ChunkReader(source, self.folder.open_key(self.vault), self._context)
            return reader.read(0, reader.size)

    def _write(self, content: bytes) -> str:
        sealed = io.BytesIO()
        writer = ChunkWriter(sealed, self.folder.open_key(self.vault), self._context)
        writer.write(content)
        writer.close()
        write_whole(self.folder.annex(self.kind), sealed.getvalue())
        return hashlib.sha256(sealed.getvalue()).hexdigest()

    @property
    def _context(self) -> str:
        return f"annex/{self.folder.id}/{self.kind}"
