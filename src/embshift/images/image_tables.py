"""Tables as sources: Parquet and Arrow files with a column of images, or with a column of paths.

A column of images holds bytes, or a structure with bytes and path, as the library datasets writes it. What it
writes about its columns gives labels their names.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow as pa

from embshift.core.text_files import parse_json
from embshift.core.types import ImageRecord
from embshift.images.batches import BYTES, PATH
from embshift.images.captioned_lists import list_rows
from embshift.images.cells import ImageTable, open_table
from embshift.images.left_out import BAD_TABLE, LONG_TEXT, NO_IMAGES, LeftOut
from embshift.images.lists import choose_columns
from embshift.images.said import (
    CAPTION_COLUMNS,
    ID_COLUMNS,
    LABEL_COLUMNS,
    NOTHING,
    Said,
    choose_name,
    read_text,
)

__all__ = ["list_table"]

_IMAGE_COLUMNS = (
    *("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp"),
    *("image_bytes", "bytes", "content"),
)
"""Names of columns that hold images: of several the first counts; the only such column may have any name."""

_MOST_FEATURES = 16 * 2**20  # characters of what the library datasets writes about columns


class _Texts(NamedTuple):
    """The columns that say something, as they are in the file.

    Attributes:
        said: Columns of id, caption and label; None where there is none.
        names: Names of the labels, where labels are their positions.
    """

    said: Sequence[str | None]
    names: Sequence[str]


def list_table(
    source: str, path: str, *, left: LeftOut, lists: bool, base: str = ""
) -> Iterator[ImageRecord]:
    """Yield the images of a table, in the order of its rows.

    Args:
        source: The SOURCE argument.
        path: Its absolute path or its address.
        left: Counts tables, or their ends, that cannot be read.
        lists: Whether a table of paths is read as a list.
        base: The address of its folder, where it is on another machine.

    Raises:
        OSError: If the file cannot be read.
    """
    row = 0
    try:
        table = open_table(path)
        image = _choose_image(table.schema)
        if image is not None:
            for record in _list_cells(source, path, table, image, left):
                row += 1
                yield record
            return
        texts = {one.lower(): one for one in table.schema.names if _is_text(table.schema, one)}
        named = [texts[one] for one in choose_columns(texts)]
        if lists and len(named) == 1:
            yield from list_rows(source, Path(path), _read_paths(table, named[0]), left=left, base=base)
            return
        left.add(NO_IMAGES, f"{path}: {', '.join(table.schema.names)[:200]}")
    except (pa.ArrowException, ValueError, MemoryError) as error:
        after = f" after row {row:,}" if row else ""
        left.add(BAD_TABLE, f"{path}{after}: {' '.join(str(error).split())[:200]}")


def _choose_image(schema: pa.Schema) -> str | None:
    found = {name: name for name in schema.names if _holds_bytes(schema.field(name).type)}
    by_name = {name.lower(): name for name in found}
    known = choose_name(by_name, _IMAGE_COLUMNS)
    if known is not None:
        return by_name[known]
    return next(iter(found)) if len(found) == 1 else None


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        at = kind.get_field_index(BYTES)
        return at >= 0 and _is_binary(kind.field(at).type)
    return _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _is_text(schema: pa.Schema, name: str) -> bool:
    kind = schema.field(name).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _list_cells(
    source: str, path: str, table: ImageTable, image: str, left: LeftOut
) -> Iterator[ImageRecord]:
    short, texts = os.path.basename(path), _find_texts(table.schema, image)
    for row, name, said in _read_texts(table, image, texts, short, left):
        member = os.path.basename(name or "") or f"{short}:{row}"
        yield ImageRecord(
            row=0,
            source=source,
            member=member,
            index=row,
            path=path,
            column=image,
            etag=table.etag,
            **said._asdict(),
        )


def _find_texts(schema: pa.Schema, image: str) -> _Texts:
    others = [name for name in schema.names if name != image]
    usable = {name.lower(): name for name in others if _can_say(schema.field(name).type)}
    features = _read_features(schema)
    names = (choose_name(usable, known) for known in (ID_COLUMNS, CAPTION_COLUMNS, LABEL_COLUMNS))
    said = [usable.get(name or "") for name in names]
    if said[2] is None:
        classes = [name for name in usable.values() if _names_of(features, name)]
        said[2] = classes[0] if len(classes) == 1 else None
    return _Texts(said=said, names=_names_of(features, said[2]) if said[2] else ())


def _can_say(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind) or pa.types.is_list(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)


def _read_features(schema: pa.Schema) -> Mapping[str, Any]:
    """Return what the library datasets wrote about the columns; nothing where it did not, or not so."""
    held = (schema.metadata or {}).get(b"huggingface", b"")
    try:
        features: Any = parse_json(held[:_MOST_FEATURES].decode())["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return cast("dict[str, Any]", features) if isinstance(features, dict) else {}


def _names_of(features: Mapping[str, Any], column: str) -> Sequence[str]:
    feature = features.get(column)
    if not isinstance(feature, dict) or cast("dict[str, Any]", feature).get("_type") != "ClassLabel":
        return ()
    names = cast("dict[str, Any]", feature).get("names")
    return [str(name) for name in cast("list[Any]", names)] if isinstance(names, list) else ()


def _read_texts(
    table: ImageTable, image: str, texts: _Texts, short: str, left: LeftOut
) -> Iterator[tuple[int, str | None, Said]]:
    """Yield number, file name and what is said of every row."""
    kind = table.schema.field(image).type
    named = [image + PATH] if pa.types.is_struct(kind) and kind.get_field_index("path") >= 0 else []
    columns = [*named, *(name for name in texts.said if name is not None)]
    if not columns:
        yield from ((row, None, NOTHING) for row in range(table.rows))
        return
    row = 0
    for batch in table.batches(columns):
        found, nothing = _to_columns(batch), list[Any]([None] * len(batch))
        names = found.get(image, nothing)
        said = [found.get(name or "", nothing) for name in texts.said]
        for at in range(len(batch)):
            one = [column[at] for column in said]
            one[2] = _name_label(one[2], texts.names)
            yield row, names[at], _read_said(one, f"{short}, row {row:,}", left)
            row += 1


def _to_columns(batch: pa.RecordBatch) -> dict[str, list[Any]]:
    return {name: _to_values(batch.column(name)) for name in batch.schema.names}


def _to_values(column: Any) -> list[Any]:
    """Return a column as Python values; texts that are not UTF-8 are read as far as they are."""
    if pa.types.is_struct(column.type):  # of which only the path was read
        column = column.field(0)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        held = column.cast(pa.large_binary()).to_pylist()
        return [None if one is None else one.decode("utf-8", "replace") for one in held]
    return column.to_pylist()


def _name_label(value: Any, names: Sequence[str]) -> Any:
    if names and isinstance(value, int):
        return names[value] if 0 <= value < len(names) else None
    return value


def _read_said(values: Sequence[Any], place: str, left: LeftOut) -> Said:
    try:
        return Said(*(read_text(value) for value in values))
    except ValueError:
        left.add(LONG_TEXT, place)
        return NOTHING


def _read_paths(table: ImageTable, named: str) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield number, path and what is said of every row of a list that names an image."""
    texts = _find_texts(table.schema, named)
    wanted = dict(zip(("id", "caption", "label"), texts.said, strict=True))
    columns = [named, *(name for name in wanted.values() if name is not None)]
    row = 0
    for batch in table.batches(columns):
        found = _to_columns(batch)
        for at in range(len(batch)):
            path = found[named][at]
            if not path or not path.strip():
                raise ValueError(f"row {row:,} names no image; expected a path in column '{named}'")
            values = {key: found[name][at] for key, name in wanted.items() if name is not None}
            if "label" in values:
                values["label"] = _name_label(values["label"], texts.names)
            yield row, path.strip(), values
            row += 1
