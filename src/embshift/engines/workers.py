"""Pictures through worker processes, in order; a picture that kills its worker costs itself alone."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context, parent_process

import cv2

from embshift.errors import UsageError
from embshift.images import Decoded
from embshift.pipeline import Item, Perturbed, Recipe, perturb_image

__all__ = ["perturb_images"]

BuildRecipe = Callable[[], Recipe]
"""What a worker calls once, when it starts: transforms are built there, not sent."""

_AHEAD = 4  # pictures in flight for each worker: enough to keep it busy, few enough for flat memory
_SINGLE_THREADED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_recipe: list[Recipe] = []  # this worker's, set by its initializer


def perturb_images(items: Iterable[Item], /, *, build: BuildRecipe, workers: int) -> Iterator[Perturbed]:
    """Every item with its views, in order.

    Args:
        items: Rows of the listing.
        build: Makes the recipe; must be picklable for workers.
        workers: Processes; 0 works in this one.
    """
    if workers == 0:
        recipe = build()
        yield from (perturb_image(item, recipe=recipe) for item in items)
        return
    remaining = iter(items)
    waiting = list[Item]()
    while True:
        try:
            yield from _through_pool(remaining, waiting, build, workers)
            return
        except BrokenProcessPool:
            # Which of the pictures in flight it was is not known: each is tried in a process of its own.
            yield from (_alone(item, build) for item in waiting)
            waiting.clear()


def _through_pool(
    remaining: Iterator[Item], waiting: list[Item], build: BuildRecipe, workers: int
) -> Iterator[Perturbed]:
    """``waiting`` always holds the items that were taken and not yet given back."""
    futures = deque[Future[Perturbed]]()
    with _pool(build, workers) as pool:

        def feed() -> None:
            for item in islice(remaining, workers * _AHEAD - len(futures)):
                waiting.append(item)
                futures.append(pool.submit(_work, item))

        feed()
        while futures:
            result = futures[0].result()
            futures.popleft()
            waiting.pop(0)
            feed()
            yield result


def _alone(item: Item, build: BuildRecipe) -> Perturbed:
    try:
        with _pool(build, 1) as pool:
            _check_starts(pool)
            return pool.submit(_work, item).result()
    except BrokenProcessPool:
        error = "decoding it or making its views ended the worker process; the file may be made to do so"
        return Perturbed(item=item, decoded=Decoded(status="worker_died", error=error), values={})


def _check_starts(pool: ProcessPoolExecutor) -> None:
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool:
        # No picture was in it: each of them would be blamed in turn.
        raise UsageError(
            "worker processes cannot start (what they said stands above); take 0 workers, or put what a"
            " script does under: if __name__ == '__main__'"
        ) from None


@contextmanager
def _pool(build: BuildRecipe, workers: int) -> Generator[ProcessPoolExecutor]:
    # Spawned, never forked: a fork after torch has started its threads can hang.
    with _single_threaded():
        pool = ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_start, initargs=(build,)
        )
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _single_threaded() -> Generator[None]:
    """Workers read these when they start; the libraries of this process have read them already."""
    before = {name: os.environ.get(name) for name in _SINGLE_THREADED}
    os.environ.update(dict.fromkeys(_SINGLE_THREADED, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start(build: BuildRecipe) -> None:
    # Ctrl-C reaches the whole terminal group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    _recipe[:] = [build()]


def _end_with_parent() -> None:
    """A parent that is killed cannot say so, and a worker would wait for its next picture for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(item: Item) -> Perturbed:
    return perturb_image(item, recipe=_recipe[0])
