"""What an explanation is made of: its options, checked."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from embshift.core.errors import PlanError, UnknownNameError

__all__ = ["PATCHES", "ExplainOptions", "make_options"]

PATCHES = ("direct", "class", "full")
"""Kinds of patches, each of which includes those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainOptions:
    """Options of an explanation.

    Attributes:
        images: Size of the seeded sample of images.
        patch: Most expensive kind of patch: "direct", "class" or "full".
        patch_images: Number of the sample's images that are patched.
        seed: Seed of the sample.
    """

    images: int = 256
    patch: str = "class"
    patch_images: int = 64
    seed: int = 0

    def content(self) -> dict[str, Any]:
        """Return the options for a JSON file."""
        return asdict(self)


def make_options(stored: Mapping[str, Any] | None = None, /, **given: Any) -> ExplainOptions:
    """Return checked options; those that are None are those of the stored explanation, or else the defaults.

    Args:
        stored: Options of the explanation that the run holds; None without one.
        **given: Fields of `ExplainOptions`.

    Raises:
        PlanError: If a number is out of range.
        UnknownNameError: If there is no such kind of patch.
    """
    known = {field.name for field in fields(ExplainOptions)}
    before = {name: value for name, value in (stored or {}).items() if name in known}
    asked = {name: value for name, value in given.items() if value is not None}
    options = ExplainOptions(**before | asked)
    if options.patch not in PATCHES:
        raise UnknownNameError("kind of patch", options.patch, PATCHES)
    for name, least in (("images", 1), ("patch_images", 0), ("seed", 0)):
        value = getattr(options, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise PlanError(f"{name} is {value!r}; expected a whole number of {least} or more")
    return options
