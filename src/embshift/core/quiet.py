"""Silence of libraries that log and warn about their own calls."""

import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["silence_libraries"]


@contextmanager
def silence_libraries() -> Generator[None]:
    """Drop warnings, and log records up to the level of warnings; logging is left as it was found."""
    # Without a handler at the root, a library's first `logging.warning` would set up logging for good.
    root, silent, before = logging.getLogger(), logging.NullHandler(), logging.root.manager.disable
    root.addHandler(silent)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        root.removeHandler(silent)
