"""Notes on whether all metrics agree on the order of transforms."""

from collections.abc import Iterator
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
    head = (
        f"all {len(joint.metrics)} metrics together (joint {format_percent(joint.level)}, max-T): of"
        f" {count_noun(pairs, 'pair')} of transforms, metrics agree on {len(agreed)}, contradict each other"
        f" on {len(against)}, and leave {pairs - len(agreed) - len(against)} open"
    )
    return (head, *_contradictions(joint, against))


def _contradictions(joint: JointOrder, against: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for first, second in against[:_SHOWN]:
        closer, further = (
            join_transforms([spell_metric(one) for one in side]) for side in joint.find_sides(first, second)
        )
        pair = f"{join_transforms([first])} is closer than {join_transforms([second])}"
        yield f"{pair} by {closer}, further by {further}"
    if len(against) > _SHOWN:
        yield f"and {len(against) - _SHOWN} more contradictions"
