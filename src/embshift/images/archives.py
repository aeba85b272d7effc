"""Tar archives as sources: the images in one, and what the texts beside them say.

In the form that WebDataset writes, the members of one sample share a stem and follow each other:
``0001.jpg``, ``0001.txt`` (a caption), ``0001.cls`` (a label), ``0001.json`` (fields: caption, label, id).
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, cast, final

from embshift.core.text_files import parse_json
from embshift.core.types import ImageRecord
from embshift.images.kinds import explain_named
from embshift.images.left_out import (
    CUT_OFF,
    DEVICE,
    LONELY_TEXT,
    MEMBER_LINK,
    ODD_MEMBER,
    OUTSIDE,
    SPARSE,
    UNREADABLE_TEXT,
    LeftOut,
    Reason,
)
from embshift.images.said import NOTHING, TEXT_BYTES, Said, read_said, read_text
from embshift.images.tar_headers import TarDamage, TarMember, walk_tar

__all__ = ["list_archive", "list_members"]

_KINDS: Mapping[str, Reason] = {
    "link": MEMBER_LINK,
    "device": DEVICE,
    "sparse": SPARSE,
    "unnamed": ODD_MEMBER,
    "other": ODD_MEMBER,
}
_TEXTS = frozenset({".txt", ".cls", ".json"})
_PENDING, _HELD = 16, 64  # images that wait for texts behind them; stems, and names of one, that are known
_PROBE = 64  # bytes that tell an image with an unknown suffix


def list_archive(source: str, path: Path, *, left: LeftOut) -> Iterator[ImageRecord]:
    """Yield the images of a tar archive, in their order.

    Args:
        source: The SOURCE argument.
        path: The archive.
        left: Counts what is left out: other members, and what follows a damaged place.

    Raises:
        OSError: If the archive cannot be opened.
    """
    with path.open("rb") as file:
        yield from list_members(file, source=source, path=os.path.abspath(path), left=left)


def list_members(file: BinaryIO, *, source: str, path: str, left: LeftOut) -> Iterator[ImageRecord]:
    """Yield the images of an archive that is open.

    Args:
        file: The archive, of which headers and texts are read.
        source: The SOURCE argument.
        path: Its absolute path, or its address.
        left: Counts what is left out.
    """
    samples, short = _Samples(os.path.basename(path), left), os.path.basename(path)
    try:
        for member in walk_tar(file):
            name = os.path.normpath(member.name) if member.name else ""
            suffix = os.path.splitext(name)[1].lower()
            reason = _explain(member, name, file)
            if reason is None:
                record = ImageRecord(row=0, source=source, member=name, path=path)
                samples.add(replace(record, offset=member.offset, length=member.length, etag=member.etag))
            elif member.kind == "file" and suffix in _TEXTS and reason is not OUTSIDE:
                samples.tell(name, _read_said(file, member, suffix, f"{short}:{name}", left))
            elif member.kind != "folder":
                left.add(reason, f"{short}:{name}")
            yield from samples.take(_PENDING)
    except TarDamage as damage:
        left.add(CUT_OFF, f"{path}: {damage}")
    yield from samples.take(0)
    samples.close()


def _explain(member: TarMember, name: str, file: BinaryIO) -> Reason | None:
    """Return why a member is no image that is measured; None where it is one."""
    if member.kind != "file":
        return _KINDS.get(member.kind, ODD_MEMBER)
    if name in ("", ".") or "\\" in name or os.path.isabs(name) or name.split("/")[0] == "..":
        return OUTSIDE

    def read_start() -> bytes:
        file.seek(member.offset)
        return file.read(min(_PROBE, member.length))

    return explain_named(name, read_start)


def _read_said(file: BinaryIO, member: TarMember, suffix: str, name: str, left: LeftOut) -> Said:
    """Return what a text says; nothing, which is counted, where it cannot be used."""
    try:
        if member.length > TEXT_BYTES:
            raise ValueError(f"{member.length:,} bytes")
        file.seek(member.offset)
        text = file.read(member.length).decode("utf-8-sig")
        if suffix == ".json":
            fields: Any = parse_json(text)
            return read_said(cast("dict[str, Any]", fields)) if isinstance(fields, dict) else NOTHING
        return Said(caption=read_text(text)) if suffix == ".txt" else Said(label=read_text(text))
    except ValueError:
        left.add(UNREADABLE_TEXT, name)
        return NOTHING


@dataclass(slots=True, kw_only=True)
class _Sample:
    """Members that share a stem: their names, what texts say, texts without image, images that wait."""

    names: set[str] = field(default_factory=set[str])
    said: Said = NOTHING
    lonely: list[str] = field(default_factory=list[str])
    waiting: int = 0


@final
class _Samples:
    """Images that wait for the texts of their stem, and texts that wait for their image."""

    def __init__(self, archive: str, left: LeftOut) -> None:
        self._archive, self._left = archive, left
        self._images = deque[tuple[ImageRecord, _Sample]]()
        self._open = dict[str, _Sample]()

    def add(self, record: ImageRecord) -> None:
        sample = self._find(record.member)
        self._images.append((record, sample))
        sample.waiting += 1
        sample.lonely.clear()

    def tell(self, name: str, said: Said) -> None:
        """Remember what a text says, which may come before its image or after it."""
        sample = self._find(name)
        # The text and the class of a sample say it of themselves; its fields may repeat it.
        first, then = (sample.said, said) if name.lower().endswith(".json") else (said, sample.said)
        sample.said = Said(*(a if a is not None else b for a, b in zip(first, then, strict=True)))
        if not sample.waiting:
            sample.lonely.append(name)

    def _find(self, name: str) -> _Sample:
        """Return the sample that a member belongs to; a name that comes again begins another of its stem."""
        stem = os.path.splitext(name)[0]
        sample = self._open.pop(stem, None)
        if sample is not None and (name in sample.names or len(sample.names) == _HELD):
            self._count(sample)
            sample = None
        sample = self._open[stem] = sample or _Sample()
        sample.names.add(name)
        while len(self._open) > _HELD:
            self._count(self._open.pop(next(iter(self._open))))
        return sample

    def _count(self, sample: _Sample) -> None:
        """Count the texts of a sample that stand beside no image."""
        for name in sample.lonely:
            self._left.add(LONELY_TEXT, f"{self._archive}:{name}")

    def take(self, most: int) -> Iterator[ImageRecord]:
        """Yield the first images until no more than some are left."""
        while len(self._images) > most:
            record, sample = self._images.popleft()
            sample.waiting -= 1
            yield replace(record, **sample.said._asdict()) if sample.said is not NOTHING else record

    def close(self) -> None:
        """Count the texts that belong to no image."""
        for sample in self._open.values():
            self._count(sample)
