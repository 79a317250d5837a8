"""A still picture as PNG or JPEG: source and time stand in its metadata, never in its pixels.

The metadata is an XMP packet (ISO 16684-1), which both formats carry, and for PNG plain text chunks as well.
"""

from __future__ import annotations

import zlib
from typing import Final
from xml.sax.saxutils import escape

import cv2

from mediaserver.review.export.pictures import Picture
from mediaserver.review.export.provenance import Provenance

JPEG_QUALITY: Final = 95
_PNG_HEADER_BYTES: Final = 8 + 25
"""Signature and IHDR (RFC 2083 section 3.1, 4.1.1)."""
_XMP_MARKER: Final = b"http://ns.adobe.com/xap/1.0/\x00"


def _xmp(provenance: Provenance, label: str) -> bytes:
    properties = {
        "dc:description": provenance.sentence,
        "dc:source": f"{provenance.recording}/{label}",
        "exif:DateTimeOriginal": provenance.from_utc,
        "xmp:CreateDate": provenance.made_utc,
        "xmp:CreatorTool": provenance.software,
        "loupe:SourcesSha256": provenance.digest,
    }
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in properties.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        f'xmlns:loupe="urn:loupe:provenance">{inner}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="r"?>'
    ).encode()


def png(picture: Picture, provenance: Provenance, label: str) -> bytes:
    """Lossless."""
    encoded = cv2.imencode(".png", picture)[1].tobytes()
    chunks = b"".join(
        _png_text(keyword, text)
        for keyword, text in (
            ("Source", label),
            ("Creation Time", provenance.from_utc),
            ("Description", provenance.sentence),
            ("Software", provenance.software),
            ("XML:com.adobe.xmp", _xmp(provenance, label).decode()),
        )
    )
    return encoded[:_PNG_HEADER_BYTES] + chunks + encoded[_PNG_HEADER_BYTES:]


def _png_text(keyword: str, text: str) -> bytes:
    """An iTXt chunk, uncompressed, without language (PNG specification section 11.3.4.5)."""
    body = b"iTXt" + keyword.encode("latin-1") + b"\x00\x00\x00\x00\x00" + text.encode()
    return (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def jpeg(picture: Picture, provenance: Provenance, label: str) -> bytes:
    """4:4:4 would be refused by old viewers; the default subsampling is what the cameras sent anyway."""
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
    packet = _XMP_MARKER + _xmp(provenance, label)
    segment = b"\xff\xe1" + (len(packet) + 2).to_bytes(2, "big") + packet
    return encoded[:2] + segment + encoded[2:]
