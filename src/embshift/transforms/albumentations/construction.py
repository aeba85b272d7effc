"""Constructing albumentations objects from the parameters of a plan, and describing objects as such."""

import importlib
import inspect
import re
import sys
import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import Any, cast

from embshift.core.addresses import to_one_line
from embshift.core.errors import PlanError, UnknownNameError
from embshift.transforms.albumentations.adapter import walk_leaves

__all__ = [
    "check_arguments",
    "construct_object",
    "describe_object",
    "import_albumentations",
    "is_albumentations",
]

# Base classes, functions that no file can describe, tensors, and replays keyed by memory address.
UNUSABLE = frozenset(
    {
        "BaseCompose",
        "BasicTransform",
        "DualTransform",
        "ImageOnlyTransform",
        "Lambda",
        "ReplayCompose",
        "ToTensor3D",
        "ToTensorV2",
        "Transform3D",
    }
)
# These warnings only advise another class. The one about the paper's own class is silenced, the others are
# passed on. Any other warning means that a parameter was ignored or altered.
SILENCED = re.compile(r"ShiftScaleRotate is a special case of Affine transform\.")
ADVICE = re.compile(r".*( is an alias for | is a specialized version of | is very slow)")


def import_albumentations() -> ModuleType:
    """Import albumentations on first use, because the import takes seconds."""
    return importlib.import_module("albumentations")


def is_albumentations(candidate: Any) -> bool:
    """Return whether an object is a transform or composition of albumentations; never imports the library."""
    library: Any = sys.modules.get("albumentations")
    return library is not None and isinstance(candidate, (library.BasicTransform, library.BaseCompose))


def construct_object(target: str, parameters: Mapping[str, Any]) -> Any:
    """Construct an object of the class ``target``; it is always applied unless ``p`` says otherwise.

    A composition's ``transforms`` are tables with the keys ``albumentations`` and ``parameters``.

    Raises:
        PlanError: If there is no such class or parameter, or the class refuses or alters a value.
    """
    found = _find_class(target)
    arguments: dict[str, Any] = {"p": 1.0, **parameters}
    known = _list_parameters(found)
    for name in arguments:
        if name not in known:
            raise PlanError(str(UnknownNameError(f"parameter of {target}", name, known)))
    if "transforms" in known:
        arguments["transforms"] = _construct_inner(target, arguments.get("transforms"))
    return _call_class(found, arguments)


def check_arguments(composition_or_transform: Any) -> None:
    """Refuse an object that was given parameters which its class does not have and therefore ignored.

    Raises:
        PlanError: If there are such parameters; the message names the nearest known one.
    """
    for leaf in walk_leaves(composition_or_transform):
        ignored = getattr(leaf, "invalid_args", None)
        if ignored:
            known = _list_parameters(type(leaf))
            raise PlanError(str(UnknownNameError(f"parameter of {type(leaf).__name__}", ignored[0], known)))


def describe_object(composition_or_transform: Any) -> tuple[str, dict[str, Any]] | None:
    """Return the class's name and all parameters from which `construct_object` makes an equal object.

    None if that is impossible: a class from another package, or a function or array among the parameters.
    """
    try:
        state = composition_or_transform.to_dict()["transform"]
        target, parameters = _describe_state(state)
        again = construct_object(target, parameters)
        same = again.to_dict()["transform"] == state and _have_same_settings(again, composition_or_transform)
    except (PlanError, NotImplementedError, TypeError, ValueError):
        return None
    return (target, parameters) if same else None


def _list_parameters(found: Any) -> list[str]:
    # "strict" is about unknown parameters, and "seed" would be ignored, because random streams are passed in.
    return [name for name in inspect.signature(found).parameters if name not in {"seed", "strict"}]


def _have_same_settings(one: Any, other: Any) -> bool:
    """Return whether two objects have the same settings; ``to_dict`` of some compositions omits settings."""
    names = [name for name in _list_parameters(type(one)) if name != "transforms"]
    if any(_to_list(getattr(one, name, None)) != _to_list(getattr(other, name, None)) for name in names):
        return False
    inner = zip(getattr(one, "transforms", ()), getattr(other, "transforms", ()), strict=True)
    return all(_have_same_settings(*pair) for pair in inner if is_albumentations(pair[0]))


def _to_list(value: Any) -> Any:
    return list(cast(tuple[Any, ...], value)) if isinstance(value, tuple) else value


def _find_class(target: str) -> Any:
    library = import_albumentations()
    usable: dict[str, Any] = {
        name: found
        for name, found in vars(library).items()
        if isinstance(found, type)
        and issubclass(found, (library.BasicTransform, library.BaseCompose))
        and not issubclass(found, library.Transform3D)
        and name not in UNUSABLE
    }
    if target not in usable:
        raise PlanError(str(UnknownNameError("class of albumentations", target, usable)))
    return usable[target]


def _construct_inner(target: str, tables: Any) -> list[Any]:
    if not isinstance(tables, list) or not tables:
        raise PlanError(f"{target} needs a list of tables under 'transforms', got {tables!r}")
    inner: list[Any] = []
    for table in cast(list[Any], tables):
        content = cast(dict[str, Any], table if isinstance(table, Mapping) else {})
        name, parameters = content.get("albumentations"), content.get("parameters", {})
        known = set(content) <= {"albumentations", "parameters"}
        if not (known and isinstance(name, str) and isinstance(parameters, Mapping)):
            raise PlanError(
                f"each of {target}'s transforms must be a table with a class under 'albumentations' and, "
                f"optionally, a table under 'parameters', got {table!r}"
            )
        inner.append(construct_object(name, cast(Mapping[str, Any], parameters)))
    return inner


def _call_class(found: Any, arguments: Mapping[str, Any]) -> Any:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = found(**arguments)
        except Exception as error:
            raise PlanError(f"{found.__name__} refuses its parameters: {to_one_line(error)}") from error
    for warning in caught:
        _pass_on_or_refuse(found.__name__, warning)
    return made


def _pass_on_or_refuse(target: str, warning: warnings.WarningMessage) -> None:
    text = str(warning.message)
    if SILENCED.match(text):
        return
    if ADVICE.match(text) or not issubclass(warning.category, UserWarning):
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        return
    raise PlanError(f"{target} ignores or changes a parameter: {' '.join(text.split())}")


def _describe_state(state: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    target = state["__class_fullname__"]
    # The state also has parameters of base classes alone, and nulls, which TOML cannot express.
    # `describe_object` proves that whatever is left out has the class's own default.
    taken = set(_list_parameters(_find_class(target))) - {"transforms"}
    parameters = {
        name: _to_toml_value(value) for name, value in state.items() if name in taken and value is not None
    }
    if "transforms" in state:
        inner = [_describe_state(each) for each in state["transforms"]]
        parameters["transforms"] = [{"albumentations": name, "parameters": values} for name, values in inner]
    return target, parameters


def _to_toml_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _to_toml_value(item) for name, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_to_toml_value(item) for item in cast(list[Any], value)]
    if isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} cannot be written to a file")
