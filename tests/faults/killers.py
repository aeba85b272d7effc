"""Recipes whose pixel metric does to its worker what a hostile file might."""

import os
import signal
import time
from dataclasses import replace

from tests.unit.worker_recipes import build

__all__ = ["KILLS", "ended_by", "hanging"]


def ended_by(number):
    """Every picture of the sample ends its process by this signal."""
    return replace(build(), metrics={"deadly": lambda *_: os.kill(os.getpid(), number)}, aligned={})


def hanging():
    """Every picture of the sample holds its process for a minute."""
    return replace(build(), metrics={"hangs": lambda *_: time.sleep(60)}, aligned={})


KILLS = (signal.SIGKILL, signal.SIGSEGV)
