"""The first screen: every number is that of the statistics, and nothing is claimed beyond them."""

import dataclasses
import math

import pytest

from embshift.show.report.facts.run import gather_facts
from embshift.show.report.first.cards import FEWEST, MOST
from embshift.show.report.first.caveats import list_first_caveats
from embshift.show.report.first.chart import list_ticks
from embshift.show.report.first.estimates import Estimate, format_ends_of, format_value
from embshift.show.report.first.headline import write_headline
from embshift.show.report.first.screen import build_first
from embshift.show.report.first.shifts import rank_shifts
from embshift.show.report.paper import CLAIMED, build_paper
from embshift.show.text.words import format_percent
from embshift.transforms.presets import load_preset
from tests.synthetic_runs import NINE, THIRTY, Wanted, image_id, make_run

CASES = {
    "plain": Wanted(images=24),
    "one_image": Wanted(images=1),
    "one_transform": Wanted(transforms=("blur",)),
    "no_transform": Wanted(transforms=()),
    "no_image": Wanted(images=0),
    "same_values": Wanted(same=True),
    "all_undefined": Wanted(undefined=((None, None),)),
    "only_pixels": Wanted(metrics=("patch_similarity", "edge_similarity")),
    "missing": Wanted(missing=("blur", "noise")),
    "thirty": Wanted(transforms=THIRTY, images=10, maps=False),
    "explained": Wanted(images=14, maps=False, explained=True),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the run, the facts and the first screen of a case, each made once."""
    made = {}

    def build(case):
        if case not in made:
            wanted = CASES[case]
            wanted = wanted if case == "plain" else dataclasses.replace(wanted, views=False)
            run = make_run(tmp_path_factory.mktemp(case) / "run", wanted)
            facts = gather_facts(run, resamples=200)
            made[case] = run, facts, build_first(run, facts)
        return made[case]

    return build


def rows_of(first):
    return [row for group in first["chart"]["groups"] for row in group["rows"]]


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_case_has_a_headline_that_is_a_sentence(built, case):
    _, _, first = built(case)
    assert first["headline"].endswith(".")
    assert not any(word in first["headline"] for word in ("nan", "  ", "undefined "))
    assert len(first["cards"]) <= MOST


@pytest.mark.parametrize("case", ["plain", "thirty", "missing"])
def test_a_run_has_three_to_five_cards(built, case):
    assert FEWEST <= len(built(case)[2]["cards"]) <= MOST


def test_bars_are_the_relative_shifts_with_the_largest_first(built):
    _, facts, first = built("plain")
    rows, measured = rows_of(first), facts.embeddings.calibration
    assert sorted(row["name"] for row in rows) == sorted(NINE)
    for row in rows:
        mean = measured.mean(row["name"], "relative_shift")
        low, high = measured.interval(row["name"], "relative_shift")
        assert row["shift"]["value"] == pytest.approx(mean, rel=1e-5)
        assert (row["shift"]["low"], row["shift"]["high"]) == pytest.approx((low, high), rel=1e-5)
        assert row["shift"]["text"] == format_percent(mean)
        assert facts.transforms[row["transform"]] == row["name"]
        found = facts.embeddings.retrieval.mean(row["name"], "recall_at_1")
        assert row["found"]["text"] == format_percent(found)
    values = [row["shift"]["value"] for row in rows]
    assert values == sorted(values, reverse=True)
    assert first["chart"]["top"] >= max(row["shift"]["high"] for row in rows)


def test_the_headline_names_the_largest_shift_and_its_doubts(built):
    _, facts, first = built("plain")
    top = rows_of(first)[0]
    assert f"{top['name']} moves images furthest: {top['shift']['text']} of the mean" in first["headline"]
    size = len(facts.main.transforms)
    rivals = [one.transform for one in facts.main.intervals if one.high == size]
    doubted = "not certainly further than" in first["headline"]
    assert doubted == (rivals != [top["name"]])
    assert top["found"]["text"] in first["headline"] or "find" in first["headline"]


def test_a_certain_order_is_told_without_doubt_and_an_uncertain_one_with_its_rivals(built):
    _, facts, _ = built("plain")
    shifts = rank_shifts(facts)
    first, second = (row.transform for row in shifts.rows[:2])

    def told(*furthest):
        size = len(facts.main.transforms)
        intervals = tuple(
            dataclasses.replace(one, high=size if one.transform in furthest else size - 1)
            for one in facts.main.intervals
        )
        ranks = dataclasses.replace(facts.main, intervals=intervals)
        return write_headline(dataclasses.replace(facts, main=ranks), shifts)

    assert "not certainly" not in told(first)
    assert f", not certainly further than {second}." in told(first, second)
    assert ", not certainly further than 8 others." in told(*NINE)


def test_cards_hold_the_numbers_of_the_statistics(built):
    _, facts, first = built("plain")
    cards = {one["about"]: one for one in first["cards"]}
    top = rows_of(first)[0]
    assert cards["largest"]["number"] == top["shift"]["text"]
    assert cards["largest"]["ends"] == f"95 % interval {top['shift']['ends']}"
    retrieval = facts.embeddings.retrieval
    worst = min(facts.transforms, key=lambda name: retrieval.mean(name, "recall_at_1"))
    assert cards["found"]["number"] == format_percent(retrieval.mean(worst, "recall_at_1"))
    if "removal" in cards:
        direction = facts.embeddings.direction
        most = max(direction.mean(name, "corrected_mean") for name in facts.transforms)
        assert cards["removal"]["number"] == format_percent(most)


def test_without_embeddings_compared_the_chart_shows_a_metric(built):
    _, facts, first = built("one_image")
    assert first["chart"]["reference"] is None
    by = {row.transform: row.cells["cosine"].mean for row in facts.summary.rows}
    for row in rows_of(first):
        assert row["shift"]["value"] == pytest.approx(1 - by[row["name"]], abs=1e-5)
        assert row["shift"]["ends"] == ""
        assert row["found"] is None
    assert "few images" in [one["about"] for one in first["caveats"]]


def test_transforms_without_a_value_come_last_without_a_bar(built):
    rows = rows_of(built("missing")[2])
    assert {row["name"] for row in rows[-2:]} == {"blur", "noise"}
    assert all(row["shift"]["value"] is None and row["shift"]["text"] == "–" for row in rows[-2:])


def test_a_view_beside_a_transform_is_close_to_its_median(built):
    _, facts, first = built("plain")
    at = facts.values.metrics.index("cosine")
    for row in rows_of(first):
        column = facts.values.values[:, row["transform"], at]
        distance = abs(column - sorted(column)[len(column) // 2])
        assert row["view"]["id"] == image_id(row["view"]["row"])
        assert sorted(distance).index(distance[row["view"]["row"]]) <= 4
        assert row["view"]["view"].startswith("data:image/webp;base64,")


def test_views_outside_the_run_folder_are_not_read(tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=4, transforms=("blur",)))
    (run.folder / "views").rename(tmp_path / "elsewhere")
    (run.folder / "views").symlink_to(tmp_path / "elsewhere")
    first = build_first(run, gather_facts(run, resamples=200))
    assert rows_of(first)[0]["view"] is None


def test_caveats_name_what_is_unfinished_failed_and_imprecise(built):
    _, facts, _ = built("plain")
    info = facts.info | {
        "state": "running",
        "precision": {
            "used": "bfloat16",
            "trials": [
                {
                    "precision": "bfloat16",
                    "errors": {
                        "cosine": {"mean": 0.001, "max": 0.0123, "relative": False, "n": 9, "undefined": 0}
                    },
                }
            ],
        },
    }
    changed = dataclasses.replace(facts, info=info, inputs={"ok": 22, "damaged": 2}, views=(198, 3))
    told = {one["about"]: one["text"] for one in list_first_caveats(changed)}
    assert list(told) == ["unfinished", "few images", "failures", "precision", "strengths"]
    assert told["failures"] == "2 of 24 inputs and 3 of 198 views could not be used."
    assert told["precision"] == "Encoded in bfloat16: errors of cosine are up to 0.0123 against float32."


@pytest.mark.parametrize("most", [1e-6, 0.03, 0.25, 0.99, 1.0, 1.31, 7.0, 12_345.0])
def test_ticks_are_round_and_cover_the_value(most):
    top, ticks = list_ticks(most, percent=False)
    assert top >= most
    assert 3 <= len(ticks) <= 6
    assert ticks[0] == {"at": 0.0, "text": "0"}
    assert ticks[-1]["at"] == 1.0
    assert float(ticks[-1]["text"]) == pytest.approx(top)


def test_estimates_are_spelled_with_their_ends():
    assert format_value(Estimate(value=0.641)) == "64 %"
    assert format_ends_of(Estimate(value=0.641, low=0.58, high=0.7)) == "58 to 70 %"
    assert format_ends_of(Estimate(value=0.641)) == ""
    assert format_value(Estimate(value=math.nan)) == "–"
    assert format_ends_of(Estimate(value=0.3, low=0.21, high=0.4, percent=False)) == "0.210 to 0.400"


@pytest.fixture(scope="module")
def paper_run(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("paper") / "run", Wanted(images=24, views=False, maps=False))
    plans = [
        {"name": one.name, "kind": one.kind, "target": one.target, "parameters": dict(one.parameters)}
        | {"severity": None, "strength": None}
        for one in load_preset("paper").transforms
    ]
    plan = run.info["plan"] | {"transforms": plans}
    return dataclasses.replace(run, info=run.info | {"plan": plan})


def test_beside_the_paper_stand_the_ranks_of_this_run(paper_run):
    facts = gather_facts(paper_run, resamples=200)
    found = build_paper(paper_run, facts)
    order = [row.transform for row in rank_shifts(facts).rows]
    assert [row[0]["text"] for row in found["table"]["rows"]] == order
    named = [row[0]["text"] for row in found["table"]["rows"] if row[1]["text"] == "most drastic"]
    assert sorted(named) == sorted(CLAIMED)
    ranks = {one.transform: one for one in facts.main.intervals}
    for row in found["table"]["rows"]:
        one = ranks[row[0]["text"]]
        assert row[3]["text"] == str(10 - one.rank)
        between = f"{10 - one.high} to {10 - one.low}"
        assert row[3]["small"] == ("certain" if one.low == one.high else between)
    for name in CLAIMED:
        assert name in found["text"]


def test_a_run_with_other_strengths_is_not_beside_the_paper(paper_run, built):
    plans = [dict(one) for one in paper_run.info["plan"]["transforms"]]
    plans[0]["parameters"] = plans[0]["parameters"] | {"std_range": [0.1, 0.2]}
    other = dataclasses.replace(
        paper_run, info=paper_run.info | {"plan": paper_run.info["plan"] | {"transforms": plans}}
    )
    assert build_paper(other, gather_facts(other, resamples=200)) is None
    run, facts, _ = built("plain")
    assert build_paper(run, facts) is None
