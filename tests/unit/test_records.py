"""Results as tables for pandas and for notebooks."""

import math
import re
import sys

import pandas as pd
import pytest

from embshift.analysis.embeddings.floors import Floor
from embshift.analysis.strength.matched import Matched, MatchedGroup, MatchedRow
from embshift.core.errors import MissingExtraError
from embshift.core.records import Tabular
from tests.synthetic_runs import NINE, Wanted, make_run

HOSTILE = "<script>alert(1)</script>"
ROW = MatchedRow(
    transform=HOSTILE,
    family="blur",
    strength=2.5,
    unit="px",
    damage=0.9,
    damage_low=0.8,
    damage_high=0.95,
    off_target=False,
    shift=math.nan,
    low=math.nan,
    high=math.nan,
    recall=1.0,
    recall_low=0.9,
    recall_high=1.0,
    best=1,
    worst=2,
    above=(),
    n=12,
)
MATCHED = Matched(
    groups=(MatchedGroup(kind="ssim", target=0.9, rows=(ROW,), out_of_reach=()),),
    solved_on=12,
    gallery=12,
    splits=5,
    level=0.95,
)
FLOOR = Floor(
    kind="numeric",
    name=HOSTILE,
    mean=0.1,
    median=0.1,
    high=0.2,
    high_ends=(math.nan, math.nan),
    most=0.3,
    images=2,
    shifts=(0.1, 0.3),
)
ASKED = {
    "summary": (lambda run: run.summary(), 5),
    "statistics": (lambda run: run.statistics(resamples=100), 5),
    "separation": (lambda run: run.separation(), 1),
    "retrieval": (lambda run: run.retrieval(), 5),
    "direction": (lambda run: run.direction(), 5),
    "differences": (lambda run: run.differences(resamples=100), 10),
    "clusters": (lambda run: run.clusters(), 5),
    "sweep": (lambda run: run.sweep(resamples=100), 5),
    "stability": (lambda run: run.order_stability()[0], 1),
    "matched": (lambda run: MATCHED, 1),
    "floor": (lambda run: FLOOR, 1),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A sweep of twelve images, on which every result can be computed."""
    swept = Wanted(
        transforms=tuple(f"blur_s{at}" for at in range(1, 6)), swept="blur", views=False, maps=False
    )
    return make_run(tmp_path_factory.mktemp("runs") / "swept", swept)


@pytest.mark.parametrize(("compute", "rows"), ASKED.values(), ids=ASKED)
def test_a_result_is_a_data_frame_and_an_html_table_of_the_same_rows(compute, rows, run):
    found = compute(run)
    assert isinstance(found, Tabular)
    frame, html = found.to_pandas(), found._repr_html_()
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) == rows
    assert html.count("<tr>") == rows + 1
    assert re.findall(r"<th>(.*?)</th>", html) == list(frame.columns)
    assert "nan" not in html


def test_a_frame_holds_the_numbers_of_the_result(run):
    summary, frame = run.summary(), run.summary().to_pandas().set_index("transform")
    for row in summary.rows:
        assert frame.loc[row.transform, "cosine_mean"] == row.cells["cosine"].mean
        assert frame.loc[row.transform, "rank"] == row.rank
    found = run.statistics(resamples=100)
    frame = found.to_pandas()
    assert frame["l2_low"].tolist() == found.means.low[:, found.metrics.index("l2")].tolist()
    clusters = run.clusters()
    square = clusters.to_pandas().set_index("transform")
    assert (
        square[list(clusters.transforms)].loc[list(clusters.transforms)].to_numpy() == clusters.square
    ).all()


def test_a_transform_without_a_score_has_no_rank(tmp_path):
    run = make_run(tmp_path, Wanted(transforms=NINE[:3], images=12, undefined=(("blur", None),), views=False))
    frame = run.statistics(resamples=100).to_pandas().set_index("transform")
    assert math.isnan(frame.loc["blur", "cosine_mean"])
    assert pd.isna(frame.loc["blur", "rank_low"])
    assert "<td>undefined</td>" in run.summary()._repr_html_()


@pytest.mark.parametrize("found", [MATCHED, FLOOR])
def test_names_are_escaped(found):
    html = found._repr_html_()
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html


def test_without_pandas_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'embshift\[pandas\]'"):
        MATCHED.to_pandas()
