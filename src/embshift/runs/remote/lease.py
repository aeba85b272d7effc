"""Leases: one writer of a run in a store, or several that each write their own chunks.

A lease is an object that its holder writes again and again. One that was not written for `EXPIRES` seconds
has ended, whatever became of its holder; ages are told by the store's clock alone. A holder that could not
renew its lease in that time writes nothing more.
"""

import json
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, cast, final

from embshift.core.errors import ResumeError, StoreError
from embshift.core.stores import (
    ObjectChangedError,
    ObjectExistsError,
    StoredObject,
    list_folder,
    read_object,
    remove_object,
    replace_object,
    stat_object,
)
from embshift.runs.remote.probe import probe_store
from embshift.runs.remote.putting import OtherBytesError, put_object

__all__ = ["Lease", "hold_lease", "share_lease"]

EXPIRES, RENEWED = 120.0, 20.0
"""Seconds after which a lease that is not renewed has ended, and between its renewals."""

_NAME = ".lease"


@final
class Lease:
    """A lease that is held, and renewed by a thread.

    Args:
        address: The address of its object.
        etag: What the store calls the object's content.
        content: What the object holds.
    """

    def __init__(self, address: str, *, etag: str, content: dict[str, Any]) -> None:
        self._address, self._etag, self._content = address, etag, content
        self._renewed, self._lost = time.monotonic(), ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="embshift-lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Check that the lease is still held; everything that is written asks first.

        Raises:
            ResumeError: If another process has taken it over, or it could not be renewed in time.
        """
        if self._lost:
            raise ResumeError(
                f"{self._lost}; this process has stopped and written nothing since. What it had committed"
                " stays: run the command again to continue once the other has ended"
            )
        late = time.monotonic() - self._renewed
        if late > EXPIRES:
            raise ResumeError(
                f"the lease {self._address} could not be renewed for {late:.0f} s, and others may write the"
                " run now; nothing more is written. Run the command again to continue"
            )

    def end(self) -> None:
        """End the lease, and remove its object unless another process may hold it by now."""
        self._ended.set()
        self._thread.join()
        if not self._lost and time.monotonic() - self._renewed < EXPIRES / 2:
            with suppress(StoreError):  # it then ends by itself
                remove_object(self._address)

    def _renew(self) -> None:
        while not self._ended.wait(RENEWED) and not self._lost:
            began = time.monotonic()
            content = {**self._content, "renewed": self._content["renewed"] + 1}
            try:
                self._etag = replace_object(self._address, _encode(content), etag=self._etag)
            except ObjectChangedError:
                if not self._is_own(content):
                    continue
            except StoreError:
                continue  # tried again; `check` stops the work when it takes too long
            self._renewed, self._content = began, content

    def _is_own(self, content: dict[str, Any]) -> bool:
        """Return whether this process wrote what is there, in a request whose answer was lost."""
        try:
            found = _read(self._address)
        except StoreError:
            return False
        if found is None:
            self._lost = f"the lease {self._address} was removed or has ended"
        elif found[1].get("id") != content["id"]:
            self._lost = f"the run was taken over by {_describe(found[1])}"
        else:
            self._etag = found[0].etag
        return not self._lost


@contextmanager
def hold_lease(address: str) -> Generator[Lease]:
    """Hold a run for writing, beside no other.

    Raises:
        ResumeError: If another process holds it.
        StoreError: If the store cannot be reached, refuses, or cannot keep two writers apart.
    """
    now, place = probe_store(address), f"{address}/{_NAME}"
    etag, content = _take(address, place, now)
    lease = Lease(place, etag=etag, content=content)
    try:
        _end_shared(address, now)
        yield lease
    finally:
        lease.end()


@contextmanager
def share_lease(address: str) -> Generator[Lease]:
    """Hold a run for writing chunks, beside others that do the same.

    Raises:
        ResumeError: If another process holds it for itself.
        StoreError: As in `hold_lease`.
    """
    now, content = probe_store(address), _make_content(generation=1)
    machine = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:60]
    place = f"{address}/{_NAME}-{machine}-{os.getpid()}-{content['id'][:8]}"
    lease = Lease(place, etag=put_object(place, _encode(content)), content=content)
    try:
        # Looked for last: of two that begin at once, at least one sees the other.
        found = _read(f"{address}/{_NAME}")
        if found is not None and not _has_ended(found[0], now):
            raise ResumeError(_describe_held(address, found[1]))
        yield lease
    finally:
        lease.end()


def _take(address: str, place: str, now: int) -> tuple[str, dict[str, Any]]:
    """Write the lease's object: a new one, or in the place of one that has ended."""
    found = _read(place)
    if found is not None and not _has_ended(found[0], now):
        raise ResumeError(_describe_held(address, found[1]))
    before = 0 if found is None else found[1].get("generation")
    content = _make_content(generation=1 + (before if isinstance(before, int) else 0))
    try:
        etag = put_object(place, _encode(content), before="" if found is None else found[0].etag)
    except (OtherBytesError, ObjectExistsError, ObjectChangedError):
        other = _read(place)
        raise ResumeError(_describe_held(address, {} if other is None else other[1])) from None
    return etag, content


def _end_shared(address: str, now: int) -> None:
    """Remove the leases of parts that have ended.

    Raises:
        ResumeError: If a part is being measured.
    """
    found = [one for one in list_folder(address) if f"/{_NAME}-" in one.address]
    held = next((one for one in found if not _has_ended(one, now)), None)
    if held is not None:
        other = _read(held.address)
        raise ResumeError(_describe_held(address, {} if other is None else other[1]))
    for one in found:
        remove_object(one.address)


def _has_ended(found: StoredObject, now: int) -> bool:
    return (now - found.modified_ns) / 1e9 > EXPIRES


def _make_content(*, generation: int) -> dict[str, Any]:
    owner = f"process {os.getpid()} on {socket.gethostname()}"
    return {"owner": owner, "id": secrets.token_hex(16), "generation": generation, "renewed": 0}


def _encode(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()


def _read(place: str) -> tuple[StoredObject, dict[str, Any]] | None:
    """Return a lease's object and what it holds; None where there is none."""
    found = stat_object(place)
    if found is None:
        return None
    try:
        return found, _decode(read_object(place, length=min(found.size, 4096), etag=found.etag))
    except (FileNotFoundError, ObjectChangedError):  # its holder has written it between the two requests
        return found, {}


def _decode(data: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        content = json.loads(data)
        if isinstance(content, dict):
            return cast(dict[str, Any], content)
    return {}


def _describe(content: dict[str, Any]) -> str:
    return str(content.get("owner") or "another process")[:200]


def _describe_held(address: str, content: dict[str, Any]) -> str:
    return (
        f"{address} is being written by {_describe(content)}; wait for it, or give another address. If that"
        f" process has ended, its lease ends within {EXPIRES:.0f} s: then run the command again"
    )
