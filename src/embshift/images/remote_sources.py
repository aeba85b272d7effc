"""Sources at addresses: images, archives, folders and globs, listed as they are from this machine's disk."""

import glob
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from posixpath import basename, dirname
from typing import BinaryIO, cast

from embshift.core.errors import ImageError, PlanError
from embshift.core.remote import (
    RangeFile,
    StoredObject,
    check_remote_address,
    list_addresses,
    pin_address,
    read_address,
    redact_address,
    stat_address,
)
from embshift.core.remote.addresses import is_web_address
from embshift.core.types import ImageRecord
from embshift.images.archives import list_members
from embshift.images.braces import expand_braces
from embshift.images.contents import tag_header
from embshift.images.folders import MARKS
from embshift.images.globs import match_parts
from embshift.images.kinds import explain_named, is_compressed, is_container
from embshift.images.left_out import COMPRESSED, CONTAINER, IN_RUN, ODD_NAME, RUN_FOLDER, LeftOut, Reason
from embshift.images.remote_lists import is_remote_list, read_remote_list

__all__ = ["list_remote"]

_EXPECTED = "expected an image, an archive .tar, a list, or a folder or glob of a store"
_PROBE = 64  # bytes that tell an image with an unknown suffix


def list_remote(source: str, /, *, left: LeftOut) -> Iterator[ImageRecord]:
    """Yield the images of a source that is an address.

    Folders and globs of stores and of the hub come in the order of their names' bytes, as from this machine.

    Args:
        source: The source: an image, an archive, a folder or a glob.
        left: Counts what is left out.

    Raises:
        PlanError: If there is nothing, or it cannot be read. What may pass has been tried again by then.
        UsageError: If the address holds a secret or is none, or nothing may be read.
    """
    check_remote_address(source)
    with _translate(source):
        scheme, mark, rest = source.partition("://")
        pinned = pin_address(f"{scheme.lower()}{mark}{rest}")  # as objects that are listed are called
        for text in expand_braces(pinned):
            found = _find_object(text)
            if found is None:
                yield from _list_folder(source, text.rstrip("/"), left=left)
            else:
                yield from _list_object(source, found, left=left)


@contextmanager
def _translate(source: str) -> Generator[None]:
    # A listing that lacks what a server did not give today would be frozen so: nothing is measured instead.
    try:
        yield
    except (ImageError, OSError) as error:
        raise PlanError(f"source {redact_address(source)} cannot be read: {error}") from error


def _find_object(text: str) -> StoredObject | None:
    """Return what is said of an object; None where there is none, as at the address of a folder or a glob."""
    if is_web_address(text):
        found = stat_address(text)
        if found is None:
            raise PlanError(
                f"source {redact_address(text)} does not exist, and web servers have no folders or globs;"
                " give addresses of images, of archives .tar, or of a list"
            )
        return found
    return None if text.endswith("/") else stat_address(text)


def _list_object(source: str, found: StoredObject, *, left: LeftOut) -> Iterator[ImageRecord]:
    name = _name(found.address)
    if is_compressed(name):
        raise PlanError(f"source '{redact_address(source)}' is {COMPRESSED.why}")
    if is_container(name):
        yield from _list_container(source, found, left=left, lists=True)
    elif is_remote_list(name):
        yield from read_remote_list(source, found, left=left)
    else:
        yield _make_record(source, found, member=basename(name))


def _list_container(
    source: str, found: StoredObject, *, left: LeftOut, lists: bool = False
) -> Iterator[ImageRecord]:
    name = _name(found.address)
    if found.size < 0:
        raise PlanError(
            f"source {redact_address(source)}: its server does not say how large it is; download it"
        )
    if name.lower().endswith(".tar"):
        yield from _list_archive(source, found, left=left)
        return
    from embshift.images.cells import note_stored_table  # both import pyarrow
    from embshift.images.image_tables import list_table

    note_stored_table(found)
    yield from list_table(source, found.address, left=left, lists=lists, base=dirname(name))


