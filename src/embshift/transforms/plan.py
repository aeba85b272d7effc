"""A transform as written down: what to build, under which name, with which parameters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from embshift.core.errors import PlanError
from embshift.core.types import ORIGINAL

__all__ = ["Kind", "TransformPlan", "check_name", "one_line"]

Kind: TypeAlias = Literal["albumentations", "registered", "function"]

# A name is part of file names and of column values, and must mean one thing on every file system.
NAME = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformPlan:
    """One transform of a plan; everything that is needed to build it again.

    Attributes:
        name: Name of its views in tables and files; part of the random stream.
        kind: Where ``target`` is looked up.
        target: Class of albumentations, name in the registry, or "package.module:function".
        parameters: Its arguments, of the types that TOML and JSON share.
        severity: Level 1-5 of a registered transform with a strength; None where no level was asked for.
        strength: Its strength, in its own unit; None where none was asked for.
    """

    name: str
    kind: Kind
    target: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    severity: int | None = None
    strength: float | None = None


def check_name(name: object) -> str:
    """The name, if it can be a transform's.

    Raises:
        PlanError: It is not a lower-case file name, or it stands for the untouched picture.
    """
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise PlanError(
            f"{name!r} cannot name a transform; use 1 to 64 of the characters a-z, 0-9 and _, "
            "for it becomes part of file names"
        )
    if name == ORIGINAL:
        raise PlanError(f"'{ORIGINAL}' names the untouched picture; give the transform another name")
    return name


def one_line(error: BaseException) -> str:
    """An error's text with every run of white space as one space."""
    return " ".join(str(error).split())
