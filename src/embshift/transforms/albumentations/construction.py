"""Albumentations objects from plain parameters, and plain parameters from albumentations objects."""

import importlib
import inspect
import re
import sys
import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import Any, cast

from embshift.core.errors import PlanError, UnknownNameError
from embshift.transforms.albumentations.adapter import leaves
from embshift.transforms.plan import one_line

__all__ = ["albumentations", "check_arguments", "construct", "is_albumentations", "written"]

# Bases that change nothing, functions that no file can hold, tensors, and replays keyed by memory address.
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
# Advice to use another class, and no word about the parameters. The paper's own class is passed over in
# silence, the others are heard; every further warning says that a parameter was ignored or altered.
SILENCED = re.compile(r"ShiftScaleRotate is a special case of Affine transform\.")
ADVICE = re.compile(r".*( is an alias for | is a specialized version of | is very slow)")


def albumentations() -> ModuleType:
    """The library, imported on first use: it takes seconds."""
    return importlib.import_module("albumentations")


def is_albumentations(candidate: Any) -> bool:
    """Whether it is a transform or composition of albumentations; never imports the library."""
    library: Any = sys.modules.get("albumentations")
    return library is not None and isinstance(candidate, (library.BasicTransform, library.BaseCompose))


def construct(target: str, parameters: Mapping[str, Any]) -> Any:
    """The object of the class ``target`` with these parameters, always applied unless ``p`` says otherwise.

    A composition's ``transforms`` are tables with the keys ``albumentations`` and ``parameters``.

    Raises:
        PlanError: No such class, no such parameter, or a value that the class refuses or alters.
    """
    found = _class(target)
    arguments: dict[str, Any] = {"p": 1.0, **parameters}
    known = _parameters(found)
    for name in arguments:
        if name not in known:
            raise PlanError(str(UnknownNameError(f"parameter of {target}", name, known)))
    if "transforms" in known:
        arguments["transforms"] = _inner(target, arguments.get("transforms"))
    return _constructed(found, arguments)


def check_arguments(composition_or_transform: Any) -> None:
    """Refuse an object that was made with parameters which its class does not have and so ignored.

    Raises:
        PlanError: It was, naming the nearest parameter.
    """
    for leaf in leaves(composition_or_transform):
        ignored = getattr(leaf, "invalid_args", None)
        if ignored:
            known = _parameters(type(leaf))
            raise PlanError(str(UnknownNameError(f"parameter of {type(leaf).__name__}", ignored[0], known)))


def written(composition_or_transform: Any) -> tuple[str, dict[str, Any]] | None:
    """The class's name and every parameter, such that `construct` makes the equal of the object.

    None where that cannot be: a class from elsewhere, a function or an array among the parameters.
    """
    try:
        state = composition_or_transform.to_dict()["transform"]
        target, parameters = _plain_state(state)
        again = construct(target, parameters)
        same = again.to_dict()["transform"] == state and _same(again, composition_or_transform)
    except (PlanError, NotImplementedError, TypeError, ValueError):
        return None
    return (target, parameters) if same else None


def _parameters(found: Any) -> list[str]:
    # "strict" says what to do about unknown parameters, and "seed" would be ignored: streams are handed in.
    return [name for name in inspect.signature(found).parameters if name not in {"seed", "strict"}]


def _same(one: Any, other: Any) -> bool:
    """Whether two objects hold the same settings: ``to_dict`` of some compositions leaves settings out."""
    names = [name for name in _parameters(type(one)) if name != "transforms"]
    if any(_listed(getattr(one, name, None)) != _listed(getattr(other, name, None)) for name in names):
        return False
    inner = zip(getattr(one, "transforms", ()), getattr(other, "transforms", ()), strict=True)
    return all(_same(*pair) for pair in inner if is_albumentations(pair[0]))


def _listed(value: Any) -> Any:
    return list(cast(tuple[Any, ...], value)) if isinstance(value, tuple) else value


def _class(target: str) -> Any:
    library = albumentations()
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


def _inner(target: str, tables: Any) -> list[Any]:
    if not isinstance(tables, list) or not tables:
        raise PlanError(f"{target} needs a list of tables under 'transforms', got {tables!r}")
    inner: list[Any] = []
    for table in cast(list[Any], tables):
        content = cast(dict[str, Any], table if isinstance(table, Mapping) else {})
        name, parameters = content.get("albumentations"), content.get("parameters", {})
        known = set(content) <= {"albumentations", "parameters"}
        if not (known and isinstance(name, str) and isinstance(parameters, Mapping)):
            raise PlanError(
                f"each of {target}'s transforms is a table with a class under 'albumentations' and, "
                f"if wanted, a table under 'parameters', got {table!r}"
            )
        inner.append(construct(name, cast(Mapping[str, Any], parameters)))
    return inner


def _constructed(found: Any, arguments: Mapping[str, Any]) -> Any:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            made = found(**arguments)
        except Exception as error:
            raise PlanError(f"{found.__name__} refuses its parameters: {one_line(error)}") from error
    for warning in heard:
        _judge(found.__name__, warning)
    return made


def _judge(target: str, heard: warnings.WarningMessage) -> None:
    text = str(heard.message)
    if SILENCED.match(text):
        return
    if ADVICE.match(text) or not issubclass(heard.category, UserWarning):
        warnings.warn_explicit(heard.message, heard.category, heard.filename, heard.lineno)
        return
    raise PlanError(f"{target} does not take its parameters as given: {' '.join(text.split())}")


def _plain_state(state: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    target = state["__class_fullname__"]
    # The state also has what only a base class takes, and nulls, which TOML cannot say. `written` proves
    # that what is left out is the class's own default.
    taken = set(_parameters(_class(target))) - {"transforms"}
    parameters = {name: _plain(value) for name, value in state.items() if name in taken and value is not None}
    if "transforms" in state:
        inner = [_plain_state(each) for each in state["transforms"]]
        parameters["transforms"] = [{"albumentations": name, "parameters": values} for name, values in inner]
    return target, parameters


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast(list[Any], value)]
    if isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} cannot be written to a file")
