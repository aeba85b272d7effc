"""Findings say only what the numbers support, and nothing if the numbers support nothing."""

import dataclasses
import json
import re

import numpy as np
import pytest

from embshift.show.report.facts.common import rank_common_images
from embshift.show.report.facts.run import choose_resamples, gather_facts
from embshift.show.report.findings.disagreement import describe_disagreement
from embshift.show.report.findings.listing import list_findings
from embshift.show.report.findings.order import describe_common_images
from embshift.show.text.names import join_names
from embshift.show.text.numbers import spell_number
from embshift.show.text.words import format_interval, format_percent, join_transforms, make_visible, shorten
from tests.synthetic_runs import NINE, Wanted, make_run

CASES = {
    "plain": Wanted(),
    "one_image": Wanted(images=1),
    "two_images": Wanted(images=2),
    "one_transform": Wanted(transforms=("blur",)),
    "no_transform": Wanted(transforms=()),
    "same_values": Wanted(same=True),
    "all_undefined": Wanted(undefined=((None, None),)),
    "cosine_undefined": Wanted(undefined=((None, "cosine"),)),
    "some_undefined": Wanted(undefined=(("blur", "cosine"), ("noise", "l2"))),
    "only_pixels": Wanted(metrics=("patch_similarity", "edge_similarity")),
    "only_l2": Wanted(metrics=("l2",)),
    "one_metric": Wanted(metrics=("cosine",)),
    "missing": Wanted(missing=("blur", "noise")),
    "other_map": Wanted(map_name="similarity map"),
    "many": Wanted(images=40),
    "no_image": Wanted(images=0),
    "draws": Wanted(draws=3),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Return a case's facts and findings, each made once."""
    made = {}

    def tell(case):
        if case not in made:
            folder = tmp_path_factory.mktemp(case)
            facts = gather_facts(
                make_run(folder, dataclasses.replace(CASES[case], views=False)), resamples=500
            )
            made[case] = facts, list_findings(facts)
        return made[case]

    return tell


def about(told, case, topic):
    return " ".join(one["text"] for one in told(case)[1] if one["about"] == topic)


def everything(told, case):
    return " ".join(one["text"] for one in told(case)[1])


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_case_is_told_in_whole_sentences_without_nan(told, case):
    for one in told(case)[1]:
        assert re.fullmatch(r"([^a-z]|blur).*[.]", one["text"], flags=re.DOTALL), one["text"]
        assert not re.search(r"\bnan\b|\binf\b|None|\[\]|  ", one["text"]), one["text"]


def test_most_and_least_are_those_of_the_summary_with_their_intervals(told):
    facts, _ = told("plain")
    means = {row.transform: row.cells["cosine"].mean for row in facts.summary.rows}
    most, least = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    text = about(told, "plain", "extremes")
    found = re.match(
        r"By cosine, (\w+) moves the embedding most: mean ([\d.−]+) .*?; (\w+) moves it least", text
    )
    assert (found[1], found[3]) == (most, least)
    assert found[2] == spell_number(means[most])
    at = facts.transforms.index(most), facts.statistics.metrics.index("cosine")
    low, high = facts.statistics.means.low[at], facts.statistics.means.high[at]
    assert f"(95 % interval {spell_number(low)} to {spell_number(high)})" in text


def test_of_l2_the_largest_is_the_most(told):
    facts, _ = told("only_l2")
    means = {row.transform: row.cells["l2"].mean for row in facts.summary.rows}
    text = about(told, "only_l2", "extremes")
    assert text.startswith(f"By L2, {max(means, key=means.__getitem__)} moves the embedding most")
    assert text.endswith("Without a shift, L2 is 0.")


def test_the_certain_order_counts_the_pairs_that_are_certain(told):
    facts, _ = told("plain")
    ranks = facts.statistics.ranks
    text = about(told, "plain", "order")
    assert f"certain for {int(ranks.certain.sum())} of 36 pairs of transforms" in text
    for one, other, known in ranks.adjacent():
        assert (f"{one} and {other}" in text.partition("order is uncertain: ")[2]) is not known


def test_certain_extremes_are_named_as_certain_and_others_are_not(told):
    facts, _ = told("plain")
    ranks = facts.main
    furthest = [one.transform for one in ranks.intervals if one.high == 9]
    text = about(told, "plain", "certain extremes")
    if len(furthest) == 1:
        assert f"{furthest[0]} is certainly furthest from the original" in text
    else:
        assert f"{join_names(furthest, most=6, word='or')} may be furthest from the original" in text
    assert text.count("certainly") == sum(
        len([one for one in ranks.intervals if getattr(one, end) == at]) == 1
        for end, at in (("high", 9), ("low", 1))
    )


def test_equal_transforms_are_in_no_order(told):
    facts, _ = told("same_values")
    assert "All" not in about(told, "plain", "extremes")
    values = dataclasses.replace(facts.values, values=np.ones_like(facts.values.values))
    means = dataclasses.replace(facts.statistics.means, mean=np.ones_like(facts.statistics.means.mean))
    equal = dataclasses.replace(
        facts, values=values, statistics=dataclasses.replace(facts.statistics, means=means)
    )
    text = next(one["text"] for one in list_findings(equal) if one["about"] == "extremes")
    assert text.startswith("All 9 transforms move the embedding equally far")


def test_the_shift_is_compared_with_the_distance_between_images(told):
    facts, _ = told("plain")
    shifts = facts.embeddings.calibration
    mean = {name: shifts.mean(name, "cosine_shift") for name in facts.transforms}
    largest = max(mean, key=mean.__getitem__)
    text = about(told, "plain", "relative size")
    assert f"images are {spell_number(facts.separation.cosine)} apart on average" in text
    assert f"{largest} moves an image by {spell_number(mean[largest])}" in text
    assert f"{format_percent(mean[largest] / facts.separation.cosine)} of that" in text
    assert "66 pairs" in text


def test_one_image_has_no_interval_no_order_and_no_distance_to_others(told):
    text = everything(told, "one_image")
    assert "no order of transforms is certain" in text
    assert "95 % interval" not in text
    assert "certainly" not in text
    assert "cannot be compared with the distance between images" in text
    assert "certain for 0 of 36 pairs" in text


def test_one_transform_has_no_most_and_no_order(told):
    text = everything(told, "one_transform")
    assert "Only blur has a value" in text
    assert "certain" not in text
    assert "cannot say whether metrics agree on the order" in text


def test_undefined_values_are_counted_and_their_place_is_named(told):
    facts, _ = told("some_undefined")
    text = about(told, "some_undefined", "undefined")
    undefined = sum(cell.undefined for row in facts.summary.rows for cell in row.cells.values())
    assert text == (
        f"{undefined} values of an image, transform and metric are undefined and left out of the means. Most"
        " of them are in noise by L2 (12 images)."
    )
    assert about(told, "plain", "undefined") == ""
    assert "No value of cosine is defined" in everything(told, "cosine_undefined")


def test_undefined_draws_of_a_defined_value_are_counted_apart(told):
    facts, _ = told("draws")
    undefined = np.zeros_like(facts.values.undefined)
    undefined[:5, 0, 0] = 2
    some = dataclasses.replace(facts, values=dataclasses.replace(facts.values, undefined=undefined))
    text = next(one["text"] for one in list_findings(some) if one["about"] == "undefined")
    assert text == "In 5 values, some draws are undefined: the others give the mean."


def test_equal_inputs_are_told(told):
    facts, _ = told("plain")
    assert "count" not in about(told, "plain", "failures")
    equal = dataclasses.replace(facts, repeated=4)
    text = next(one["text"] for one in list_findings(equal) if one["about"] == "failures")
    assert text.endswith(" 4 inputs equal earlier ones, and equal images count as one image.")


def test_a_mean_over_fewer_images_says_so_and_a_missing_one_is_named(told):
    facts, _ = told("missing")
    found = about(told, "missing", "extremes")
    assert "Left out: noise and blur (no value of cosine)." in found
    assert "Left out: noise and blur (no value of cosine)." in about(told, "missing", "relative size")
    means = facts.statistics.means
    fewer = dataclasses.replace(means, n=np.full_like(means.n, 10))
    some = dataclasses.replace(facts, statistics=dataclasses.replace(facts.statistics, means=fewer))
    text = next(one["text"] for one in list_findings(some) if one["about"] == "extremes")
    assert text.count(" on 10 of 12 images (") == 2


def test_identity_has_a_shift_of_zero_in_every_sentence(tmp_path):
    run = make_run(tmp_path / "run", Wanted(transforms=("blur", "identity"), images=12, views=False))
    facts = gather_facts(run, resamples=500)
    at = facts.statistics.metrics.index("cosine")
    mean = facts.statistics.means.mean.copy()
    mean[1, at] = 1 - 1.1e-16  # what float64 gives for the cosine of equal vectors
    assert 1 - mean[1, at] > 0
    means = dataclasses.replace(facts.statistics.means, mean=mean, low=mean, high=mean)
    alone = dataclasses.replace(
        facts, embeddings=None, statistics=dataclasses.replace(facts.statistics, means=means)
    )
    text = next(one["text"] for one in list_findings(alone) if one["about"] == "relative size")
    assert "identity moves an image by 0 (95 % interval 0 to 0), 0 % of that" in text


def make_gaps(facts, *, transform, images):
    """The same values, of which some images of one transform are undefined."""
    values = facts.values.values.copy()
    values[:images, facts.transforms.index(transform)] = np.nan
    return dataclasses.replace(facts.values, values=values)


def test_the_ranking_on_common_images_is_told_beside_that_on_all(told):
    facts, _ = told("plain")
    assert facts.common is None
    gaps = make_gaps(facts, transform="blur", images=4)
    common = rank_common_images(gaps, metrics=facts.metrics, resamples=500)
    assert (common.images, dict(common.fewer)) == (8, {"blur": 4})
    taken = [at for at, spec in enumerate(facts.metrics) if spec.performance]
    score = facts.values.values[4:][:, :, taken].mean(axis=(0, 2))
    wanted = [facts.transforms[at] for at in np.argsort(-score, kind="stable")]
    assert [one.transform for one in common.ranks.ordered()] == wanted
    text = describe_common_images(dataclasses.replace(facts, common=common))
    assert text.startswith(
        "By the overall score, blur lacks values on some images (at most 4). On the 8 images that all"
        " transforms share, the ranking is"
    )
    before = {one.transform: one.rank for one in facts.statistics.ranks.intervals}
    moved = [one for one in common.ranks.ordered() if before[one.transform] != one.rank]
    for one in moved[:5]:
        assert f"{one.transform} moves from rank {before[one.transform]} to {one.rank}" in text
    same = dataclasses.replace(common, ranks=facts.statistics.ranks)
    assert describe_common_images(dataclasses.replace(facts, common=same)).endswith(
        "the ranking is the same."
    )
    nothing = make_gaps(facts, transform="blur", images=12)
    assert rank_common_images(nothing, metrics=facts.metrics, resamples=500) is None


def test_a_report_of_a_run_with_failed_views_ranks_common_images_too(tmp_path):
    wanted = Wanted(transforms=("blur", "noise", "jpeg"), partly=("noise",), views=False, maps=False)
    facts = gather_facts(make_run(tmp_path / "run", wanted), resamples=200)
    assert (facts.common.images, dict(facts.common.fewer)) == (8, {"noise": 4})
    texts = [one["text"] for one in list_findings(facts)]
    assert describe_common_images(facts) in texts


def test_all_metrics_are_judged_at_one_joint_level(told):
    facts, _ = told("plain")
    assert facts.joint.level == facts.main.level == facts.level == 0.95
    assert facts.joint.metrics == tuple(one.name for one in facts.metrics)
    assert "(joint 95 %" in about(told, "plain", "metrics")


def test_rounding_of_the_precision_is_no_disagreement(tmp_path):
    run = make_run(tmp_path / "run", Wanted(views=False))
    error = {"mean": 1e3, "max": 1e3, "relative": True, "n": 9, "undefined": 0}
    names = [one.name for one in run.metrics]
    errors = {"precision": "float16", "errors": dict.fromkeys(names, error)}
    rounded = {"used": "float16", "views": 9, "images": 1, "trials": [errors]}
    facts = gather_facts(dataclasses.replace(run, info=run.info | {"precision": rounded}), resamples=500)
    assert "agreement cannot be judged" in describe_disagreement(facts)


def test_metrics_that_see_no_embedding_say_nothing_about_embeddings(told):
    text = everything(told, "only_pixels")
    assert "cannot say how far they move" in text
    assert "moves the embedding" not in text
    assert about(told, "only_pixels", "relative size") == ""


def test_few_images_are_pointed_out(told):
    assert "Only 12 images" in about(told, "plain", "few images")
    assert about(told, "many", "few images") == ""
    assert about(told, "two_images", "few images") == (
        "Only 2 images were measured: below 10 images, means have no intervals."
    )
    assert "95 % interval" not in about(told, "two_images", "extremes")


def test_a_map_that_is_no_attention_is_named(told):
    assert "similarity map" in about(told, "other_map", "map")
    assert about(told, "plain", "map") == ""


def test_a_run_that_goes_on_says_so(tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=3, views=False))
    facts = gather_facts(dataclasses.replace(run, info=run.info | {"state": "running"}), resamples=500)
    assert any(one["about"] == "unfinished" for one in list_findings(facts))
    assert not any(one["about"] == "unfinished" for one in list_findings(gather_facts(run, resamples=500)))


