"""What a new baseline would change of the one that it replaces."""

from collections.abc import Iterator

import numpy as np

from embshift.analysis.gate.baselines import Baseline
from embshift.analysis.pairing.specifications import describe_difference
from embshift.analysis.sampling.bootstrap import means
from embshift.core.words import count_noun

__all__ = ["list_changes"]


def list_changes(old: Baseline, new: Baseline, /) -> list[str]:
    """Return one line for each difference; none where both hold the same."""
    return [
        *_compare_records(old, new),
        *_compare_images(old, new),
        *_compare_transforms(old, new),
        *_compare_values(old, new),
        *_compare_embeddings(old, new),
    ]


def _compare_records(old: Baseline, new: Baseline) -> Iterator[str]:
    for what in ("encoder", "plan", "versions"):
        one, two = old.info.get(what, {}), new.info.get(what, {})
        for name in dict.fromkeys((*one, *two)):
            if one.get(name) != two.get(name):
                yield f"{what} {name}: {one.get(name, '–')} → {two.get(name, '–')}"
    if old.draws != new.draws:
        yield f"draws: {old.draws} → {new.draws}"


def _compare_images(old: Baseline, new: Baseline) -> Iterator[str]:
    ours, theirs = set(old.values.ids), set(new.values.ids)
    if ours - theirs:
        yield f"{count_noun(len(ours - theirs), 'image')} removed"
    if theirs - ours:
        yield f"{count_noun(len(theirs - ours), 'image')} added"


def _compare_transforms(old: Baseline, new: Baseline) -> Iterator[str]:
    ours, theirs = old.panel.specifications, new.panel.specifications
    for name in dict.fromkeys((*ours, *theirs)):
        if name not in theirs:
            yield f"{name}: removed"
        elif name not in ours:
            yield f"{name}: added"
        elif ours[name] != theirs[name]:
            one, two = ours[name], theirs[name]
            yield f"{name}: {describe_difference(one, two)} → {describe_difference(two, one)}"


def _compare_values(old: Baseline, new: Baseline) -> Iterator[str]:
    """Yield means that differ, and transforms whose values do though their means are equal."""
    for name in old.values.transforms:
        if name not in new.values.transforms:
            continue
        one, two = (side.values.values[:, side.values.transforms.index(name)] for side in (old, new))
        before, after = means(one), means(two)
        shown = [
            f"{statistic} {before[at]:.6g} → {after[at]:.6g}"
            for at, statistic in enumerate(old.values.statistics)
            if f"{before[at]:.6g}" != f"{after[at]:.6g}"
        ]
        if shown:
            yield f"{name}: {', '.join(shown)}"
        elif not np.array_equal(one, two, equal_nan=True):
            yield f"{name}: values of images, by less than six digits of any mean"


def _compare_embeddings(old: Baseline, new: Baseline) -> Iterator[str]:
    one, two = old.embeddings, new.embeddings
    if (one is None) != (two is None):
        yield f"embeddings of the originals: {'added' if one is None else 'removed'}"
    elif one is not None and two is not None and not np.array_equal(one, two):
        yield "embeddings of the originals"
