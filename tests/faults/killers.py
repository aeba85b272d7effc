"""Recipes and a transform that do to their worker what a hostile file might."""

import ctypes
import os
import re
import signal
import time
from dataclasses import replace

import numpy as np

from tests.unit.worker_recipes import build

__all__ = ["KILLERS", "KILLS", "deadly", "ended_by", "hanging"]

KILLS = (signal.SIGKILL, signal.SIGSEGV)


def ended_by(number):
    """Every picture of the sample ends its process by this signal."""
    return replace(build(), metrics={"deadly": lambda *_: os.kill(os.getpid(), number)}, aligned={})


def hanging():
    """Every picture of the sample holds its process for longer than a test may take."""
    return replace(build(), metrics={"hangs": lambda *_: time.sleep(3600)}, aligned={})


def fills_memory():
    """Until the system says no; every page is written, so that it is really taken."""
    held = []
    while True:
        held.append(np.ones(2**27, np.uint8))


KILLERS = {
    241: (lambda: os.kill(os.getpid(), signal.SIGKILL), "worker_died"),
    242: (lambda: ctypes.string_at(0), "worker_died"),
    243: (os.abort, "worker_died"),
    244: (lambda: os._exit(0), "worker_died"),
    245: (lambda: time.sleep(600), "timed_out"),
    # Native code that gives the interpreter no turn: no handler written in Python would be reached.
    246: (lambda: re.match("(a+)+$", "a" * 64 + "b"), "timed_out"),
    247: (fills_memory, "transform_failed"),  # the process lives, and only the view is lost
}
"""By gray level: what the picture does to the process, and the status that it or its view must have."""


def deadly(pixels):
    """Pictures of most gray levels come out darker."""
    level = int(pixels[0, 0, 0])
    if level in KILLERS:
        KILLERS[level][0]()
    return pixels // 2
