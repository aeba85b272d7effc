"""The lock of a run folder: one writer at a time."""

import errno
import os
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from embshift.core.errors import ResumeError, UsageError
from embshift.runs.addresses import find_mirror
from embshift.runs.files import make_storage_error
from embshift.runs.places import file_in, list_in

__all__ = ["lock_folder", "share_folder"]

LOCK, LEASE, OWNER = ".lock", ".lease", ".owner"

_TRIES, _PAUSE = 50, 0.1  # seconds between tries of sharing the lock

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""What a file system without locks answers, e.g. a network mount."""


@contextmanager
def lock_folder(folder: Path) -> Generator[None]:
    """Hold the lock of a run folder for writing.

    Raises:
        RunError: If a link or something else has the name of the lock.
        ResumeError: If another process holds the lock; the message names the process and its machine.
        UsageError: If the folder cannot be created or written.
        StorageError: If the disk is full, or the lock cannot be taken for another reason.
        StoreError: If the store of the run cannot be reached, refuses, or cannot keep two writers apart.
    """
    if (found := find_mirror(folder)) is not None:
        with found[0].hold():
            yield
        return
    _make(folder)
    owner = file_in(folder, OWNER)
    lock = _acquire(folder)
    try:
        _sign(owner)
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()
        _remove_if_unused(folder)


@contextmanager
def share_folder(folder: Path) -> Generator[None]:
    """Hold a run folder for writing chunks, beside others that do the same; `lock_folder` waits for none.

    Raises:
        RunError: If a link or something else has the name of the lock.
        ResumeError: If another process holds the lock for itself.
        UsageError: If the folder cannot be written.
        StorageError: If the disk is full, or the lock cannot be taken for another reason.
        StoreError: If the store of the run cannot be reached, refuses, or cannot keep two writers apart.
    """
    if (found := find_mirror(folder)) is not None:
        with found[0].hold(shared=True):
            yield
        return
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"{folder} is not a run folder that can be written")
    path, lease = file_in(folder, LOCK), file_in(folder, LEASE)
    try:
        leased = lease.exists() or not _has_locks(path)
        release = _share_lease(folder, lease) if leased else _share_lock(folder, path)
    except OSError as error:
        raise make_storage_error(path, error, written=0) from error
    try:
        yield
    finally:
        release()


def _share_lock(folder: Path, path: Path) -> Callable[[], None]:
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    for remaining in reversed(range(_TRIES)):
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if remaining:  # another process may only have looked whether there are locks
                time.sleep(_PAUSE)
                continue
            os.close(handle)
            raise ResumeError(_describe_holder(folder, leased=False)) from None
        except OSError:
            os.close(handle)
            raise
        break
    return partial(os.close, handle)


def _share_lease(folder: Path, lease: Path) -> Callable[[], None]:
    own = file_in(folder, f"{LEASE}-{socket.gethostname()}-{os.getpid()}")
    own.touch()
    if lease.exists():  # looked for last: of two that begin at once, at least one sees the other
        own.unlink()
        raise ResumeError(_describe_holder(folder, leased=True))
    return partial(own.unlink, missing_ok=True)


def _acquire(folder: Path) -> BaseFileLock:
    path, lease = file_in(folder, LOCK), file_in(folder, LEASE)
    try:
        # A file whose existence is the lock, where the system has none.
        leased = lease.exists() or not _has_locks(path)
        lock = SoftFileLock(lease) if leased else FileLock(path)
        lock.acquire(timeout=0)
        if leased and (shared := list_in(folder, pattern=f"{LEASE}-*")):
            lock.release()
            raise ResumeError(
                f"parts of {folder} are being measured, and its file system has no locks; wait for them, or"
                f" remove {shared[0]} if that process has ended"
            )
    except Timeout:
        raise ResumeError(_describe_holder(folder, leased=lease.exists())) from None
    except OSError as error:
        raise make_storage_error(path, error, written=0) from error
    return lock


def _has_locks(path: Path) -> bool:
    """Return whether the file system has locks; one that is held is one."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _NO_LOCKS
    finally:
        os.close(handle)
    return True


def _describe_holder(folder: Path, *, leased: bool) -> str:
    try:
        held = (folder / OWNER).read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has not signed yet, or has just ended
        held = "another process"
    if leased:
        return (
            f"{folder} is being written by {held}, and its file system has no locks; wait for it, or remove"
            f" {folder / LEASE} if that process has ended"
        )
    return f"{folder} is being written by {held}; wait for it, or give another --out"


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
    if [entry.name for entry in folder.iterdir()] == [LOCK]:
        (folder / LOCK).unlink()
        folder.rmdir()
