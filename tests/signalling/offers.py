"""Offers as WHIP and WHEP clients make them, written for these tests."""

from __future__ import annotations

FINGERPRINT = ":".join(["AB"] * 32)


def offer(
    direction: str = "sendonly", video: str = "VP8/90000", *, audio: bool = True, setup: str = "actpass"
) -> str:
    """One picture and, if wished, one sound, in one bundle."""
    common = (
        "c=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n"
        f"a=fingerprint:sha-256 {FINGERPRINT}\r\na=setup:{setup}\r\na={direction}\r\n"
    )
    sends = direction != "recvonly"
    lines = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    lines += f"a=group:BUNDLE 0{' 1' if audio else ''}\r\n"
    lines += f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{common}a=mid:0\r\na=rtpmap:96 {video}\r\n"
    lines += "a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n"
    if sends:
        lines += "a=msid:s v\r\na=ssrc:1111 cname:x\r\n"
    if audio:
        lines += f"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{common}a=mid:1\r\na=rtpmap:111 opus/48000/2\r\n"
        if sends:
            lines += "a=msid:s a\r\na=ssrc:2222 cname:x\r\n"
    return lines


FRAGMENT = "a=ice-ufrag:wxyz\r\na=ice-pwd:zyxwvutsrqponmlkjihgfedc\r\n"
CANDIDATE = (
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host\r\na=end-of-candidates\r\n"
)
