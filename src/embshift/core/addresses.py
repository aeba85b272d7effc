"""Objects by their address, "package.module:name", and digests of their code."""

import hashlib
import importlib
import inspect
import re
import sys
from typing import Any, cast

from embshift.core.errors import PlanError, UnknownNameError

__all__ = ["INGESTED", "code_digest", "find_address", "is_address", "load_object", "to_one_line"]

INGESTED = "ingested:"
"""How the encoder of a plan begins whose embeddings were computed elsewhere; the file's name follows."""

_ADDRESS = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def is_address(text: str, /) -> bool:
    """Return whether a text has the form "package.module:name"."""
    return _ADDRESS.fullmatch(text) is not None


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


def to_one_line(error: BaseException) -> str:
    """Return an error's text with every run of white space replaced by one space."""
    return " ".join(str(error).split())
