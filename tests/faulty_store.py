"""A store in memory that fails as it is told, and counts what is asked of it."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import obstore
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from embshift.core import stores

RUN = "s3://bucket/runs/a"


class FaultyStore:
    """Stands in the place of the module obstore.

    Attributes:
        store: What holds the objects.
        asked: How often each function was called.
        before: Called with function and key before each request; what it raises is the answer.
        after: The same once the request is carried out, so that its answer is lost.
        ignores_conditions: Whether writing overwrites whatever is there, as older servers do.
    """

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.asked = Counter[str]()
        self.before: Callable[[str, str], None] = lambda name, key: None
        self.after: Callable[[str, str], None] = lambda name, key: None
        self.ignores_conditions = False

    def __getattr__(self, name: str) -> Any:
        def call(store: Any, key: str | None = None, *rest: Any, **options: Any) -> Any:
            self.asked[name] += 1
            self.before(name, key or "")
            if self.ignores_conditions and name == "put":
                options["mode"] = "overwrite"
            answer = getattr(obstore, name)(store, key, *rest, **options)
            self.after(name, key or "")
            return answer

        return call


@contextmanager
def in_memory() -> Iterator[FaultyStore]:
    """In here the bucket "s3://bucket" is one in memory."""
    faulty = FaultyStore()
    with (
        patch.object(stores, "_open", {"s3://bucket": faulty.store}.__getitem__),
        patch.object(stores, "_import_obstore", lambda: faulty),
    ):
        yield faulty


def once(name: str, ending: str, message: str = "503 Slow Down") -> Callable[[str, str], None]:
    """Fail the first request of a function for a key with this ending."""
    left = [1]

    def fail(asked: str, key: str) -> None:
        if asked == name and key.endswith(ending) and left:
            left.clear()
            raise GenericError(message)

    return fail


def objects(faulty: FaultyStore, below: str = "runs/a") -> dict[str, bytes]:
    """Every object below a key, by its name there."""
    found = [one["path"] for batch in obstore.list(faulty.store, below) for one in batch]
    return {path.removeprefix(f"{below}/"): bytes(obstore.get(faulty.store, path).bytes()) for path in found}
