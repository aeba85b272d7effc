"""The lock of a run folder: one writer at a time."""

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from embshift.core.errors import ResumeError, UsageError
from embshift.runs.files import make_storage_error

__all__ = ["lock_folder"]


@contextmanager
def lock_folder(folder: Path) -> Generator[None]:
    """Hold the lock of a run folder for writing.

    Raises:
        ResumeError: If another process holds the lock; the message names the process and its machine.
        UsageError: If the folder cannot be created or written.
        StorageError: If the disk is full.
    """
    _make(folder)
    lock, owner = FileLock(folder / ".lock"), folder / ".owner"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        held = owner.read_text(encoding="utf-8") if owner.exists() else "another process"
        raise ResumeError(
            f"{folder} is being written by {held}; wait for it, or give another --out"
        ) from None
    try:
        _sign(owner)
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()
        _remove_if_unused(folder)


def _sign(owner: Path) -> None:
    try:
        owner.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
    except OSError as error:
        raise make_storage_error(owner, error, written=0) from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        raise UsageError(f"{folder} cannot be a run folder: {error.strerror}; give another --out") from error
    if not writable:
        raise UsageError(f"{folder} cannot be a run folder: it is not writable; give another --out")


def _remove_if_unused(folder: Path) -> None:
    """Remove a folder that holds only the lock, so that a failed start leaves no empty folder behind."""
    if [entry.name for entry in folder.iterdir()] == [".lock"]:
        (folder / ".lock").unlink()
        folder.rmdir()
