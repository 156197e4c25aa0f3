"""ZIP archives, read with bounds: a small archive must not become a disk full of data, nor a day of work."""

import zipfile
import zlib
from typing import IO, BinaryIO, Self

from tidings.audience.imports._tables import BrokenFile

UNPACKED_LIMIT = 4 * 1024**3
"""Bytes that may come out of one archive."""

_MEMBERS_LIMIT = 10_000


class Archive:
    """A ZIP in a seekable stream. What it unpacks is counted, whatever it says of itself."""

    def __init__(self, stream: BinaryIO) -> None:
        try:
            self._zip = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, UnicodeError) as error:
            raise BrokenFile.at("file", f"is a broken ZIP archive ({error}); is it complete?") from None
        if len(self._zip.infolist()) > _MEMBERS_LIMIT:
            raise BrokenFile.at("file", f"has more than {_MEMBERS_LIMIT} files in it")
        self._left = UNPACKED_LIMIT

    def names(self) -> list[str]:
        """The files in it, without folders."""
        return [info.filename for info in self._zip.infolist() if not info.is_dir()]

    def has(self, name: str) -> bool:
        """Is there such a file?"""
        return name in self._zip.NameToInfo

    def open(self, name: str) -> "Member":
        """One file of it. Raises BrokenFile."""
        try:
            return Member(self._zip.open(name), name, self)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, KeyError, OSError, ValueError) as error:
            words = "it needs a password" if "password" in str(error) else str(error)
            raise BrokenFile.at("file", f"{name} cannot be unpacked: {words}") from None

    def spend(self, size: int) -> None:
        """Count what came out. Raises BrokenFile over the limit."""
        self._left -= size
        if self._left < 0:
            raise BrokenFile.at("file", f"unpacks to more than {UNPACKED_LIMIT} bytes; send it in parts")


class Member:
    """A file of an archive as a stream."""

    def __init__(self, stream: IO[bytes], name: str, archive: Archive) -> None:
        self._stream = stream
        self._name = name
        self._archive = archive

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end. Raises BrokenFile."""
        try:
            piece = self._stream.read(size)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            ValueError,
            RuntimeError,
        ) as error:
            raise BrokenFile.at("file", f"{self._name} is damaged ({error}); is the file complete?") from None
        self._archive.spend(len(piece))
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
