"""SDP text of answers, and of the fragments that trickle
candidates or restart ICE over plain HTTP (RFC 8840).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from mediaserver.errors import MalformedSdp
from mediaserver.negotiation.media import (
    Fragment,
    LocalDescription,
    LocalMedia,
    SectionKind,
    TransportDescription,
)
from mediaserver.negotiation.offer import (
    SdpLimits,
    candidate_lines,
    check_limits,
    read_attributes,
    read_ice,
    render,
)

Bundled: TypeAlias = tuple[tuple[str, SectionKind], ...]
"""Mid and kind of each section of one BUNDLE group (RFC 9143), in order."""


def render_answer(description: LocalDescription) -> str:
    """Our answer to a publisher or a WHEP viewer."""
    return render(description)


def parse_fragment(text: str, limits: SdpLimits | None = None) -> Fragment:
    """Reads a trickle or restart message. Raises ``MalformedSdp``.

    Candidates are counted and not kept: an ICE-lite server sends no checks (RFC 8445 section 2.5).
    """
    check_limits(text, limits or SdpLimits())
    attributes = read_attributes(text.splitlines())
    ice = read_ice(attributes)
    candidates = len(attributes.all("candidate"))
    if ice is None and not candidates and "end-of-candidates" not in attributes:
        raise MalformedSdp("a fragment holds ICE credentials or candidates")
    return Fragment(ice=ice, candidates=candidates)


def bundled(media: Iterable[LocalMedia]) -> Bundled:
    """The sections that share the transport: those we did not reject."""
    return tuple((one.mid, one.kind) for one in media if not one.rejected)


def render_fragment(transport: TransportDescription, sections: Bundled) -> str:
    """Our new credentials and candidates after a restart (RFC 9725 section 4.3.3).

    ``sections`` are those of the answer, never none. As they share one transport, the first speaks for all.
    """
    mid, kind = sections[0]
    lines = [
        "a=ice-lite",
        "a=ice-options:trickle",
        f"a=group:BUNDLE {' '.join(name for name, _ in sections)}",
        f"m={kind} 9 UDP/TLS/RTP/SAVPF 0",
        f"a=mid:{mid}",
        f"a=ice-ufrag:{transport.ice.ufrag}",
        f"a=ice-pwd:{transport.ice.pwd}",
        *candidate_lines(transport.candidates),
        "a=end-of-candidates",
    ]
    return "\r\n".join(lines) + "\r\n"
