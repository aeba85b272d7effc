"""Python functions as transforms: ``(pixels)`` or ``(pixels, *, rng)``, with parameters if there are any."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embshift.core.addresses import to_one_line
from embshift.core.errors import PlanError, UnknownNameError
from embshift.core.types import Pixels, View
from embshift.transforms.checks import check_pixels

__all__ = ["FunctionTransform", "to_transform"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FunctionTransform:
    """A function and its parameters, as a transform.

    Attributes:
        function: Called with a copy of the image; returns pixels or a `View`.
        parameters: Its keyword arguments.
        takes_rng: Whether it takes the generator as ``rng``.
    """

    function: Callable[..., Any]
    parameters: Mapping[str, Any]
    takes_rng: bool

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View:
        shape = pixels.shape  # read first, since a function may reshape the array that it is given
        rng_argument = {"rng": rng} if self.takes_rng else {}
        result = self.function(pixels, **rng_argument, **self.parameters)
        if isinstance(result, View):
            return result
        return View(pixels=check_pixels(result, shape=shape), parameters={})


def to_transform(function: Callable[..., Any], *, parameters: Mapping[str, Any]) -> FunctionTransform:
    """Turn a function into a transform; it is given ``rng`` only if it has a parameter of that name.

    Raises:
        PlanError: If the parameters do not fit the function's signature.
    """
    accepted = _find_signature(function)
    if accepted is None:
        return FunctionTransform(function=function, parameters=parameters, takes_rng=False)
    rng = accepted.parameters.get("rng")
    takes_rng = rng is not None and rng.kind in {rng.KEYWORD_ONLY, rng.POSITIONAL_OR_KEYWORD}
    _check_parameters(accepted, parameters, takes_rng=takes_rng)
    return FunctionTransform(function=function, parameters=parameters, takes_rng=takes_rng)


def _find_signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # compiled functions, such as OpenCV's, have none
        return None


def _check_parameters(accepted: inspect.Signature, parameters: Mapping[str, Any], *, takes_rng: bool) -> None:
    open_ended = any(each.kind is each.VAR_KEYWORD for each in accepted.parameters.values())
    known = [name for name in list(accepted.parameters)[1:] if name != "rng"]
    for name in parameters:
        if name == "rng" or (name not in known and not open_ended):
            raise PlanError(str(UnknownNameError("parameter", name, known)))
    try:
        accepted.bind(None, **({"rng": None} if takes_rng else {}), **parameters)
    except TypeError as error:
        raise PlanError(
            f"cannot be called with (pixels{', *, rng' if takes_rng else ''}) and its parameters: "
            f"{to_one_line(error)}"
        ) from error
