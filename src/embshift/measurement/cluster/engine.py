"""The engine ``ray``: one session's missing chunks, measured by the actors of a Ray cluster."""

import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import accumulate
from typing import Any

from embshift.core.errors import UsageError
from embshift.core.progress import Reporter
from embshift.core.remote import current_access
from embshift.core.words import count_noun
from embshift.measurement.cluster.actor import Order
from embshift.measurement.cluster.hand_out import Actors, hand_out
from embshift.measurement.cluster.items import Item
from embshift.measurement.cluster.options import RayOptions
from embshift.measurement.cluster.ray_actors import Needs, RayActors, join_cluster, list_nodes
from embshift.measurement.session.session import Session
from embshift.runs.addresses import describe_folder, forget_listed, is_mirror

__all__ = ["measure_on_ray"]

_MOST_WORKERS = {True: 8, False: 16}
"""Workers of an actor at most, where the encoder runs on a CPU and elsewhere, as in a run on one machine."""


def measure_on_ray(
    session: Session, reporter: Reporter, /, *, options: RayOptions, own: Mapping[str, Any]
) -> None:
    """Have actors measure all chunks that a session lacks.

    The driver holds the run folder's lock the whole time, and actors write chunks for it: whoever else wants
    to write there is refused. Actors end with their driver; one that lives on for a moment can only write the
    bytes that any other process would.

    Args:
        session: The session, whose run folder is prepared.
        reporter: Who is told about the progress.
        options: Where actors run, and how many.
        own: Workers, and what one image may take, as the user gave them; None where they were left open.

    Raises:
        UsageError: If the images are in memory, or no machine of the cluster has room for an actor.
        EncoderError: If an actor cannot open the encoder, or actors end again and again.
        RunError: If an actor cannot read the images or the run folder.
    """
    if session.rows.in_memory:
        raise UsageError("images in memory cannot be measured by other processes; leave out --engine ray")
    items = list(_list_missing(session))
    if not items:
        return
    try:
        with join_cluster(options.address) as ray:
            _measure(ray, items, session, reporter, options=options, own=own)
    finally:
        forget_listed(session.out)
        session.sink.discard_uncommitted()  # of actors that were ended while they wrote


def _measure(
    ray: Any,
    items: Sequence[Item],
    session: Session,
    reporter: Reporter,
    *,
    options: RayOptions,
    own: Mapping[str, Any],
) -> None:
    needs, nodes = _find_needs(session, options), list_nodes(ray)
    rooms = [room for node in nodes if (room := _count_room(node, needs))]
    wanted = min(_count_actors(rooms, options, needs), len(items))
    workers = own["workers"]
    if workers is None:
        workers = _choose_workers(nodes, needs, session, wanted=wanted)
    reporter.note(
        f"Ray: {count_noun(wanted, 'actor')} of {_describe_needs(needs)}, each with"
        f" {count_noun(workers, 'worker process', 'worker processes')}"
    )
    folder = describe_folder(session.out) if is_mirror(session.out) else os.path.abspath(session.out)
    own = {**own, "workers": workers}
    order = Order(folder=folder, own=own, path=list(sys.path), access=current_access())
    with closing(RayActors(ray, order, needs)) as actors:
        _hand_out(items, actors, wanted=wanted, session=session, reporter=reporter)


def _hand_out(
    items: Sequence[Item], actors: Actors, *, wanted: int, session: Session, reporter: Reporter
) -> None:
    def done(item: Item, answer: Mapping[str, Any]) -> None:
        session.mishaps.float32 += answer["float32"]
        for number in range(item.count):
            reporter.advance(failed=number < answer["failed"])

    hand_out(items, actors, wanted=wanted, done=done, note=reporter.note)


def _list_missing(session: Session) -> Iterator[Item]:
    """Yield the chunks that are not committed, with their rows: chunks follow one another in the listing."""
    chunks = session.rows.chunks
    for (chunk, count), first in zip(chunks.items(), accumulate(chunks.values(), initial=0), strict=False):
        if not session.sink.has(chunk):
            yield Item(chunk=chunk, first=first, count=count)


def _find_needs(session: Session, options: RayOptions) -> Needs:
    on_gpu = session.work.encoder.spec.device.startswith("cuda")
    share = options.gpus_per_actor
    return Needs(cpus=session.plan.threads or 1, gpus=float(on_gpu) if share is None else share)


def _describe_needs(needs: Needs) -> str:
    return count_noun(needs.cpus, "CPU") + (f" and {needs.gpus:g} GPU" if needs.gpus else "")


def _count_room(node: Mapping[str, float], needs: Needs) -> int:
    """Return how many actors a node has room for."""
    by_cpu = int(node.get("CPU", 0) // needs.cpus)
    if not needs.gpus:
        return by_cpu
    gpus = int(node.get("GPU", 0))
    by_gpu = gpus * math.floor(1 / needs.gpus + 1e-9) if needs.gpus <= 1 else int(gpus // needs.gpus)
    return min(by_cpu, by_gpu)


def _count_actors(rooms: Sequence[int], options: RayOptions, needs: Needs) -> int:
    if options.actors is not None:
        return options.actors
    if not rooms:
        raise UsageError(
            f"no machine of the Ray cluster has {_describe_needs(needs)} for an actor; give fewer --threads"
            " or a smaller --gpus-per-actor, or --actors N to wait for machines"
        )
    return sum(rooms)


def _choose_workers(
    nodes: Sequence[Mapping[str, float]], needs: Needs, session: Session, *, wanted: int
) -> int:
    """Return how many workers each actor has: the cores of its share of a machine, less one."""
    fitting = [
        (node.get("CPU", 0), min(room, wanted)) for node in nodes if (room := _count_room(node, needs))
    ]
    share = min((int(cpus // room) for cpus, room in fitting), default=needs.cpus)
    most = _MOST_WORKERS[session.work.encoder.spec.device == "cpu"]
    return max(1, min(most, share - 1))
