"""As much of Ray as embshift uses, in this process: a call is made when its answer is asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    pass


class ActorDiedError(RayError):
    pass


class ActorUnavailableError(RayError):
    pass


class OutOfMemoryError(RayError):
    pass


class NodeDiedError(RayError):
    pass


DIED = (
    "The actor died unexpectedly before finishing this task.\n\tip: 127.0.0.1\nThe actor is dead because its"
    " worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker unexpectedly exits"
    " with a connection error code 2. End of file. Some common causes include: (1) the process was killed"
    " by the OOM killer due to high memory usage."
)


@dataclass(eq=False)
class Call:
    make: Callable[[], Any]


@dataclass
class FakeRay:
    """Nodes, and what becomes of the n-th call of ``measure``, by number from 0."""

    nodes_: list = field(default_factory=lambda: [{"CPU": 2.0}])
    fates: dict = field(default_factory=dict)
    options_: dict = field(default_factory=dict)
    killed: list = field(default_factory=list)
    exceptions = SimpleNamespace(
        RayError=RayError,
        ActorUnavailableError=ActorUnavailableError,
        OutOfMemoryError=OutOfMemoryError,
        NodeDiedError=NodeDiedError,
    )

    def __post_init__(self):
        self._measured = count()

    def nodes(self):
        return [{"Alive": True, "Resources": one} for one in self.nodes_]

    def remote(self, kind):
        def options(**given):
            self.options_ = given
            return SimpleNamespace(remote=lambda *arguments: self._actor(kind(*arguments)))

        return SimpleNamespace(options=options)

    def _actor(self, held):
        return SimpleNamespace(
            open=SimpleNamespace(remote=lambda: Call(held.open)),
            measure=SimpleNamespace(remote=lambda item: Call(lambda: self._measure(held, item))),
        )

    def _measure(self, held, item):
        fate = self.fates.get(next(self._measured))
        if fate is not None:
            raise fate
        return held.measure(item)

    def wait(self, calls, *, num_returns, timeout):
        return calls[:num_returns], calls[num_returns:]

    def get(self, call):
        return call.make()

    def kill(self, actor, *, no_restart):
        self.killed.append(actor)
