"""What a user is told while a precision is tried: rates on a few views first, then progress."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from embshift.core.encoding import Encoder
from embshift.core.types import Capture
from embshift.core.words import count_noun
from embshift.measurement.pipeline.perturb import Perturbed

__all__ = ["compare_rates", "pass_on"]

_FEW = 4
"""Views whose rate is told before the work starts."""

_EVERY = 5.0
"""Seconds between two lines of progress."""

Item = TypeVar("Item")


def pass_on(
    stream: Iterable[Item], *, total: int, doing: str, note: Callable[[str], None], label: str
) -> Iterator[Item]:
    """Pass images on, and tell the user every few seconds how many there were.

    Args:
        stream: The images.
        total: Their number.
        doing: What happens to them, as a past participle.
        note: Tells the user one line.
        label: What the lines begin with.
    """
    told = time.perf_counter()
    for done, each in enumerate(stream):
        if time.perf_counter() - told >= _EVERY:
            told = time.perf_counter()
            note(f"{label}: {done} of {count_noun(total, 'image')} {doing}")
        yield each


def compare_rates(opened: Mapping[str, Encoder], perturbed: Iterable[Perturbed]) -> Iterator[str]:
    """Yield lines about how fast precisions are on a few views, so that a slow one is known before the work.

    Args:
        opened: The same encoder by its precision, float32 among them.
        perturbed: Images with their views; the first that has some is taken.
    """
    views = next((one.pixels[:_FEW] for one in perturbed if one.pixels is not None), None)
    if views is None or any(encoder.spec.runtime != "torch" for encoder in opened.values()):
        return  # a graph would be compiled for these few
    rates = dict[str, float]()
    for name, encoder in opened.items():
        started = time.perf_counter()
        encoder.encode(views, capture=Capture.EMBEDDING)
        rates[name] = len(views) / (time.perf_counter() - started)
    told = ", ".join(f"{name} {rate:.2g} views/s" for name, rate in rates.items())
    yield f"on {len(views)} views: {told}"
    slow = [name for name, rate in rates.items() if name != "float32" and 2 * rate < rates["float32"]]
    if slow:
        yield f"this machine has no fast instructions for {slow[0]}; --precision float32 is faster"
