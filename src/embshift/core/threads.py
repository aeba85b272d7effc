"""Threads of linear algebra: one for the small products of a small run, where further ones only wait."""

import importlib
import threading
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["LARGE", "limit_threads"]

LARGE = 2_000
"""Number of images from which products are so large that several threads save time."""


@contextmanager
def limit_threads(*, images: int) -> Generator[None, None, None]:
    """Compute matrix products on one thread while the context is open, for fewer than `LARGE` images.

    The threads of OpenBLAS spin while they wait for the next product. Between small products they do nothing
    else, and on a busy machine they take the cores from the thread that works. Outside the main thread
    nothing is limited: OpenBLAS ignores limits set there, and those of several threads could not be taken
    back in order.

    Args:
        images: Number of images that are compared.
    """
    if images >= LARGE or threading.current_thread() is not threading.main_thread():
        yield
        return
    from threadpoolctl import threadpool_limits

    # Both bring a library of their own; one that is loaded later would not be limited.
    importlib.import_module("numpy")
    importlib.import_module("scipy.linalg")
    with threadpool_limits(limits=1, user_api="blas"):
        yield
