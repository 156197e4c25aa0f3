"""WebP (RFC 9649): lossy, lossless and extended, with animations."""

from tidings.content._pictures._picture import BrokenImage, Kind, Picture, check_end

_CANVAS, _FRAME = b"VP8X", b"ANMF"


def walk_webp(data: bytes) -> Picture:
    """Every chunk of the file. Raises BrokenImage."""
    size = int.from_bytes(data[4:8], "little")
    check_end(data, size + 8)
    if size % 2 or size < 4:
        raise BrokenImage("its header is wrong")
    width = height = frames = 0
    moves = False
    at = 12
    while at < len(data):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + min(length, 64)]
        if at == 12 and name not in {_CANVAS, b"VP8 ", b"VP8L"}:
            raise BrokenImage("its header is missing")
        if name == _CANVAS and at == 12:
            moves = bool(body[0] & 2)
            width, height = (1 + int.from_bytes(body[start : start + 3], "little") for start in (4, 7))
        elif name == _FRAME:
            frames += 1
        elif name in {b"VP8 ", b"VP8L"}:
            frames += 1
            found = _size(name, body)
            if width and not moves and found != (width, height):
                raise BrokenImage("it has two sizes")
            width, height = found
        at += 8 + length + length % 2
    check_end(data, at)
    if not frames or (not moves and frames != 1):
        raise BrokenImage("it has no pixels, or more than it says")
    return Picture(Kind.WEBP, width, height, frames, len(data))


def _size(name: bytes, body: bytes) -> tuple[int, int]:
    if name == b"VP8 ":
        # RFC 6386 §9.1: a key frame, its start code, then 14 bits of width and of height.
        if body[0] & 1 or body[3:6] != b"\x9d\x01\x2a":
            raise BrokenImage("its header is wrong")
        width, height = (int.from_bytes(body[start : start + 2], "little") & 0x3FFF for start in (6, 8))
    else:
        if body[0] != 0x2F:
            raise BrokenImage("its header is wrong")
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if not width or not height:
        raise BrokenImage("its header is wrong")
    return width, height
