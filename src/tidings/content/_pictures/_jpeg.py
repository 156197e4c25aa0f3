"""JPEG (ITU-T T.81), and its orientation from Exif."""

from tidings.content._pictures._picture import BrokenImage, Kind, Picture

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15: the frame header, with the size."""
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
"""Markers without a length."""
_EOI, _SOS, _APP1 = 0xD9, 0xDA, 0xE1


def walk_jpeg(data: bytes) -> Picture:
    """Every segment up to the end of the image. Raises BrokenImage.

    What stands behind it is not the image: cameras put depth maps and videos there. `size` leaves it out.
    """
    width = height = 0
    turned = scanned = False
    at = 2
    while True:
        if data[at] != 0xFF:
            raise BrokenImage("a marker is missing")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == _EOI:
            break
        if marker in _ALONE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            raise BrokenImage("it ends too early")
        body = data[at + 2 : at + length]
        at += length
        if marker in _FRAMES:
            if width:
                raise BrokenImage("it has two frames")
            height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            if not width or not height or len(body) < 6 or len(body) != 6 + 3 * body[5]:
                raise BrokenImage("its header is wrong")
        elif marker == _APP1 and body.startswith(b"Exif\0\0"):
            turned = turned or orientation(body[6:]) in {5, 6, 7, 8}
        elif marker == _SOS:
            if not width:
                raise BrokenImage("its header is missing")
            at, scanned = after_scan(data, at), True
    if not scanned:
        raise BrokenImage("it has no pixels")
    if turned:
        width, height = height, width
    return Picture(Kind.JPEG, width, height, 1, at)


def after_scan(data: bytes, at: int) -> int:
    """Where the next marker stands: 0xFF 0x00 is a byte of pixels, 0xFF 0xD0 to 0xD7 restarts between them."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise BrokenImage("it ends too early")
        following = data[at + 1]
        if following == 0xFF:
            at += 1
        elif following == 0 or 0xD0 <= following <= 0xD7:
            at += 2
        else:
            return at


def orientation(tiff: bytes) -> int:
    """Exif's tag 0x0112, 1 to 8: from 5 on width and height change places. 1 for anything odd: it is decoration."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(tiff[:4])
    if order is None:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], "little" if order == "little" else "big")

    first = number(4, 4)
    for entry in range(first + 2, first + 2 + 12 * min(number(first, 2), 200), 12):
        if number(entry, 2) == 0x0112:
            return number(entry + 8, 2)
    return 1
