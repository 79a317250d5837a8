"""A server that records, and procedures with and without consent."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from mediaserver.config import Data, Recording, Settings
from mediaserver.recording.folder import RecordingFolder, folders
from mediaserver.recording.reader import Recording as Reader
from mediaserver.vault import Vault, make_master_key
from tests.running import CONFIGURATION, ROOT, Client, Server, _ready_line, free_udp_port, loupe, until


@dataclass
class RecordingServer(Server):
    """A server with a master key, and a view of its folder."""

    key: Path = field(default=Path())
    second: tuple[Path, ...] = ()
    """Where recordings go on."""

    @classmethod
    def begin(cls, folder: Path, *second: Path) -> Self:
        """Runs it, with a second location or none, and waits for its line ``ready``; a second time over the
        same folder goes on there."""
        data, key = folder / "data", folder / "key" / "master.key"
        if not key.exists():
            make_master_key(key)
            data.mkdir()
            lines = [f'master_key_file = "{key}"', *(f'second_folder = "{one}"' for one in second)]
            (data / "loupe.toml").write_text(CONFIGURATION + "\n".join(["[recording]", *lines, ""]))
        port, log = free_udp_port(), folder / "server.log"
        command = loupe(
            "serve", "--listen", "127.0.0.1:0", "--media-address", "127.0.0.1", "--media-port", str(port),
            "--workers", "1", "--data", str(data), "--drain-seconds", "1",
        )  # fmt: skip
        with log.open("a") as errors:
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        return cls(process, _ready_line(process, log), data, port, log, key=key, second=second)

    @property
    def vault(self) -> Vault:
        return Vault.open(
            Settings(data=Data(folder=self.data), recording=Recording(master_key_file=self.key))
        )

    @property
    def recorder(self) -> int:
        """The recorder's process."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        found = [
            int(pid)
            for pid in children
            if b"record" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        ]
        return found[0] if found else 0

    def recordings(self) -> list[RecordingFolder]:
        return list(folders(self.data / "recordings", *self.second))

    async def sealed(self, count: int = 1) -> Reader:
        """The newest recording, once so many have ended."""

        def ended() -> bool:
            readers = [Reader.open(folder.path, self.vault, folder.elsewhere) for folder in self.recordings()]
            return sum(reader.state in ("sealed", "withdrawn") for reader in readers) >= count

        await until(ended, 30, "sealed")
        newest = self.recordings()[-1]
        return Reader.open(newest.path, self.vault, newest.elsewhere)


async def procedure(http: Client, room: str, decision: str = "given") -> str:
    """A procedure of this room in which this was decided about recording; its id."""
    headers = http.server.bearer(room)
    opened = await http.request(
        "POST", "/api/v1/procedures", json={"room": room, "reference": "BN-1957-042"}, headers=headers
    )
    assert opened.status == 200, await opened.text()
    id: str = (await opened.json())["id"]
    await decide(http, room, id, decision)
    await decide(http, room, id, "given", "outside_viewers")  # tests look on from outside
    return id


async def decide(http: Client, room: str, procedure: str, decision: str, purpose: str = "recording") -> None:
    """Takes a decision down."""
    consent = {
        "purpose": purpose, "decision": decision, "by": "Nguyễn Văn Ẩn", "relation": "patient",
        "form": "written", "text_version": "1", "language": "vi",
    }  # fmt: skip
    path = f"/api/v1/procedures/{procedure}/consents"
    taken = await http.request("POST", path, json=consent, headers=http.server.bearer(room))
    assert taken.status in (200, 201), await taken.text()
