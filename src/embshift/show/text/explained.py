"""Tables of an explanation: for a terminal, a paper, a spreadsheet, a program."""

from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table

from embshift.analysis.explanation import Explanation
from embshift.analysis.words.captions import CAPTION_MEASURES, CaptionShifts
from embshift.analysis.words.directions import NAMED_BELOW
from embshift.analysis.words.labels import LABEL_MEASURES, LabelShifts
from embshift.analysis.words.shares import WordShares
from embshift.core.records import Record
from embshift.core.words import count_noun
from embshift.show.text.markup import find_writer, open_table
from embshift.show.text.numbers import format_cell, format_estimate, format_exact, write_json

__all__ = ["SHOWN", "explained_table", "format_explained", "list_explained"]

SHOWN = ("shares", "layers", "heads", "words", "labels", "captions")
"""Names for ``--show`` of ``embshift explain``."""

LARGEST = 5
"""Components of each transform in the table for the terminal."""

_NOTES = {
    "shares": (
        "share: part of the squared shift that a component adds, 1 in all, pooled over n images by squared"
        " shift; recovered: part of the shift that is undone if the component's part is that of the original,"
        " mean over the patched images, all alike. A share is no cause: see recovered"
    ),
    "layers": "cosine of the token that is read and of aligned patches, and CKA, after each layer",
    "words": (
        "named: p, adjusted for all words and transforms together, is below 0.05. A name is no reason, and"
        " may explain little: see the share of the mean shift that the best words explain, and by chance"
    ),
    "labels": "labels chosen for views, against those for their originals; means over images with intervals",
    "captions": "cosine with the image's own captions that is lost, and whether one of them is found first",
    "heads": "attention to the patches of view and original: Jensen–Shannon divergence and entropy in bits",
}


def list_explained(found: Explanation, show: str) -> list[Record]:
    """Return every row of one of the tables.

    Args:
        found: The explanation.
        show: A name in `SHOWN`.
    """
    if show == "shares":
        return found.records()
    if show in ("layers", "heads"):
        rows_of = {"layers": _list_layers, "heads": _list_heads}[show]
        return [record for name in found.transforms for record in rows_of(found, name)]
    return {"words": _list_words, "labels": _list_labels, "captions": _list_captions}[show](found)


def _list_layers(found: Explanation, transform: str) -> list[Record]:
    means = found.layers(transform)
    cosine, patches = means.cosine.estimates, means.patch_cosine.estimates
    return [
        {
            "transform": transform,
            "layer": at,
            "cosine": float(cosine.mean[at]),
            "low": float(cosine.low[at]),
            "high": float(cosine.high[at]),
            "patch_cosine": float(patches.mean[at]),
            "patch_low": float(patches.low[at]),
            "patch_high": float(patches.high[at]),
            "cka": float(means.similarity[at]),
            "images": int(cosine.n[at]),
        }
        for at in range(len(cosine.mean))
    ]


def _list_heads(found: Explanation, transform: str) -> list[Record]:
    means = found.heads(transform)
    divergence, entropy, overlap = (
        one.estimates for one in (means.divergence, means.entropy_change, means.overlap)
    )
    return [
        {
            "transform": transform,
            "layer": at // means.heads,
            "head": at % means.heads,
            "divergence": float(divergence.mean[at]),
            "low": float(divergence.low[at]),
            "high": float(divergence.high[at]),
            "entropy_change": float(entropy.mean[at]),
            "overlap": float(overlap.mean[at]),
            "images": int(divergence.n[at]),
        }
        for at in range(len(divergence.mean))
    ]


def _list_words(found: Explanation) -> list[Record]:
    words = found.words()
    order = [
        (row, int(at))
        for row in range(len(words.transforms))
        for at in np.argsort(-np.nan_to_num(np.abs(words.t[row])), kind="stable")
    ]
    return [
        {
            "transform": words.transforms[row],
            "word": words.names[at],
            "t": float(words.t[row, at]),
            "p_adjusted": float(words.p[row, at]),
            "mean": float(words.mean[row, at]),
            "named": bool(words.p[row, at] < NAMED_BELOW),
            "images": int(words.images[row]),
        }
        for row, at in order
    ]


def _list_labels(found: Explanation) -> list[Record]:
    return _list_measures(found.labels(), LABEL_MEASURES)


def _list_captions(found: Explanation) -> list[Record]:
    return _list_measures(found.captions(), CAPTION_MEASURES)


def _list_measures(
    shifts: Mapping[str, LabelShifts] | Mapping[str, CaptionShifts], names: Sequence[str]
) -> list[Record]:
    return [
        {
            "transform": transform,
            "measure": name,
            "mean": float(one.estimates.mean[at]),
            "low": float(one.estimates.low[at]),
            "high": float(one.estimates.high[at]),
            "images": int(one.estimates.n[at]),
        }
        for transform, one in shifts.items()
        for at, name in enumerate(names)
        if one.estimates.n[at]
    ]


