"""The plan of one transform: what to build, under which name, and with which parameters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from embshift.core.errors import PlanError
from embshift.core.types import ORIGINAL

__all__ = ["Kind", "TransformPlan", "check_name"]

Kind: TypeAlias = Literal["albumentations", "registered", "function"]

# A name becomes part of file names and column values, and must mean the same on every file system.
NAME = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformPlan:
    """One transform of a plan: everything that is needed to build it again.

    Attributes:
        name: Name of its views in tables and files; part of the random stream.
        kind: Where ``target`` is looked up.
        target: A class of albumentations, a name in the registry, or "package.module:function".
        parameters: Its arguments, of the types that TOML and JSON have in common.
        severity: Level 1-5 of a registered transform with a strength; None if no level was asked for.
        strength: Its strength, in its own unit; None if none was asked for.
    """

    name: str
    kind: Kind
    target: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    severity: int | None = None
    strength: float | None = None


def check_name(name: object) -> str:
    """Return a name if a transform can have it.

    Raises:
        PlanError: If it is not a lower-case file name, or if it is the name of the untouched image.
    """
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise PlanError(
            f"{name!r} cannot name a transform; use 1 to 64 of the characters a-z, 0-9 and _, "
            "because it becomes part of file names"
        )
    if name == ORIGINAL:
        raise PlanError(f"'{ORIGINAL}' is the name of the untouched image; give the transform another name")
    return name
