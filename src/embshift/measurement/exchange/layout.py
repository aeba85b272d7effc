"""Layout of written views: one Parquet file, a tar archive, or a folder, with the same tables in each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import pyarrow as pa

from embshift.core.errors import ShiftError, UsageError
from embshift.core.text_files import parse_json
from embshift.measurement.plan.files import plan_from_content
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.provenance import plan_content
from embshift.runs.fields import find_wrong_fields
from embshift.runs.record import VIEWS
from embshift.runs.record_columns import RECORD
from embshift.transforms.plan import check_name

__all__ = [
    "ABOUT",
    "IMAGES",
    "IMAGE_SCHEMA",
    "KEYS",
    "PLAN",
    "About",
    "Form",
    "choose_form",
    "format_about",
    "key_schema",
    "parse_about",
]

Form: TypeAlias = Literal["parquet", "tar", "folder"]

ABOUT, PLAN, IMAGES, KEYS = VIEWS, "plan.toml", "images.parquet", "keys.parquet"
"""Names of what stands beside the views; in the Parquet form the first three are in the file's metadata."""

_VERSION = 2  # 1: images are never a part of a file
_OTHER_SUFFIXES = frozenset({".csv", ".tsv", ".zip", ".gz", ".tgz", ".xz", ".npy", ".json", ".h5", ".arrow"})
_KEYS = [
    ("image_id", pa.string()),
    ("transform", pa.string()),
    ("severity", pa.int8()),
    ("strength", pa.float64()),
    ("draw", pa.int32()),
    ("pixels_digest", pa.string()),
]

IMAGE_SCHEMA = pa.schema(
    [
        *RECORD,
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("mode", pa.string()),
        ("flags", pa.string()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("first", pa.int64()),
        ("count", pa.int32()),
        ("failed", pa.string()),
    ]
)
"""Columns of the images: where each was, what was read, and which rows of the keys are its views. What the
first version wrote lacks those of `LATER`."""


def key_schema(form: Form, /) -> pa.Schema:
    """Return the columns of the keys: what names a view, where its PNG file is, and what was drawn for it."""
    places: dict[Form, list[tuple[str, pa.DataType]]] = {
        "parquet": [("image", pa.binary())],
        "folder": [("file", pa.string())],
        "tar": [("file", pa.string()), ("offset", pa.int64()), ("size", pa.int64())],
    }
    return pa.schema([*_KEYS, *places[form], ("parameters", pa.string())])


def choose_form(path: Path, /) -> Form:
    """Return the form that a path asks for.

    Raises:
        UsageError: If it ends as a file of another kind.
    """
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".tar"):
        return cast(Form, suffix.removeprefix("."))
    if suffix in _OTHER_SUFFIXES:
        raise UsageError(
            f"views cannot be written to '{path}'; expected a folder, or a file .parquet or .tar"
        )
    return "folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of written views as a whole.

    Attributes:
        plan: What they were made by; its encoder stands for none.
        versions: Versions of what touched the pixels.
        code: Digest of the code of every transform that is a function.
        images: Number of images.
        views: Number of views, the originals included; equal images have theirs once.
    """

    plan: Plan
    versions: Mapping[str, str]
    code: Mapping[str, str | None]
    images: int
    views: int


def format_about(about: About, /) -> str:
    """Return the text of `ABOUT`."""
    content = {
        "embshift_views": _VERSION,
        "plan": plan_content(about.plan),
        "versions": dict(about.versions),
        "code": dict(about.code),
        "images": about.images,
        "views": about.views,
    }
    return json.dumps(content, indent=2) + "\n"


def parse_about(text: str, /, *, where: Path) -> About:
    """Read the text of `ABOUT`, which anyone may have written; no transform of its plan is built.

    Args:
        text: The text.
        where: The views, for the error.

    Raises:
        UsageError: If it is not what embshift writes, or of a later version.
    """
    try:
        content = parse_json(text)
        if content["embshift_views"] > _VERSION:
            raise ValueError("it was written by a later version of embshift: upgrade")
        wrong = next(find_wrong_fields({"plan": content["plan"], "versions": content["versions"]}), None)
        if wrong is not None:
            raise ValueError(wrong)
        plan = plan_from_content(content["plan"])
        for each in plan.transforms:
            check_name(each.name)
        return About(
            plan=plan,
            versions=_read_texts(content["versions"]),
            code=_read_texts(content["code"]),
            images=_read_count(content["images"]),
            views=_read_count(content["views"]),
        )
    except (ShiftError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"'{where}' is damaged: {ABOUT} states no plan of views ({error})") from None


def _read_texts(content: Any) -> Mapping[str, Any]:
    found = cast(Mapping[str, Any], content)
    if not all(isinstance(value, str | None) for value in found.values()):
        raise ValueError("expected strings for versions and code")
    return dict(found)


def _read_count(content: Any) -> int:
    if not isinstance(content, int) or content < 0:
        raise ValueError(f"a number of images or views is {content!r}")
    return content
