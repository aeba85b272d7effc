"""Tables of what stored texts say of a run: for a terminal, a paper, a spreadsheet, a program."""

from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table

from embshift.analysis.stored_texts import StoredTexts
from embshift.analysis.words.captions import CAPTION_MEASURES, CaptionShifts
from embshift.analysis.words.directions import NAMED_BELOW
from embshift.analysis.words.labels import LABEL_MEASURES, LabelShifts
from embshift.analysis.words.shares import WordShares
from embshift.core.records import Record
from embshift.show.text.markup import open_table
from embshift.show.text.numbers import write_json
from embshift.show.text.record_tables import fill_records, write_records

__all__ = ["SHOWN", "format_texts", "list_texts", "texts_table"]

SHOWN = ("words", "labels", "captions")
"""Names for ``--show`` of ``embshift explain``, of what needs no look into the network."""

LARGEST = 5
"""Words on either side of a transform in the table for the terminal."""

_NOTES = {
    "words": (
        "named: p, adjusted for all words and transforms together, is below 0.05. A name is no reason, and"
        " may explain little: see the share of the mean shift that the best words explain, and by chance"
    ),
    "labels": "labels chosen for views, against those for their originals; means over images with intervals",
    "captions": "cosine with the image's own captions that is lost, and whether one of them is found first",
}


def list_texts(found: StoredTexts, show: str) -> list[Record]:
    """Return every row of one of the tables.

    Args:
        found: The texts.
        show: A name in `SHOWN`.
    """
    return {"words": _list_words, "labels": _list_labels, "captions": _list_captions}[show](found)


def _list_words(found: StoredTexts) -> list[Record]:
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


def _list_labels(found: StoredTexts) -> list[Record]:
    return _list_measures(found.labels(), LABEL_MEASURES)


def _list_captions(found: StoredTexts) -> list[Record]:
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


def format_texts(found: StoredTexts, *, show: str, style: str) -> str:
    """Format a table as text, with all of its rows.

    Args:
        found: The texts.
        show: A name in `SHOWN`.
        style: "markdown", "csv", "json" or "latex"; csv and json keep full precision.

    Raises:
        UnknownNameError: For another style.
    """
    records = list_texts(found, show)
    if style == "json":
        return write_json({"texts": found.record, "notes": [_NOTES[show]], show: records})
    return write_records(records, style=style)


def texts_table(found: StoredTexts, *, show: str) -> Table:
    """Return a table for the terminal; of words, the named ones of each transform.

    Args:
        found: The texts.
        show: A name in `SHOWN`.
    """
    table = open_table(_NOTES[show])
    if show == "words":
        _fill_words(table, found)
    else:
        fill_records(table, list_texts(found, show))
    return table


def _fill_words(table: Table, found: StoredTexts) -> None:
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
            _format_share(shares, at),
            f"{words.images[at]:,}",
        )


def _format_share(shares: WordShares, at: int) -> str:
    if np.isnan(shares.share[at]):
        return "–"
    return (
        f"{100 * shares.share[at]:.0f} % (chance {100 * shares.null_low[at]:.0f} to"
        f" {100 * shares.null_high[at]:.0f} %)"
    )
