"""Comparisons of more than two runs, of sweeps, and of runs with unequal draws."""

import numpy as np
import pytest

import embshift
from embshift.analysis.compared.intervals import estimate, sample_values
from embshift.analysis.compared.reading import GroupedViews
from embshift.analysis.compared.values import measure_values
from embshift.analysis.of_run import pair_views
from embshift.analysis.of_sweeps import analyse_sweep
from embshift.show.text.compared import compared_table
from embshift.show.text.sweep import s50_ends, s50_text
from tests.synthetic_runs import Wanted, make_run

FEW = {"resamples": 200}


def _make(folder, **options):
    wanted = {"transforms": ("noise", "blur"), "images": 20, "views": False, "maps": False}
    return make_run(folder, Wanted(**(wanted | options)))


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    folder = tmp_path_factory.mktemp("six")
    return [_make(folder / f"run{at}", seed=at, encoder=f"encoder {at}") for at in range(6)]


def test_a_run_among_six_has_the_numbers_that_it_has_beside_the_reference_alone(six):
    found = embshift.compare(*six, **FEW).found
    assert [pair.name for pair in found.pairs] == [f"encoder {at}" for at in range(1, 6)]
    for at in (1, 5):
        alone = embshift.compare(six[0], six[at], **FEW).found
        pair = found.pairs[at - 1]
        for part in ("mean", "low", "high", "joint_low", "joint_high"):
            np.testing.assert_allclose(
                getattr(pair.differences, part), getattr(alone.pairs[0].differences, part), atol=1e-12
            )
        assert pair.adjusted.tolist() == alone.pairs[0].adjusted.tolist()
    assert all(len(ranks.intervals) == 6 for ranks in found.overview.ranks.values())
    assert len(embshift.compare(*six, **FEW).records()) == 6 * 2 * len(found.statistics)


def test_a_statistic_that_one_encoder_cannot_have_is_left_out_for_all_with_the_reason(tmp_path):
    runs = [_make(tmp_path / "a"), _make(tmp_path / "b"), _make(tmp_path / "c", dim=5, encoder="other")]
    found = embshift.compare(*runs, **FEW).found
    assert [pair.relation for pair in found.pairs] == ["one space", "different encoders"]
    assert "cosine_shift" not in found.statistics
    (note,) = (note for note in found.notes if "cosine_shift" in note)
    assert note == (
        "cosine_shift is left out for all runs: it cannot be compared between different encoders (a beside c)"
    )


def test_draws_that_any_run_lacks_are_left_out_of_all(tmp_path):
    runs = [_make(tmp_path / str(at), seed=at, draws=draws) for at, draws in enumerate((3, 3, 1))]
    found = embshift.compare(*runs, **FEW).found
    for run, compared in zip(runs, found.runs, strict=True):
        first = pair_views(run)
        first = first.among(first.ids, draws=(0,))
        wanted = sample_values(measure_values(first, transforms=found.transforms), draws=1)
        (wanted,) = estimate([wanted], resamples=200)
        at = [wanted.statistics.index(name) for name in found.statistics]
        for part in ("mean", "low", "high"):
            np.testing.assert_allclose(
                getattr(compared.estimates, part), getattr(wanted, part)[:, at], atol=1e-12, err_msg=part
            )


def test_sweeps_are_compared_by_the_level_at_which_half_are_lost(tmp_path):
    names = tuple(f"blur_{level}" for level in range(1, 6))
    options = {"transforms": names, "swept": "blur", "dim": 2, "images": 30}
    runs = [_make(tmp_path / str(at), seed=at, **options) for at in range(2)]
    compared = embshift.compare(*runs, **FEW)
    for run, made in zip(compared.found.runs, runs, strict=True):
        (curve,), (alone,) = run.sweep.curves, analyse_sweep(made, resamples=200, seed=0).curves
        assert curve.recall.mean.tolist() == alone.recall.mean.tolist()
        ends = [(one.s50, one.s50_low, one.s50_high, one.censored) for one in (curve, alone)]
        np.testing.assert_equal(*ends)
        assert f"{s50_text(curve)} ({s50_ends(curve)})" in compared_table(compared.found).caption


def test_grouped_views_are_those_of_one_transform_after_the_other(six):
    run, names = six[0], ("noise", "blur")
    for at_once in (1, 2):
        grouped = GroupedViews(run, names, at_once=at_once)
        for name in (*names, "noise"):
            rows, draws, values = grouped(name)
            wanted = run.embeddings(name)
            assert rows.tolist() == wanted.rows.tolist()
            assert draws.tolist() == wanted.draws.tolist()
            assert (values == wanted.values).all()
