"""What a store must be able to do before a run is written there, tried with one object."""

import secrets
from collections.abc import Callable
from functools import partial

from embshift.core.errors import StoreError
from embshift.core.stores import (
    ObjectChangedError,
    ObjectExistsError,
    StoreRefusedError,
    create_object,
    remove_object,
    replace_object,
    stat_object,
)
from embshift.runs.remote.putting import put_object

__all__ = ["probe_store"]


def probe_store(address: str, /) -> int:
    """Check that a store writes only what is not there yet, and return its time in nanoseconds since 1970.

    Older servers that speak S3's protocol answer such requests and overwrite: two writers of one run would
    not notice each other.

    Args:
        address: The run's.

    Raises:
        StoreError: If it does not, cannot be reached, or refuses.
    """
    place = f"{address}/.probe-{secrets.token_hex(8)}"
    etag = put_object(place, b"1")
    other = '"' + "0" * 32 + '"' if etag.startswith('"') else f"{etag}7"
    try:
        if _overwrites(partial(create_object, place, b"2")) or _overwrites(
            partial(replace_object, place, b"3", etag=other)
        ):
            raise StoreError(
                f"the store of {address} overwrites objects although it is told not to (it ignores"
                " If-None-Match or If-Match), so that two writers could destroy each other's results; use a"
                " newer version of its server, or measure into a local folder and copy that"
            )
        found = stat_object(place)
    finally:
        remove_object(place)
    if found is None or not found.etag:
        raise StoreError(f"the store of {address} does not keep or name what is written; use another one")
    return found.modified_ns


def _overwrites(write: Callable[[], str]) -> bool:
    """Return whether a request is carried out that must not be; one that fails otherwise is tried again."""
    for left in (2, 1, 0):
        try:
            write()
        except (ObjectExistsError, ObjectChangedError):
            return False
        except StoreRefusedError:
            raise
        except StoreError:
            if not left:
                raise
        else:
            return True
    raise AssertionError("the last try returns or raises")
