"""Sentences on retrieval, neighbours and direction, on planted embeddings."""

from dataclasses import replace

import numpy as np
import pytest

from embshift.analysis.embeddings.calibration import calibrate
from embshift.analysis.embeddings.floors import floor
from embshift.analysis.sampling.bootstrap import Intervals
from embshift.show.report.beyond import (
    SAMPLE,
    above_floor,
    found_again,
    kept_arrangement,
    measure_beyond,
    passed_neighbours,
    undone,
)
from tests.synthetic_runs import Wanted, make_run


@pytest.fixture(scope="module")
def beyond(tmp_path_factory):
    run = make_run(
        tmp_path_factory.mktemp("beyond") / "run",
        Wanted(transforms=("mild", "strong"), images=24, views=False, maps=False),
    )
    return measure_beyond(run, images=24)


def planted(measured, name, values):
    """The same with other means in one column, and no intervals."""
    mean = measured.estimates.mean.copy()
    mean[:, measured.column(name)] = values
    none = np.full_like(mean, np.nan)
    return replace(measured, estimates=replace(measured.estimates, mean=mean, low=none, high=none))


def test_views_that_are_all_found_are_said_in_one_sentence(beyond):
    found = planted(beyond.retrieval, "recall_at_1", [1, 1])
    assert found_again(replace(beyond, retrieval=found)) == (
        "Every view finds its original first among 24 pictures."
    )


def test_views_that_are_lost_are_named_with_their_share(beyond):
    found = planted(beyond.retrieval, "recall_at_1", [1, 0.25])
    assert found_again(replace(beyond, retrieval=found)) == (
        "Views find their original first among 24 pictures in this share of cases: strong 25 %. Under the"
        " other 1 transform every view does."
    )


def test_shares_come_with_their_interval(beyond):
    assert isinstance(beyond.retrieval.estimates, Intervals)
    text = found_again(beyond)
    assert text.count("(interval ") == sum(
        beyond.retrieval.mean(name, "recall_at_1") < 1 for name in ("mild", "strong")
    )


def test_shifts_beyond_the_nearest_picture_are_named(beyond):
    far = planted(beyond.calibration, "neighbour_ratio", [0.5, 1.75])
    assert "unit" in passed_neighbours(replace(beyond, calibration=far))
    assert passed_neighbours(replace(beyond, calibration=far)).endswith("neighbour: strong by 1.75.") is False
    assert passed_neighbours(replace(beyond, calibration=far)).endswith("other picture: strong by 1.75.")
    near = planted(beyond.calibration, "neighbour_ratio", [0.5, 0.25])
    assert "the furthest, mild, moves them by 0.500" in passed_neighbours(replace(beyond, calibration=near))


def test_the_most_uniform_shift_is_named_with_what_subtracting_it_removes(beyond):
    found = planted(beyond.direction, "corrected_mean", [0.125, 0.5])
    text = undone(replace(beyond, direction=found))
    assert text.startswith("The shift of strong is the most alike from picture to picture")
    assert "removes 50 % of it" in text
    none = planted(beyond.direction, "corrected_mean", [-0.5, -0.25])
    assert "removes none" in undone(replace(beyond, direction=none))


def test_the_order_of_distances_is_told_beside_chance(beyond):
    found = planted(planted(beyond.structure, "rsa", [0.75, 0.25]), "rsa_chance", [0.125, np.nan])
    assert kept_arrangement(replace(beyond, structure=found)) == (
        "The distances between pictures keep their order least under strong, 0.250, and most under mild,"
        " 0.750 (by chance 0.125): rank correlation of the distances before and after, 1 where the order is"
        " the same, on 24 pictures."
    )
    one = planted(beyond.structure, "rsa", [0.75, np.nan])
    assert kept_arrangement(replace(beyond, structure=one)) is kept_arrangement(None) is None


def test_shifts_are_told_beside_a_floor_where_there_is_one(beyond, tmp_path):
    assert above_floor(beyond) is above_floor(None) is None
    run = make_run(
        tmp_path / "run", Wanted(transforms=("mild", "strong"), images=24, views=False, maps=False)
    )
    units = run.pairs().units
    floors = [floor(units[:12], units[12:], kind="preparation", name="resize")]
    found = planted(calibrate(run.pairs(), floors=floors), "floor_ratio", [1.5, 12])
    assert above_floor(replace(beyond, calibration=found)) == (
        "Shifts lie between 1.50 (mild) and 12.0 (strong) times the shift that preparation alone makes (its"
        " 95th percentile)."
    )


def test_undefined_values_make_no_sentence(beyond):
    gone = replace(
        beyond,
        retrieval=planted(beyond.retrieval, "recall_at_1", np.nan),
        calibration=planted(beyond.calibration, "neighbour_ratio", np.nan),
        direction=planted(beyond.direction, "corrected_mean", np.nan),
    )
    assert found_again(gone) is passed_neighbours(gone) is undone(gone) is None
    assert found_again(None) is passed_neighbours(None) is undone(None) is None


def test_one_picture_and_very_many_are_left_out(tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=2, views=False, maps=False))
    assert measure_beyond(run, images=1) is None
    assert measure_beyond(run, images=100_001) is None
    assert SAMPLE == 2_000
