"""Sentences on retrieval, neighbours and direction, on planted embeddings."""

from dataclasses import replace

import numpy as np
import pytest

from embshift.analysis.embeddings.calibration import calibrate
from embshift.analysis.embeddings.floors import floor
from embshift.analysis.sampling.bootstrap import Intervals
from embshift.show.report.facts.embeddings import SAMPLE, measure_embeddings
from embshift.show.report.findings.embeddings import (
    describe_distance_order,
    describe_floor_ratio,
    describe_neighbour_ratio,
    describe_removal,
    describe_retrieval,
)
from tests.synthetic_runs import Wanted, make_run


@pytest.fixture(scope="module")
def beyond(tmp_path_factory):
    run = make_run(
        tmp_path_factory.mktemp("beyond") / "run",
        Wanted(transforms=("mild", "strong"), images=24, views=False, maps=False),
    )
    return measure_embeddings(run, images=24)


def planted(measured, name, values):
    """The same with other means in one column, and no intervals."""
    mean = measured.estimates.mean.copy()
    mean[:, measured.column(name)] = values
    none = np.full_like(mean, np.nan)
    return replace(measured, estimates=replace(measured.estimates, mean=mean, low=none, high=none))


def test_views_that_are_all_found_are_said_in_one_sentence(beyond):
    found = planted(beyond.retrieval, "recall_at_1", [1, 1])
    assert describe_retrieval(replace(beyond, retrieval=found)) == (
        "Every view has its own original as its nearest neighbour among 24 images."
    )


def test_views_that_are_lost_are_named_with_their_share(beyond):
    found = planted(beyond.retrieval, "recall_at_1", [1, 0.25])
    assert describe_retrieval(replace(beyond, retrieval=found)) == (
        "Share of views whose nearest neighbour among 24 images is their own original (recall@1): strong"
        " 25 %. For the other transform it is 100 %."
    )


def test_shares_come_with_their_interval(beyond):
    assert isinstance(beyond.retrieval.estimates, Intervals)
    text = describe_retrieval(beyond)
    assert text.count("(interval ") == sum(
        beyond.retrieval.mean(name, "recall_at_1") < 1 for name in ("mild", "strong")
    )


def test_shifts_beyond_the_nearest_neighbour_are_named(beyond):
    far = planted(beyond.calibration, "neighbour_ratio", [0.5, 1.75])
    assert describe_neighbour_ratio(replace(beyond, calibration=far)) == (
        "On average, strong moves an image 1.75 times as far as its nearest neighbour."
    )
    both = planted(beyond.calibration, "neighbour_ratio", [1.25, 1.75])
    assert describe_neighbour_ratio(replace(beyond, calibration=both)) == (
        "On average, strong moves an image 1.75 times as far as its nearest neighbour; mild 1.25 times."
    )
    near = planted(beyond.calibration, "neighbour_ratio", [0.5, 0.25])
    assert describe_neighbour_ratio(replace(beyond, calibration=near)) == (
        "On average, no transform moves an image as far as its nearest neighbour. The largest shift is 0.500"
        " times that distance (mild)."
    )


def test_the_most_uniform_shift_is_named_with_what_subtracting_it_removes(beyond):
    found = planted(beyond.direction, "corrected_mean", [0.125, 0.5])
    text = describe_removal(replace(beyond, direction=found))
    assert text.startswith("The shift of strong is the most consistent across images")
    assert "removes 50 % of it" in text
    none = planted(beyond.direction, "corrected_mean", [-0.5, -0.25])
    assert "does not reduce its shift" in describe_removal(replace(beyond, direction=none))


def test_the_order_of_distances_is_told_beside_chance(beyond):
    found = planted(planted(beyond.structure, "rsa", [0.75, 0.25]), "rsa_chance", [0.125, np.nan])
    assert describe_distance_order(replace(beyond, structure=found)) == (
        "The order of the distances between images is preserved worst under strong (0.250) and best under"
        " mild (0.750, chance 0.125). The numbers are rank correlations of the distances before and after, on"
        " 24 images; 1 means the same order."
    )
    one = planted(beyond.structure, "rsa", [0.75, np.nan])
    assert describe_distance_order(replace(beyond, structure=one)) is describe_distance_order(None) is None


def test_shifts_are_told_beside_a_floor_where_there_is_one(beyond, tmp_path):
    assert describe_floor_ratio(beyond) is describe_floor_ratio(None) is None
    run = make_run(
        tmp_path / "run", Wanted(transforms=("mild", "strong"), images=24, views=False, maps=False)
    )
    units = run.pairs().units
    floors = [floor(units[:12], units[12:], kind="preparation", name="resize")]
    found = planted(calibrate(run.pairs(), floors=floors), "floor_ratio", [1.5, 12])
    assert describe_floor_ratio(replace(beyond, calibration=found)) == (
        "Shifts are between 1.50 (mild) and 12.0 (strong) times the preparation floor, the mean of the shifts"
        " that preparation alone causes."
    )


def test_undefined_values_make_no_sentence(beyond):
    gone = replace(
        beyond,
        retrieval=planted(beyond.retrieval, "recall_at_1", np.nan),
        calibration=planted(beyond.calibration, "neighbour_ratio", np.nan),
        direction=planted(beyond.direction, "corrected_mean", np.nan),
    )
    assert describe_retrieval(gone) is describe_neighbour_ratio(gone) is describe_removal(gone) is None
    assert describe_retrieval(None) is describe_neighbour_ratio(None) is describe_removal(None) is None


def test_one_image_and_very_many_are_left_out(tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=2, views=False, maps=False))
    assert measure_embeddings(run, images=1) is None
    assert measure_embeddings(run, images=100_001) is None
    assert SAMPLE == 2_000
