"""Presets: named sets of transforms in TOML, checked completely and built once before any work starts.

    name = "mine"
    summary = "one line"

    [[transform]]
    name = "noise"
    albumentations = "GaussNoise"
    parameters = { std_range = [0.44, 0.88] }

In place of ``albumentations``, write ``transform`` for a registered name, with ``severity`` or ``strength``
if it has one, or ``function`` for a "package.module:function". A transform of albumentations is always
applied unless ``p`` says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, cast

from embshift.core.errors import PlanError, UnknownNameError, UsageError
from embshift.core.paths import input_path
from embshift.core.text_files import load_toml
from embshift.transforms.build import build
from embshift.transforms.plan import Kind, TransformPlan
from embshift.transforms.strength import check_different, fill_in_strength

__all__ = [
    "Preset",
    "TransformPlan",
    "list_preset_names",
    "load_preset",
    "make_transform_table",
    "read_transforms",
]

SUFFIX = ".toml"
KINDS: dict[str, Kind] = {
    "albumentations": "albumentations",
    "transform": "registered",
    "function": "function",
}
"""The keys of a table that name the transform, and the kind of plan that each makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named set of transforms.

    Attributes:
        name: The preset's name.
        summary: One line: what the preset is for.
        transforms: Its transforms, in the order of the file.
    """

    name: str
    summary: str
    transforms: tuple[TransformPlan, ...]


def list_preset_names() -> tuple[str, ...]:
    """Return the names of the presets that come with the package, sorted."""
    bundled = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in bundled if name.endswith(SUFFIX)))


def load_preset(name_or_path: str | Path, *, build: bool = True) -> Preset:
    """Load a preset by its name, or from a file.

    Args:
        name_or_path: A bundled preset's name; or a path, which is a `Path` or a text that ends in ".toml" or
            contains a separator.
        build: Whether each transform of a file is built once to prove that it can be, which imports the code
            that it names.

    Raises:
        PlanError: If there is no such preset, or a part of it cannot be used; the message says which.
    """
    name_or_path = input_path(name_or_path) if isinstance(name_or_path, str) else name_or_path
    source = _find_source(name_or_path)
    where = f"preset {source.name}"
    try:
        content = load_toml(source)
    except OSError as error:
        raise PlanError(f"preset {name_or_path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # not UTF-8 or not TOML; the message has line and column
        raise PlanError(f"{where} is not valid TOML: {error}") from error
    _check_keys(content, known=["name", "summary", "transform"], where=where)
    bundled = _is_bundled(name_or_path)
    transforms = read_transforms(content.get("transform"), where=where, proven=bundled or not build)
    return Preset(
        name=_read_text(content, "name", where=where),
        summary=_read_text(content, "summary", where=where),
        transforms=transforms if bundled else _check_views_differ(transforms, where=where),
    )


def _check_views_differ(plans: tuple[TransformPlan, ...], *, where: str) -> tuple[TransformPlan, ...]:
    try:
        return check_different(plans, paper=load_preset("paper").transforms)
    except PlanError as error:
        raise PlanError(f"{where}: {error}") from error


def read_transforms(tables: Any, *, where: str, proven: bool = False) -> tuple[TransformPlan, ...]:
    """Read the plans of a list of ``[[transform]]`` tables, and build each once to prove that it can be.

    Args:
        tables: What TOML has under "transform".
        where: The name of the file in error messages, e.g. "preset paper.toml".
        proven: Whether they are known to build.

    Raises:
        PlanError: If a table cannot be used.
    """
    if not isinstance(tables, list) or not tables:
        raise PlanError(f"{where} has no [[transform]]; add at least one")
    numbered = enumerate(cast(list[Any], tables), start=1)
    plans = [
        _read_table(each, where=f"{where}, transform {number}", proven=proven) for number, each in numbered
    ]
    _check_names_differ(plans, where=where)
    return tuple(plans)


def make_transform_table(plan: TransformPlan) -> dict[str, Any]:
    """Return a plan as a ``[[transform]]`` table, from which `read_transforms` makes the same plan."""
    key = next(key for key, kind in KINDS.items() if kind == plan.kind)
    table: dict[str, Any] = {"name": plan.name, key: plan.target}
    levels = {"severity": plan.severity, "strength": plan.strength}
    table |= {name: value for name, value in levels.items() if value is not None}
    return {**table, "parameters": dict(plan.parameters)} if plan.parameters else table


def _is_bundled(name_or_path: str | Path) -> bool:
    """Return whether a preset comes with the package; tests prove that it builds, so it is not tried here."""
    text = str(name_or_path)
    return not (isinstance(name_or_path, Path) or text.endswith(SUFFIX) or "/" in text or "\\" in text)


def _find_source(name_or_path: str | Path) -> Traversable:
    if not _is_bundled(name_or_path):
        return Path(input_path(name_or_path))
    text = str(name_or_path)
    if text not in list_preset_names():
        unknown = UnknownNameError("preset", text, list_preset_names())
        raise PlanError(f"{unknown}; the name of a file must end in {SUFFIX}")
    return files(__name__) / f"{text}{SUFFIX}"


def _read_table(table: Any, *, where: str, proven: bool) -> TransformPlan:
    if not isinstance(table, Mapping):
        raise PlanError(f"{where} is not a table; put [[transform]] above its lines")
    content = cast(Mapping[str, Any], table)
    _check_keys(content, known=["name", *KINDS, "parameters", "severity", "strength"], where=where)
    name = _read_text(content, "name", where=where)
    key = _find_kind_key(content, where=f"{where} ('{name}')")
    parameters = content.get("parameters", {})
    if not isinstance(parameters, Mapping):
        raise PlanError(f"{where} ('{name}'): 'parameters' must be a table, got {parameters!r}")
    plan = TransformPlan(
        name=name,
        kind=KINDS[key],
        target=_read_text(content, key, where=where),
        parameters=cast(Mapping[str, Any], parameters),
        severity=_read_number(content, "severity", where=f"{where} ('{name}')"),
        strength=_read_number(content, "strength", where=f"{where} ('{name}')"),
    )
    if KINDS[key] != "registered" and (plan.severity, plan.strength) != (None, None):
        raise PlanError(f"{where} ('{name}'): only a registered transform can have a severity or a strength")
    if not proven:
        _check_builds(plan, where=where)
    return fill_in_strength(plan)


def _check_builds(plan: TransformPlan, *, where: str) -> None:
    try:
        build(plan)
    except UsageError as error:
        raise PlanError(f"{where} ('{plan.name}'): {error}") from error


def _find_kind_key(table: Mapping[str, Any], *, where: str) -> str:
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


def _read_text(table: Mapping[str, Any], key: str, *, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        got = "nothing" if value is None else repr(value)
        raise PlanError(f"{where}: '{key}' must be a string, got {got}")
    return value


def _read_number(table: Mapping[str, Any], key: str, *, where: str) -> Any:
    value = table.get(key)
    accepted = (int,) if key == "severity" else (int, float)
    if value is not None and (isinstance(value, bool) or not isinstance(value, accepted)):
        raise PlanError(f"{where}: '{key}' must be a {'whole ' * (key == 'severity')}number, got {value!r}")
    return float(value) if value is not None and key == "strength" else value


def _check_names_differ(plans: Sequence[TransformPlan], *, where: str) -> None:
    names = [plan.name for plan in plans]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"{where} has {names.count(name)} transforms named '{name}'; names must differ")
