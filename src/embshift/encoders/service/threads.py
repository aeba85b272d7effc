"""Calls of a function in threads that the end of the program does not wait for."""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeAlias, TypeVar, cast

__all__ = ["map_in_threads"]

Item = TypeVar("Item")
Result = TypeVar("Result")
_Done: TypeAlias = tuple[int, Result | None, Exception | None]


def map_in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    /,
    *,
    threads: int,
    stop: threading.Event,
) -> list[Result]:
    """Return the results of a function for items, in their order.

    Args:
        function: Called in several threads at once.
        items: Its arguments.
        threads: Calls at a time, at most.
        stop: Set when it is over, also at the first error and at Ctrl-C: nothing else is begun then.

    Raises:
        Exception: The first error of a call.
    """
    waiting, done = SimpleQueue[tuple[int, Item]](), SimpleQueue[_Done[Result]]()
    for pair in enumerate(items):
        waiting.put(pair)
    for _ in range(min(threads, len(items))):
        # Those of concurrent.futures are waited for at the end: after Ctrl-C, for as long as an answer takes.
        call = (function, waiting, done, stop)
        threading.Thread(target=_work, args=call, name="embshift-service", daemon=True).start()
    results = dict[int, Result]()
    try:
        for _ in items:
            at, result, error = done.get()
            if error is not None:
                raise error
            results[at] = cast(Result, result)
    finally:
        stop.set()
    return [results[at] for at in range(len(items))]


def _work(
    function: Callable[[Item], Result],
    waiting: SimpleQueue[tuple[int, Item]],
    done: "SimpleQueue[_Done[Result]]",
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            at, item = waiting.get_nowait()
        except Empty:
            return
        try:
            done.put((at, function(item), None))
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            done.put((at, None, error))
