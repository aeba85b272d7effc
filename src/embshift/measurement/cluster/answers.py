"""Answers of actors: an error among them is raised here, once and in its own words."""

from collections.abc import Mapping
from typing import Any

from embshift.core import errors
from embshift.core.errors import ShiftError, UsageError

__all__ = ["check_answer"]


def check_answer(answer: Mapping[str, Any], /) -> None:
    """Raise the error that an actor has answered with.

    Raises:
        ShiftError: If the actor raised one; of the same class, with the name of its machine.
        RuntimeError: If embshift has a defect, with the traceback.
    """
    if "defect" in answer:
        raise RuntimeError(f"an actor on {answer['where']} failed:\n{answer['defect']}")
    if "error" in answer:
        raise _find_class(answer["kind"])(f"{answer['error']} (an actor on {answer['where']})")


def _find_class(name: str) -> type[ShiftError]:
    """Return the class of an error by name; `UsageError` for those that are not made from a text alone."""
    found = getattr(errors, name, UsageError)
    return found if found.__init__ is ShiftError.__init__ else UsageError
