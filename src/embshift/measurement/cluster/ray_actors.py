"""Actors of Ray: the cluster joined or started, its processes, and what becomes of them.

Everything that embshift knows of Ray is in here.
"""

import logging
import os
import signal
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any, cast, final

from embshift.core.errors import UsageError
from embshift.measurement.cluster.actor import Measurer, Order
from embshift.measurement.cluster.hand_out import Event
from embshift.measurement.cluster.items import Item

__all__ = ["Needs", "RayActors", "join_cluster", "list_nodes"]

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no server is told
    # Ray's default from the next version on, which it otherwise announces by a warning.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

_LOCAL = {
    # Has Ray listen on loopback alone; otherwise it replaces 127.0.0.1 by the machine's address.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Actors run like any other process here; Ray would have them give way to all others.
    "RAY_worker_niceness": "0",
}

_OBJECTS = 100 * 2**20  # bytes of Ray's object store: answers are small dictionaries
_LONGEST = 200  # characters of a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What an actor needs of its machine.

    Attributes:
        cpus: CPUs.
        gpus: GPUs, also a fraction of one.
    """

    cpus: int
    gpus: float


@contextmanager
def join_cluster(address: str | None) -> Generator[Any]:
    """Join a Ray cluster, or start Ray on this machine; yields the module ``ray``.

    What was joined or started here is left or stopped at the end; a cluster that the caller has joined stays.
    What Ray prints on standard output is dropped meanwhile: embshift says it in its own words.

    Args:
        address: "auto" or host:port; None to start Ray here.

    Raises:
        UsageError: If no cluster answers, or Ray cannot be started.
    """
    for name, value in (_ENVIRONMENT if address else _ENVIRONMENT | _LOCAL).items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield ray
        return
    try:
        _initialise(ray, address)
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            yield ray
    finally:
        with _keep_handlers():
            ray.shutdown()


def _initialise(ray: Any, address: str | None) -> None:
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    here = {
        "include_dashboard": False,
        "object_store_memory": _OBJECTS,
        "_node_ip_address": "127.0.0.1",
    }
    try:
        with _keep_handlers():
            ray.init(
                address=address or "local",
                log_to_driver=False,
                configure_logging=False,
                **({} if address else here),
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = "Ray cannot be started here" if address is None else f"no Ray cluster answers at {address}"
        raise UsageError(f"{where}: {_shorten(error)}; see 'ray status'") from error


@contextmanager
def _keep_handlers() -> Generator[None]:
    """Keep what this process does at Ctrl-C and SIGTERM, which Ray replaces."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            _restore(number, handler)


def _restore(number: int, handler: Any) -> None:
    try:
        signal.signal(number, handler)
    except ValueError:  # not in the main thread, where Ray sets none either
        return


def list_nodes(ray: Any, /) -> list[Mapping[str, float]]:
    """Return the resources of every node that is alive, by name."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


@dataclass(slots=True, kw_only=True, eq=False)
class _Handle:
    """An actor.

    Attributes:
        actor: Ray's handle.
        calls: What it was asked and has not answered, in order; its opening comes first.
        opened: Whether it has been opened.
    """

    actor: Any
    calls: deque[Any]
    opened: bool = False


@final
class RayActors:
    """The actors of one run.

    Args:
        ray: The module.
        order: What every actor is told.
        needs: What each needs of its machine.
    """

    def __init__(self, ray: Any, order: Order, needs: Needs) -> None:
        self._ray, self._order = ray, order
        # Ray must neither restart an actor nor repeat a call by itself: we count, and bytes could not change.
        self._kind = ray.remote(Measurer).options(
            num_cpus=needs.cpus, num_gpus=needs.gpus, max_restarts=0, max_task_retries=0, max_concurrency=1
        )
        self._handles = dict[int, _Handle]()
        self._started = 0

    def start(self) -> int:
        actor = self._kind.remote(self._order)
        self._started += 1
        self._handles[self._started] = _Handle(actor=actor, calls=deque([actor.open.remote()]))
        return self._started

    def give(self, actor: int, item: Item) -> None:
        handle = self._handles[actor]
        handle.calls.append(handle.actor.measure.remote(item))

    def wait(self, seconds: float) -> Sequence[Event]:
        first = {handle.calls[0]: number for number, handle in self._handles.items() if handle.calls}
        if not first:
            return ()
        # An actor answers in order: of each, only the first call can be ready.
        ready, _ = self._ray.wait(list(first), num_returns=1, timeout=seconds)
        return [self._look(first[call]) for call in ready]

    def end(self, actor: int) -> None:
        self._ray.kill(self._handles.pop(actor).actor, no_restart=True)

    def close(self) -> None:
        """End all of them."""
        for number in list(self._handles):
            self.end(number)

    def _look(self, number: int) -> Event:
        handle = self._handles[number]
        try:
            answer = cast(Mapping[str, Any], self._ray.get(handle.calls.popleft()))
        except self._ray.exceptions.RayError as error:
            return _explain(number, error, self._ray.exceptions)
        opened, handle.opened = handle.opened, True
        return Event(actor=number, kind="done" if opened else "opened", answer=answer)


def _explain(number: int, error: Exception, errors: Any) -> Event:
    """Return the event that an error of Ray stands for."""
    text = str(error)
    if isinstance(error, errors.OutOfMemoryError) or "running low on memory" in text:
        return Event(actor=number, kind="memory", reason="the memory of its machine was full")
    if isinstance(error, errors.ActorUnavailableError):
        return Event(actor=number, kind="away", reason="it does not answer")
    if isinstance(error, errors.NodeDiedError) or "node has died" in text or "node was terminated" in text:
        return Event(actor=number, kind="node", reason="its machine has left the cluster")
    return Event(actor=number, kind="died", reason=_find_reason(text))


def _find_reason(text: str) -> str:
    """Return Ray's reason in one line, without its advice."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if "exit" in line or "Error" in line]
    return _shorten((named or lines or ["for an unknown reason"])[-1].partition(" Some common causes")[0])


def _shorten(thing: object) -> str:
    text = " ".join(str(thing).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
