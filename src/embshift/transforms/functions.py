"""Python functions as transforms: ``(pixels)`` or ``(pixels, *, rng)``, with parameters if there are any."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from embshift.core.errors import PlanError, UnknownNameError
from embshift.core.types import Pixels, View
from embshift.transforms.checks import check_pixels
from embshift.transforms.plan import to_one_line

__all__ = ["FunctionTransform", "code_digest", "find_address", "load_object", "to_transform"]


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


def load_object(address: str) -> Any:
    """Import and return the object at an address of the form "package.module:function".

    Raises:
        PlanError: If the address does not have that form, or there is no such object.
    """
    module_name, _, attribute = address.partition(":")
    if not module_name or not attribute:
        raise PlanError(f"'{address}' is not an address; expected 'package.module:function'")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise PlanError(
            f"cannot import {module_name}: {type(error).__name__}: {to_one_line(error)}; "
            "install it, or add its folder to PYTHONPATH"
        ) from error
    found = getattr(module, attribute, None)
    if found is None:
        known = _list_public_names(module)
        raise PlanError(str(UnknownNameError(f"object of {module_name}", attribute, known)))
    return found


def find_address(function: Any) -> str | None:
    """Return the address that leads to this very object; None for a lambda, a closure or a method."""
    module_name, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    # A function typed into a session is in "__main__", which is another module in the next session.
    if not module_name or not name or module_name == "__main__":
        return None
    found = getattr(sys.modules.get(module_name), name, None)
    return f"{module_name}:{name}" if found is function else None


def code_digest(function: Any) -> str | None:
    """Return the SHA-256 of a function's source text, so that a changed function is noticed.

    Values that a closure holds and functions that it calls do not count. None if there is no source text.
    """
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        return None
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _list_public_names(module: Any) -> list[str]:
    return [name for name in cast(dict[str, Any], vars(module)) if not name.startswith("_")]


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
