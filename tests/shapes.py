"""The check of annotated shapes while testing, installed by `conftest.py`.

The library's hook would check every function at every call, which takes two fifths of the time of many tests.
Here what has no shape in its signature is left to pyright, and so are functions inside functions, which would
be compiled at each call of the outer one. Of the others, the first calls of each test are checked.
"""

import functools
import inspect

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

__all__ = ["CALLS", "begin_test", "install", "typechecker"]

CALLS = 20
"""Calls of each function that are checked in each test."""

# An int is welcome where a float is annotated, as Python's own rules for annotations have it.
typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))

_check = jaxtyping.jaxtyped
_counted = list[dict[str, int]]()


def install(package: str, /) -> None:
    """Check the annotated shapes of a package that is not imported yet."""
    jaxtyping.jaxtyped = _check_shapes  # the hook looks it up by this name
    install_import_hook(package, "tests.shapes.typechecker")


def begin_test() -> None:
    """Check the first calls of every function anew."""
    for count in _counted:
        count["calls"] = 0


def _check_shapes(*, typechecker):
    def decorate(thing):
        if not _has_shapes(thing):
            return thing
        checked = _check(thing, typechecker=typechecker)
        return checked if inspect.isclass(thing) else _limit(checked, thing)

    return decorate


def _has_shapes(thing) -> bool:
    if "<locals>" in thing.__qualname__:
        return False
    return any("jaxtyping." in _spell(one) for one in inspect.get_annotations(thing).values())


def _spell(annotation) -> str:
    """Spell an annotation with the modules of the types in it, however deep they are."""
    return f"{annotation.__module__}.{annotation}" if isinstance(annotation, type) else str(annotation)


def _limit(checked, thing):
    count = {"calls": 0}
    _counted.append(count)

    @functools.wraps(thing)
    def call(*args, **kwargs):
        count["calls"] += 1
        return (checked if count["calls"] <= CALLS else thing)(*args, **kwargs)

    return call
