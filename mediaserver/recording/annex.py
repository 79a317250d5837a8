"""What is sealed with a recording after its end: further signed lines that follow on the manifest's last.

The manifest ends with its end and stays as it was sealed. An annex carries its chain on in files of its own:
the first line holds the hash of the manifest's last one, and each names the SHA-256 of an encrypted file.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mediaserver.recording.folder import RecordingFolder, write_whole
from mediaserver.recording.manifest import Altered, canonical, sha256_of
from mediaserver.vault import ChunkReader, ChunkWriter, DataKey, FileBytes, NotAuthentic, Vault

RECEPTION: Final = "reception"
"""What each viewer got, and when."""


@dataclass(frozen=True, slots=True)
class Annex:
    """Of one recording, one kind."""

    folder: RecordingFolder
    kind: str = RECEPTION

    @property
    def file(self) -> Path:
        """Encrypted under the recording's key."""
        return self.folder.path / f"{self.kind}.enc"

    @property
    def line(self) -> Path:
        """The signed line about it."""
        return self.folder.path / f"{self.kind}.annex"

    def seal(self, content: bytes, head: str, key: DataKey, vault: Vault) -> None:
        """Encrypts, then signs; ``head`` is the hash of the manifest's last line. Raises ``OSError``."""
        sealed = io.BytesIO()
        writer = ChunkWriter(sealed, key, self._context)
        writer.write(content)
        writer.close()
        write_whole(self.file, sealed.getvalue())
        about = {"type": self.kind, "previous": head, "sha256": hashlib.sha256(sealed.getvalue()).hexdigest()}
        signature = vault.sign(canonical(about), self._context).hex()
        write_whole(self.line, canonical({**about, "signature": signature}))

    def open(self, key: DataKey) -> bytes | None:
        """Its content; None where none was sealed. Raises ``NotAuthentic``, ``OSError``."""
        if not self.line.exists():
            return None
        with FileBytes(self.file) as source:
            reader = ChunkReader(source, key, self._context)
            return reader.read(0, reader.size)

    def check(self, head: str, vault: Vault) -> None:
        """That it is as it was sealed, behind this manifest. Raises ``Altered``, ``OSError``."""
        if not self.line.exists():
            return
        try:
            line = json.loads(self.line.read_bytes())
            signature = bytes.fromhex(line.pop("signature"))
            vault.check(signature, canonical(line), self._context)
        except (NotAuthentic, ValueError, KeyError, AttributeError):
            raise Altered(f"the {self.kind} annex is not as it was signed") from None
        if line["previous"] != head:
            raise Altered(f"the {self.kind} annex does not follow the manifest")
        try:
            found = sha256_of(self.file).hex()
        except FileNotFoundError:
            raise Altered(f"the {self.kind} annex is missing") from None
        if found != line["sha256"]:
            raise Altered(f"the {self.kind} annex was altered")

    @property
    def _context(self) -> str:
        return f"annex/{self.folder.id}/{self.kind}"
