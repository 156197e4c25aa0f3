"""A photo without what it says of whoever took it: place, time, camera, names, earlier states (Exif, XMP, IPTC, texts).

Lossless: pixels, colours, movement and the way up stay; of the rest only what programs need to show the image is kept.
"""

import struct
import zlib

from tidings.content._pictures._jpeg import after_scan, orientation
from tidings.content._pictures._picture import Kind

_PNG_PRIVATE = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"caBX"})
_WEBP_PRIVATE = frozenset({b"EXIF", b"XMP ", b"C2PA"})
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
_WEBP_TOLD = 0x08 | 0x04
"""VP8X's bits: there is Exif, there is XMP (RFC 9649 §2.7.1.2)."""


def without_private(data: bytes, kind: Kind) -> bytes:
    """The same image; the same bytes when it says nothing. `data`: an image that was walked whole. A GIF is left as it is."""
    match kind:
        case Kind.JPEG:
            return _jpeg(data)
        case Kind.PNG:
            return _png(data)
        case Kind.WEBP:
            return _webp(data)
        case Kind.GIF:
            return data


def _jpeg(data: bytes) -> bytes:
    kept, at, turned = [data[:2]], 2, False
    while True:
        start = at
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == 0xD9:
            kept.append(data[start:at])
            return b"".join(kept)
        if marker not in _ALONE:
            at += int.from_bytes(data[at : at + 2], "big")
            if marker == 0xDA:
                at = after_scan(data, at)
        segment = data[start:at]
        if marker == 0xE1 and not turned and (found := segment.find(b"Exif\0\0", 0, 64)) >= 0:
            turned = True
            if way := _way_up(segment[found + 6 :]):
                body = b"Exif\0\0" + way
                kept.append(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)
        elif _jpeg_shows(marker, segment):
            kept.append(segment)


def _jpeg_shows(marker: int, segment: bytes) -> bool:
    """Does it matter for how the image looks? Of APP0 to APP15: JFIF, colour profiles, Adobe's word on the colours."""
    if marker == 0xFE:
        return False
    if not 0xE0 <= marker <= 0xEF:
        return True
    wanted = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}.get(marker)
    return wanted is not None and wanted in segment[:64]


def _png(data: bytes) -> bytes:
    kept, at = [data[:8]], 8
    while at < len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + length + 12
        if name not in _PNG_PRIVATE:
            kept.append(data[at:end])
        elif name == b"eXIf" and (way := _way_up(data[at + 8 : end - 4])):
            kept.append(struct.pack(">I", len(way)) + name + way + struct.pack(">I", zlib.crc32(name + way)))
        at = end
    return b"".join(kept)


def _webp(data: bytes) -> bytes:
    kept, at, told = list[bytes](), 12, 0
    while at < len(data):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        if name not in _WEBP_PRIVATE:
            kept.append(data[at:end])
        elif name == b"EXIF" and (way := _way_up(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))):
            kept.append(name + struct.pack("<I", len(way)) + way)
            told = 0x08
        at = end
    if kept[0][:4] == b"VP8X":
        kept[0] = kept[0][:8] + bytes([kept[0][8] & ~_WEBP_TOLD | told]) + kept[0][9:]
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _way_up(tiff: bytes) -> bytes:
    """Exif with the orientation alone; empty when the image is shown as it is stored."""
    way = orientation(tiff)
    if not 2 <= way <= 8:
        return b""
    return b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, way, 0) + bytes(4)