def format_explained(found: Explanation, *, show: str, style: str) -> str:
    """Format a table as text, with all of its rows.

    Args:
        found: The explanation.
        show: A name in `SHOWN`.
        style: "markdown", "csv", "json" or "latex"; csv and json keep full precision.

    Raises:
        UnknownNameError: For another style.
    """
    records = list_explained(found, show)
    if style == "json":
        return write_json({"explanation": found.record, "notes": [_NOTES[show]], show: records})
    write = format_exact if style == "csv" else format_cell
    header = list(records[0]) if records else []
    rows = [
        [write(value) if isinstance(value, float) else str(value) for value in record.values()]
        for record in records
    ]
    return find_writer(style)(header, rows)


def explained_table(found: Explanation, *, show: str) -> Table:
    """Return a table for the terminal; of shares, the largest of each transform.

    Args:
        found: The explanation.
        show: A name in `SHOWN`.
    """
    # Texts are compared on all images of the run, so the explanation's sample says nothing of them.
    sampled = _describe(found) if show in ("shares", "layers", "heads") else []
    table = open_table("\n".join([*sampled, _NOTES[show]]))
    if show in ("shares", "words"):
        (_fill_shares if show == "shares" else _fill_words)(table, found)
        return table
    records = list_explained(found, show)
    for name in records[0] if records else ():
        table.add_column(name, justify="left" if name == "transform" else "right", no_wrap=True)
    for record in records:
        table.add_row(*(format_cell(one) if isinstance(one, float) else str(one) for one in record.values()))
    return table


def _fill_shares(table: Table, found: Explanation) -> None:
    table.add_column("transform", no_wrap=True)
    table.add_column("component", no_wrap=True)
    for name in ("share", "n", "recovered", "patched"):
        table.add_column(name, justify="right", no_wrap=True)
    for transform in found.transforms:
        for at, line in enumerate(_list_largest(found, transform)):
            table.add_row(transform if at == 0 else "", *line)


def _fill_words(table: Table, found: Explanation) -> None:
    words, shares = found.words(), found.word_shares()
    for name in ("transform", "towards", "away from", f"best {shares.words} words explain"):
        table.add_column(name)
    table.add_column("n", justify="right")
    for at, transform in enumerate(words.transforms):
        named = words.named(transform)
        sides = [[one.word for one in named if (one.t > 0) == towards][:LARGEST] for towards in (True, False)]
        table.add_row(
            transform,
            *(", ".join(side) or "–" for side in sides),
            _format_explained_share(shares, at),
            f"{words.images[at]:,}",
        )


def _format_explained_share(shares: WordShares, at: int) -> str:
    if np.isnan(shares.share[at]):
        return "–"
    return (
        f"{100 * shares.share[at]:.0f} % (chance {100 * shares.null_low[at]:.0f} to"
        f" {100 * shares.null_high[at]:.0f} %)"
    )


def _list_largest(found: Explanation, transform: str) -> Sequence[tuple[str, str, str, str, str]]:
    shares, effects = found.shares(transform), found.patches(transform).recovered.estimates
    certain = shares.largest(LARGEST)
    # Without intervals, as for a few images, nothing is certain, and the largest are shown as they are.
    named = certain or shares.largest(LARGEST, certain=False)
    places = [found.components.index(name) for name in named]
    return [
        (
            found.components[at] if certain else f"{found.components[at]} (not certain)",
            format_estimate(*(float(one[at]) for one in (shares.share, shares.joint_low, shares.joint_high))),
            f"{shares.images:,}",
            format_estimate(*(float(one[at]) for one in (effects.mean, effects.low, effects.high))),
            f"{int(effects.n[at]):,}",
        )
        for at in places
    ]


def _describe(found: Explanation) -> list[str]:
    counts, record = found.record["counts"], found.record
    lines = [
        f"{count_noun(counts['images'], 'image')}, {count_noun(counts['views'], 'view')},"
        f" {count_noun(len(found.components), 'component')}, read-out {record['readout']}; the intervals of"
        " shares hold for all components together"
    ]
    if counts["left_out"]:
        lines.append(f"{count_noun(counts['left_out'], 'image')} could not be made again and are left out")
    if counts["without_shift"]:
        lines.append(f"{count_noun(counts['without_shift'], 'view')} without a shift have no share")
    lines += [
        f"{one.kind} patches against full ones, {one.direction.replace('_', ' ')}: correlation"
        f" {format_cell(one.correlation)} over {one.pairs:,} pairs"
        for one in found.calibration()
    ]
    return lines
