"""The split of a metric's variance into images and draws: known answers, a literal writing, the command."""

import math

import numpy as np
import pyarrow as pa
import pytest

from embshift.analysis.shifts.variance import VARIANCE, split_variance
from embshift.cli import main
from embshift.core.errors import RunError, UnknownNameError
from embshift.runs.draws import draw_sums
from tests.reference import variance_reference as reference
from tests.synthetic_runs import Wanted, make_run

NAMES = [one.name for one in VARIANCE]


def sums_of(values, *, transforms=("noise",), skip=()):
    """Sums of draws; `values` are lists of draws by transform and image."""
    rows = [
        {"row": row, "transform": transform, "metric": metric, "value": value + at}
        for row in range(len(values[0]))
        for transform, images in zip(transforms, values, strict=True)
        for at, metric in enumerate(("cosine", "l2"))
        for value in images[row]
    ]
    return draw_sums(
        [pa.Table.from_pylist(rows)], transforms=transforms, metric="cosine", skip=frozenset(skip)
    )


def uneven(images=14, *, seed=0):
    """Images of two to four draws."""
    rng = np.random.default_rng(seed)
    return [(rng.normal() + 0.7 * rng.normal(size=2 + at % 3)).tolist() for at in range(images)]


def test_the_split_and_its_interval_equal_the_literal_ones():
    values = uneven()
    found = split_variance(sums_of([values]))
    assert found.mean[0].tolist() == pytest.approx(reference.split(values))
    assert [found.low[0, 2], found.high[0, 2]] == pytest.approx(reference.share_interval(values))
    assert np.isnan(found.low[0, :2]).all()
    assert found.n[0].tolist() == [14] * 3


def test_with_even_draws_the_error_of_the_mean_is_that_of_the_images_means():
    values = np.random.default_rng(1).normal(size=(30, 1)) + np.random.default_rng(2).normal(size=(30, 3))
    image, draw, share = split_variance(sums_of([values.tolist()])).mean[0].tolist()
    assert math.sqrt(image**2 + draw**2 / 3) == pytest.approx(values.mean(axis=1).std(ddof=1))
    assert share == pytest.approx(draw**2 / (image**2 + draw**2))


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([[0.1, 0.1], [0.3, 0.3]], [math.sqrt(0.02), 0, 0]),  # no draw differs from another
        ([[0.0, 0.2], [0.0, 0.2], [0.0, 0.2]], [0, math.sqrt(0.02), 1]),  # no image does
        ([[0.5, 0.5], [0.5, 0.5]], [0, 0, math.nan]),  # nothing does
        ([[0.5], [0.7]], [math.nan] * 3),  # one draw each
        ([[0.5, 0.6]], [math.nan] * 3),  # one image
    ],
)
def test_known_answers(values, wanted):
    found = split_variance(sums_of([values]))
    assert found.mean[0].tolist() == pytest.approx(wanted, nan_ok=True)
    assert np.isnan(found.low).all()


def test_undefined_values_other_transforms_and_repeated_images_are_left_out():
    values = uneven()
    whole = split_variance(sums_of([values]))
    more = [[*draws, math.nan] for draws in values] + [[9.0, 5.0]]
    found = split_variance(sums_of([more, [[1.0, 2.0]] * 15], transforms=("noise", "blur"), skip=[14]))
    np.testing.assert_allclose(found.mean[0], whole.mean[0])
    assert found.n[:, 0].tolist() == [14, 14]


def test_fewer_than_ten_images_have_no_interval():
    assert np.isnan(split_variance(sums_of([uneven(9)])).low).all()
    assert not np.isnan(split_variance(sums_of([uneven(10)])).low[0, 2])


def test_a_run_of_several_draws_splits_any_metric(tmp_path):
    run = make_run(tmp_path, Wanted(images=12, draws=3, transforms=("noise",)))
    values = run.shifts().to_pandas().query("metric == 'l2'").groupby("row")["value"].apply(list).tolist()
    found = run.variance(by="l2")
    assert [found.mean("noise", name) for name in NAMES] == pytest.approx(reference.split(values))
    with pytest.raises(UnknownNameError, match="did you mean 'l2'"):
        run.variance(by="l22")


def test_a_run_of_one_draw_says_in_a_line_that_it_has_one(tmp_path, capsys):
    run = make_run(tmp_path, Wanted(images=3))
    with pytest.raises(RunError, match="one draw of each transform"):
        run.variance()
    assert main(["summarise", str(run.folder), "--show", "variance"]) == 2
    shown = capsys.readouterr()
    assert not shown.out
    assert len(shown.err.strip().splitlines()) == 1
