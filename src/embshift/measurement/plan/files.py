"""Plan files: a plan as TOML and JSON, read back, and compared with another."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import tomli_w

from embshift.core.errors import PlanError
from embshift.core.text_files import load_toml
from embshift.measurement.plan.plan import COUNTED, Plan, check_fields, checked_types, make_plan
from embshift.runs.places import plan_path
from embshift.transforms.presets import TransformPlan, load_preset, make_transform_table, read_transforms

__all__ = ["list_differences", "load_plan", "plan_from_content", "plan_to_toml"]


def load_plan(path: str | Path, *, build: bool = True) -> Plan:
    """Read a plan from TOML: fields by name, transforms as ``[[transform]]`` tables as in a preset.

    Args:
        path: The file.
        build: Whether each transform is built once to prove that it can be, which imports the code that it
            names; those of a preset's file that the plan names, too.

    Raises:
        PlanError: If the file is missing, is not TOML, or holds a field that a plan does not have.
    """
    path = plan_path(path)
    try:
        content = load_toml(path)
    except OSError as error:
        raise PlanError(f"plan {path} cannot be read: {error.strerror}; expected a TOML file") from None
    except ValueError as error:  # not UTF-8 or not TOML
        raise PlanError(f"plan {path} is not TOML: {error}") from None
    tables = content.pop("transform", None)
    check_fields(content)
    named = Plan(**checked_types({name: content.pop(name) for name in ("preset",) if name in content}))
    # Where the transforms are written out, the preset only names their origin.
    transforms = (
        read_transforms(tables, where=f"plan {path}", proven=not build)
        if tables
        else load_preset(named.preset, build=build).transforms
    )
    return make_plan(base=replace(named, transforms=transforms), **content)


def plan_to_toml(plan: Plan) -> str:
    """Write a plan as TOML that `load_plan` reads back to an equal plan; fields that are None are left out.

    Bytes of a file's name that are not text become U+FFFD, since TOML holds text alone.
    """
    content = {
        name: list(value) if isinstance(value, tuple) else _make_text(value)
        for name, value in asdict(replace(plan, transforms=())).items()
        if value is not None and name != "transforms"
    }
    content["sources"] = [_make_text(source) for source in plan.sources]
    content["transform"] = [make_transform_table(transform) for transform in plan.transforms]
    return tomli_w.dumps(content)


def _make_text(value: Any) -> Any:
    return re.sub("[\ud800-\udfff]", "\ufffd", value) if isinstance(value, str) else value


def plan_from_content(content: Mapping[str, Any]) -> Plan:
    """Return the plan that ``run.json`` holds."""
    values: dict[str, Any] = {
        name: tuple(cast(list[Any], value)) if isinstance(value, list) else value
        for name, value in content.items()
    }
    values["transforms"] = tuple(TransformPlan(**each) for each in content["transforms"])
    return Plan(**values)


def list_differences(recorded: Plan, asked: Plan) -> list[str]:
    """Return the fields that count and differ, one line each; one asked as None takes the recorded value."""
    lines = list[str]()
    for name in COUNTED:
        before, now = getattr(recorded, name), getattr(asked, name)
        if now is None and name in ("batch", "threads"):
            continue
        if name == "precision" and now == "auto":  # chosen when the run was started
            continue
        if name == "device":
            before = before.split(":")[0]
            now = before if now == "auto" else str(now).split(":")[0]
        if before != now:
            shown = _name_transforms if name == "transforms" else str
            lines.append(f"{name}: {shown(before)} in the run, {shown(now)} requested")
    return lines + _list_parameter_differences(recorded.transforms, asked.transforms)


def _name_transforms(transforms: Any) -> str:
    return ", ".join(transform.name for transform in transforms)


def _list_parameter_differences(before: Sequence[TransformPlan], now: Sequence[TransformPlan]) -> list[str]:
    asked = {transform.name: transform for transform in now}
    return [
        f"transform {one.name}: {_format_transform(one, other)} in the run,"
        f" {_format_transform(other, one)} requested"
        for one in before
        for other in [asked.get(one.name, one)]
        if one != other
    ]


def _format_transform(transform: TransformPlan, other: TransformPlan) -> str:
    """Format the target, and the parameters that the other lacks or has otherwise."""
    changed = {k: v for k, v in transform.parameters.items() if other.parameters.get(k, ...) != v}
    level = {"severity": transform.severity, "strength": transform.strength}
    changed |= {name: value for name, value in level.items() if value != getattr(other, name)}
    return f"{transform.target} {changed}"
