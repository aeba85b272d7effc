"""A Python function as a transform: ``(pixels)`` or ``(pixels, *, rng)``, with parameters if it has any."""

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
from embshift.transforms.checks import checked
from embshift.transforms.plan import one_line

__all__ = ["FunctionTransform", "address_of", "as_transform", "code_digest", "load_object"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FunctionTransform:
    """A function, with its parameters.

    Attributes:
        function: Called with a copy of the picture; gives pixels, or a `View`.
        parameters: Its keyword arguments.
        takes_rng: Whether it asks for the generator.
    """

    function: Callable[..., Any]
    parameters: Mapping[str, Any]
    takes_rng: bool

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View:
        shape = pixels.shape  # read first: a function may reshape the array that it is given
        handed = {"rng": rng} if self.takes_rng else {}
        result = self.function(pixels, **handed, **self.parameters)
        if isinstance(result, View):
            return result
        return View(pixels=checked(result, shape=shape), parameters={})


def as_transform(function: Callable[..., Any], *, parameters: Mapping[str, Any]) -> FunctionTransform:
    """The function as a transform; it is handed ``rng`` only if it names a parameter so.

    Raises:
        PlanError: The parameters do not fit the function's signature.
    """
    accepted = _signature(function)
    if accepted is None:
        return FunctionTransform(function=function, parameters=parameters, takes_rng=False)
    rng = accepted.parameters.get("rng")
    takes_rng = rng is not None and rng.kind in {rng.KEYWORD_ONLY, rng.POSITIONAL_OR_KEYWORD}
    _check_parameters(accepted, parameters, takes_rng=takes_rng)
    return FunctionTransform(function=function, parameters=parameters, takes_rng=takes_rng)


def load_object(address: str) -> Any:
    """What "package.module:function" names.

    Raises:
        PlanError: The address is not of that form, or nothing is there.
    """
    module_name, _, attribute = address.partition(":")
    if not module_name or not attribute:
        raise PlanError(f"'{address}' is not of the form 'package.module:function'")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise PlanError(
            f"cannot import {module_name}: {type(error).__name__}: {one_line(error)}; "
            "it must be installed, or lie in a folder of PYTHONPATH"
        ) from error
    found = getattr(module, attribute, None)
    if found is None:
        raise PlanError(str(UnknownNameError(f"object of {module_name}", attribute, _public(module))))
    return found


def address_of(function: Any) -> str | None:
    """The "package.module:function" that gives this very object; None for a lambda, a closure or a method."""
    module_name, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    # What was typed into a session is in "__main__", which names another module in the next one.
    if not module_name or not name or module_name == "__main__":
        return None
    found = getattr(sys.modules.get(module_name), name, None)
    return f"{module_name}:{name}" if found is function else None


def code_digest(function: Any) -> str | None:
    """SHA-256 of a function's text, so that a changed function is another transform; None where it has none.

    Values that a closure holds and functions that it calls are not part of its text.
    """
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        return None
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _public(module: Any) -> list[str]:
    return [name for name in cast(dict[str, Any], vars(module)) if not name.startswith("_")]


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # compiled functions, such as OpenCV's, state none
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
            f"{one_line(error)}"
        ) from error
