"""A run of 200,000 images, with every value held and summed in parts: within the documented bounds."""

import numpy as np
import pytest

from benchmarks.many_images import write_shifts
from embshift.analysis.of_run import analyse_joint_order, analyse_statistics, summarise_shifts
from embshift.analysis.parts.distributions import read_distributions
from embshift.analysis.parts.grids import state_error
from embshift.analysis.parts.reading import read_parts
from embshift.runs.tables import open_tables

IMAGES, NAMES, METRICS = 200_000, ("noise", "blur", "jpeg"), ("cosine", "l2", "edge_similarity")
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large") / "run"
    write_shifts(folder, images=IMAGES, transforms=NAMES, metrics=METRICS, chunk=20_000, repeated=300)
    return open_tables(folder)


@pytest.mark.slow
def test_tables_are_those_of_all_values(run):
    exact, found = (summarise_shifts(run, limit=limit) for limit in (IMAGES, IMAGES - 1))
    assert (exact.parts, bool(found.parts)) == ("", True)
    for one, other in zip(exact.rows, found.rows, strict=True):
        assert one.rank == other.rank
        for name, cell in one.cells.items():
            assert (cell.n, cell.undefined) == (IMAGES - 300, 0)
            assert cell.n == other.cells[name].n
            assert cell.mean == pytest.approx(other.cells[name].mean, rel=1e-12)
            assert cell.deviation == pytest.approx(other.cells[name].deviation, rel=1e-9)


@pytest.mark.slow
def test_quantiles_are_within_a_bin(run):
    values, part = run.values(), read_parts(run)
    assert part.images == len(values.rows) == IMAGES - 300
    for metric, spec in enumerate(run.metrics):
        error, relative = state_error(spec.bounds)
        for transform, found in enumerate(read_distributions(part, metric)):
            column = values.values[:, transform, metric]
            exact, read = np.quantile(column, SHARES), found.read_quantiles(SHARES)
            assert (np.abs(read - exact) <= error * (exact if relative else 1)).all()
            # The share of the values below what is read is that asked for, up to the values of a bin.
            shares = (column[:, None] <= read).mean(axis=0)
            assert (np.abs(shares - SHARES) <= found.counts[1:-1].max() / len(column)).all()
            assert (found.ends[0], found.ends[1]) == (column.min(), column.max())


@pytest.mark.slow
def test_intervals_ranks_and_orders_are_within_the_error_of_resamples(run):
    exact, found = (analyse_statistics(run, limit=limit, resamples=400) for limit in (IMAGES, IMAGES - 1))
    width = exact.means.high - exact.means.low
    # Over 400 resamples, an end has a standard error of about 5 % of the width.
    assert (np.abs(exact.means.low - found.means.low) < 0.2 * width).all()
    assert (np.abs(exact.means.high - found.means.high) < 0.2 * width).all()
    one, other = exact.ranks, found.ranks
    assert [row.rank for row in one.intervals] == [row.rank for row in other.intervals]
    assert [(row.low, row.high) for row in one.intervals] == [(row.low, row.high) for row in other.intervals]
    np.testing.assert_allclose(one.half_width, other.half_width, rtol=0.1)
    orders = [analyse_joint_order(run, limit=limit, resamples=100) for limit in (IMAGES, IMAGES - 1)]
    np.testing.assert_array_equal(orders[0].order, orders[1].order)
    assert orders[0].images == orders[1].images
