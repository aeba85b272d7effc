"""Checks of names against the catalogue, so that a misspelt one is reported at once."""

import os
from collections.abc import Iterable

from embshift.cli.catalogue.kinds import KINDS, names, presets
from embshift.core.errors import PlanError, UnknownNameError

__all__ = ["check_encoder", "check_names", "check_preset", "is_bundled"]


def check_names(kind: str, given: Iterable[str] | None, /, *more: str) -> None:
    """Raise `UnknownNameError` for a name that is not known.

    Args:
        kind: A key of `KINDS`.
        given: The names; a transform may end in a severity or a strength, as "blur:3" or "blur=2.5".
        *more: Further names that are allowed.
    """
    for text in given or ():
        name = text.partition("=")[0].partition(":")[0] if kind == "transforms" else text
        if name not in more and name not in names(kind):
            raise UnknownNameError(KINDS[kind].word, name, names(kind))


def is_bundled(preset: str | None) -> bool:
    """Return whether a preset is given by its name, or none is given, and not as a file."""
    return preset is None or not (preset.endswith(".toml") or "/" in preset or "\\" in preset)


def check_preset(preset: str | None) -> None:
    """Raise `PlanError` for the name of a preset that is not bundled."""
    if preset is not None and is_bundled(preset) and preset not in presets():
        raise PlanError(
            f"{UnknownNameError('preset', preset, presets())}; the name of a file must end in .toml"
        )


def check_encoder(source: str | None) -> None:
    """Raise `UnknownNameError` for what can be neither an encoder's name nor a path, hub name or address."""
    if source is None or os.path.exists(source) or any(sign in source for sign in "/\\:"):
        return
    if source.lower().endswith((".onnx", ".toml")):  # the opener names a missing file
        return
    if source in names("encoders"):
        return
    error = UnknownNameError("encoder", source, names("encoders"))
    error.args = (f"{error}; or give a checkpoint's folder, or a hub name organisation/name",)
    raise error
