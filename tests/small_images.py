"""Images as small as they can be."""

import struct
import zlib


def small_png(comment: bytes = b"", *, width: int = 1, height: int = 1) -> bytes:
    """One black pixel that says `comment`; or one that claims to be larger."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    told = _chunk(b"tEXt", b"Comment\0" + comment) if comment else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + told
        + _chunk(b"IDAT", zlib.compress(b"\0\0"))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