def _list_archive(source: str, found: StoredObject, *, left: LeftOut) -> Iterator[ImageRecord]:
    file = cast(BinaryIO, RangeFile(found.address, size=found.size, etag=found.etag))
    for record in list_members(file, source=source, path=found.address, left=left):
        yield replace(record, etag=found.etag or tag_header(record.etag))


def _make_record(source: str, found: StoredObject, *, member: str) -> ImageRecord:
    return ImageRecord(
        row=0, source=source, member=member, path=found.address, length=found.size, etag=found.etag
    )


def _name(address: str) -> str:
    """Return an address without the query of a web server."""
    return address.partition("?")[0] if is_web_address(address) else address


def _list_folder(source: str, text: str, *, left: LeftOut) -> Iterator[ImageRecord]:
    top, pattern = _split_glob(text)
    objects = list_addresses(top)
    if not objects:
        raise PlanError(f"source {redact_address(text)} does not exist; {_EXPECTED}")
    closed, is_bare = list[StoredObject](), True
    for found, member in _choose(objects, top=top, pattern=pattern, left=left):
        reason = ODD_NAME if _is_odd(member) else _explain(found, member)
        if reason is None:
            is_bare = False
            yield _make_record(source, found, member=found.address if pattern else member)
        elif reason is CONTAINER and pattern and is_container(text):
            yield from _list_container(source, found, left=left)
        elif reason is CONTAINER and is_bare and not pattern:
            closed.append(found)
        else:
            left.add(reason, member)
    for found in closed:
        if is_bare:  # a folder of shards, and of nothing else
            yield from _list_container(source, found, left=left)
        else:
            left.add(CONTAINER, found.address.removeprefix(f"{top}/"))


def _split_glob(address: str) -> tuple[str, tuple[str, ...]]:
    """Return the folder below which a glob's matches are, and the parts of its pattern."""
    scheme, _, rest = address.partition("://")
    parts = rest.split("/")
    fixed = next((at for at, part in enumerate(parts) if at and glob.has_magic(part)), len(parts))
    return f"{scheme}://{'/'.join(parts[:fixed])}", tuple(parts[fixed:])


def _choose(
    objects: Sequence[StoredObject], *, top: str, pattern: tuple[str, ...], left: LeftOut
) -> Iterator[tuple[StoredObject, str]]:
    """Yield the objects that match and lie in no run folder, with their names below the top.

    Marks of folders are no objects of their own.
    """
    runs, told = _find_runs(one.address for one in objects), set[str]()
    folders = {top, *(dirname(one.address) for one in objects)}
    for found in objects:
        if not found.size and found.address in folders:
            continue  # an empty object that a store's console writes in the place of a folder
        member = found.address.removeprefix(f"{top}/")
        if pattern and not match_parts(tuple(member.split("/")), pattern):
            continue
        run = next((one for one in _list_parents(found.address) if one in runs), None)
        if run is None:
            yield found, member
        elif pattern or run not in told:
            left.add(IN_RUN if pattern else RUN_FOLDER, member if pattern else run)
            told.add(run)


def _find_runs(addresses: Iterable[str]) -> set[str]:
    """Return the folders that hold a run, or written views, by the names of their files."""
    names = {name for group in MARKS for name in group}
    held = dict[str, set[str]]()
    for address in addresses:
        if basename(address) in names:
            held.setdefault(dirname(address), set()).add(basename(address))
    return {folder for folder, files in held.items() if any(files.issuperset(group) for group in MARKS)}


def _list_parents(address: str) -> Iterator[str]:
    folder = dirname(address)
    while folder.count("/") > 1:
        yield folder
        folder = dirname(folder)


def _is_odd(member: str) -> bool:
    return not member.isprintable() or any(part in ("", ".", "..") for part in member.split("/"))


def _explain(found: StoredObject, member: str) -> Reason | None:
    def read_start() -> bytes:
        return read_address(found.address, length=min(_PROBE, found.size), etag=found.etag)

    return explain_named(member, read_start)
