"""SDP text of answers, and of the fragments that trickle candidates or restart ICE over plain HTTP (RFC
8840).
"""

from __future__ import annotations

from mediaserver.errors import MalformedSdp
from mediaserver.negotiation.media import Fragment, LocalDescription, TransportDescription
from mediaserver.negotiation.offer import (
    SdpLimits,
    candidate_lines,
    check_limits,
    read_attributes,
    read_ice,
    render,
)

MAX_ANSWER_BYTES = 8192
"""FFmpeg 8 and 9 read no more than this of an answer to a WHIP offer."""


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


def render_fragment(transport: TransportDescription, mid: str, kind: str) -> str:
    """Our new credentials and candidates after a restart (RFC 9725 section 4.3.3)."""
    lines = [
        "a=ice-lite",
        "a=ice-options:trickle",
        f"a=group:BUNDLE {mid}",
        f"m={kind} 9 UDP/TLS/RTP/SAVPF 0",
        f"a=mid:{mid}",
        f"a=ice-ufrag:{transport.ice.ufrag}",
        f"a=ice-pwd:{transport.ice.pwd}",
        *candidate_lines(transport.candidates),
        "a=end-of-candidates",
    ]
    return "\r\n".join(lines) + "\r\n"
