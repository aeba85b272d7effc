"""What workers build in tests; a module of its own, since they import it by name."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from embshift.images import Limits
from embshift.measurement.pipeline.recipe import Recipe
from embshift.transforms.build import wrap

DEADLY = 251
"""A picture whose first value is this ends the process that makes its views."""
LINGERING = 252
"""One whose first value is this does so, too, and leaves behind a process that holds the pipes open."""

STOPPING = 253
"""One whose first value is this stops the process once, as Ctrl-Z does, and says so in a file."""
SLEEPING = 254
"""One whose first value is this takes a second, for each of its two views."""
STOPPED = "EMBSHIFT_TEST_STOPPED"
"""The variable that names the file."""


def stop_once():
    told = Path(os.environ[STOPPED])
    if not told.exists():
        told.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGSTOP)


def jitter(pixels, *, rng):
    if pixels[0, 0, 0] == LINGERING and os.fork() == 0:
        os.closerange(0, 3)  # whoever reads the output of the tests need not wait for it
        time.sleep(600)
        os._exit(0)
    if pixels[0, 0, 0] == LINGERING:
        os._exit(7)
    if pixels[0, 0, 0] == STOPPING:
        stop_once()
    if pixels[0, 0, 0] == SLEEPING:
        time.sleep(1)
    if pixels[0, 0, 0] == DEADLY:
        os._exit(7)
    return (pixels // 2 + rng.integers(0, 100, pixels.shape)).astype(np.uint8)


def build():
    """A recipe of one transform and no metrics."""
    transforms = {"jitter": wrap("jitter", jitter)}
    return Recipe(
        limits=Limits(), size=(8, 8), rule="linear", seed=3, draws=2, transforms=transforms, metrics={}
    )


def build_in(process):
    """As where a worker cannot import what its parent could."""
    if os.getpid() != process:
        raise ImportError("no module of that name")
    return build()
