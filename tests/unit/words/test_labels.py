"""Labels and captions of views: the literal values, missing views, intervals, what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.analysis.words import captions as captions_module
from embshift.analysis.words import labels as labels_module
from embshift.analysis.words.captions import CAPTION_MEASURES, compare_captions
from embshift.analysis.words.labels import LABEL_MEASURES, compare_labels
from embshift.core.errors import PlanError
from tests.reference import words_reference as reference

NAN = float("nan")
FEW = {"resamples": 200}


def units(*shape, seed=0):
    vectors = np.random.default_rng(seed).normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture
def scene():
    """Twelve images, two draws each; one original and one view are missing."""
    clean = units(12, 6, seed=1)
    views = clean[:, None] + 0.4 * units(12, 2, 6, seed=2)
    views /= np.linalg.norm(views, axis=-1, keepdims=True)
    clean[3] = NAN
    views[5, 1] = NAN
    return clean, views


@given(seed=st.integers(0, 999), labels=st.integers(2, 5), scale=st.sampled_from([1.0, 14.3, 100.0, 5000.0]))
@settings(max_examples=20, deadline=None)
def test_labels_are_the_literal_ones(seed, labels, scale):
    clean, views, texts = (
        units(3, 4, seed=seed),
        units(3, 2, 4, seed=(seed, 1)),
        units(labels, 4, seed=(seed, 2)),
    )
    found = compare_labels(clean, views, texts, scale=scale, **FEW)
    for image in range(3):
        for draw in range(2):
            wanted = reference.compare_labels(
                clean[image].tolist(), views[image, draw].tolist(), texts.tolist(), scale=scale
            )
            got = [
                getattr(found, name)[image, draw]
                for name in ("flipped", "margin_drop", "invariance", "divergence")
            ]
            assert got == pytest.approx(wanted, abs=1e-9)


@given(seed=st.integers(0, 999), scale=st.floats(0.1, 1e4))
@settings(max_examples=20, deadline=None)
def test_bounds_and_what_identity_gives(seed, scale):
    clean, texts = units(4, 5, seed=seed), units(3, 5, seed=(seed, 1))
    found = compare_labels(clean, units(4, 3, 5, seed=(seed, 2)), texts, scale=scale, **FEW)
    for values in (found.flipped, found.invariance, found.divergence):
        assert (values >= 0).all()
        assert (values <= 1).all()
    assert (found.margin >= 0).all()
    assert ((found.flipped == 1) == (found.view_label != found.label[:, None])).all()
    same = compare_labels(clean, clean[:, None], texts, scale=scale, **FEW)
    assert not same.flipped.any()
    assert np.abs(same.margin_drop).max() < 1e-12
    assert same.divergence.max() < 1e-12
    np.testing.assert_array_equal(same.view_label[:, 0], same.label)


def test_what_is_missing_is_nan(scene):
    clean, views = scene
    found = compare_labels(clean, views, units(4, 6), scale=10.0, truth=np.arange(12) % 4, **FEW)
    lost = np.zeros((12, 2), bool)
    lost[3], lost[5, 1] = True, True
    for name in ("flipped", "margin_drop", "invariance", "divergence", "right_after"):
        assert np.array_equal(np.isnan(getattr(found, name)), lost), name
    assert (found.label[3], found.view_label[5, 1]) == (-1, -1)
    assert np.isnan(found.right_before[3])
    assert np.isnan(found.sigmoid).all()
    assert found.estimates.n.tolist() == [11] * 6
    assert found.measure("flip_rate")[0] == pytest.approx(
        np.nanmean(np.nanmean(found.flipped[~lost[:, 0]], axis=1))
    )


def test_blocks_change_nothing(scene, monkeypatch):
    clean, views = scene
    texts, owner = units(4, 6), np.array([0, 0, 5, 7])
    whole = (
        compare_labels(clean, views, texts, scale=10.0, **FEW),
        compare_captions(clean, views, texts, owner, **FEW),
    )
    for module in (labels_module, captions_module):
        monkeypatch.setattr(module, "BLOCK", 1)
    parts = (
        compare_labels(clean, views, texts, scale=10.0, **FEW),
        compare_captions(clean, views, texts, owner, **FEW),
    )
    np.testing.assert_allclose(parts[0].divergence, whole[0].divergence, atol=1e-12)
    np.testing.assert_array_equal(parts[0].label, whole[0].label)
    np.testing.assert_allclose(parts[1].drop, whole[1].drop, atol=1e-12)
    np.testing.assert_array_equal(parts[1].found_after, whole[1].found_after)


def test_a_bias_changes_sigmoids_alone(scene):
    clean, views = scene
    texts = units(4, 6)
    plain, biased = (
        compare_labels(clean, views, texts, scale=10.0, bias=bias, **FEW) for bias in (None, -3.0)
    )
    np.testing.assert_array_equal(biased.divergence, plain.divergence)
    np.testing.assert_array_equal(biased.invariance, plain.invariance)
    wanted = 1 / (1 + np.exp(3.0 - 10.0 * (clean[0] @ texts[biased.label[0]])))
    assert biased.sigmoid[0] == pytest.approx(wanted)
    wanted = 1 / (1 + np.exp(3.0 - 10.0 * (views[0, 1] @ texts[biased.label[0]])))
    assert biased.view_sigmoid[0, 1] == pytest.approx(wanted)


def test_accuracy_is_over_images_with_a_true_label():
    texts = np.eye(3)
    clean = np.eye(3)[[0, 1, 2, 0]]
    views = np.eye(3)[[[0, 0], [2, 1], [0, 0], [0, 0]]]
    found = compare_labels(clean, views, texts, scale=1.0, truth=np.array([0, 1, 1, -1]), **FEW)
    np.testing.assert_array_equal(found.right_before, [1, 1, 0, NAN])
    np.testing.assert_array_equal(found.right_after, [[1, 1], [0, 1], [0, 0], [NAN, NAN]])
    assert found.measure("accuracy_before")[0] == pytest.approx(2 / 3)
    assert found.measure("accuracy_after")[0] == pytest.approx(0.5)
    assert found.measure("flip_rate")[0] == pytest.approx((0 + 0.5 + 1 + 0) / 4)


def test_rates_have_wilson_s_interval_and_means_one_of_bca(scene):
    clean, views = scene
    found = compare_labels(clean, views[:, :1], units(4, 6), scale=10.0, **FEW)
    share, low, high = found.measure("flip_rate")
    z, n = 1.959964, 11
    centre, half = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert (low, high) == pytest.approx(((centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)))
    mean, low, high = found.measure("margin_drop")
    assert low < mean < high
    assert np.isnan(found.measure("accuracy_after")).all()
    few = compare_labels(clean[:3], views[:3], units(4, 6), scale=10.0, **FEW)
    assert np.isnan(few.measure("margin_drop")[1])


def test_axes_of_draws_are_made_one(scene):
    clean, views = scene
    texts = units(4, 6)
    four = np.stack([views, views], axis=1)  # images severities draws dim
    found = compare_labels(clean, four, texts, scale=10.0, **FEW)
    assert found.flipped.shape == (12, 4)
    one = compare_labels(clean, views, texts, scale=10.0, **FEW)
    np.testing.assert_array_equal(found.divergence[:, 2:], one.divergence)
    assert compare_labels(clean, views[:, 0], texts, scale=10.0, **FEW).flipped.shape == (12, 1)


def test_no_images_have_no_values():
    found = compare_labels(np.empty((0, 6)), np.empty((0, 1, 6)), units(4, 6), scale=1.0, **FEW)
    assert found.flipped.shape == (0, 1)
    assert np.isnan(found.estimates.mean).all()
    assert len(found.estimates.mean) == len(LABEL_MEASURES)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": units(1, 6)}, "with 2 or more"),
        ({"labels": 2 * units(4, 6)}, "vector 0 of the labels has the length 2"),
        ({"labels": units(4, 5)}, r"originals have the shape \(12, 6\)"),
        ({"clean": 3 * units(12, 6)}, "the embedding of an original has the length 3; expected 1"),
        ({"views": 3 * units(12, 1, 6)}, "the embedding of a view has the length 3"),
        ({"views": units(11, 1, 6)}, r"views \(11, 1, 6\)"),
        ({"scale": 0.0}, "scale is 0.0; expected a number above 0"),
        ({"truth": np.full(12, 4)}, "go from 0 to 4; expected one for each of 12 images, from −1 to 3"),
        ({"truth": np.zeros(3, int)}, r"true labels have the shape \(3,\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(change, told):
    given = {"clean": units(12, 6), "views": units(12, 1, 6), "labels": units(4, 6), "scale": 10.0} | change
    with pytest.raises(PlanError, match=told):
        compare_labels(given.pop("clean"), given.pop("views"), given.pop("labels"), **given)


# Captions ---------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_captions_are_the_literal_ones(seed):
    clean, views, texts = units(4, 3, seed=seed), units(4, 2, 3, seed=(seed, 1)), units(5, 3, seed=(seed, 2))
    texts[4] = texts[0]
    owner = np.array([0, 0, 1, 2, 2])
    found = compare_captions(clean, views, texts, owner, **FEW)
    for image in range(4):
        for draw in range(2):
            wanted = reference.compare_captions(
                clean[image].tolist(), views[image, draw].tolist(), texts.tolist(), owner.tolist(), image
            )
            got = found.drop[image, draw], found.found_before[image], found.found_after[image, draw]
            assert got == pytest.approx(wanted, abs=1e-9, nan_ok=True)
    assert found.captioned == 3
    assert found.estimates.n.tolist() == [3, 3, 3]


def test_a_missing_view_finds_nothing_and_is_nan(scene):
    clean, views = scene
    found = compare_captions(clean, views, units(12, 6, seed=1), np.arange(12), **FEW)
    assert found.found_before[[0, 5]].tolist() == [1, 1]
    assert np.isnan(found.found_after[3]).all()
    assert np.isnan(found.found_after[5]).tolist() == [False, True]
    assert len(found.estimates.mean) == len(CAPTION_MEASURES)
    assert found.measure("found_before")[0] == 1
    assert found.measure("found_before")[2] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"owner": np.array([0, 12])}, "go from 0 to 12; expected one image, from 0 to 11, for each of 2"),
        ({"owner": np.array([0])}, r"owners have the shape \(1,\)"),
        ({"captions": units(2, 5)}, "originals have the shape"),
        ({"captions": 2 * units(2, 6)}, "vector 0 of the captions has the length 2"),
    ],
)
def test_captions_that_do_not_fit_are_refused(change, told):
    given = {"captions": units(2, 6), "owner": np.array([0, 1])} | change
    with pytest.raises(PlanError, match=told):
        compare_captions(units(12, 6), units(12, 1, 6), **given)
