"""Check of the fields of ``run.json`` that readers decide by: a record from elsewhere may hold anything."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from embshift.core.types import Capture, Direction, MetricSpec

__all__ = ["find_wrong_fields", "read_metric"]

Check: TypeAlias = Callable[[Any], bool]


def read_metric(content: Mapping[str, Any]) -> MetricSpec:
    """Return the declared properties of a metric as ``run.json`` holds them; an infinite bound is null.

    Raises:
        KeyError, TypeError, ValueError: If it does not hold them in this form.
    """
    low, high = content["bounds"]
    typed: dict[str, Any] = {
        "bounds": (_infinite(low, "-inf"), _infinite(high, "inf")),
        "direction": Direction(content["direction"]),
        "needs": Capture(content["needs"]),
    }
    return MetricSpec(**{**content, **typed})


def _infinite(value: float | None, meant: str) -> float:
    return float(meant) if value is None else value


def find_wrong_fields(info: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each field that has another form than a run writes; fields may be missing.

    Args:
        info: The content of ``run.json``.
    """
    yield from _find(info, _RECORD, where="")
    for name, fields in (("plan", _PLAN), ("encoder", _ENCODER)):
        if isinstance(info.get(name), Mapping):
            yield from _find(info[name], fields, where=f"{name}.")
    plan = info.get("plan")
    transforms = _items(plan.get("transforms") if isinstance(plan, Mapping) else None)
    for at, each in enumerate(transforms):
        yield from _find_each(each, _TRANSFORM, where=f"plan.transforms[{at}]")
    names = [each["name"] for each in transforms if isinstance(each, Mapping) and "name" in each]
    if len({str(name) for name in names}) < len(names):
        yield "plan.transforms holds a name twice"
    for at, each in enumerate(_items(info.get("metrics"))):
        yield from _find_each(each, _METRIC, where=f"metrics[{at}]")
        more = sorted(set(cast(Mapping[str, Any], each)) - set(_METRIC)) if isinstance(each, Mapping) else []
        yield from (f"metrics[{at}] holds {_shorten(name)}" for name in more)


def _items(content: Any) -> Sequence[Any]:
    return cast(list[Any], content) if isinstance(content, list) else ()


def _find_each(content: Any, fields: Mapping[str, Check], *, where: str) -> Iterator[str]:
    if not isinstance(content, Mapping):
        yield f"{where} is {_shorten(content)}"
        return
    mapping = cast(Mapping[str, Any], content)
    lacking = [name for name in fields if name not in mapping and name not in _OPTIONAL]
    if lacking:
        yield f"{where} lacks {', '.join(lacking)}"
    yield from _find(mapping, fields, where=f"{where}.")


def _find(content: Mapping[str, Any], fields: Mapping[str, Check], *, where: str) -> Iterator[str]:
    for name, is_right in fields.items():
        if name in content and not is_right(content[name]):
            yield f"{where}{name} is {_shorten(content[name])}"


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_number_or_none(value: Any) -> bool:
    return value is None or _is_number(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_whole(value) and value >= 1


def _is_direction(value: Any) -> bool:
    return isinstance(value, str) and value in {each.value for each in Direction}


def _is_capture(value: Any) -> bool:
    return _is_whole(value) and 0 <= value < 2 * max(each.value for each in Capture)


def _is_range(value: Any) -> bool:
    if not isinstance(value, list) or len(cast(list[Any], value)) != 2:
        return False
    low, high = cast(list[Any], value)
    both = _is_number_or_none(low) and _is_number_or_none(high)
    return both and (low is None or high is None or low <= high)


def _are_counts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_whole, cast(Mapping[str, Any], value).values()))


def _are_files(value: Any) -> bool:
    return isinstance(value, Mapping) and _is_whole(cast(Mapping[str, Any], value).get("chunks", 0))


def _is_level(value: Any) -> bool:
    return value is None or (_is_whole(value) and 1 <= value <= 5)


def _are_strengths(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    kept = cast(Mapping[str, Any], value).values()
    return all(isinstance(one, Mapping) and set(cast(Any, one)) == set(_STRENGTH) for one in kept) and all(
        is_right(one[name]) for one in kept for name, is_right in _STRENGTH.items()
    )


def _is_floor(value: Any) -> bool:
    """Return whether it is what a run by a service records of repeated answers."""
    if not isinstance(value, Mapping) or set(cast(Mapping[str, Any], value)) != set(_FLOOR):
        return False
    return all(is_right(value[name]) for name, is_right in _FLOOR.items())


def _is_probe(value: Any) -> bool:
    """Return whether it is what a run records of how its machine encodes fixed views."""
    if not isinstance(value, Mapping) or not set(_PROBE) <= set(cast(Mapping[str, Any], value)):
        return False
    others = cast(Any, value.get("others", []))
    return all(is_right(value[name]) for name, is_right in _PROBE.items()) and (
        isinstance(others, list) and all(map(_is_text, cast(list[Any], others)))
    )


_PROBE: Mapping[str, Check] = {"digest": _is_text_or_none, "views": _is_count, "processor": _is_text}
_FLOOR: Mapping[str, Check] = {
    "images": _is_count,
    "repeats": _is_count,
    "equal": _is_bool,
    "mean": _is_number_or_none,
    "max": _is_number_or_none,
}
_STRENGTH: Mapping[str, Check] = {
    "family": _is_text,
    "meaning": _is_text,
    "unit": _is_text,
    "zero": _is_number_or_none,
    "rising": _is_bool,
}
_RECORD: Mapping[str, Check] = {
    "schema": _is_whole,
    "fingerprint": _is_text,
    "state": lambda value: value in ("running", "finished"),
    "plan": _is_mapping,
    "encoder": _is_mapping,
    "metrics": _is_list,
    "strengths": _are_strengths,
    "versions": _is_mapping,
    "machine": _is_mapping,
    "counts": _are_counts,
    "files": _are_files,
    "failures": _is_list,
    "code": _is_mapping,
    "service": _is_floor,
    "probe": _is_probe,
    "ingested": _is_mapping,
}
_PLAN: Mapping[str, Check] = {
    "transforms": _is_list,
    "draws": _is_count,
    "seed": _is_whole,
    "keep_views": _is_whole,
    "keep_embeddings": _is_bool,
    "chunk": _is_count,
}
_ENCODER: Mapping[str, Check] = {
    "name": _is_text,
    "map_name": _is_text_or_none,
    "map_source": _is_text_or_none,
    "dim": _is_count,
}
_TRANSFORM: Mapping[str, Check] = {
    "name": _is_text,
    "kind": _is_text,
    "target": _is_text,
    "parameters": _is_mapping,
    "severity": _is_level,
    "strength": _is_number_or_none,
}
_METRIC: Mapping[str, Check] = {
    "name": _is_text,
    "summary": _is_text,
    "unit": _is_text,
    "bounds": _is_range,
    "identity": _is_number_or_none,
    "direction": _is_direction,
    "needs": _is_capture,
    "blind_to": _is_text,
    "reference": _is_text,
    "performance": _is_bool,
}
_OPTIONAL = frozenset({"kind", "target", "parameters", "severity", "strength"})
