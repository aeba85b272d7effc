"""Specifications of transforms: everything that determines what a transform does to an image."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from embshift.core.errors import RunError

__all__ = ["Specification", "check_specifications", "describe_difference", "read_specifications"]

Specification: TypeAlias = Mapping[str, Any]
"""Target, kind, severity, strength, parameters and digest of the code, as one level of names and values."""

_MISSING = object()


def read_specifications(info: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the specification of every transform of a run, by name, in the order of the plan.

    Args:
        info: The content of ``run.json``.
    """
    code: Mapping[str, Any] = info.get("code", {})
    return {
        one["name"]: _flatten(one) | {"code": code.get(one["name"])} for one in info["plan"]["transforms"]
    }


def _flatten(stated: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in stated.items() if key not in ("name", "parameters")}
    return fields | dict(stated.get("parameters") or {})


def check_specifications(
    first: Mapping[str, Specification],
    second: Mapping[str, Specification],
    *,
    names: Sequence[str],
    sides: tuple[str, str],
) -> None:
    """Raise `RunError` where transforms of one name differ in what they do.

    Args:
        first: Specifications of one run by name.
        second: Those of the other.
        names: The names that both have.
        sides: What the runs are called in the message.
    """
    for name in names:
        one, two = first[name], second[name]
        if one != two:
            raise RunError(
                f"{name} is not one transform in both runs: {describe_difference(one, two)} in {sides[0]},"
                f" {describe_difference(two, one)} in {sides[1]}; compare runs with the same transforms,"
                " or give one of them another name"
            )


def describe_difference(one: Specification, two: Specification) -> str:
    """Return those values of one specification that differ in the other."""
    differing = [key for key in (*one, *two) if one.get(key, _MISSING) != two.get(key, _MISSING)]
    return ", ".join(f"{key} {one.get(key, '–')}" for key in dict.fromkeys(differing))
