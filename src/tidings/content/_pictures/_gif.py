"""GIF 87a and 89a."""

from tidings.content._pictures._picture import BrokenImage, Kind, Picture, check_end

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def walk_gif(data: bytes) -> Picture:
    """Every block up to the trailer. Raises BrokenImage."""
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if not width or not height:
        raise BrokenImage("its header is wrong")
    at = 13 + _table(data[10])
    frames = 0
    while (kind := data[at]) != _TRAILER:
        if kind == _EXTENSION:
            at = _after_blocks(data, at + 2)
        elif kind == _IMAGE:
            frames += 1
            at += 10 + _table(data[at + 9])
            if not 2 <= data[at] <= 11:
                raise BrokenImage("its pixels cannot be read")
            at = _after_blocks(data, at + 1)
        else:
            raise BrokenImage(f"an unknown block at byte {at:,}")
    check_end(data, at + 1)
    if not frames:
        raise BrokenImage("it has no pixels")
    return Picture(Kind.GIF, width, height, frames, len(data))


def _table(flags: int) -> int:
    """Bytes of a colour table."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    while size := data[at]:
        at += size + 1
    return at + 1
