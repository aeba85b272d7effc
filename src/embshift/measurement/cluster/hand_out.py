"""Chunks handed out to actors, and given to others where an actor ends.

Knows nothing of Ray: `Actors` is all that it asks for.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, final, runtime_checkable

from embshift.core.errors import EncoderError
from embshift.core.words import count_noun
from embshift.measurement.cluster.answers import check_answer
from embshift.measurement.cluster.items import Item
from embshift.measurement.cluster.suspects import Suspects

__all__ = ["Actors", "Event", "OnDone", "hand_out"]

OnDone: TypeAlias = Callable[[Item, Mapping[str, Any]], None]
"""Receives an item that was measured, and the actor's answer."""

_IN_FLIGHT = 2  # items of one actor: while it measures one, the next waits there
_FAILURES = 4  # actors in a row that end before they can measure
_MEMORY = 3  # for each actor: how often Ray may end one because a node's memory is full
_WAIT = 60.0  # seconds until the user is told that no actor has room


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What has become of an actor or of its first item.

    Attributes:
        actor: The actor's number.
        kind: ``opened``: it can measure; ``done``: its first item is done; ``died``: it has ended; ``node``:
            so has its machine; ``memory``: Ray has ended it because the memory of its machine was full;
            ``away``: it does not answer.
        answer: What it answers, where it was opened or its item is done.
        reason: Why it has ended, in one line.
    """

    actor: int
    kind: Literal["opened", "done", "died", "node", "memory", "away"]
    answer: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reason: str = ""


@runtime_checkable
class Actors(Protocol):
    """Processes on other machines, each of which measures one item after another."""

    def start(self) -> int:
        """Start one more, and return its number; it is opened later, or never where there is no room."""
        ...

    def give(self, actor: int, item: Item) -> None:
        """Have an actor measure an item after those that it has been given."""
        ...

    def wait(self, seconds: float) -> Sequence[Event]:
        """Wait for events, at most so long."""
        ...

    def end(self, actor: int) -> None:
        """End an actor, and forget what it was given."""
        ...


def hand_out(
    items: Iterable[Item],
    actors: Actors,
    /,
    *,
    wanted: int,
    done: OnDone,
    note: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Have actors measure all items; who ends on the way is replaced.

    Args:
        items: Whole chunks.
        actors: The actors.
        wanted: How many of them there are at once.
        done: Called with every chunk that was measured.
        note: Tells the user one line.
        clock: Returns seconds.

    Raises:
        EncoderError: If actors end again and again: before they can measure, for lack of memory, or by a
            chunk none of whose images does so alone.
        ShiftError: If an actor answers with an error.
    """
    state = _State(items, actors, wanted=wanted, done=done, note=note, clock=clock)
    while state.unfinished():
        state.start()
        state.give()
        for event in actors.wait(1.0):
            state.take(event)


@final
class _State:
    """What is queued, and what each actor has."""

    def __init__(
        self,
        items: Iterable[Item],
        actors: Actors,
        *,
        wanted: int,
        done: OnDone,
        note: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._queue, self._actors, self._wanted = deque(items), actors, wanted
        self._done, self._note, self._clock = done, note, clock
        self._opening, self._open = set[int](), dict[int, deque[Item]]()
        self._suspects = Suspects()
        self._failures = self._killed = 0
        self._not_before, self._told = clock(), False
        self._began = clock()

    def unfinished(self) -> bool:
        return bool(self._queue) or any(self._open.values())

    def start(self) -> None:
        """Start the actors that are missing, after a pause where the last ones failed."""
        left = len(self._queue) + sum(map(len, self._open.values()))
        while self._clock() >= self._not_before and self._count() < min(self._wanted, left):
            self._opening.add(self._actors.start())
        if self._open or self._told or self._clock() < self._began + _WAIT:
            return
        self._told = True
        self._note("no actor has started yet: waiting for room in the Ray cluster")

    def _count(self) -> int:
        return len(self._opening) + len(self._open)

    def give(self) -> None:
        """Give items to actors: one to each that has none, then a second where enough are left for all."""
        for depth in range(_IN_FLIGHT):
            for actor, given in self._open.items():
                if len(given) == depth and len(self._queue) > (len(self._open) if depth else 0):
                    given.append(self._queue.popleft())
                    self._actors.give(actor, given[-1])

    def take(self, event: Event) -> None:
        check_answer(event.answer)
        if event.kind == "opened":
            self._opening.discard(event.actor)
            self._open[event.actor] = deque()
            self._failures = 0
        elif event.kind == "done":
            self._finish(self._open[event.actor].popleft(), event.answer)
        else:
            self._lose(event)

    def _finish(self, item: Item, answer: Mapping[str, Any]) -> None:
        if item.trial:
            self._push(self._suspects.survived(item))
            return
        self._failures = 0
        for row in item.deadly:
            self._note(f"row {row:,} of the listing has ended its process twice: recorded as worker_died")
        self._done(item, answer)

    def _lose(self, event: Event) -> None:
        """Put back what a lost actor had; its first item is suspected where nothing else explains the end."""
        self._actors.end(event.actor)
        opening = event.actor in self._opening
        self._opening.discard(event.actor)
        items = list(self._open.pop(event.actor, ()))
        if event.kind == "memory":
            self._count_memory()
        elif opening or event.kind == "away":
            self._count_failure(event)
        elif event.kind == "died" and items:
            self._note(f"an actor has ended while it measured chunk {items[0].chunk:,}: {event.reason}")
            items[:1] = self._suspects.died(items[0])
        self._push(items)

    def _push(self, items: Sequence[Item]) -> None:
        self._queue.extendleft(reversed(items))

    def _count_memory(self) -> None:
        self._killed += 1
        if self._killed > _MEMORY * self._wanted:
            raise EncoderError(
                f"Ray has ended actors {count_noun(self._killed, 'time')} because the memory of their machine"
                " was full; give fewer --actors or --workers, then run the command again"
            )
        self._note("Ray has ended an actor because the memory of its machine was full: trying again")
        self._pause()

    def _count_failure(self, event: Event) -> None:
        self._failures += 1
        if self._failures >= _FAILURES:
            raise EncoderError(
                f"{self._failures} actors in a row have ended before they could measure anything:"
                f" {event.reason}"
            )
        self._note(f"an actor was lost before it could measure: {event.reason}; trying again")
        self._pause()

    def _pause(self) -> None:
        """Wait longer after every failure in a row: 1, 2, 4, … seconds, at most a minute."""
        self._not_before = self._clock() + min(60.0, 2.0 ** max(0, self._failures + self._killed - 1))
