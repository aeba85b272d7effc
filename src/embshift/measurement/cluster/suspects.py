"""Which image ends its process: a chunk that has ended two actors is halved until one image is left."""

from dataclasses import dataclass, field, replace
from typing import final

from embshift.core.errors import EncoderError
from embshift.measurement.cluster.items import Item

__all__ = ["Suspects"]


@dataclass(slots=True, kw_only=True)
class _Search:
    """The search within one chunk.

    Attributes:
        whole: The chunk.
        open: Ranges that are still to be tried.
        deadly: Rows that have ended their process twice.
    """

    whole: Item
    open: int = 1
    deadly: set[int] = field(default_factory=set[int])


@final
class Suspects:
    """The chunks that have ended an actor, held until they are measured."""

    def __init__(self) -> None:
        self._searches = dict[int, _Search]()

    def died(self, item: Item, /) -> list[Item]:
        """Return what is to be done after an item has ended its actor.

        An actor can also be ended from outside: once says nothing.

        Raises:
            EncoderError: If a chunk ends its actors, and none of its images does so alone.
        """
        search = self._searches.get(item.chunk)
        if search is None:
            if not item.again:
                return [replace(item, again=True, isolated=True)]
            self._searches[item.chunk] = _Search(whole=item)
            return self._halve(item)
        if not item.trial:
            raise EncoderError(
                f"chunk {item.chunk} has ended three actors, and none of its images does so alone; look for"
                " the reason in Ray's logs, then run the command again"
            )
        if item.count > 1:
            return self._halve(item)
        if not item.again:
            return [replace(item, again=True)]
        search.deadly.add(item.first)
        return self._close(item)

    def survived(self, item: Item, /) -> list[Item]:
        """Return what is to be done after a trial that ended no actor."""
        return self._close(item)

    def deadly(self, chunk: int, /) -> tuple[int, ...]:
        """Return the rows of a chunk that have ended their process twice."""
        return tuple(sorted(self._searches[chunk].deadly)) if chunk in self._searches else ()

    def _halve(self, item: Item) -> list[Item]:
        trial = replace(item, trial=True, isolated=True, again=False)
        if item.count == 1:
            return [trial]
        half = item.count // 2
        self._searches[item.chunk].open += 1
        return [
            replace(trial, count=half),
            replace(trial, first=item.first + half, count=item.count - half),
        ]

    def _close(self, item: Item) -> list[Item]:
        """Count a range as tried; after the last, the chunk is measured without the rows that were found."""
        search = self._searches[item.chunk]
        search.open -= 1
        return [] if search.open else [replace(search.whole, deadly=self.deadly(item.chunk))]
