"""Addresses of stores, "s3://bucket/key": told from paths, and split."""

import re
from typing import NamedTuple

from embshift.core.errors import UsageError

__all__ = ["SCHEMES", "StorePath", "is_store_address", "split_address"]

SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss")
"""Schemes of addresses of stores."""

_ADDRESS = re.compile(rf"({'|'.join(SCHEMES)})://([^/?#\s]+)(?:/(.*))?", re.IGNORECASE | re.DOTALL)
_ODD = re.compile(r"[\x00-\x1f\x7f]|(^|/)\.{1,2}(/|$)|//")
_USER = re.compile(r"//[^/]*@")  # a user name, and maybe a password: messages show neither


class StorePath(NamedTuple):
    """An address in two parts: "s3://bucket", and the key without a slash at its start."""

    root: str
    key: str


def is_store_address(text: str, /) -> bool:
    """Return whether a text starts as the address of a store."""
    return text.partition("://")[0].lower() in SCHEMES and "://" in text


def split_address(address: str, /) -> StorePath:
    """Return the root and the key of an address.

    Raises:
        UsageError: If it is no address of a store, holds a user name or password, or its key has an empty
            part, "." or "..".
    """
    found, shown = _ADDRESS.fullmatch(address), _USER.sub("//…@", address)
    if found is None:
        raise UsageError(f"{shown!r} is no address of a store; expected e.g. s3://bucket/folder")
    key = (found[3] or "").strip("/")
    if _ODD.search(key):
        raise UsageError(
            f"{shown!r} has a key with an empty part, '.', '..' or a control character; expected"
            " s3://bucket/folder/name"
        )
    if "@" in found[2] and not found[1].lower().startswith("abfs"):
        raise UsageError(
            f"an address at {found[1]}:// holds a user name or password; leave it out and put keys into"
            " environment variables"
        )
    return StorePath(f"{found[1].lower()}://{found[2]}", key)
