"""Images while their views are packed, and the table of them."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from embshift.measurement.exchange.layout import IMAGE_SCHEMA
from embshift.measurement.exchange.packing import Packer
from embshift.measurement.pipeline.perturb import Attempt, Perturbed
from embshift.runs.record_columns import record_columns
from embshift.runs.view_files import encode_png, view_name

__all__ = ["PackedImages", "write_images"]

_ROWS_AT_ONCE = 8192


class PackedImages:
    """The images while their views are packed; equal images have their views once."""

    def __init__(self, packer: Packer) -> None:
        self._packer, self._places = packer, dict[bytes, tuple[int, int]]()
        self.views = self.failed = self.views_failed = 0

    def take_all(self, stream: Iterable[Perturbed]) -> Iterator[dict[str, Any]]:
        """Pack the views of every image, and yield its row of the table of images."""
        for perturbed in stream:
            lost = [attempt for attempt in perturbed.attempts if attempt.status != "ok"]
            first, count = (0, 0) if perturbed.pixels is None else self._pack(perturbed)
            self.failed += perturbed.pixels is None
            self.views_failed += len(lost)
            yield _describe_image(perturbed) | {
                "first": first,
                "count": count,
                "failed": json.dumps([list(attempt) for attempt in lost]),
            }

    def _pack(self, perturbed: Perturbed) -> tuple[int, int]:
        image_id = str(perturbed.decoded.image_id)
        known = bytes.fromhex(image_id)
        if known not in self._places:
            made = [attempt for attempt in perturbed.attempts if attempt.status == "ok"]
            pixels = perturbed.pixels if perturbed.pixels is not None else ()
            keys = [_describe_view(image_id, attempt) for attempt in made]
            names = [view_name(image_id, attempt.transform, attempt.draw) for attempt in made]
            files = [(name, encode_png(view)) for name, view in zip(names, pixels, strict=True)]
            self._packer.add(keys, files)
            self._places[known] = self.views, len(made)
            self.views += len(made)
        return self._places[known]


def _describe_view(image_id: str, attempt: Attempt) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "transform": attempt.transform,
        "severity": attempt.severity,
        "strength": attempt.strength,
        "draw": attempt.draw,
        "pixels_digest": attempt.digest,
        "parameters": attempt.parameters,
    }


def _describe_image(perturbed: Perturbed) -> dict[str, Any]:
    record, decoded = perturbed.listed.record, perturbed.decoded
    facts = decoded._asdict()
    del facts["pixels"]
    return facts | {
        **{name: values[0] for name, values in record_columns([record]).items()},
        "size": perturbed.listed.size,
        "mtime_ns": perturbed.listed.mtime_ns,
    }


def write_images(path: Path, images: Iterator[dict[str, Any]]) -> None:
    """Write the table of images, part by part."""
    with pq.ParquetWriter(path, IMAGE_SCHEMA, compression="zstd") as writer:
        while part := list(islice(images, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(part, schema=IMAGE_SCHEMA))
