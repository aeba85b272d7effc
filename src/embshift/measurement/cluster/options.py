"""What ``--engine ray`` takes beside the plan; nothing of it changes results."""

from dataclasses import dataclass

__all__ = ["ENGINES", "RayOptions"]

ENGINES = ("local", "ray")
"""What can measure a run: this process with its workers, or the actors of a Ray cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayOptions:
    """Where actors run, and how many.

    Attributes:
        address: Of the Ray cluster: "auto" or host:port; None starts Ray on this machine, on its loopback
            interface alone.
        actors: How many; None for as many as there is room for.
        gpus_per_actor: GPUs of each, also a fraction of one; None for one where the encoder runs on a GPU.
    """

    address: str | None = None
    actors: int | None = None
    gpus_per_actor: float | None = None
