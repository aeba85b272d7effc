"""Sentences and tables of thresholds."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from embshift.analysis.thresholds.result import Estimate, Operating, ThresholdRow, Thresholds
from embshift.show.text.thresholds import (
    describe_near_duplicates,
    describe_threshold,
    format_threshold,
    format_thresholds,
)

NONE = Estimate(value=math.nan)


def operating(asked=1e-3, **changes):
    given = {
        "threshold": 0.70101,
        "recall": Estimate(value=0.984, low=0.97, high=0.99),
        "rate": Estimate(value=0.000996, low=0.00074, high=0.00134),
        "let_in": 159,
        "images": 128,
    }
    return Operating(asked=asked, **(given | changes))


def row(*rates, precise=None, transform="jpeg", treated="counted"):
    return ThresholdRow(
        transform=transform,
        near_duplicates=treated,
        images=400,
        views=400,
        pairs=159_600,
        auc=Estimate(value=0.99),
        uap=Estimate(value=0.9),
        at_precision=precise or operating(0.9),
        at_rates=rates,
        curve_rates=np.empty(0),
        curve_recalls=np.empty(0),
    )


def refused(asked=1e-6):
    return operating(asked, threshold=math.nan, recall=NONE, rate=NONE, let_in=0, refused="too few")


def thresholds(*rows, pairs=(), groups=(), count=0, images=0):
    return Thresholds(
        rows=rows,
        near_pairs=pairs,
        near_groups=groups,
        near_count=count,
        near_images=images,
        precision=0.9,
        images=400,
        queries=400,
        left_out=0,
        notes=(),
        level=0.95,
        resamples=500,
    )


def test_the_sentence_is_of_the_lowest_rate_that_is_given():
    assert describe_threshold(row(operating(), refused())) == (
        "At cosine ≥ 0.7011, 98 % (97 % to 99 %) of jpeg views are kept and 996 in a million (740 to"
        " 1,340) other pairs are let in."
    )


def test_one_image_gives_no_threshold():
    alone = replace(row(refused()), pairs=0)
    assert describe_threshold(alone).startswith(
        "No threshold can be given for jpeg views: there is no view of"
    )


def test_without_a_rate_it_is_of_the_precision():
    precise = operating(0.9, let_in=0, rate=Estimate(value=0.0, low=0.0, high=0.015))
    assert describe_threshold(row(refused(), precise=precise, transform="all", treated="left out")) == (
        "At cosine ≥ 0.7011, 98 % (97 % to 99 %) of all views are kept, 9 of 10 pairs are right, and none of"
        " 159,600 other pairs is let in (at most 1.5 % of such pairs). Near-duplicates are left out."
    )
    lost = operating(0.9, threshold=math.nan, recall=Estimate(value=0.0))
    assert describe_threshold(row(refused(), precise=lost)).startswith("No cosine keeps jpeg views")


@pytest.mark.parametrize(
    ("cosine", "text"),
    [(0.5, "0.5000"), (0.70101, "0.7011"), (0.999123, "0.999123"), (-0.25, "−0.2500"), (1.0, "1.0000")],
)
def test_a_threshold_is_rounded_up(cosine, text):
    assert format_threshold(cosine) == text


def test_near_duplicates_are_named_in_groups():
    groups = (("a.jpg", "b\u202e.jpg", "c.jpg"), ("d.jpg", "e.jpg"))
    assert describe_near_duplicates(thresholds(row(), groups=groups, count=3, images=5)) == (
        "5 originals in 2 groups of near-duplicates (3 pairs): a.jpg, b⟨U+202E⟩.jpg and c.jpg;"
        " d.jpg and e.jpg."
    )
    large = tuple(f"{at}.jpg" for at in range(8))
    many = (large, *((f"x{at}.jpg", f"y{at}.jpg") for at in range(22)))
    said = describe_near_duplicates(thresholds(row(), groups=many, count=50, images=52))
    assert "0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg and 3 more; x0.jpg and y0.jpg" in said
    assert said.endswith("; x18.jpg and y18.jpg; and 3 more groups.")


@pytest.mark.parametrize("style", ["markdown", "latex", "csv", "json"])
def test_every_format_holds_every_row(style):
    text = format_thresholds(
        thresholds(row(operating(), refused()), row(operating(), refused(), transform="all")), style=style
    )
    assert "jpeg" in text
    if style == "json":
        found = json.loads(text)
        assert found["thresholds"][0]["recall_at_rate_1e-3"] == 0.984
        assert found["thresholds"][0]["recall_at_rate_1e-6"] is None
    if style == "markdown":
        assert "kept at 1e-06" not in text
