"""What a store holds of one run: listed folder by folder, when it is first asked for."""

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, final

from embshift.core.stores import list_folder, list_objects, stat_object
from embshift.runs.remote.copies import Stored

__all__ = ["Inventory", "Layout", "Names"]

Names: TypeAlias = tuple[str, ...]
"""Names of a file, from the run's folder down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which objects below an address are those of a run; no other is ever read.

    Attributes:
        areas: Folders below the run.
        is_own: Whether an object of these names is one that embshift writes.
        is_chunk: Whether it is a chunk's file, which never changes once it is written.
    """

    areas: tuple[str, ...]
    is_own: Callable[[Names], bool]
    is_chunk: Callable[[Names], bool]


@final
class Inventory:
    """The objects of one run, by their keys below its address.

    Args:
        address: The run's.
        layout: Which objects are the run's.
    """

    def __init__(self, address: str, layout: Layout) -> None:
        self._address, self._layout = address, layout
        self._lock = threading.RLock()
        self._areas = dict[str, dict[str, Stored]]()
        self._order = dict[str, list[str]]()
        self._others = list[str]()

    def clear(self) -> None:
        """Forget what was listed."""
        with self._lock:
            self._areas.clear()
            self._order.clear()

    def find(self, key: str) -> Stored | None:
        """Return what is listed of an object; None where it is not."""
        return self._list(_area(key)).get(key)

    def note(self, key: str, stored: Stored) -> None:
        """Note that an object was written."""
        with self._lock:
            self._list(_area(key))[key] = stored

    def drop(self, key: str) -> None:
        """Note that an object was removed."""
        with self._lock:
            self._list(_area(key)).pop(key, None)

    def look_again(self, key: str) -> Stored | None:
        """Ask the store for one object, which may have been written or removed since it was listed."""
        found = stat_object(f"{self._address}/{key}")
        if found is None:
            self.drop(key)
            return None
        stored = Stored(found.etag, found.size)
        self.note(key, stored)
        return stored

    def list_keys(self) -> Iterator[str]:
        """Yield the keys of all objects of the run."""
        for area in ("", *self._layout.areas):
            yield from list(self._list(area))

    def list_names(self, names: Names) -> set[str]:
        """Return the names directly below a folder; at the top, also those of what is not the run's."""
        if not names:
            return {*self._list(""), *self._others}
        if names[0] not in self._layout.areas:
            return set()
        start = "".join(f"{name}/" for name in names)
        below = [key[len(start) :] for key in list(self._list(names[0])) if key.startswith(start)]
        return {key.split("/")[0] for key in below}

    def list_following(self, key: str, most: int) -> list[str]:
        """List the keys that follow one in its folder, as they were first listed.

        Args:
            key: The key.
            most: How many are listed at most.
        """
        area = self._list(_area(key))
        with self._lock:
            if _area(key) not in self._order:
                self._order[_area(key)] = sorted(area)
            order = self._order[_area(key)]
        table, start = key.rpartition("/")[0], bisect_left(order, key) + 1
        following = order[start : start + most]
        return [one for one in following if one.rpartition("/")[0] == table and one in area]

    def _list(self, area: str) -> dict[str, Stored]:
        with self._lock:
            if area not in self._areas:
                self._areas[area] = dict(self._list_below(area) if area else self._list_top())
            return self._areas[area]

    def _list_top(self) -> Iterator[tuple[str, Stored]]:
        self._others.clear()
        for one in list_folder(self._address):
            name = one.address.removeprefix(f"{self._address}/")
            if self._layout.is_own((name,)):
                yield name, Stored(one.etag, one.size)
            else:
                self._others.append(name.rstrip("/"))

    def _list_below(self, area: str) -> Iterator[tuple[str, Stored]]:
        for one in list_objects(f"{self._address}/{area}"):
            key = one.address.removeprefix(f"{self._address}/")
            if self._layout.is_own(tuple(key.split("/"))):
                yield key, Stored(one.etag, one.size)


def _area(key: str) -> str:
    return key.partition("/")[0] if "/" in key else ""
