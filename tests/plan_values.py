"""Values of the plan's fields, derived from what the plan states about them."""

from typing import Any

from hypothesis import strategies as st

from embshift.measurement.plan.plan import DEFAULT_METRICS, DEFAULTS, RULES

__all__ = ["other_value", "values_of"]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

VALUES = {
    "sources": st.lists(TEXT, max_size=3).map(tuple),
    "metrics": st.lists(st.sampled_from(DEFAULT_METRICS), unique=True).map(tuple),
    "image_size": st.tuples(st.integers(8, 4096), st.integers(8, 4096)),
    "background": st.tuples(*[st.integers(0, 255)] * 3),
    "value_range": st.integers(0, 65534).flatmap(
        lambda low: st.tuples(st.just(low), st.integers(low + 1, 65535))
    ),
    "max_error_rate": st.floats(0, 1),
}
"""Fields whose values follow from neither their type nor their rules."""

OTHERS = {
    "sources": ["elsewhere"],
    "preset": "paper",
    "encoder": "lite",
    "transforms": ["noise", "blur"],
    "metrics": ["cosine"],
    "image_size": (64, 224),
    "background": (0, 0, 0),
    "value_range": (0, 4095),
    "device": "cuda",
    "max_error_rate": 0.5,
}
"""For such fields, a value beside the default that `make_plan` takes."""


def values_of(name: str) -> st.SearchStrategy[Any]:
    """Return a strategy of everything that a field may be; transforms have none."""
    default, rules = DEFAULTS[name], RULES[name]
    if name in VALUES:
        return VALUES[name]
    if "one_of" in rules:
        return st.sampled_from(rules["one_of"])
    if isinstance(default, bool):
        return st.booleans()
    if isinstance(default, str):
        return TEXT
    if isinstance(default, float):
        return st.floats(rules["least"], 1e6)
    numbers = st.integers(rules["least"], 10**12)
    return st.none() | numbers if default is None else numbers


def other_value(name: str) -> Any:
    """Return a value of a field beside its default."""
    default, rules = DEFAULTS[name], RULES[name]
    if name in OTHERS:
        return OTHERS[name]
    if "one_of" in rules:
        return next(each for each in rules["one_of"] if each not in (default, "auto"))
    if isinstance(default, bool):
        return not default
    return f"another {default}" if isinstance(default, str) else max(default or 0, rules["least"]) + 3
