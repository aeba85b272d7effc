"""The copy of a run in a store: files are fetched when they are first asked for, and written there first."""

import os
import secrets
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import final

from embshift.core.caches import CACHE
from embshift.core.errors import ResumeError, RunError, StorageError
from embshift.core.stores import ObjectChangedError, ObjectExistsError, read_object, remove_object
from embshift.runs.remote.copies import Copies, Stored
from embshift.runs.remote.inventory import Inventory, Layout, Names
from embshift.runs.remote.lease import Lease, hold_lease, share_lease
from embshift.runs.remote.putting import OtherBytesError, put_object

__all__ = ["Mirror"]

_PIECE = 2**26
"""Bytes of an object that are read by one request."""

_AHEAD, _AHEAD_BYTES, _AT_ONCE = 64, 2**28, 16
"""Chunks, and their bytes, that are fetched with the one that is asked for; requests at the same time."""

_LARGEST = 2**28
"""Bytes of the largest file that is no table."""


@final
class Mirror:
    """The copy of one run on this machine.

    Args:
        address: The run's.
        folder: The folder of the copy, which exists.
        layout: Which objects are the run's.
        trusted: Whether files that earlier processes have copied count.
    """

    def __init__(self, address: str, folder: Path, *, layout: Layout, trusted: bool = True) -> None:
        self.address, self.folder = address, folder
        self.lease: Lease | None = None
        self._shared = False
        self._layout, self._inventory = layout, Inventory(address, layout)
        self._copies = Copies(folder, trusted=trusted)
        self._lock = threading.Lock()
        self._sound = set[str]()

    @contextmanager
    def hold(self, *, shared: bool = False) -> Generator[None]:
        """Hold the run for writing: alone, or beside others that write other chunks.

        Raises:
            ResumeError: If another process holds it.
            StoreError: If the store cannot be reached, refuses, or cannot keep two writers apart.
        """
        with (share_lease if shared else hold_lease)(self.address) as lease:
            self.refresh()  # another process may have written until now
            self.lease, self._shared = lease, shared
            try:
                yield
            finally:
                self.lease, self._shared = None, False

    def list_names(self, names: Names) -> set[str]:
        """Return the names directly below a folder of the run, at its top of whatever lies there.

        Args:
            names: Names of the folders below the run; none for its top.
        """
        return self._inventory.list_names(names)

    def holds(self, names: Names) -> bool:
        """Return whether the store holds a file of the run; nothing is fetched."""
        return self._layout.is_own(names) and self._inventory.find("/".join(names)) is not None

    def fetch(self, names: Names) -> None:
        """Make the copy of a file what the store holds: the same bytes, or nothing.

        Raises:
            RunError: If it is larger than embshift writes it.
            StoreError: If the store cannot be reached, or refuses.
            StorageError: If the copy cannot be written.
        """
        key = "/".join(names)
        if key in self._sound or not self._layout.is_own(names):
            return
        found = self._inventory.find(key)
        if found is None and os.path.lexists(self.folder / key):
            found = self._inventory.look_again(key)
        if found is None:
            (self.folder / key).unlink(missing_ok=True)
        elif not self._is_copied(key, found):
            self._fetch_all([key, *self._list_ahead(key)] if self._layout.is_chunk(names) else [key])

    def fetch_everything(self) -> None:
        """Copy every file of the run."""
        self._fetch_all([key for key in self._inventory.list_keys() if key not in self._sound])

    def store(self, names: Names, aside: Path) -> None:
        """Write a file into the store, before it gets its name in the copy.

        A chunk is created once, and other files replace what was seen to be there.

        Args:
            names: Its names below the run.
            aside: The file.

        Raises:
            ResumeError: If another process has written something else, or holds the lease by now.
            StoreError: If the store cannot be reached, or refuses.
        """
        if not self._layout.is_own(names):
            return
        key, chunk = "/".join(names), self._layout.is_chunk(names)
        self._check_lease()
        before = None if chunk else self._inventory.find(key)
        try:
            etag = put_object(
                self._name(key), aside.read_bytes(), before="" if before is None else before.etag
            )
        except (OtherBytesError, ObjectChangedError, ObjectExistsError) as error:
            raise ResumeError(self._describe_clash(key, chunk=chunk)) from error
        self._note(key, etag, os.lstat(aside))

    def remove(self, names: Names) -> bool:
        """Remove a file from the store, and return whether it was there.

        Raises:
            ResumeError: If another process holds the lease by now.
            StoreError: If the store cannot be reached, or refuses.
        """
        if not self.holds(names):
            return False
        key = "/".join(names)
        self._check_lease()
        remove_object(self._name(key))
        self._inventory.drop(key)
        self._forget(key)
        return True

    def release(self, names: Names) -> None:
        """Remove the copy of a file that this machine does not need again: one of many parts keeps none."""
        if self._shared:
            self._forget("/".join(names))
            self.folder.joinpath(*names).unlink(missing_ok=True)

    def refresh(self) -> None:
        """Forget what the store was seen to hold."""
        self._inventory.clear()
        with self._lock:
            self._sound.clear()

    def _check_lease(self) -> None:
        if self.lease is not None:
            self.lease.check()

    def _name(self, key: str) -> str:
        return f"{self.address}/{key}"

    def _note(self, key: str, etag: str, found: os.stat_result) -> None:
        self._inventory.note(key, Stored(etag, found.st_size))
        with self._lock:
            self._copies.note(key, etag, found)
            self._sound.add(key)

    def _forget(self, key: str) -> None:
        with self._lock:
            self._sound.discard(key)

    def _is_copied(self, key: str, found: Stored) -> bool:
        if key not in self._sound and self._copies.has(key, found):
            with self._lock:
                self._sound.add(key)
        return key in self._sound

    def _list_ahead(self, key: str) -> list[str]:
        """List the chunks that follow one and are not copied: whoever reads one reads the next."""
        wanted, total = list[str](), 0
        for other in self._inventory.list_following(key, _AHEAD):
            found = self._inventory.find(other)
            if found is None or self._is_copied(other, found):
                continue
            total += found.size
            if total > _AHEAD_BYTES:
                break
            wanted.append(other)
        return wanted

    def _fetch_all(self, keys: list[str]) -> None:
        if len(keys) == 1:
            self._fetch_one(keys[0])
            return
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="embshift-fetch") as threads:
            for _ in threads.map(self._fetch_one, keys):
                pass

    def _fetch_one(self, key: str) -> None:
        found = self._inventory.find(key)
        try:
            if found is not None and not self._is_copied(key, found):
                self._copy(key, found)
        except (ObjectChangedError, FileNotFoundError):  # since it was listed
            found = self._inventory.look_again(key)
            if found is not None:
                self._copy(key, found)
        if found is None:
            (self.folder / key).unlink(missing_ok=True)

    def _copy(self, key: str, found: Stored) -> None:
        if found.size > _LARGEST and not key.endswith(".parquet"):
            raise RunError(
                f"{self._name(key)} has {found.size:,} bytes, and no run writes more than {_LARGEST:,} there"
            )
        path = self.folder / key
        aside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write_pieces(aside, key, found)
            state = os.lstat(aside)
            aside.replace(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StorageError(
                f"{self._name(key)} cannot be copied to {self.folder.parent}: {error.strerror}; free some"
                f" space, or name another folder in the variable {CACHE}"
            ) from error
        finally:
            with suppress(OSError):
                aside.unlink()
        self._note(key, found.etag, state)

    def _write_pieces(self, aside: Path, key: str, found: Stored) -> None:
        with aside.open("xb") as file:
            for start in range(0, found.size, _PIECE):
                length = min(_PIECE, found.size - start)
                file.write(read_object(self._name(key), start=start, length=length, etag=found.etag))

    def _describe_clash(self, key: str, *, chunk: bool) -> str:
        if chunk:
            return (
                f"{self._name(key)} was written with other bytes than this process has made: another machine"
                " measures otherwise, or an interrupted process did. Nothing was overwritten. Once nobody"
                f" else measures, 'embshift verify {self.address}' tells whether the chunk is committed; if"
                " it is not, 'embshift run' or 'embshift finish' removes it, and it is measured again"
            )
        return (
            f"{self._name(key)} was changed by another process since this one read it; nothing was"
            " overwritten. Run the command again once the other has ended"
        )
