"""Rules that choose what a plan leaves open, each with its reason, when a run starts."""

import math
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from embshift.measurement.plan.plan import Plan

__all__ = ["CHOICES", "Setting", "choose", "count_cores", "is_portable"]

_CPU_BATCH, _OPENVINO_BATCH, _ACCELERATOR_BATCH = 32, 64, 256
_MOST_WORKERS = {True: 8, False: 16}  # on a CPU the encoder uses the cores, too
_IMAGES = 64  # images per worker: starting one takes about as long as making the views of so many
_MEMORY, _BYTES_PER_PIXEL, _BYTES_PER_VIEW_PIXEL = 1024, 48, 64
"""MiB for everything else; and what conversions and transforms hold at once at most, in bytes."""
_SECONDS, _SECONDS_PER_VIEW, _USUAL = 60, 0.5, 224 * 224


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the choices depend on beside the plan.

    Attributes:
        device: The encoder's device.
        threads: Threads that the encoder's library uses by default.
        count: Images in the listing.
        held: Why workers cannot do the work; empty where they can.
        cores: Cores that this process may use.
    """

    device: str
    threads: int
    count: int
    held: str = ""
    cores: int = field(default_factory=count_cores)


def choose(plan: Plan, setting: Setting, /) -> tuple[Plan, dict[str, str]]:
    """Decide everything that a plan leaves open.

    What the user gave stands, except workers where they cannot do the work.

    Returns:
        The decided plan, and the reason of each choice by field.
    """
    chosen, reasons = dict[str, Any](), dict[str, str]()
    for name, choice in CHOICES.items():
        if getattr(plan, name) is None:
            chosen[name], reasons[name] = choice(plan, setting)
        else:
            reasons[name] = "as given"
    if setting.held:
        chosen["workers"], reasons["workers"] = 0, setting.held
    return replace(plan, device=setting.device, **chosen), reasons


def is_portable(build: Callable[[], Any]) -> bool:
    """Return whether another process can build it: it can be pickled, and nothing in it lives in a script."""
    try:
        return b"__main__" not in pickle.dumps(build)
    except Exception:  # noqa: BLE001 - a user's object may do anything when it is pickled
        return False


def _choose_batch(plan: Plan, setting: Setting) -> tuple[int, str]:
    if plan.runtime == "openvino":
        return _OPENVINO_BATCH, "with OpenVINO as fast as 32, and an eighth faster in bfloat16"
    if setting.device == "cpu":
        return _CPU_BATCH, "on a CPU larger batches are no faster"
    return _ACCELERATOR_BATCH, "keeps an accelerator busy; halved where its memory is too small"


def _choose_threads(plan: Plan, setting: Setting) -> tuple[int, str]:
    if setting.device.startswith("cuda"):
        # With so many workers, a small sum that is split over all cores waits for the slowest of them.
        return 1, "the GPU computes, and the cores are for the workers"
    return setting.threads, "torch's default on this machine"


def _choose_workers(plan: Plan, setting: Setting) -> tuple[int, str]:
    if sys.platform == "win32":
        return 0, "worker processes are not available on Windows in this version"
    most, enough = _MOST_WORKERS[setting.device == "cpu"], math.ceil(setting.count / _IMAGES)
    number = max(1, min(most, setting.cores - 1, enough))
    if number == enough:
        return number, f"one for every {_IMAGES} images, {setting.count:,} in all; isolates crashes"
    return number, f"{setting.cores} cores, one of them for the main process; at most {most}"


def _choose_worker_memory(plan: Plan, setting: Setting) -> tuple[int, str]:
    pixels = _BYTES_PER_VIEW_PIXEL * _count_views(plan) * math.prod(plan.image_size)
    needed = _BYTES_PER_PIXEL * plan.max_pixels + pixels
    return _MEMORY + math.ceil(needed / 2**20), "1 GiB and what the largest image and its views may need"


def _choose_timeout(plan: Plan, setting: Setting) -> tuple[int, str]:
    share = max(1.0, math.prod(plan.image_size) / _USUAL)
    seconds = math.ceil(_SECONDS + _SECONDS_PER_VIEW * _count_views(plan) * share)
    return seconds, "one minute, and half a second for every view"


def _count_views(plan: Plan) -> int:
    return 1 + len(plan.transforms) * plan.draws


CHOICES: Mapping[str, Callable[[Plan, Setting], tuple[int, str]]] = {
    "batch": _choose_batch,
    "threads": _choose_threads,
    "workers": _choose_workers,
    "worker_memory": _choose_worker_memory,
    "timeout": _choose_timeout,
}
"""What chooses each field that a plan may leave open."""
