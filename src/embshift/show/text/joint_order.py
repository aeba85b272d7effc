"""Notes on whether all metrics agree on the order of transforms."""

from collections.abc import Iterator, Sequence
from math import comb

from embshift.analysis.shifts.joint_order import JointOrder
from embshift.core.words import count_noun
from embshift.show.text.words import format_percent, join_transforms, spell_metric

__all__ = ["describe_joint_order"]

_SHOWN = 3


def describe_joint_order(joint: JointOrder) -> tuple[str, ...]:
    """Return lines on which pairs of transforms all metrics agree, and which they contradict each other on.

    Nothing is said with fewer than two metrics or transforms.
    """
    pairs = comb(len(joint.transforms), 2)
    if len(joint.metrics) < 2 or not pairs:
        return ()
    agreed, against = joint.agreed(), joint.contradicted()
    undecided = pairs - len(agreed) - len(against)
    head = (
        f"all {len(joint.metrics)} metrics together (joint {format_percent(joint.level)}, max-T): they agree"
        f" on {len(agreed)} of {count_noun(pairs, 'pair')} of transforms, contradict each other on"
        f" {len(against)} and leave {undecided} open"
    )
    return (head, *_too_few(joint), *_contradictions(joint, against))


def _too_few(joint: JointOrder) -> Iterator[str]:
    """Yield why everything is open, where images are too few for anything else."""
    if joint.least > 1 - joint.level:
        images = count_noun(max(joint.images, default=0), "image")
        yield (
            f"with {images} the least possible p is {joint.least:.2g}, so nothing can be certain: measure"
            " more"
        )


def _contradictions(joint: JointOrder, against: Sequence[tuple[str, str]]) -> Iterator[str]:
    for first, second in against[:_SHOWN]:
        closer, further = (_join_metrics(side) for side in joint.find_sides(first, second))
        names = join_transforms([first]), join_transforms([second])
        yield f"{names[0]} is closer than {names[1]} by {closer}, but further by {further}"
    if len(against) > _SHOWN:
        yield f"and {len(against) - _SHOWN} more contradictions"


def _join_metrics(names: Sequence[str]) -> str:
    return join_transforms([spell_metric(name) for name in names])
