"""Reading from addresses: one way for stores, web servers and the hub, patient with faults that pass."""

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from embshift.core.errors import ImageError, StoreError, UsageError
from embshift.core.remote import faults
from embshift.core.remote.access import check_access
from embshift.core.remote.addresses import is_web_address, redact_address
from embshift.core.remote.faults import PassingError
from embshift.core.stores import ObjectChangedError, StoredObject, list_objects, read_object, stat_object

__all__ = ["list_addresses", "pin_address", "read_address", "stat_address"]

_Found = TypeVar("_Found")

_MOST = 512 * 2**20


def pin_address(address: str, /) -> str:
    """Return an address that stands for the same content from now on, where its kind has such.

    The revision of a data set on the hub becomes a commit. Any other address is returned as it is.

    Raises:
        ImageError: If it cannot be read.
        UsageError: If it is no such address, or nothing may be read.
    """
    check_access(redact_address(address))
    if not _is_hub(address):
        return address
    from embshift.core.remote.hub import pin_hub  # imports huggingface_hub where it is needed

    return _try_patiently(lambda: pin_hub(address), address)


def stat_address(address: str, /) -> StoredObject | None:
    """Return what is said of the object at an address; None if it is not there.

    Args:
        address: The address; one on the hub must be pinned.

    Raises:
        ImageError: If it cannot be read ("unreadable").
        UsageError: If it is no such address, or nothing may be read.
    """
    access = check_access(redact_address(address))
    if is_web_address(address):
        from embshift.core.remote.web import stat_web  # imports http.client and ssl

        return _try_patiently(lambda: stat_web(address, access=access), address)
    if _is_hub(address):
        from embshift.core.remote.hub import stat_hub

        return _try_patiently(lambda: stat_hub(address), address)
    return _ask_store(lambda: stat_object(address), address)


def list_addresses(address: str, /) -> list[StoredObject]:
    """Return the objects below a folder, sorted by the bytes of their addresses.

    Args:
        address: The folder, in a store or on the hub; one on the hub must be pinned.

    Raises:
        ImageError: If it cannot be read.
        UsageError: If nothing can be listed there, or nothing may be read.
    """
    check_access(redact_address(address))
    if is_web_address(address):
        raise UsageError(
            f"{redact_address(address)} cannot be listed, since web servers have no folders; give addresses"
            " of images, of a tar or Parquet file, or of a list (.csv, .jsonl, .txt)"
        )
    if _is_hub(address):
        from embshift.core.remote.hub import list_hub

        found = _try_patiently(lambda: list(list_hub(address)), address)
    else:
        found = _ask_store(lambda: list(list_objects(address)), address)
    return sorted(found, key=lambda one: one.address.encode())


def read_address(
    address: str, /, *, offset: int = 0, length: int | None = None, etag: str = "", most: int = _MOST
) -> bytes:
    """Read the object at an address, or a range of it.

    A fault that may pass (a status such as 503, a time-out, a connection that is reset, a cut body) is tried
    again, with growing waits, before it counts.

    Args:
        address: The address.
        offset: First byte.
        length: Bytes that are read; all that follow if None.
        etag: What the content was called when it was listed; empty for any.
        most: Bytes that are read at most.

    Raises:
        ImageError: With the status "missing", "changed", "too_large", or "unreadable" and the reason.
        UsageError: If it is no such address, or nothing may be read.
    """
    access = check_access(redact_address(address))
    if length is not None and length > most:
        text = f"{redact_address(address)}: {length:,} bytes; at most {most:,} are read"
        raise ImageError(text, status="too_large")
    if not is_web_address(address) and not _is_hub(address):
        return _read_stored(address, offset=offset, length=length, etag=etag, most=most)
    from embshift.core.remote.web import read_web

    if is_web_address(address):
        read = lambda: read_web(  # noqa: E731
            address, start=offset, length=length, etag=etag, most=most, access=access
        )
        return _try_patiently(read, address)
    from embshift.core.remote.hub import find_download

    url, secrets, hub = find_download(address)
    # The commit in the address names the content: what the hub's servers call it may differ.
    return _try_patiently(
        lambda: read_web(
            url,
            start=offset,
            length=length,
            etag="",
            most=most,
            access=access,
            secrets=secrets,
            trusted=hub,
        ),
        address,
    )


def _read_stored(address: str, *, offset: int, length: int | None, etag: str, most: int) -> bytes:
    if length is None:  # its size comes first: a store sends all of an object, however large it is
        found = _ask_store(lambda: stat_object(address), address)
        if found is None:
            raise ImageError(f"{redact_address(address)} does not exist", status="missing")
        length, etag = max(0, found.size - offset), etag or found.etag
        if length > most:
            text = f"{redact_address(address)} has {found.size:,} bytes; at most {most:,} are read"
            raise ImageError(text, status="too_large")
    return _ask_store(lambda: read_object(address, start=offset, length=length, etag=etag), address)


def _is_hub(address: str) -> bool:
    return address.lower().startswith("hf://")


def _ask_store(ask: Callable[[], _Found], address: str) -> _Found:
    """Ask a store; its client has tried again already what may pass."""
    shown = redact_address(address)
    try:
        return ask()
    except FileNotFoundError:
        raise ImageError(f"{shown} does not exist", status="missing") from None
    except ObjectChangedError:
        raise ImageError(f"{shown} changed since it was listed", status="changed") from None
    except StoreError as error:
        raise ImageError(str(error), status="unreadable") from error


def _try_patiently(ask: Callable[[], _Found], address: str) -> _Found:
    patience = faults.PATIENCE
    until = time.monotonic() + patience.total
    for attempt, wait in enumerate(_list_waits(address), start=1):
        try:
            return ask()
        except PassingError as error:
            pause = max(wait, error.wait)
            if attempt >= patience.tries or pause > patience.longest_wait or time.monotonic() + pause > until:
                asked = f"; it asks to wait {error.wait:,.0f} s" if error.wait > patience.longest_wait else ""
                times = "once" if attempt == 1 else f"{attempt} times"
                raise ImageError(
                    f"{redact_address(address)}, asked {times}: {error}{asked}", status="unreadable"
                ) from None
        time.sleep(pause)
    raise AssertionError  # the waits have no end


def _list_waits(address: str) -> Iterator[float]:
    """Yield growing waits, alike in every run and unlike those of other addresses."""
    jitter = random.Random(hashlib.sha256(address.encode("utf-8", "replace")).hexdigest())
    wait = faults.PATIENCE.first_wait
    while True:
        yield wait * jitter.uniform(0.5, 1.0)
        wait = min(2 * wait, faults.PATIENCE.longest_wait)
