"""Objects of Python in place of names: the names by which a plan records them."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from embshift.core.addresses import find_address
from embshift.core.errors import PlanError

__all__ = ["EncoderLike", "MetricLike", "name_objects"]


class _Encodes(Protocol):
    """An encoder as `embshift.core.encoding.Encoder` states it, which imports torch."""

    @property
    def spec(self) -> Any: ...

    def encode(self, views: Any, /, *, capture: Any) -> Any: ...


EncoderLike: TypeAlias = (
    str | os.PathLike[str] | Callable[[Any], Any] | tuple[Any, Callable[[Any], Any]] | _Encodes
)
"""A name, path or address; a function; a torch module and its preparation; or an object that encodes."""

MetricLike: TypeAlias = str | Callable[..., Any]
"""A name, or a registered function."""


def name_objects(options: Mapping[str, Any], /) -> tuple[dict[str, Any], Any]:
    """Return fields of a plan with names in place of objects, and the encoder that no name leads to.

    Args:
        options: Fields of `Plan`; the encoder may be an object, and so may each metric.

    Returns:
        The fields, and the encoder's object; None where its name opens it.

    Raises:
        PlanError: If a metric is not a registered one.
    """
    named, thing = dict(options), options.get("encoder")
    if named.get("metrics") is not None and not isinstance(named["metrics"], str):
        named["metrics"] = [_name_metric(one) for one in named["metrics"]]
    if thing is None or isinstance(thing, str | os.PathLike):
        return named, None
    address = find_address(thing)
    if address is not None:
        return named | {"encoder": address}, None
    from embshift.encoders.forms.objects import name_object  # imports torch

    return named | {"encoder": name_object(thing)}, thing


def _name_metric(thing: Any) -> Any:
    if not callable(thing) and not hasattr(thing, "compute"):
        return thing  # whoever checks the types says what is wrong
    from embshift.metrics import METRICS

    compute: Callable[..., Any] = getattr(thing, "compute", thing)
    for name, metric in METRICS.items():
        if metric.compute is compute:
            return name
    own = getattr(compute, "__qualname__", type(compute).__name__)
    raise PlanError(
        f"metric {own} is not registered, so its range and direction are not known; put"
        " @embshift.metrics.pixel_metric(name=…, …) above it, see the page on metrics"
    )
