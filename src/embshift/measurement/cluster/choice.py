"""What measures a run, by name."""

from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from embshift.core.errors import MissingExtraError, UnknownNameError, UsageError
from embshift.measurement.cluster.options import ENGINES, RayOptions
from embshift.measurement.plan.plan import Plan

if TYPE_CHECKING:  # imports torch
    from embshift.measurement.session.work import Engine

__all__ = ["choose_engine"]


def choose_engine(name: str, options: RayOptions, /, *, plan: Plan) -> "Engine | None":
    """Return what measures a run; None for this process and its workers.

    Args:
        name: One of `ENGINES`.
        options: For Ray.
        plan: The plan as asked: workers and limits that it names hold for each actor.

    Raises:
        UnknownNameError: If there is no such engine.
        UsageError: If an option is out of range, or given for another engine.
        MissingExtraError: If Ray is not installed.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    if name == "local":
        _refuse_options(options)
        return None
    _check(options)
    if find_spec("ray") is None:
        raise MissingExtraError("ray", "ray")
    from embshift.measurement.cluster.engine import measure_on_ray

    return partial(measure_on_ray, options=options, own=_own_fields(plan))


def _own_fields(plan: Plan) -> Mapping[str, Any]:
    return {name: getattr(plan, name) for name in ("workers", "worker_memory", "timeout")}


def _refuse_options(options: RayOptions) -> None:
    given = [name for name in ("address", "actors", "gpus_per_actor") if getattr(options, name) is not None]
    if given:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"{named} needs --engine ray")


def _check(options: RayOptions) -> None:
    if options.address is not None and "://" in options.address:
        raise UsageError(
            f"address is {options.address!r}; expected 'auto' or host:port of a cluster that this machine"
            " belongs to, e.g. 10.0.0.1:6379"
        )
    if options.actors is not None and options.actors < 1:
        raise UsageError(f"actors is {options.actors}; expected 1 or more")
    share = options.gpus_per_actor
    if share is not None and not (0 < share <= 1 or (share > 1 and share == int(share))):
        raise UsageError(f"gpus_per_actor is {share:g}; expected a fraction above 0, 1, or a whole number")
