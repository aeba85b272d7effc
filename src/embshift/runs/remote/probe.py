"""What a store must be able to do before a run is written there, tried with one object."""

import secrets

from embshift.core.errors import StoreError
from embshift.core.stores import (
    ObjectChangedError,
    ObjectExistsError,
    create_object,
    remove_object,
    replace_object,
    stat_object,
)

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
    etag = create_object(place, b"1")
    try:
        if _creates_again(place) or _replaces_another(place, etag):
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


def _creates_again(place: str) -> bool:
    try:
        create_object(place, b"2")
    except ObjectExistsError:
        return False
    return True


def _replaces_another(place: str, etag: str) -> bool:
    other = '"' + "0" * 32 + '"' if etag.startswith('"') else f"{etag}7"
    try:
        replace_object(place, b"3", etag=other)
    except ObjectChangedError:
        return False
    return True
