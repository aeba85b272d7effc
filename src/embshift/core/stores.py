"""Objects in the stores of a cloud, by their addresses: S3, Google Cloud Storage and Azure, through obstore.

An object is written whole or not at all, and is never renamed. Keys come from where the store's own tools
find them: variables such as AWS_ACCESS_KEY_ID, files of settings, the machine's role.
"""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from embshift.core.errors import MissingExtraError, StoreError
from embshift.core.store_addresses import split_address
from embshift.core.store_errors import (
    ObjectChangedError,
    ObjectExistsError,
    StoreRefusedError,
    explain_error,
    explain_missing,
    first_line,
)

__all__ = [
    "ObjectChangedError",
    "ObjectExistsError",
    "StoreRefusedError",
    "StoredObject",
    "create_object",
    "list_folder",
    "list_objects",
    "read_object",
    "remove_object",
    "replace_object",
    "stat_object",
]

_CLIENT = {"timeout": "60s", "connect_timeout": "10s"}
_RETRIES: dict[str, Any] = {"max_retries": 6, "retry_timeout": timedelta(minutes=3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What a store says of an object.

    Attributes:
        address: Its address, "s3://bucket/key".
        size: Its size in bytes.
        etag: What the store calls this content; empty where it names none.
        modified_ns: When it was written, in nanoseconds since 1970.
    """

    address: str
    size: int
    etag: str
    modified_ns: int


def stat_object(address: str, /) -> StoredObject | None:
    """Return what a store says of an object; None if it is not there.

    Raises:
        StoreError: If the store cannot be reached, or refuses.
        UsageError: As in `split_address`.
    """
    obstore = _import_obstore()
    root, key = split_address(address)
    if not key:  # a bucket, of which stores say something as well
        return None
    with _translate(address):
        try:
            return _describe(root, obstore.head(_open(root), key))
        except FileNotFoundError:
            return None


def list_objects(address: str, /) -> Iterator[StoredObject]:
    """Yield the objects below a folder, in no order that all stores share.

    Args:
        address: The folder: its objects' keys begin with its key and a slash.

    Raises:
        StoreError: If the store cannot be reached, or refuses.
        UsageError: As in `split_address`.
    """
    obstore = _import_obstore()
    root, key = split_address(address)
    with _translate(address):
        for batch in obstore.list(_open(root), key or None):
            yield from (_describe(root, one) for one in batch)


def list_folder(address: str, /) -> list[StoredObject]:
    """List the objects that lie directly in a folder, and none of those in the folders below it.

    A folder below it is listed as an object without a size, a date and a name of its content, whose address
    ends in a slash.

    Raises:
        StoreError: If the store cannot be reached, or refuses.
        UsageError: As in `split_address`.
    """
    obstore = _import_obstore()
    root, key = split_address(address)
    with _translate(address):
        found = obstore.list_with_delimiter(_open(root), key or None)
    below = [f"{root}/{prefix.rstrip('/')}/" for prefix in found["common_prefixes"]]
    folders = [StoredObject(address=one, size=0, etag="", modified_ns=0) for one in below]
    return [_describe(root, one) for one in found["objects"]] + folders


def read_object(address: str, /, *, start: int = 0, length: int | None = None, etag: str = "") -> bytes:
    """Read an object, or a range of it.

    Args:
        address: The address.
        start: First byte.
        length: Bytes that are read; all that follow if None.
        etag: What the store must call the content; empty for any.

    Raises:
        FileNotFoundError: If it is not there.
        ObjectChangedError: If the store calls the content otherwise.
        StoreError: If the store cannot be reached or refuses, or the range is not all there.
        UsageError: As in `split_address`.
    """
    obstore = _import_obstore()
    root, key = split_address(address)
    if length == 0:
        return b""
    options: dict[str, Any] = {"if_match": etag} if etag else {}
    if length is not None:
        options["range"] = (start, start + length)
    elif start:
        options["range"] = {"offset": start}
    with _translate(address):
        data = bytes(obstore.get(_open(root), key, options=options).bytes())
    if length is not None and len(data) != length:
        raise StoreError(f"{address} gave {len(data):,} of {length:,} bytes from {start:,} on")
    return data


def create_object(address: str, data: bytes, /) -> str:
    """Write an object that is not there yet, and return what the store calls it.

    Raises:
        ObjectExistsError: If it is there, also where another writer was faster.
        StoreError: If the store cannot be reached, or refuses.
        UsageError: As in `split_address`.
    """
    return _put(address, data, mode="create")


def replace_object(address: str, data: bytes, /, *, etag: str = "") -> str:
    """Write an object in the place of another, and return what the store calls it.

    Args:
        address: The address.
        data: The content.
        etag: What the store calls the content that is replaced; empty to replace whatever is there.

    Raises:
        ObjectChangedError: If another content is there, also where another writer was faster.
        StoreError: If the store cannot be reached, or refuses.
        UsageError: As in `split_address`.
    """
    return _put(address, data, mode=_find_version(address, etag) if etag else "overwrite")


def _find_version(address: str, etag: str) -> Any:
    """Return what must be there for a content to be replaced; Google's store asks for its version as well."""
    root, key = split_address(address)
    if not root.startswith("gs://"):
        return {"e_tag": etag}
    with _translate(address):
        found = _import_obstore().head(_open(root), key)
    if found["e_tag"] != etag:
        raise ObjectChangedError(f"{address} is another object than it was")
    return {"e_tag": etag, "version": found["version"]}


def remove_object(address: str, /) -> None:
    """Remove an object; one that is not there is none of this function's concern.

    Raises:
        StoreError: If the store cannot be reached, or refuses.
        UsageError: As in `split_address`.
    """
    obstore = _import_obstore()
    root, key = split_address(address)
    with _translate(address):
        try:
            obstore.delete(_open(root), key)
        except FileNotFoundError:
            return


def _put(address: str, data: bytes, *, mode: Any) -> str:
    obstore = _import_obstore()
    root, key = split_address(address)
    with _translate(address):
        try:
            # In one piece: only then can the store refuse it for what is there.
            return str(obstore.put(_open(root), key, data, mode=mode, use_multipart=False)["e_tag"] or "")
        except FileNotFoundError as error:  # an object needs no folder
            raise explain_missing(address, root) from error


def _describe(root: str, found: Any) -> StoredObject:
    return StoredObject(
        address=f"{root}/{found['path']}",
        size=int(found["size"]),
        etag=str(found["e_tag"] or ""),
        modified_ns=int(found["last_modified"].timestamp() * 1e6) * 1000,
    )


def _import_obstore() -> Any:
    try:
        import obstore
    except ImportError:
        raise MissingExtraError("obstore", "remote") from None
    return obstore


@cache
def _open(root: str) -> Any:
    """Open the store of a root, once in a process."""
    return open_root(root)


def open_root(root: str, /) -> Any:
    """Open a store; tests put others in this function's place."""
    obstore = _import_obstore()
    try:
        return obstore.store.from_url(root, client_options=_CLIENT | _read_client(), retry_config=_RETRIES)
    except Exception as error:  # noqa: BLE001 - obstore's errors share no class with ours
        raise StoreError(f"{root} cannot be opened: {first_line(error)}") from None


def _read_client() -> dict[str, Any]:
    """Return what the environment says of connections: options of ours would take its place otherwise."""
    stated = {os.environ.get(name, "").lower() for name in ("AWS_ALLOW_HTTP", "ALLOW_HTTP")}
    return {"allow_http": True} if stated & {"true", "1"} else {}


@contextmanager
def _translate(address: str) -> Generator[None]:
    """Turn what obstore raises into our errors; its messages hold addresses and answers, but no keys."""
    try:
        yield
    except (FileNotFoundError, StoreError, MissingExtraError):
        raise
    except Exception as error:  # noqa: BLE001 - as above; and its text holds whole requests
        raise explain_error(address, error) from None
