"""Options that are fields of the plan: their type, default and choices are read from it."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from embshift.cli.options.completers import Completer, complete, no_words, words
from embshift.measurement.plan.plan import DEFAULTS, RULES

__all__ = ["adder", "colour", "plan_options", "size", "value_range"]


def plan_options(parsed: argparse.Namespace) -> dict[str, Any]:
    """Return the parsed options that are fields of the plan, by field; None where one was not given."""
    given = {name: value for name, value in vars(parsed).items() if name in DEFAULTS}
    return {name: None if value == [] else value for name, value in given.items()}


def adder(group: Any) -> Callable[..., None]:
    """Return a function that adds one field of the plan as an option to a group of a parser.

    The function takes the field, the placeholder of its value, the help text, and optionally ``flag`` where
    the option is not called as the field, ``completer``, and further arguments of ``add_argument``. The
    default is appended to the help where the plan has one. Where the plan states the choices, the placeholder
    follows from them.
    """

    def add(
        field: str,
        metavar: str,
        text: str,
        *,
        flag: str = "",
        completer: Completer | None = None,
        **more: Any,
    ) -> None:
        choices = RULES[field].get("one_of", ())
        action = group.add_argument(
            flag or f"--{field.replace('_', '-')}",
            dest=field,
            help=text + _shown_default(field),
            **{**_typed(field, metavar or "|".join(choices)), **more},
        )
        complete(action, completer or (words(*choices) if choices else no_words))

    return add


def _typed(field: str, metavar: str) -> Mapping[str, Any]:
    default = DEFAULTS[field]
    if isinstance(default, bool):
        return {"action": "store_false" if default else "store_true", "default": None}
    kind = int if default is None else type(default)
    return {"metavar": metavar, "type": kind} if kind in (int, float) else {"metavar": metavar}


def _shown_default(field: str) -> str:
    default = DEFAULTS[field]
    if default is None or isinstance(default, bool) or field in ("metrics", "transforms"):
        return ""
    if field == "image_size":
        return f" (default: {default[0]})"
    if isinstance(default, tuple):
        return f" (default: {','.join(map(str, default))})"
    return f" (default: {default:g})" if isinstance(default, float) else f" (default: {default})"


def size(text: str) -> tuple[int, int]:
    """Read "224" or "224,336" as height and width, in pixels."""
    try:
        sides = [int(side) for side in text.split(",")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a size; expected N or H,W in pixels, e.g. 224 or 224,336"
        )
    return (sides[0], sides[-1])


def colour(text: str) -> tuple[int, ...]:
    """Read "255,255,255" as red, green and blue."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a colour; expected R,G,B, each from 0 to 255"
        ) from None


def value_range(text: str) -> tuple[int, ...]:
    """Read "0,4095" as least and greatest value."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a range; expected LO,HI, each from 0 to 65535, e.g. 0,4095"
        ) from None
