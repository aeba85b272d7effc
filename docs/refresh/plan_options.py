"""Types of the options that `embshift.measure` takes, as a module that editors and type checkers read."""

from dataclasses import fields
from pathlib import Path

from embshift.measurement.plan.plan import RULES, Plan

__all__ = ["PATH", "write_options"]

PATH = Path(__file__).parents[2] / "src" / "embshift" / "measurement" / "plan" / "options.py"

_EXPLICIT = {"sources", "transforms"}
"""Fields that are parameters of their own."""

_HEAD = '''"""Types of the options that are fields of the plan; written by ``python -m docs.refresh``."""

from collections.abc import Sequence
from typing import Literal, TypedDict

from embshift.measurement.plan.objects import EncoderLike, MetricLike

__all__ = ["PlanOptions"]


class PlanOptions(TypedDict, total=False):
    """Options of `embshift.measure`, `sweep` and `match`: fields of `Plan`; None leaves the default."""

'''


def write_options() -> str:
    """Return the text of the module."""
    own = [one for one in fields(Plan) if one.name not in _EXPLICIT]
    lines = [f"    {one.name}: {_spell(one.name, _name_type(one.type))}" for one in own]
    return _HEAD + "\n".join(lines) + "\n"


def _name_type(kind: object) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)


_OBJECTS = {"encoder": "EncoderLike | None", "metrics": "Sequence[MetricLike] | None"}
"""Fields for which calls take objects, too."""


def _spell(name: str, stated: str) -> str:
    if name in _OBJECTS:
        return _OBJECTS[name]
    choices = RULES[name].get("one_of")
    if choices:
        return f"Literal[{', '.join(f'{chr(34)}{one}{chr(34)}' for one in choices)}] | None"
    if stated.startswith("tuple["):
        inner = stated.removeprefix("tuple[").split(",")[0].rstrip("]")
        one = "int | " if name == "image_size" else ""  # of square images, one side is enough
        return f"{one}Sequence[{inner}] | None"
    return stated if stated.endswith("| None") else f"{stated} | None"
