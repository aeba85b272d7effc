"""FiftyOne: a dataset in its own form, whose samples point at the images."""

import base64
import hashlib
import io
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from embshift.core.version import __version__
from embshift.core.words import count_noun
from embshift.show.handover import exporter
from embshift.show.handover.points import SAID, Points

__all__ = ["write_fiftyone"]

_FORM = "1.0.0"
"""Version of FiftyOne whose form is written; later ones bring it up to date when they import it."""

_OWN = {
    "id": "ObjectIdField",
    "filepath": "StringField",
    "tags": "ListField",
    "metadata": "EmbeddedDocumentField",
    "created_at": "DateTimeField",
    "last_modified_at": "DateTimeField",
}
_FIELDS = {
    "row": "IntField",
    "image_id": "StringField",
    "member": "StringField",
    "transform": "StringField",
    "draw": "IntField",
    "shown": "StringField",
    "embedding": "VectorField",
}
_TYPES = "fiftyone.core.fields"


@exporter(
    name="fiftyone",
    summary="a folder: samples.json and metadata.json, which point at the images",
    opened="fiftyone.Dataset.from_dir('PATH', dataset_type=fiftyone.types.FiftyOneDataset)",
)
def write_fiftyone(points: Points, path: Path) -> tuple[str, ...]:
    """Write the files into a folder.

    A view that was not kept points at its original, which the field ``shown`` says; one without any file is
    left out.
    """
    names = {name: f"metric_{name}" if name in {*_OWN, *_FIELDS, *SAID} else name for name in points.shifts}
    samples = list(_list_samples(points, names))
    (path / "metadata.json").write_text(json.dumps(_describe(points, list(names.values()))), encoding="utf-8")
    (path / "samples.json").write_text(json.dumps({"samples": samples}), encoding="utf-8")
    missing = len(points) - len(samples)
    return (f"{count_noun(missing, 'point')} without an image file left out",) if missing else ()


def _list_samples(points: Points, names: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    originals = {
        points.ids[at]: path
        for at, path in enumerate(points.kept)
        if path is not None and points.transforms[at] == "original"
    }
    for at, kept in enumerate(points.kept):
        original = points.transforms[at] == "original"
        other = originals.get(points.ids[at]) or points.sources[at]
        if kept is None and other is None:
            continue
        shown = "view" if kept is not None and not original else "original"
        yield _sample(points, at, file=Path(kept or other or ""), shown=shown, names=names)


def _sample(
    points: Points, at: int, *, file: Path, shown: str, names: Mapping[str, str]
) -> Mapping[str, Any]:
    key = f"{points.run.info.get('fingerprint')} {points.ids[at]} {points.transforms[at]} {points.draws[at]}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {
        "_id": {"$oid": digest[:24]},
        "filepath": str(file.absolute()),
        "tags": ["original" if points.transforms[at] == "original" else "view"],
        "metadata": None,
        "_media_type": "image",
        "_rand": int(digest[:13], 16) / 16**13,
        "row": int(points.rows[at]),
        "image_id": points.ids[at],
        "member": points.members[at],
        "transform": points.transforms[at],
        "draw": int(points.draws[at]),
        "shown": shown,
        "embedding": _encode_vector(points.embeddings[at]),
        **{name: held[at] for name, held in points.said.items()},
        **{names[name]: _number(float(column[at])) for name, column in points.shifts.items()},
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _encode_vector(vector: Float32[np.ndarray, " dim"]) -> Mapping[str, Any]:
    """Write a vector as FiftyOne stores it: the bytes of a .npy file, compressed, as a binary value."""
    kept = io.BytesIO()
    np.save(kept, vector, allow_pickle=False)
    text = base64.b64encode(zlib.compress(kept.getvalue())).decode("ascii")
    return {"$binary": {"base64": text, "subType": "00"}}


def _describe(points: Points, metrics: list[str]) -> Mapping[str, Any]:
    """Return the description of the dataset with its fields."""
    kinds = {
        **_OWN,
        **_FIELDS,
        **dict.fromkeys(points.said, "StringField"),
        **dict.fromkeys(metrics, "FloatField"),
    }
    return {
        "name": points.run.folder.resolve().name,
        "version": _FORM,
        "persistent": False,
        "media_type": "image",
        "group_media_types": {},
        "tags": [],
        "info": {"embshift": __version__, "encoder": points.encoder},
        "app_config": {},
        "classes": {},
        "default_classes": [],
        "mask_targets": {},
        "default_mask_targets": {},
        "skeletons": {},
        "sample_fields": [_field(name, kind) for name, kind in kinds.items()],
        "saved_views": [],
        "workspaces": [],
        "annotation_runs": {},
        "brain_methods": {},
        "evaluations": {},
        "runs": {},
    }


def _field(name: str, kind: str) -> Mapping[str, Any]:
    return {
        "name": name,
        "ftype": f"{_TYPES}.{kind}",
        "embedded_doc_type": "fiftyone.core.metadata.ImageMetadata" if name == "metadata" else None,
        "subfield": f"{_TYPES}.StringField" if kind == "ListField" else None,
        "fields": [],
        "db_field": "_id" if name == "id" else name,
        "description": None,
        "info": None,
        "read_only": name in ("created_at", "last_modified_at"),
    }
