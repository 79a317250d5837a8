"""What ``loupe demo`` prints: one link per role, a code to scan, and what to open in the firewall."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import segno

from mediaserver.policy import Role

PAGES = (
    ("Theatre    (phòng mổ)", "theatre", Role.SURGEON),
    ("Observer   (quan sát)", "observe", Role.OBSERVER),
    ("Specialist (hội chẩn)", "consult", Role.SPECIALIST),
)


@dataclass(frozen=True)
class Links:
    """Everything a visitor of the demo needs."""

    local: str
    """``http://localhost:PORT``: this computer, where browsers allow cameras without TLS."""
    public: str
    """``https://ADDRESS:PORT``: other computers."""
    room: str
    invitations: Mapping[Role, str]
    whip_token: str
    fingerprint: str
    data: Path
    media_ports: tuple[int, int]
    https_port: int

    def operations(self, base: str) -> str:
        """The page of all rooms."""
        return f"{base}/operations#{self.invitations[Role.OPERATOR]}"

    def page(self, base: str, page: str, role: Role) -> str:
        """The link of a page; the invitation stands behind ``#`` and so never reaches a server's log."""
        return f"{base}/{page}/{self.room}#{self.invitations[role]}"


def text(links: Links, with_codes: bool) -> str:
    """All of it as lines."""
    lines = ["", f"Loupe demo: room {links.room}. Open one of these on this computer:", ""]
    for title, page, role in PAGES:
        lines += [f"  {title}  {links.page(links.local, page, role)}", ""]
    lines += [f"  Operations (vận hành)  {links.operations(links.local)}", ""]
    lines += [
        f"On other computers and phones (the certificate is self-made; its SHA-256 is {links.fingerprint}):",
        "",
    ]
    for title, page, role in PAGES:
        link = links.page(links.public, page, role)
        lines += [f"  {title}  {link}"]
        if with_codes:
            code = io.StringIO()
            segno.make(link, error="l").terminal(out=code, compact=True)
            lines += [code.getvalue()]
        lines += [""]
    first, last = links.media_ports
    ports = str(first) if first == last else f"{first}-{last}"
    lines += [
        f"  OBS/FFmpeg  WHIP {links.local}/whip/{links.room}   bearer (10 minutes): {links.whip_token}",
        f"  Data        {links.data}   Metrics {links.local}/metrics",
        "",
        f"Stop with Ctrl-C. For other computers open UDP {ports} and TCP {links.https_port}.",
        "Trouble? loupe doctor",
        "",
    ]
    return "\n".join(lines)


def show(links: Links, with_codes: bool) -> None:
    """Prints it."""
    print(text(links, with_codes), flush=True)  # noqa: T201 - its purpose
