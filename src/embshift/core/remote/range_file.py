"""File-like object over ranges of an address, for libraries that read files: few requests, bounded memory."""

import io
from collections.abc import Callable
from typing import TypeAlias, final

from embshift.core.errors import ImageError
from embshift.core.remote.reading import read_address

__all__ = ["RangeFile"]

_FIRST, _LARGEST, _SMALLEST = 64 * 2**10, 4 * 2**20, 16 * 2**10  # bytes of a window

ReadRange: TypeAlias = Callable[[int, int], bytes]


@final
class RangeFile(io.RawIOBase):
    """A file for reading whose bytes come from an address, in windows.

    A window grows while one follows the other, and shrinks where bytes are skipped: a walk over the headers
    of a tar reads small members along, and leaves large ones out.

    Args:
        address: The address.
        size: Size of the object, in bytes.
        etag: What its content was called when it was listed; empty for any.

    Attributes:
        ranges: Requests so far.
    """

    def __init__(self, address: str, *, size: int, etag: str = "") -> None:
        super().__init__()
        self.ranges = 0
        self._address, self._size, self._etag = address, size, etag
        self._at, self._window, self._start, self._held = 0, _FIRST, 0, b""

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that any place of it can be read next."""
        return True

    def tell(self) -> int:
        """Return the place that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Set the place that is read next, and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"a place before the start of {self._address}: {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Fill a buffer with the bytes that follow, and return how many there are."""
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def read(self, size: int = -1, /) -> bytes:
        """Return the bytes that follow, all or as many as asked for.

        Raises:
            OSError: If they cannot be read; its text says why, and its cause is an `ImageError`.
        """
        left = max(0, self._size - self._at)
        wanted = left if size < 0 else min(size, left)
        if wanted and not self._start <= self._at <= self._at + wanted <= self._start + len(self._held):
            self._fill(wanted)
        start = self._at - self._start
        self._at += wanted
        return self._held[start : start + wanted] if wanted else b""

    def _fill(self, wanted: int) -> None:
        end = self._start + len(self._held)
        if self._held:
            follows = self._start <= self._at <= end + self._window
            self._window = min(2 * self._window, _LARGEST) if follows else _SMALLEST
        length = min(max(wanted, self._window), self._size - self._at)
        self._held, self._start = self._load(self._at, length), self._at

    def _load(self, start: int, length: int) -> bytes:
        self.ranges += 1
        try:
            return read_address(self._address, offset=start, length=length, etag=self._etag, most=length)
        except ImageError as error:
            raise OSError(str(error)) from error