def test_failures_are_counted_by_reason(told):
    facts, _ = told("plain")
    assert "Nothing failed: all 12 inputs" in about(told, "plain", "failures")
    failed = dataclasses.replace(facts, inputs={"ok": 12, "damaged": 2, "too_large": 1}, views=(108, 4))
    text = next(one["text"] for one in list_findings(failed) if one["about"] == "failures")
    assert text.startswith("3 of 15 inputs could not be used (damaged: 2, too_large: 1), and 4 of 108 views")


def test_what_was_left_out_of_the_listing_is_told_with_its_reason(told):
    facts, _ = told("plain")
    left = [
        {"kind": "file", "reason": "not an image", "count": 1, "first": ["a.txt"]},
        {"kind": "folder", "reason": "a run folder", "count": 1200, "first": ["runs/a"]},
    ]
    found = dataclasses.replace(facts, info={**facts.info, "left_out": left})
    text = next(one["text"] for one in list_findings(found) if one["about"] == "left out")
    assert text == (
        "1 file of the sources was left out: not an image."
        " 1,200 folders of the sources were left out: a run folder."
    )
    assert not any(one["about"] == "left out" for one in list_findings(facts))


def test_metrics_disagree_only_where_both_are_certain(told):
    facts, _ = told("plain")
    assert "contradict each other" in about(told, "plain", "metrics")
    cosine = facts.joint.order[facts.joint.metrics.index("cosine")]

    def tell(other):
        joint = dataclasses.replace(facts.joint, metrics=("cosine", "l2"), order=np.stack([cosine, other]))
        found = list_findings(dataclasses.replace(facts, joint=joint))
        return next(one["text"] for one in found if one["about"] == "metrics")

    count = int((cosine == 1).sum())
    assert count
    assert "1 of 1 pair of metrics contradict" in tell(-cosine)
    assert f"on {count} of {count} pairs of transforms" in tell(-cosine)
    assert "No two metrics contradict each other" in tell(cosine)
    assert f"All 2 metrics agree on {count} of 36 pairs of transforms." in tell(cosine)
    assert "All 2 metrics agree on 0 of 36 pairs" in tell(-cosine)
    assert "agreement cannot be judged" in tell(np.zeros_like(cosine))


