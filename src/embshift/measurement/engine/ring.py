"""Ring of buffers that workers write and this process reads; without a name, so that none is left behind."""

import mmap
import os
import sys
import tempfile
from typing import final

import numpy as np

from embshift.core.errors import UsageError
from embshift.core.types import Views

__all__ = ["Ring"]


@final
class Ring:
    """Equal buffers in one piece of shared memory, held open.

    The memory has no name in any file system: it ends with the last process that has it open, however that
    process ends.

    Args:
        shape: Views, height, width and 3, of one buffer.
        slots: Number of buffers.
        handle: File descriptor of a ring that another process made; a new ring is made where None.

    Attributes:
        handle: File descriptor, to be handed to workers.
        shape: As given.
        slots: As given.
    """

    def __init__(self, *, shape: tuple[int, int, int, int], slots: int, handle: int | None = None) -> None:
        self.shape, self.slots = shape, slots
        size = int(np.prod(shape, dtype=np.int64)) * slots
        self.handle = _reserve(size) if handle is None else handle
        # The mapping ends with the last array on it.
        flat = np.frombuffer(mmap.mmap(self.handle, size), dtype=np.uint8)
        self._buffers = flat.reshape(slots, *shape)

    def __getitem__(self, slot: int) -> Views:
        """Return one buffer, to read or to write."""
        return self._buffers[slot]

    def close(self) -> None:
        """Close the file; arrays that are still in use keep the memory."""
        os.close(self.handle)
        self._buffers = np.empty((0, *self.shape), np.uint8)


def _reserve(size: int) -> int:
    try:
        handle = _unnamed()
        os.ftruncate(handle, size)
        if sys.platform == "linux":
            os.posix_fallocate(handle, 0, size)  # now, for later a lack of memory would be a crash
    except OSError as error:
        raise UsageError(
            f"{size // 2**20:,} MiB of shared memory for views cannot be had: {error.strerror};"
            " take fewer --workers, or 0"
        ) from error
    return handle


def _unnamed() -> int:
    if sys.platform == "linux":
        return os.memfd_create("embshift-views", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
