"""What a plan leaves open is chosen when a run starts, each with its reason, and recorded."""

import math
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from embshift.measurement.plan.plan import Plan

__all__ = ["Setting", "choose", "is_portable"]

_CPU_BATCH, _OPENVINO_BATCH, _ACCELERATOR_BATCH = 32, 64, 256
_MOST_WORKERS = {True: 8, False: 16}  # on a CPU the encoder has use for the cores, too
_PICTURES = 64  # for which a worker is started: that takes about as long as making the views of so many
_MEMORY, _BYTES_A_PIXEL, _BYTES_A_VIEW_PIXEL = 1024, 48, 64
"""MiB for everything else; and what conversions and transforms hold at once at most, in bytes."""
_SECONDS, _SECONDS_A_VIEW, _USUAL = 60, 0.5, 224 * 224


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What choices are made from.

    Attributes:
        device: The encoder's.
        threads: What the encoder's library takes of itself.
        count: Pictures in the listing.
        held: Why workers cannot do the work; empty where they can.
    """

    device: str
    threads: int
    count: int
    held: str = ""


def choose(plan: Plan, setting: Setting, /) -> tuple[Plan, dict[str, str]]:
    """The plan with everything decided that was left open, and why, by field.

    What was given stands, but workers where they cannot do the work.
    """
    chosen, reasons = dict[str, Any](), dict[str, str]()
    for name, choice in _CHOICES.items():
        if getattr(plan, name) is None:
            chosen[name], reasons[name] = choice(plan, setting)
        else:
            reasons[name] = "as given"
    if setting.held:
        chosen["workers"], reasons["workers"] = 0, setting.held
    return replace(plan, device=setting.device, **chosen), reasons


def is_portable(build: Callable[[], Any]) -> bool:
    """Whether another process can build it too: all of it can be pickled, and nothing lives in a script."""
    try:
        return b"__main__" not in pickle.dumps(build)
    except Exception:  # noqa: BLE001 - whatever an object of the user's does when it is written down
        return False


def _batch(plan: Plan, setting: Setting) -> tuple[int, str]:
    if plan.runtime == "openvino":
        return _OPENVINO_BATCH, "OpenVINO is no slower than with half as many, in bfloat16 an eighth faster"
    if setting.device == "cpu":
        return _CPU_BATCH, "on a CPU larger batches are no faster"
    return _ACCELERATOR_BATCH, "what keeps an accelerator busy; halved where its memory does not hold it"


def _threads(plan: Plan, setting: Setting) -> tuple[int, str]:
    if setting.device.startswith("cuda"):
        # Beside so many workers a small sum that is divided over all cores waits for the last of them.
        return 1, "the GPU computes, and the cores are for the workers"
    return setting.threads, "what torch takes on this machine"


def _workers(plan: Plan, setting: Setting) -> tuple[int, str]:
    if sys.platform == "win32":
        return 0, "worker processes are not built for Windows in this version"
    cores, most = _cores(), _MOST_WORKERS[setting.device == "cpu"]
    enough = math.ceil(setting.count / _PICTURES)
    number = max(1, min(most, cores - 1, enough))
    if number == enough:
        return number, f"one for every {_PICTURES} of {setting.count:,} pictures; it shields the run"
    return number, f"{cores} cores, one of them for the main process; {most} at most"


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _worker_memory(plan: Plan, setting: Setting) -> tuple[int, str]:
    needed = _BYTES_A_PIXEL * plan.max_pixels + _BYTES_A_VIEW_PIXEL * _views(plan) * math.prod(
        plan.image_size
    )
    return _MEMORY + math.ceil(needed / 2**20), "1 GiB and what the largest picture and its views may need"


def _timeout(plan: Plan, setting: Setting) -> tuple[int, str]:
    share = max(1.0, math.prod(plan.image_size) / _USUAL)
    seconds = math.ceil(_SECONDS + _SECONDS_A_VIEW * _views(plan) * share)
    return seconds, "a minute, and half a second for every view"


def _views(plan: Plan) -> int:
    return 1 + len(plan.transforms) * plan.draws


_CHOICES: Mapping[str, Callable[[Plan, Setting], tuple[int, str]]] = {
    "batch": _batch,
    "threads": _threads,
    "workers": _workers,
    "worker_memory": _worker_memory,
    "timeout": _timeout,
}
