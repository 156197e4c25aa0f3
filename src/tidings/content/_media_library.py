"""Where images are kept, and the addresses under which everybody sees them.

An address names its workspace, and beside that only keyed hashes: nobody guesses one, the same image keeps its address
whatever becomes of the database, and whoever serves it can tell real ones from made-up ones without asking anybody.
"""

import asyncio
import hashlib
import re
import tempfile
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from tidings.content._pictures import Kind, Picture, read_picture, without_private
from tidings.core.crypto import Keyring, keyed_hash, same
from tidings.core.errors import Invalid
from tidings.core.ids import WorkspaceId
from tidings.core.objects import Objects

_PATH = re.compile(r"([1-9][0-9]{0,18})/([A-Za-z0-9_-]{22})([A-Za-z0-9_-]{11})\.(png|jpg|gif|webp)", re.ASCII)
_KINDS = {kind.suffix: kind for kind in Kind}
_PIECE = 1 << 18


class MediaTooLarge(Invalid):
    """The file has more bytes than this installation takes for an image."""

    code = "media_too_large"


class MediaLibrary:
    """The store of images, with its addresses. `base_url` is without a slash at the end, `limit` in bytes."""

    def __init__(self, objects: Objects, *, keys: Keyring, base_url: str, limit: int) -> None:
        self.objects = objects
        self.limit = limit
        self._key = keys.key("media paths")
        self._base = base_url

    def url(self, path: str) -> str:
        """Where the image with this path is seen."""
        return f"{self._base}/{path}"

    def path_of(self, workspace: WorkspaceId, sha256: bytes, kind: Kind) -> str:
        """The path of an image: `7/…33 letters….png`."""
        name = _letters(keyed_hash(self._key, b"%d/%b" % (workspace, sha256), size=16))
        return f"{workspace}/{name}{self._seal(workspace, name, kind.suffix)}.{kind.suffix}"

    def kind_of(self, path: str) -> Kind | None:
        """What kind of image a path that we gave leads to; None for any other text."""
        found = _PATH.fullmatch(path)
        if found is None or not same(self._seal(int(found[1]), found[2], found[4]).encode(), found[3].encode()):
            return None
        return _KINDS[found[4]]

    def _seal(self, workspace: int, name: str, suffix: str) -> str:
        return _letters(keyed_hash(self._key, f"seal {workspace}/{name}.{suffix}".encode(), size=8))


@dataclass(frozen=True, slots=True)
class Received:
    """A whole image, checked and without what it said of its makers: `picture.size` bytes from the start, and their SHA-256."""

    picture: Picture
    sha256: bytes
    file: BinaryIO


class MediaUpload:
    """An image as it comes in, piece by piece, into a file without a name: whatever happens, nothing of it stays behind.

    `folder`: where there is room; None: the system's temporary folder.
    """

    def __init__(self, limit: int, folder: Path | None = None) -> None:
        self._limit = limit
        self._folder = folder
        self._file: BinaryIO | None = None
        self._waiting = bytearray()
        self._size = 0

    async def write(self, piece: bytes) -> None:
        """The next bytes. Raises MediaTooLarge."""
        self._size += len(piece)
        if self._size > self._limit:
            raise MediaTooLarge.at("file", f"may have at most {self._limit >> 20} MB")
        self._waiting += piece
        if len(self._waiting) >= _PIECE:
            await self._flush()

    async def end(self) -> Received:
        """It is whole. Raises ImageInvalid."""
        await self._flush()
        assert self._file is not None
        return await asyncio.to_thread(_received, self._file)

    async def close(self) -> None:
        """Forget it."""
        if self._file is not None:
            await asyncio.to_thread(self._file.close)

    async def _flush(self) -> None:
        piece, self._waiting = bytes(self._waiting), bytearray()
        self._file = await asyncio.to_thread(_append, self._file, self._folder, piece)


def _append(file: BinaryIO | None, folder: Path | None, piece: bytes) -> BinaryIO:
    if file is None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        file = cast("BinaryIO", tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - closed by `close`
    file.write(piece)
    return file


def _received(file: BinaryIO) -> Received:
    file.seek(0)
    data = file.read()
    picture = read_picture(data)
    shown = without_private(data[: picture.size], picture.kind)
    if shown != data:
        picture = read_picture(shown)
        file.seek(0)
        file.truncate()
        file.write(shown)
        file.flush()
    return Received(picture, hashlib.sha256(shown).digest(), file)


def _letters(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
