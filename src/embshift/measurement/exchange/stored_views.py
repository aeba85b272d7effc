"""Views of one image read back from where they were written, each checked by its digest."""

import io
import warnings
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from embshift.core.errors import ShiftError, UsageError
from embshift.core.text_files import parse_json
from embshift.core.types import ORIGINAL, FrozenRow, Pixels
from embshift.images import Decoded, hash_pixels
from embshift.measurement.exchange.reading import WrittenTables, open_views
from embshift.measurement.pipeline.perturb import Attempt, Drafted
from embshift.runs.places import file_in
from embshift.transforms.perturb import pixels_digest

__all__ = ["StoredViews"]

_SLACK = 2**16  # bytes of a PNG file beyond those of its pixels
_MADE = ("pixels", "perceptual_hash")  # made from the original, not stored beside it


class _Group(NamedTuple):
    """The row group that was read last."""

    at: int
    rows: pa.Table


class _Table:
    """Rows of a Parquet file by their position; memory holds one row group."""

    def __init__(self, file: pq.ParquetFile) -> None:
        groups = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
        self._file, self._ends, self._held = file, list(accumulate(groups)), _Group(-1, pa.table({}))

    def read(self, first: int, count: int) -> list[dict[str, Any]]:
        """Return some rows, which may stand in several groups."""
        found = list[dict[str, Any]]()
        while len(found) < count:
            at = first + len(found)
            group = bisect_right(self._ends, at)
            if at < 0 or group == len(self._ends):
                raise ValueError(f"row {at:,} is not in the table")
            if group != self._held.at:
                self._held = _Group(group, self._file.read_row_group(group))
            start = self._ends[group] - len(self._held.rows)
            found += self._held.rows.slice(at - start, count - len(found)).to_pylist()
        return found


@final
class StoredViews:
    """Reads the views of an image; it is sent to worker processes, and each opens the file itself.

    Args:
        path: The written views.
        size: Height and width of every view, in pixels.
        most: Greatest number of views of an image, the original included.
    """

    def __init__(self, path: Path, *, size: tuple[int, int], most: int) -> None:
        self._path, self._size, self._most = path, size, most
        self._held, self._opened = ExitStack(), None

    def __reduce__(self) -> Any:
        return _open_stored, (self._path, self._size, self._most)

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        self._held.close()
        self._opened = None

    def __call__(self, listed: FrozenRow, /) -> Drafted | Decoded:
        """Return the views of an image as they were written.

        Raises:
            UsageError: If a view is not the one that its key names.
        """
        row = listed.record.row
        try:
            return self._read(listed)
        except UsageError:
            raise
        except (OSError, ValueError, KeyError, TypeError, ShiftError, pa.ArrowException) as error:
            raise UsageError(f"the views of image {row} in '{self._path}' are damaged: {error}") from None

    def _open(self) -> tuple[WrittenTables, _Table, _Table]:
        if self._opened is None:
            tables = self._held.enter_context(open_views(self._path))
            self._opened = tables, _Table(tables.images), _Table(tables.keys)
        return self._opened

    def _read(self, listed: FrozenRow) -> Drafted | Decoded:
        tables, images, keys = self._open()
        (line,) = images.read(listed.record.row, 1)
        decoded = Decoded(**{name: line[name] for name in Decoded._fields if name not in _MADE})
        if (decoded.status == "ok") != bool(line["count"]):
            raise ValueError(f"{line['count']:,} views of an image whose status is '{decoded.status}'")
        if not line["count"]:
            return decoded
        if not 0 < line["count"] <= self._most:
            raise ValueError(f"{line['count']:,} views are more than the plan's {self._most:,}")
        found = keys.read(line["first"], line["count"])
        made = [_to_attempt(key, image_id=decoded.image_id) for key in found]
        lost = [_to_lost(each) for each in parse_json(line["failed"])]
        pixels = np.stack([self._decode(key, tables) for key in found])
        return Drafted(
            listed=listed,
            decoded=decoded._replace(perceptual_hash=hash_pixels(pixels[0])),
            attempts=_sort_attempts(made, lost, names=[one.name for one in tables.about.plan.transforms]),
            pixels=pixels,
            coordinates=(),
            drafts=(),
        )

    def _decode(self, key: dict[str, Any], tables: WrittenTables) -> Pixels:
        height, width = self._size
        named = f"view {key['transform']} {key['draw']} of {key['image_id']}"
        data = _read_bytes(key, tables, most=4 * height * width + _SLACK)
        pixels = _decode_png(data, width=width, height=height)
        if pixels_digest(pixels) != key["pixels_digest"]:
            raise UsageError(f"{named} in '{self._path}' is not what its digest says; write the views again")
        return pixels


def _decode_png(data: bytes, *, width: int, height: int) -> Pixels:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                if image.size != (width, height) or image.mode != "RGB":
                    raise ValueError(
                        f"{image.size} pixels of mode {image.mode}; expected {(width, height)}, RGB"
                    )
                return np.array(image)
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises on bytes from outside
        raise ValueError(f"a PNG file cannot be read ({error})") from None


def _open_stored(path: Path, size: tuple[int, int], most: int) -> StoredViews:
    return StoredViews(path, size=size, most=most)


def _to_attempt(key: dict[str, Any], *, image_id: str | None) -> Attempt:
    if key["image_id"] != image_id:
        raise ValueError(f"a view of {key['image_id']} stands among those of {image_id}")
    return Attempt(
        transform=key["transform"],
        draw=key["draw"],
        severity=key["severity"],
        strength=key["strength"],
        parameters=key["parameters"],
        digest=key["pixels_digest"],
    )


def _to_lost(content: Any) -> Attempt:
    """Return the attempt of a view that could not be made, as the file of the views states it."""
    lost = Attempt(*content)
    for name, kinds in _KINDS.items():
        if not isinstance(getattr(lost, name), kinds):
            raise ValueError(f"a view that failed has {name} {getattr(lost, name)!r}")
    if lost.status == "ok" or lost.digest is not None:
        raise ValueError("a view that failed is stated to be whole")
    return lost


_KINDS: Mapping[str, Any] = {
    "transform": str,
    "draw": int,
    "severity": int | None,
    "strength": float | int | None,
    "status": str,
    "error": str | None,
    "parameters": str,
}


def _sort_attempts(
    made: Sequence[Attempt], lost: Sequence[Attempt], *, names: Sequence[str]
) -> tuple[Attempt, ...]:
    """Return all attempts in the order of the plan, as a run makes them."""
    order = {name: at for at, name in enumerate([ORIGINAL, *names])}

    def place(one: Attempt) -> tuple[int, int]:
        return order[one.transform], one.draw

    found = sorted([*made, *lost], key=place)
    if [one for one in found if one.status == "ok"] != list(made) or len({*map(place, found)}) < len(found):
        raise ValueError("the views of an image are not in the order of the plan")
    if made[0].transform != ORIGINAL:
        raise ValueError("the original is not among the views")
    return tuple(found)


def _read_bytes(key: dict[str, Any], tables: WrittenTables, *, most: int) -> bytes:
    """Return the bytes of a PNG file; no link is followed, and no more are read than a view can have."""
    if tables.form == "parquet":
        data = key["image"]
    elif tables.form == "folder":
        with file_in(tables.path, *str(key["file"]).split("/")).open("rb") as file:
            data = file.read(most + 1)
    else:
        data = _read_part(tables.path, key["offset"], min(key["size"], most + 1))
    if len(data) > most:
        raise ValueError(f"the PNG file of a view has more than {most:,} bytes")
    return data


def _read_part(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)
