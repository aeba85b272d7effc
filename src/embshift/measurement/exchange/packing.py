"""Packing of views into one of the forms: PNG files and keys, written one image after the other."""

import base64
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.parquet as pq

from embshift.core.errors import UsageError
from embshift.measurement.exchange.layout import ABOUT, IMAGES, KEYS, PLAN, Form, key_schema

__all__ = ["GROUP_ROWS", "TAR_INDEX", "Packer", "open_packer"]

TAR_INDEX = 4096
"""Bytes of a tar archive's first member, which says where the tables are."""

GROUP_ROWS = 4096
"""Keys that are written at once; with their images, fewer."""

_GROUP_BYTES = 16 * 2**20  # of images: what a reader must hold at once
_BLOCK = 512
_MOST_METADATA = 90_000_000  # readers of Parquet refuse 100 MB


@runtime_checkable
class Packer(Protocol):
    """Takes the views of one image after the other."""

    def add(self, keys: Sequence[dict[str, Any]], files: Sequence[tuple[str, bytes]], /) -> None:
        """Add the views of an image: their keys, and name and content of their PNG files."""
        ...

    def finish(self, *, about: str, plan: str, images: Path) -> None:
        """Add everything else, and complete what was written."""
        ...

    def close(self) -> None:
        """Close every file, complete or not."""
        ...


class _Keys:
    """The table of keys while it is written; a row group ends between two images."""

    def __init__(self, path: Path, *, form: Form) -> None:
        self._schema, self._rows, self._bytes = key_schema(form), list[dict[str, Any]](), 0
        # PNG files are compressed, and differ: nothing is gained by a dictionary or statistics of them.
        names = [name for name in self._schema.names if name != "image"]
        packed = dict.fromkeys(names, "zstd") | {"image": "none"}
        settings: dict[str, Any] = {"use_dictionary": names, "write_statistics": names, "compression": packed}
        self._writer = pq.ParquetWriter(path, self._schema, **settings)

    def add(self, rows: Sequence[dict[str, Any]], *, held: int) -> None:
        self._rows += rows
        self._bytes += held
        if self._bytes >= _GROUP_BYTES or len(self._rows) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._bytes = [], 0

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        self._flush()
        self._writer.add_key_value_metadata(dict(metadata or {}))
        self._writer.close()

    def close(self) -> None:
        self._writer.close()


def open_packer(form: Form, path: Path, /) -> Packer:
    """Return what packs views.

    Args:
        form: The form.
        path: Where to, a new file or folder; beside it a file is written meanwhile.
    """
    return {"parquet": _ParquetPacker, "tar": _TarPacker, "folder": _FolderPacker}[form](path)


class _ParquetPacker:
    """One Parquet file, with everything that is no view in its metadata."""

    def __init__(self, path: Path) -> None:
        self._keys = _Keys(path, form="parquet")

    def add(self, keys: Sequence[dict[str, Any]], files: Sequence[tuple[str, bytes]], /) -> None:
        rows = [{**key, "image": data} for key, (_, data) in zip(keys, files, strict=True)]
        self._keys.add(rows, held=sum(len(data) for _, data in files))

    def finish(self, *, about: str, plan: str, images: Path) -> None:
        # As text: readers in other languages refuse metadata that is no text.
        listed = base64.b64encode(images.read_bytes()).decode("ascii")
        if len(listed) > _MOST_METADATA:
            raise UsageError(
                "there are too many images for one Parquet file; give a folder or a .tar as --out"
            )
        self._keys.finish({ABOUT: about, PLAN: plan, IMAGES: listed})

    def close(self) -> None:
        self._keys.close()


class _FolderPacker:
    """A folder of PNG files, with the tables beside them; the keys are written last."""

    def __init__(self, path: Path) -> None:
        self._path, self._aside = path, path.with_name(f"{path.name}.keys")
        path.mkdir()
        self._keys = _Keys(self._aside, form="folder")

    def add(self, keys: Sequence[dict[str, Any]], files: Sequence[tuple[str, bytes]], /) -> None:
        for name, data in files:
            place = self._path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        self._keys.add([{**key, "file": name} for key, (name, _) in zip(keys, files, strict=True)], held=0)

    def finish(self, *, about: str, plan: str, images: Path) -> None:
        self._keys.finish()
        (self._path / ABOUT).write_text(about, encoding="utf-8")
        (self._path / PLAN).write_text(plan, encoding="utf-8")
        images.replace(self._path / IMAGES)
        self._aside.replace(self._path / KEYS)

    def close(self) -> None:
        self._keys.close()


class _TarPacker:
    """A tar archive whose first member says where the tables are, so that no reader need scan it."""

    def __init__(self, path: Path) -> None:
        self._aside = path.with_name(f"{path.name}.keys")
        self._keys = _Keys(self._aside, form="tar")
        self._file = path.open("w+b")
        _start_member(self._file, "index.json", size=TAR_INDEX)
        self._index = self._file.tell()
        self._file.write(b" " * TAR_INDEX)

    def add(self, keys: Sequence[dict[str, Any]], files: Sequence[tuple[str, bytes]], /) -> None:
        rows = list[dict[str, Any]]()
        for key, (name, data) in zip(keys, files, strict=True):
            rows.append({**key, "file": name, "offset": self._write(name, data), "size": len(data)})
        self._keys.add(rows, held=0)

    def _write(self, name: str, data: bytes) -> int:
        _start_member(self._file, name, size=len(data))
        at = self._file.tell()
        self._file.write(data)
        self._file.write(bytes(-len(data) % _BLOCK))
        return at

    def finish(self, *, about: str, plan: str, images: Path) -> None:
        self._keys.finish()
        places = dict[str, list[int]]()
        for name, text in ((ABOUT, about), (PLAN, plan)):
            places[name] = [self._write(name, text.encode()), len(text.encode())]
        for name, table in ((IMAGES, images), (KEYS, self._aside)):
            places[name] = [self._copy(name, table), table.stat().st_size]
        self._file.write(bytes(2 * _BLOCK))
        self._file.seek(self._index)
        self._file.write(_to_index(places))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._aside.unlink()

    def close(self) -> None:
        self._keys.close()
        self._file.close()

    def _copy(self, name: str, table: Path) -> int:
        _start_member(self._file, name, size=table.stat().st_size)
        at = self._file.tell()
        with table.open("rb") as opened:
            while piece := opened.read(2**20):
                self._file.write(piece)
        self._file.write(bytes(-table.stat().st_size % _BLOCK))
        return at


def _to_index(places: Mapping[str, Sequence[int]]) -> bytes:
    lines = [f'"{name}": [{start}, {size}]' for name, (start, size) in places.items()]
    return f"{{{', '.join(lines)}}}".encode().ljust(TAR_INDEX - 1) + b"\n"


def _start_member(file: BinaryIO, name: str, *, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    file.write(member.tobuf(format=tarfile.USTAR_FORMAT))
