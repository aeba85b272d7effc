"""Writing one object so that it is there once, whatever the network does meanwhile."""

import random
import time

from embshift.core.errors import StoreError
from embshift.core.stores import (
    ObjectChangedError,
    ObjectExistsError,
    StoreRefusedError,
    create_object,
    read_object,
    replace_object,
    stat_object,
)

__all__ = ["OtherBytesError", "put_object"]

_PAUSES = (0.2, 0.5, 1.0)
"""Seconds between tries, on top of those that the client makes by itself where an answer allows it."""


class OtherBytesError(StoreError):
    """An object holds something else than is to be written, and than was there before."""


def put_object(address: str, data: bytes, /, *, before: str = "") -> str:
    """Write an object unless another content is there, and return what the store calls it.

    A request whose answer is lost may have been carried out: the next try finds the object, and its bytes
    tell whether it is this one.

    Args:
        address: The address.
        data: The content.
        before: What the store calls the content that is replaced; empty where nothing is there.

    Raises:
        OtherBytesError: If another content is there.
        StoreError: If the store cannot be reached, or refuses.
    """
    for pause in _PAUSES:
        try:
            return _put_or_match(address, data, before)
        except (OtherBytesError, StoreRefusedError):
            raise
        except StoreError:
            time.sleep(pause * random.uniform(0.5, 1.5))
    return _put_or_match(address, data, before)


def _put_or_match(address: str, data: bytes, before: str) -> str:
    try:
        return _put(address, data, before)
    except (ObjectExistsError, ObjectChangedError):
        etag, same = _compare(address, data)
        if same:
            return etag
        if etag in ("", before):  # another request stood in the way, or the object was just removed
            raise
        raise OtherBytesError(f"{address} holds other bytes than are to be written") from None


def _put(address: str, data: bytes, before: str) -> str:
    return replace_object(address, data, etag=before) if before else create_object(address, data)


def _compare(address: str, data: bytes) -> tuple[str, bool]:
    """Return what the store calls an object's content, "" if it is gone, and whether it is some bytes."""
    found = stat_object(address)
    if found is None:
        return "", False
    if found.size != len(data):
        return found.etag, False
    try:
        return found.etag, read_object(address, etag=found.etag) == data
    except FileNotFoundError:
        return "", False
