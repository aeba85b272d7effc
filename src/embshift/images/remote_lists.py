"""Lists at addresses: fetched whole, and read as lists on this machine are; their paths lead elsewhere."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from posixpath import basename, dirname

from embshift.core.errors import PlanError
from embshift.core.remote import StoredObject, read_address, redact_address
from embshift.core.types import ImageRecord
from embshift.images.captioned_lists import LISTS, is_captioned, list_captioned
from embshift.images.left_out import LeftOut
from embshift.images.lists import is_list, read_list

__all__ = ["is_remote_list", "read_remote_list"]

_SUFFIXES = LISTS | {".lst", ".txt"}
_MOST = 512 * 2**20


def is_remote_list(name: str, /) -> bool:
    """Return whether a name says that an object on another machine is a list."""
    return os.path.splitext(name)[1].lower() in _SUFFIXES


def read_remote_list(source: str, found: StoredObject, /, *, left: LeftOut) -> Iterator[ImageRecord]:
    """Yield the images that a list on another machine names; relative paths start from its own folder.

    Args:
        source: The source.
        found: The list.
        left: Counts what is left out.

    Raises:
        ImageError: If it cannot be fetched.
        PlanError: If it cannot be read, or names a file of this machine.
    """
    address = found.address.partition("?")[0]
    with tempfile.TemporaryDirectory(prefix="embshift-list-") as folder:
        file = Path(folder) / f"list{os.path.splitext(basename(address))[1].lower()}"
        file.write_bytes(read_address(found.address, etag=found.etag, most=_MOST))
        try:
            yield from _read(source, file, base=dirname(address), left=left)
        except PlanError as error:
            raise PlanError(str(error).replace(str(file), redact_address(address))) from None


def _read(source: str, file: Path, *, base: str, left: LeftOut) -> Iterator[ImageRecord]:
    if not is_list(file):
        raise PlanError(f"list '{file}' is not text; expected one path or address a line, or a table")
    if file.suffix in LISTS and is_captioned(file):
        yield from list_captioned(source, file, left=left, base=base)
        return
    for name, path in read_list(file, base=base):
        yield ImageRecord(row=0, source=source, member=name, path=path)
