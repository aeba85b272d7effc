"""Presets: named sets of transforms in TOML, checked wholly, and built once, before any work starts.

    name = "mine"
    summary = "one line"

    [[transform]]
    name = "noise"
    albumentations = "GaussNoise"
    parameters = { std_range = [0.44, 0.88] }

In place of ``albumentations`` stands ``transform`` for a registered name, with ``severity`` or ``strength``
if it has one, or ``function`` for a "package.module:function". A transform of albumentations is always
applied unless ``p`` says otherwise.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, cast

from embshift.core.errors import PlanError, UnknownNameError, UsageError
from embshift.transforms.build import build
from embshift.transforms.plan import Kind, TransformPlan
from embshift.transforms.strength import settled

__all__ = ["Preset", "TransformPlan", "load_preset", "preset_names", "read_transforms", "transform_table"]

SUFFIX = ".toml"
KINDS: dict[str, Kind] = {
    "albumentations": "albumentations",
    "transform": "registered",
    "function": "function",
}
"""Key of a table, and the kind of plan that it makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named set of transforms.

    Attributes:
        name: Its name.
        summary: One line: what it is for.
        transforms: Its transforms, in the order of the file.
    """

    name: str
    summary: str
    transforms: tuple[TransformPlan, ...]


def preset_names() -> tuple[str, ...]:
    """Names of the presets that come with the package, sorted."""
    bundled = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in bundled if name.endswith(SUFFIX)))


def load_preset(name_or_path: str | Path) -> Preset:
    """A preset by its name, or from a file: a path, or whatever ends in ".toml" or has a separator.

    Raises:
        PlanError: There is no such preset, or a line of it cannot be used; the message says which.
    """
    source = _source(name_or_path)
    where = f"preset {source.name}"
    try:
        content = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"preset {name_or_path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # no UTF-8, or no TOML: the text has line and column
        raise PlanError(f"{where} is not TOML: {error}") from error
    _check_keys(content, known=["name", "summary", "transform"], where=where)
    return Preset(
        name=_text(content, "name", where=where),
        summary=_text(content, "summary", where=where),
        transforms=read_transforms(content.get("transform"), where=where, proven=_is_bundled(name_or_path)),
    )


def read_transforms(tables: Any, *, where: str, proven: bool = False) -> tuple[TransformPlan, ...]:
    """The plans of a list of ``[[transform]]`` tables, each built once to prove that it can be.

    Args:
        tables: What TOML gave under "transform".
        where: What errors name, e.g. "preset paper.toml".
        proven: Whether they are known to build.

    Raises:
        PlanError: A table cannot be used.
    """
    if not isinstance(tables, list) or not tables:
        raise PlanError(f"{where} has no [[transform]]; write at least one")
    numbered = enumerate(cast(list[Any], tables), start=1)
    plans = [_read(table, where=f"{where}, transform {number}", proven=proven) for number, table in numbered]
    _check_distinct(plans, where=where)
    return tuple(plans)


def transform_table(plan: TransformPlan) -> dict[str, Any]:
    """The plan as a ``[[transform]]`` table: what `read_transforms` makes the same plan of."""
    key = next(key for key, kind in KINDS.items() if kind == plan.kind)
    table: dict[str, Any] = {"name": plan.name, key: plan.target}
    levels = {"severity": plan.severity, "strength": plan.strength}
    table |= {name: value for name, value in levels.items() if value is not None}
    return {**table, "parameters": dict(plan.parameters)} if plan.parameters else table


def _is_bundled(name_or_path: str | Path) -> bool:
    """Whether it comes with the package: then it builds, which tests prove and takes a second of imports."""
    text = str(name_or_path)
    return not (isinstance(name_or_path, Path) or text.endswith(SUFFIX) or "/" in text or "\\" in text)


def _source(name_or_path: str | Path) -> Traversable:
    if not _is_bundled(name_or_path):
        return Path(name_or_path)
    text = str(name_or_path)
    if text not in preset_names():
        raise PlanError(f"{UnknownNameError('preset', text, preset_names())}; a file's name ends in {SUFFIX}")
    return files(__name__) / f"{text}{SUFFIX}"


def _read(table: Any, *, where: str, proven: bool) -> TransformPlan:
    if not isinstance(table, Mapping):
        raise PlanError(f"{where} is not a table; write [[transform]] above its lines")
    content = cast(Mapping[str, Any], table)
    _check_keys(content, known=["name", *KINDS, "parameters", "severity", "strength"], where=where)
    name = _text(content, "name", where=where)
    key = _kind_key(content, where=f"{where} ('{name}')")
    parameters = content.get("parameters", {})
    if not isinstance(parameters, Mapping):
        raise PlanError(f"{where} ('{name}'): 'parameters' must be a table, got {parameters!r}")
    plan = TransformPlan(
        name=name,
        kind=KINDS[key],
        target=_text(content, key, where=where),
        parameters=cast(Mapping[str, Any], parameters),
        severity=_number(content, "severity", where=f"{where} ('{name}')"),
        strength=_number(content, "strength", where=f"{where} ('{name}')"),
    )
    if KINDS[key] != "registered" and (plan.severity, plan.strength) != (None, None):
        raise PlanError(f"{where} ('{name}'): only a registered transform has a severity or a strength")
    if not proven:
        _check_builds(plan, where=where)
    return settled(plan)


def _check_builds(plan: TransformPlan, *, where: str) -> None:
    try:
        build(plan)
    except UsageError as error:
        raise PlanError(f"{where} ('{plan.name}'): {error}") from error


def _kind_key(table: Mapping[str, Any], *, where: str) -> str:
    given = [key for key in KINDS if key in table]
    if len(given) != 1:
        raise PlanError(
            f"{where} has {' and '.join(given) or 'none'} of {', '.join(KINDS)}; give exactly one"
        )
    return given[0]


def _check_keys(table: Mapping[str, Any], *, known: Sequence[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise PlanError(f"{where}: {UnknownNameError('key', key, known)}")


def _text(table: Mapping[str, Any], key: str, *, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise PlanError(f"{where}: '{key}' must be a text, got {'nothing' if value is None else repr(value)}")
    return value


def _number(table: Mapping[str, Any], key: str, *, where: str) -> Any:
    value = table.get(key)
    wanted = (int,) if key == "severity" else (int, float)
    if value is not None and (isinstance(value, bool) or not isinstance(value, wanted)):
        raise PlanError(f"{where}: '{key}' must be a {'whole ' * (key == 'severity')}number, got {value!r}")
    return float(value) if value is not None and key == "strength" else value


def _check_distinct(plans: Sequence[TransformPlan], *, where: str) -> None:
    names = [plan.name for plan in plans]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"{where} names {names.count(name)} transforms '{name}'; names must differ")
