"""Thresholds: AUC, µAP and operating points against their definitions, ties, refusals, near-duplicates."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from embshift.analysis.embeddings.pairs import make_pairs
from embshift.analysis.sampling.bootstrap import draw_counts
from embshift.analysis.thresholds import estimates, measure, others
from embshift.analysis.thresholds.curves import count_others, find_auc_pulls
from embshift.analysis.thresholds.measure import measure_thresholds
from embshift.analysis.thresholds.near_duplicates import NearDuplicates, find_near_pairs, group_pairs
from embshift.analysis.thresholds.resampling import resample_scores
from embshift.analysis.thresholds.scores import make_scores
from embshift.core.errors import PlanError, UnknownNameError
from tests.reference import thresholds_reference as reference


def pairs_of(originals, views, *, draws=1):
    """Pairs from originals and, by transform, views in the order image, draw."""
    rows = np.arange(len(originals))
    at, draw = np.repeat(rows, draws), np.tile(np.arange(draws), len(rows))
    return make_pairs(
        rows=rows,
        values=np.asarray(originals, float),
        ids={row: f"{row:06d}" for row in rows.tolist()},
        transforms=list(views),
        read=lambda name: (at, draw, np.asarray(views[name], float)),
    )


def scene(images, *, draws=1, transforms=2, dim=6, seed=0):
    rng = np.random.default_rng(seed)
    originals = rng.normal(size=(images, dim))
    each = np.repeat(originals, draws, axis=0)
    views = {f"t{at}": each + 0.4 * (at + 1) * rng.normal(size=each.shape) for at in range(transforms)}
    return pairs_of(originals, views, draws=draws)


def listed(pairs, *transforms, left_out=()):
    found = []
    for transform in transforms:
        for draw in pairs.views(transform)[0]:
            found += reference.list_pairs(draw.units, draw.at.tolist(), pairs.units, left_out)
    return found


@pytest.fixture
def fewest(monkeypatch):
    """Rates are given from one false pair on."""
    monkeypatch.setattr(estimates, "FEWEST_PAIRS", 1)
    monkeypatch.setattr(estimates, "FEWEST_IMAGES", 1)
    monkeypatch.setattr(estimates, "RATES", (0.05, 0.02))


@pytest.mark.parametrize("draws", [1, 3])
def test_values_are_those_of_the_definitions(fewest, draws):
    pairs = scene(14, draws=draws)
    found = measure_thresholds(pairs, resamples=100)
    for name, wanted in [("t0", ["t0"]), ("t1", ["t1"]), ("all", ["t0", "t1"])]:
        row, all_pairs = found.row(name), listed(pairs, *wanted)
        assert row.auc.value == pytest.approx(reference.auc(all_pairs), abs=1e-12)
        assert row.uap.value == pytest.approx(reference.uap(all_pairs), abs=1e-12)
        assert row.at_precision.recall.value == reference.recall_at_precision(all_pairs, 0.9)
        for one in (*row.at_rates, row.at_precision):
            kept, let_in = reference.kept_and_let_in(all_pairs, one.threshold)
            assert (kept / row.views, let_in) == (one.recall.value, one.let_in)
        for one in row.at_rates:
            assert one.recall.value == reference.recall_at_rate(all_pairs, one.asked)
            assert one.let_in == int(one.asked * row.pairs)


def test_auc_and_uap_by_hand():
    """Cosines with own 1, 0.8, 0; with others 0.6, 0 and 0, 0, 0.8, 0.6: as the vectors show."""
    originals = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    views = [[1, 0, 0], [0.6, 0.8, 0], [0.8, 0.6, 0]]
    row = measure_thresholds(pairs_of(originals, {"moved": views}), resamples=100).rows[0]
    # Own 1 beats all 6; own 0.8 ties with one 0.8 and beats 5; own 0 ties with two zeros of others.
    others_ = [0.0, 0.0, 0.6, 0.0, 0.8, 0.6]
    wins = 6 + 5.5 + 0.5 * others_.count(0.0)
    assert row.auc.value == pytest.approx(wins / 18)
    # Ranks: 1 | other 0.8 before own 0.8 | 0.6, 0.6 and three zeros before own 0.
    assert row.uap.value == pytest.approx((1 + 2 / 3 + 3 / 9) / 3)


def test_equal_images_tie_everywhere():
    views = {"same": np.ones((12, 4))}
    row = measure_thresholds(pairs_of(np.ones((12, 4)), views), resamples=100).rows[0]
    assert row.auc.value == 0.5
    assert row.uap.value == pytest.approx(np.mean([at / (at + 132) for at in range(1, 13)]))
    assert row.at_precision.recall.value == 0
    assert math.isnan(row.at_precision.threshold)


def test_blocks_give_what_all_pairs_give(monkeypatch):
    pairs = scene(80, dim=12)
    whole = measure_thresholds(pairs, resamples=100)
    monkeypatch.setattr(others, "WHOLE", 500)
    monkeypatch.setattr(measure, "WHOLE", 500)
    monkeypatch.setattr(others, "_AT_ONCE", 1_000)
    parts = measure_thresholds(pairs, resamples=100)
    for one, other in zip(whole.rows, parts.rows, strict=True):
        assert other.auc.value == pytest.approx(one.auc.value, abs=1e-4)
        assert other.auc.low == pytest.approx(one.auc.low, abs=1e-3)
        assert other.uap.value == pytest.approx(one.uap.value, abs=1e-4)
        assert (other.pairs, other.at_precision.threshold) == (one.pairs, one.at_precision.threshold)
        assert other.at_precision.recall.value == one.at_precision.recall.value


def test_the_tail_is_complete_down_to_its_last_whatever_float32_does(monkeypatch):
    """Products are off by as much as rounding may do at most, so that many come out of order."""
    monkeypatch.setattr(others, "WHOLE", 10)
    rng, plain = np.random.default_rng(0), others._blocks
    worst = 0.45 * others.screening_error(3)

    def disturbed(*arguments, **options):
        for start, products in plain(*arguments, **options):
            yield start, products + rng.uniform(-worst, worst, products.shape).astype(np.float32)

    monkeypatch.setattr(others, "_blocks", disturbed)
    cosines = np.append(rng.uniform(0.1, 0.1 + 2e-5, 1_700), rng.uniform(0.11, 0.12, 300))
    gallery = np.stack([cosines, np.sqrt(1 - cosines**2), np.zeros(2_000)], axis=1)
    view = np.array([[1.0, 0.0, 0.0]])
    found = others.compare_others(view, gallery, image=np.zeros(1, np.int64), near={}, keep=600, own=[])
    cosines[0] = -2.0  # its own
    assert 300 < len(found.tail) < 600
    assert set(np.flatnonzero(cosines >= found.tail.cosines[-1])) == set(found.tail.other)


def test_a_collapsed_encoder_in_blocks_is_refused_and_finds_nothing(monkeypatch):
    monkeypatch.setattr(others, "WHOLE", 500)
    monkeypatch.setattr(measure, "WHOLE", 500)
    views = {"same": np.ones((200, 4))}
    row = measure_thresholds(pairs_of(np.ones((200, 4)), views), resamples=100).rows[0]
    assert row.auc.value == pytest.approx(0.5)
    assert "same highest cosine" in row.at_rates[0].refused
    assert row.at_precision.recall.value == 0


def test_rates_that_the_pairs_do_not_support_are_refused_with_a_reason():
    found = measure_thresholds(scene(40), resamples=100)
    one = found.row("t0").at_rates[0]
    assert math.isnan(one.recall.value)
    assert math.isnan(one.threshold)
    assert one.refused == "0.001 of 1,560 other pairs are 1.56, fewer than 20"
    assert any("no false-positive rate of 0.001 or less is given" in note for note in found.notes)


def test_false_pairs_of_few_images_do_not_support_a_rate():
    rng = np.random.default_rng(0)
    originals = rng.normal(size=(150, 40))
    originals[:5] = originals[0] + 0.01 * rng.normal(size=(5, 40))  # 20 of the 22 false pairs
    views = originals + 0.01 * rng.normal(size=originals.shape)
    row = measure_thresholds(pairs_of(originals, {"moved": views}), resamples=100).rows[0]
    assert re.fullmatch(r"its 22 false pairs come from [67] images, fewer than 10", row.at_rates[0].refused)


def test_no_false_pair_has_the_rule_of_three_on_disjoint_pairs():
    originals = np.eye(40)
    found = measure_thresholds(pairs_of(originals, {"kept": originals}), resamples=100).rows[0]
    one = found.at_precision
    assert (one.recall.value, one.let_in, one.rate.value) == (1, 0, 0)
    assert one.rate.high == pytest.approx(-math.log(0.05) / 20)
    assert found.auc.value == 1
    assert found.auc.low < 1


@pytest.mark.parametrize("images", [1, 2])
def test_very_few_images(images):
    found = measure_thresholds(scene(images), resamples=100)
    row = found.row("t0")
    assert (row.images, row.pairs) == (images, images * (images - 1))
    assert math.isnan(row.auc.value) == (images == 1)
    assert math.isnan(row.auc.low)
    assert math.isnan(row.uap.low)


def test_a_transform_without_views_and_views_that_are_not_finite():
    pairs = scene(12)
    lost = pairs_of(pairs.units, {"lost": np.full(pairs.units.shape, np.nan), "kept": pairs.units})
    found = measure_thresholds(lost, resamples=100)
    assert (found.row("lost").views, found.row("kept").views, found.row("all").views) == (0, 12, 12)
    assert math.isnan(found.row("lost").auc.value)
    assert math.isnan(found.row("lost").uap.value)
    assert found.row("all").auc.value == found.row("kept").auc.value == 1


def test_the_influences_give_the_variance_of_a_numerical_derivative():
    pairs = scene(10, dim=3)
    (draw,), _ = pairs.views("t1")
    row_pulls = pulls_of(pairs, "t1")
    wanted = reference.auc_variance(draw.units, draw.at.tolist(), pairs.units)
    assert (row_pulls**2).sum() / (10 * 9) == pytest.approx(wanted, rel=1e-5)
    assert row_pulls.sum() == pytest.approx(0, abs=1e-12)


def scores_of(pairs, transform):
    (draw,), _ = pairs.views(transform)
    own = np.einsum("ij,ij->i", draw.units, pairs.units[draw.at])
    scores = make_scores(own=own, owner=draw.at, images=len(pairs))
    found = others.compare_others(draw.units, pairs.units, image=draw.at, near={}, keep=1, own=[scores.own])
    return replace(scores, total=found.total, tail=found.tail, rows=found.rows[0], columns=found.columns[0])


def pulls_of(pairs, transform):
    scores = scores_of(pairs, transform)
    return find_auc_pulls(scores, count_others(scores))


def test_a_resample_is_a_gallery_of_copies_that_are_no_other_images():
    """Every copy is a view and an original; pairs of an image with its own copies are left out."""
    images, rates = 12, (0.1, 0.02)
    pairs = scene(images, dim=3)
    (draw,), _ = pairs.views("t1")
    scores = scores_of(pairs, "t1")
    counts = count_others(scores)
    found = resample_scores(scores, counts, precision=0.5, rates=rates, let_in=[0, 7], resamples=100, seed=5)
    (drawn,) = draw_counts(images, resamples=100, seed=5)
    for at in range(0, 100, 20):
        copies = np.repeat(np.arange(images), drawn[at].astype(int))
        listed_ = [
            (reference.cosine(draw.units[one], pairs.units[other]), place == second)
            for place, one in enumerate(copies)
            for second, other in enumerate(copies)
            if place == second or one != other
        ]
        assert found.at_precision[at] == pytest.approx(reference.recall_at_precision(listed_, 0.5))
        assert found.at_rates[at].tolist() == pytest.approx(
            [reference.recall_at_rate(listed_, rate) for rate in rates]
        )
        # The copies of a view follow each other; the product takes their mean rank.
        assert found.uap[at] == pytest.approx(reference.uap(listed_), abs=0.01)
        threshold = scores.tail.cosines[6]
        total = sum(not same for _, same in listed_)
        let_in = reference.kept_and_let_in(listed_, threshold - 1e-12)[1]
        assert found.rates[at].tolist() == pytest.approx([0, let_in / total])


def known(*pairs, images):
    return NearDuplicates(
        pairs=np.array(pairs, np.int64).reshape(-1, 2),
        distances=np.arange(len(pairs)),
        compared=images,
        plain=0,
        unknown=0,
    )


@pytest.mark.parametrize("blocks", [False, True])
def test_near_duplicates_are_named_and_left_out_of_a_second_row(monkeypatch, blocks):
    if blocks:
        monkeypatch.setattr(others, "WHOLE", 50)
        monkeypatch.setattr(measure, "WHOLE", 50)
    pairs = scene(15)
    near = known((1, 3), (2, 7), images=15)
    found = measure_thresholds(pairs, near=near, names=[f"p{at}.jpg" for at in range(15)], resamples=100)
    assert [(one.first, one.second, one.bits) for one in found.near_pairs] == [
        ("p1.jpg", "p3.jpg", 0),
        ("p2.jpg", "p7.jpg", 1),
    ]
    assert found.near_groups == (("p1.jpg", "p3.jpg"), ("p2.jpg", "p7.jpg"))
    assert (found.near_count, found.near_images) == (2, 4)
    tolerance = 1e-4 if blocks else 1e-12
    for name, wanted in [("t1", ["t1"]), ("all", ["t0", "t1"])]:
        for treated, left_out in [("counted", ()), ("left out", {(1, 3), (2, 7)})]:
            row, all_pairs = (
                found.row(name, near_duplicates=treated),
                listed(pairs, *wanted, left_out=left_out),
            )
            assert row.pairs == sum(not same for _, same in all_pairs)
            assert row.auc.value == pytest.approx(reference.auc(all_pairs), abs=tolerance)
            assert row.uap.value == pytest.approx(reference.uap(all_pairs), abs=tolerance)


def test_without_hashes_near_duplicates_are_not_known():
    found = measure_thresholds(scene(12), resamples=100)
    assert found.near_count is None
    assert "near-duplicates are not known for 12 images: measured with an earlier version" in found.notes


def test_near_pairs_are_those_of_a_comparison_of_all_bits(monkeypatch):
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 256, size=(60, 32), dtype=np.uint8)
    bits[7], bits[40] = bits[20], bits[20]
    bits[40, 0] ^= 0b111
    bits[51] = bits[50]
    bits[51, :3] ^= 0xFF  # 24 bits: too many
    monkeypatch.setattr("embshift.analysis.thresholds.near_duplicates._PAIRS_AT_ONCE", 256)
    pairs, distances = find_near_pairs(bits)
    wanted = {
        (i, j): int(np.unpackbits(bits[i] ^ bits[j]).sum()) for i in range(60) for j in range(i + 1, 60)
    }
    assert dict(zip(map(tuple, pairs.tolist()), distances.tolist(), strict=True)) == {
        pair: apart for pair, apart in wanted.items() if apart <= 16
    }
    assert group_pairs(pairs) == ((7, 20, 40),)


def test_a_sample_of_queries_is_compared_with_all():
    found = measure_thresholds(scene(30), queries=12, resamples=100)
    row = found.row("t0")
    assert (found.images, found.queries, row.images, row.pairs) == (30, 12, 12, 12 * 29)


def test_options_and_names_are_checked():
    with pytest.raises(PlanError, match="resamples is 5; expected 100 or more"):
        measure_thresholds(scene(12), resamples=5)
    found = measure_thresholds(scene(12), resamples=100)
    with pytest.raises(UnknownNameError, match="t0"):
        found.row("t00")
    assert len(found.records()) == 3
    assert set(found.records()[0]) == set(found.records()[-1])
