"""Sentences on retrieval, neighbours and direction, on planted embeddings."""

from dataclasses import replace

import numpy as np
import pytest

from embshift.analysis.embeddings.calibration import calibrate
from embshift.analysis.embeddings.floors import floor
from embshift.analysis.sampling.bootstrap import Intervals
from embshift.show.report.facts.embeddings import SAMPLE, measure_embeddings
from embshift.show.report.findings.embeddings import (
    describe_consistency,
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


def with_interval(measured, name, low, high):
    """The same with other ends of the intervals in one column."""
    ends = [measured.estimates.low.copy(), measured.estimates.high.copy()]
    for part, values in zip(ends, (low, high), strict=True):
        part[:, measured.column(name)] = values
    return replace(measured, estimates=replace(measured.estimates, low=ends[0], high=ends[1]))


def test_each_sentence_chooses_by_what_it_says(beyond):
    # The shift that one vector removes best need not be the most alike.
    found = planted(planted(beyond.direction, "corrected_mean", [0.125, 0.5]), "consistency", [0.75, 0.25])
    facts = replace(beyond, direction=found)
    assert describe_consistency(facts) == (
        "The shifts of mild are the most alike across images: the cosine of a shift and the mean of the"
        " others is 0.750 on average, on 24 images."
    )
    assert describe_removal(facts) == (
        "Subtracting its mean shift vector removes most of the shift of strong: 50 %, on 24 held-out images."
    )


def test_nothing_is_claimed_where_the_interval_contains_zero(beyond):
    found = planted(planted(beyond.direction, "corrected_mean", [0.125, 0.5]), "consistency", [0.75, 0.25])
    found = with_interval(found, "corrected_mean", [0.1, -0.1], [0.2, 0.9])
    found = with_interval(found, "consistency", [-0.1, 0.2], [0.9, 0.3])
    facts = replace(beyond, direction=found)
    assert "are the most alike" in describe_consistency(facts)
    assert describe_consistency(facts).startswith("The shifts of strong")
    assert "shift of mild: 12 % (interval 10 % to 20 %)" in describe_removal(facts)
    found = with_interval(found, "corrected_mean", [-0.1, -0.1], [0.2, 0.9])
    found = with_interval(found, "consistency", [-0.1, -0.2], [0.9, 0.3])
    facts = replace(beyond, direction=found)
    assert describe_consistency(facts) == ("No transform certainly shifts all images in a common direction.")
    assert describe_removal(facts).startswith("For no transform is it certain")
    none = planted(beyond.direction, "corrected_mean", [-0.5, -0.25])
    assert describe_removal(replace(beyond, direction=none)).startswith("For no transform is it certain")


def test_a_number_says_on_how_many_images_it_is(beyond):
    found = planted(planted(beyond.structure, "rsa", [0.75, 0.25]), "rsa_chance", np.nan)
    n = found.estimates.n.copy()
    n[1, found.column("rsa")] = 20
    found = replace(found, estimates=replace(found.estimates, n=n))
    text = describe_distance_order(replace(beyond, structure=found))
    assert "strong (0.250 on 20 images)" in text
    assert "mild (0.750 on 24 images)" in text
    lost = planted(beyond.retrieval, "recall_at_1", [1, 0.25])
    n = lost.estimates.n.copy()
    n[1, lost.column("recall_at_1")] = 20
    lost = replace(lost, estimates=replace(lost.estimates, n=n))
    assert "strong 25 % of 20 images" in describe_retrieval(replace(beyond, retrieval=lost))


@pytest.mark.parametrize(
    ("part", "measure", "describe"),
    [
        ("retrieval", "recall_at_1", describe_retrieval),
        ("calibration", "neighbour_ratio", describe_neighbour_ratio),
        ("direction", "consistency", describe_consistency),
        ("direction", "corrected_mean", describe_removal),
    ],
)
def test_a_transform_without_a_value_is_named_with_the_reason(beyond, part, measure, describe):
    found = planted(getattr(beyond, part), measure, [0.5, np.nan])
    n, undefined = found.estimates.n.copy(), found.undefined.copy()
    n[1, found.column(measure)] = 0
    undefined[1, found.column(measure)] = 24
    gone = replace(found, estimates=replace(found.estimates, n=n), undefined=undefined)
    assert describe(replace(beyond, **{part: gone})).endswith(" Left out: strong (undefined on 24 images).")
    undefined[1, found.column(measure)] = 0
    missing = replace(gone, undefined=undefined.copy())
    text = describe(replace(beyond, **{part: missing}))
    assert text.endswith(" Left out: strong (none of their views could be used).")


def test_an_order_of_distances_that_is_undefined_is_named(tmp_path):
    run = make_run(
        tmp_path / "run",
        Wanted(transforms=("a", "b", "c"), images=24, missing=("c",), views=False, maps=False),
    )
    found = measure_embeddings(run, images=24)
    assert "Left out: c (" in describe_distance_order(found)


def test_the_order_of_distances_is_told_beside_chance(beyond):
    found = planted(planted(beyond.structure, "rsa", [0.75, 0.25]), "rsa_chance", [0.125, np.nan])
    assert describe_distance_order(replace(beyond, structure=found)) == (
        "The order of the distances between images is preserved worst under strong (0.250 on 24 images)"
        " and best under mild (0.750 on 24 images, chance 0.125). The numbers are rank correlations of the"
        " distances before and after; 1 means the same order."
    )
    ends = found.estimates.low.copy(), found.estimates.high.copy()
    ends[0][0, found.column("rsa_chance")], ends[1][0, found.column("rsa_chance")] = -0.25, 0.5
    ranged = replace(found, estimates=replace(found.estimates, low=ends[0], high=ends[1]))
    text = describe_distance_order(replace(beyond, structure=ranged))
    assert "(0.750 on 24 images, chance 0.125, 95 % range −0.250 to 0.500)" in text
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
        direction=planted(planted(beyond.direction, "corrected_mean", np.nan), "consistency", np.nan),
    )
    assert describe_retrieval(gone) is describe_neighbour_ratio(gone) is describe_removal(gone) is None
    assert describe_consistency(gone) is describe_consistency(None) is None
    assert describe_retrieval(None) is describe_neighbour_ratio(None) is describe_removal(None) is None


def test_one_image_and_very_many_are_left_out(tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=2, views=False, maps=False))
    assert measure_embeddings(run, images=1) is None
    assert measure_embeddings(run, images=100_001) is None
    assert SAMPLE == 2_000
