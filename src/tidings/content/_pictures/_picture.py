"""What is known of an image."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """A format that mail programs show; the value is the media type."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    GIF = "image/gif"
    WEBP = "image/webp"

    @property
    def suffix(self) -> str:
        """How the names of such files end."""
        return {"image/jpeg": "jpg"}.get(self.value, self.value.partition("/")[2])


class BrokenImage(Exception):
    """The structure is not as its format wants it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image, as it is shown: `width` and `height` in pixels, turned as its file says."""

    kind: Kind
    width: int
    height: int
    frames: int
    """More than one: it moves."""
    size: int
    """Bytes from the start that are the image; what a camera adds behind a JPEG is not."""


def check_end(data: bytes, at: int) -> None:
    """Raises BrokenImage unless the image ends where the file ends."""
    if at > len(data):
        raise BrokenImage("it ends too early")
    if at < len(data):
        raise BrokenImage(f"{len(data) - at:,} bytes follow its end")
