"""PNG (W3C PNG third edition) and APNG."""

import zlib
from collections.abc import Iterable, Iterator

from tidings.content._pictures._picture import BrokenImage, Kind, Picture, check_end

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: first column and row, and the steps between columns and rows."""
_PIECE = 1 << 20
_MOST_INFLATED = 512 << 20
_LARGEST_EXTRA = 4 << 20


def walk_png(data: bytes) -> Picture:
    """Every chunk with its checksum, and the pixels' stream: as many bytes as the size says. Raises BrokenImage."""
    width = height = expected = 0
    frames, names, pixels = 1, list[bytes](), list[memoryview]()
    view, at = memoryview(data), 8
    while not names or names[-1] != b"IEND":
        if at + 12 > len(data):
            raise BrokenImage("it ends too early")
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = view[at + 8 : at + 8 + length]
        at += length + 12
        if at > len(data):
            raise BrokenImage("it ends too early")
        if zlib.crc32(body, zlib.crc32(name)) != int.from_bytes(data[at - 4 : at], "big"):
            raise BrokenImage(f"the checksum of its {name.decode('ascii', 'replace')!r} is wrong")
        if (name == b"IHDR") != (not names):
            raise BrokenImage("its header is not where it belongs")
        if name == b"IHDR":
            width, height, expected = _header(bytes(body))
        elif name == b"IDAT":
            if pixels and names[-1] != b"IDAT":
                raise BrokenImage("its pixels are in two places")
            pixels.append(body)
        elif name == b"acTL":
            frames = int.from_bytes(body[:4], "big")
        elif name in {b"iCCP", b"zTXt", b"iTXt"}:
            _check_extra(name, bytes(body))
        names.append(name)
    check_end(data, at)
    if frames > 1 and names.count(b"fcTL") != frames:
        raise BrokenImage("it has not as many frames as it says")
    if expected > _MOST_INFLATED:
        # Whoever calls tells about its size; nothing is inflated for that.
        return Picture(Kind.PNG, width, height, frames, at)
    if sum(_inflated(pixels, expected)) != expected:
        raise BrokenImage("it has not as many pixels as it says")
    return Picture(Kind.PNG, width, height, frames, at)


def _header(body: bytes) -> tuple[int, int, int]:
    """Width, height, and the bytes of all rows."""
    if len(body) != 13:
        raise BrokenImage("its header is wrong")
    width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
    depth, colour, compression, filtering, interlaced = body[8:]
    if (
        not 0 < width < 2**31
        or not 0 < height < 2**31
        or depth not in _DEPTHS.get(colour, ())
        or compression
        or filtering
        or interlaced > 1
    ):
        raise BrokenImage("its header is wrong")
    bits = depth * _CHANNELS[colour]
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    expected = 0
    for column, row, columns, rows in passes:
        across, down = max(0, -(-(width - column) // columns)), max(0, -(-(height - row) // rows))
        expected += down * (1 + (across * bits + 7) // 8) if across else 0
    return width, height, expected


def _inflated(pieces: Iterable[memoryview], most: int) -> Iterator[int]:
    """The sizes of what a stream becomes, up to one byte more than `most`. Raises BrokenImage."""
    inflate, left = zlib.decompressobj(), most + 1
    try:
        for piece in pieces:
            rest: bytes | memoryview = piece
            while rest and left > 0:
                found = inflate.decompress(rest, min(left, _PIECE))
                left -= len(found)
                yield len(found)
                rest = inflate.unconsumed_tail
                if inflate.eof:
                    break
        if left > 0 and not inflate.eof:
            found = inflate.decompress(b"", left)
            yield len(found)
    except zlib.error:
        raise BrokenImage("its compressed data are damaged") from None
    if left > 0 and not inflate.eof:
        raise BrokenImage("it ends too early")


def _check_extra(name: bytes, body: bytes) -> None:
    """Compressed texts and colour profiles: small ones only, as they are inflated by whoever opens the image."""
    _, _, rest = body.partition(b"\0")
    if name == b"iTXt":
        if rest[:1] != b"\1":
            return
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    else:
        rest = rest[1:]
    if sum(_inflated([memoryview(rest)], _LARGEST_EXTRA)) > _LARGEST_EXTRA:
        raise BrokenImage(f"its {name.decode()} would fill more than {_LARGEST_EXTRA >> 20} MB")
