"""Tables of an explained network: for a terminal, a paper, a spreadsheet, a program."""

from collections.abc import Sequence

from rich.table import Table

from embshift.analysis.explanation import Explanation
from embshift.core.records import Record
from embshift.core.words import count_noun
from embshift.show.text.markup import open_table
from embshift.show.text.numbers import format_cell, format_estimate, write_json
from embshift.show.text.record_tables import fill_records, write_records

__all__ = ["SHOWN", "explained_table", "format_explained", "list_explained"]

SHOWN = ("shares", "layers", "heads")
"""Names for ``--show`` of ``embshift explain``, of what the network was run for."""

LARGEST = 5
"""Components of each transform in the table for the terminal."""

_NOTES = {
    "shares": (
        "share: part of the squared shift that a component adds, 1 in all, pooled over n images by squared"
        " shift; recovered: part of the shift that is undone if the component's part is that of the original,"
        " mean over the patched images, all alike. A share is no cause: see recovered"
    ),
    "layers": "cosine of the token that is read and of aligned patches, and CKA, after each layer",
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
    rows_of = {"layers": _list_layers, "heads": _list_heads}[show]
    return [record for name in found.transforms for record in rows_of(found, name)]


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
    return write_records(records, style=style)


def explained_table(found: Explanation, *, show: str) -> Table:
    """Return a table for the terminal; of shares, the largest of each transform.

    Args:
        found: The explanation.
        show: A name in `SHOWN`.
    """
    table = open_table("\n".join([*_describe(found), _NOTES[show]]))
    if show == "shares":
        _fill_shares(table, found)
    else:
        fill_records(table, list_explained(found, show))
    return table


def _fill_shares(table: Table, found: Explanation) -> None:
    table.add_column("transform", no_wrap=True)
    table.add_column("component", no_wrap=True)
    for name in ("share", "n", "recovered", "patched"):
        table.add_column(name, justify="right", no_wrap=True)
    for transform in found.transforms:
        for at, line in enumerate(_list_largest(found, transform)):
            table.add_row(transform if at == 0 else "", *line)


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