def test_names_inside_sentences_are_made_visible(tmp_path):
    names = ("a\u202eb", "c\nd", *NINE[:2])
    run = make_run(tmp_path / "run", Wanted(transforms=names, views=False))
    text = json.dumps(list_findings(gather_facts(run, resamples=500)), ensure_ascii=False)
    assert "\u202e" not in text
    assert "a⟨U+202E⟩b" in text


# Words and numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.89, "0.890"),
        (13.04, "13.0"),
        (-0.0924, "−0.0924"),
        (0.0, "0"),
        (123456.0, "1.23e+05"),
        (float("nan"), "undefined"),
        (float("inf"), "∞"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert spell_number(value) == text


def test_shares_intervals_and_lists():
    assert (format_percent(0.019), format_percent(0.92), format_percent(0.95)) == ("1.9 %", "92 %", "95 %")
    assert format_interval(0.1, 0.2, level=0.95) == "95 % interval 0.100 to 0.200"
    assert format_interval(float("nan"), 0.2, level=0.95) == "no interval: it needs at least ten images"
    assert join_names(["a"], most=6) == "a"
    assert join_names(["a", "b", "c"], most=6) == "a, b and c"
    assert join_transforms([*"abcdefgh"]) == "a, b, c, d, e, f and 2 more"


def test_what_is_not_seen_is_marked():
    assert make_visible("a\x00b\x1bc\x7fd") == "a␀b␛c␡d"
    assert make_visible("\u202eexe\u2066\u2028\ufeff\ud800") == "⟨U+202E⟩exe⟨U+2066⟩⟨U+2028⟩⟨U+FEFF⟩⟨U+D800⟩"
    assert make_visible("Grüße 犬 {{x}} <b> &amp;") == "Grüße 犬 {{x}} <b> &amp;"


def test_long_names_keep_both_ends():
    assert shorten("a" * 30 + "b" * 60, most=9) == "aaaa…bbbb"
    assert shorten("short") == "short"


def test_fewer_resamples_for_very_many_images():
    assert choose_resamples(36) == 10_000
    assert choose_resamples(1_000_000) == 1_000
    assert 1_000 < choose_resamples(100_000) < 10_000
