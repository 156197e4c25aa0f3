"""Is this file an image that mail shows, and how large is it? Told by its content alone, never by its name.

The structure is walked from the first byte to the last; nothing is decoded but PNG's compressed stream, and that within
bounds. So a file that ends too early, goes on after its image (another format hidden behind it), or would fill the memory
of whoever opens it is refused here, and no image library is exposed to strangers' files.
"""

from collections.abc import Callable

from tidings.content._pictures._gif import walk_gif
from tidings.content._pictures._jpeg import walk_jpeg
from tidings.content._pictures._picture import BrokenImage, Kind, Picture
from tidings.content._pictures._png import walk_png
from tidings.content._pictures._private import without_private
from tidings.content._pictures._webp import walk_webp
from tidings.core.errors import Invalid

__all__ = ["ImageInvalid", "Kind", "Picture", "read_picture", "without_private"]

MOST_PIXELS = 50_000_000
"""Of one frame: what a viewer must hold in memory at once, 200 MB."""
MOST_PIXELS_MOVING = 1_000_000_000
"""Of all frames together: what a viewer must work through."""
MOST_FRAMES = 2000
LONGEST_SIDE = 16_384

_WALKS: dict[bytes, Callable[[bytes], Picture]] = {
    b"\x89PNG\r\n\x1a\n": walk_png,
    b"\xff\xd8\xff": walk_jpeg,
    b"GIF87a": walk_gif,
    b"GIF89a": walk_gif,
}


class ImageInvalid(Invalid):
    """The file is no image that can be used in mail; the message says why."""

    code = "invalid_image"


def read_picture(data: bytes) -> Picture:
    """What the file is. Raises ImageInvalid, naming `file`. Takes milliseconds a megabyte: call it in a thread."""
    walk = next((walk for start, walk in _WALKS.items() if data.startswith(start)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        walk = walk_webp
    if walk is None:
        raise ImageInvalid.at("file", _not_an_image(data))
    try:
        picture = walk(data)
    except (BrokenImage, IndexError) as error:
        why = str(error) if isinstance(error, BrokenImage) else "it ends too early"
        raise ImageInvalid.at("file", f"is a broken image: {why}; save it again with a program for images") from None
    if max(picture.width, picture.height) > LONGEST_SIDE or picture.width * picture.height > MOST_PIXELS:
        raise ImageInvalid.at(
            "file",
            f"has {picture.width:,} × {picture.height:,} pixels: at most {LONGEST_SIDE:,} a side and {MOST_PIXELS:,} in all; "
            "make it smaller",
        )
    if picture.frames > MOST_FRAMES or picture.frames * picture.width * picture.height > MOST_PIXELS_MOVING:
        raise ImageInvalid.at("file", f"moves for too long: {picture.frames:,} frames; make it shorter or smaller")
    return picture


def _not_an_image(data: bytes) -> str:
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not data:
        return "is empty"
    if b"<svg" in head:
        return "is SVG, which mail programs do not show and which may hold scripts: save it as PNG"
    found = "must be a PNG, JPEG, GIF or WebP image, whatever its name says"
    for start, name in (
        (b"%pdf", "PDF"),
        (b"pk\x03\x04", "a ZIP archive or an office document"),
        (b"bm", "BMP"),
        (b"ii*\0", "TIFF"),
        (b"mm\0*", "TIFF"),
        (b"<", "HTML or XML"),
    ):
        if head.startswith(start):
            return f"{found}; it is {name}"
    if data[4:8] == b"ftyp":
        return f"{found}; it is HEIC, AVIF or a video: save it as JPEG"
    return found
