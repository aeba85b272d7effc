"""The share of a mean shift that words explain: the literal choice, random vectors, planted words."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.analysis.words.shares import share_of_words
from embshift.core.errors import PlanError
from tests.reference import words_reference as reference

NAN = float("nan")


def units(count, dim, *, seed=0):
    vectors = np.random.default_rng((seed, 1)).normal(size=(count, dim))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def noise(images, dim, *, seed=0):
    return np.random.default_rng((seed, 2)).normal(size=(images, dim)) / 10


@given(seed=st.integers(0, 999), images=st.integers(6, 9), best=st.integers(1, 4), words=st.integers(6, 12))
@settings(max_examples=15, deadline=None)
def test_the_share_is_that_of_the_literal_choice(seed, images, best, words):
    texts, shifts = units(words, 9, seed=seed), noise(images, 9, seed=seed) + units(1, 9, seed=seed + 1)
    found = share_of_words({"blur": shifts}, texts, best=best, splits=3, nulls=2, seed=seed)
    wanted = reference.share_of_words(shifts, texts, best=best, splits=3, seed=seed)
    assert found.share[0] == pytest.approx(wanted, abs=1e-9)


def test_planted_words_explain_more_than_random_vectors_and_noise_does_not():
    texts = units(60, 32)
    centred = texts - texts.mean(axis=0)
    shifts = {
        "planted": noise(60, 32) + centred[3] - centred[9],
        "elsewhere": noise(60, 32, seed=4) + units(1, 32, seed=5),
    }
    found = share_of_words(shifts, texts, splits=4, nulls=39)
    assert found.share[0] > 0.9
    assert found.share[0] > found.null_high[0]
    assert found.p[0] == pytest.approx(1 / 40)
    assert found.null_low[1] < found.share[1] < found.null_high[1]
    assert found.p[1] > 0.05
    assert found.told("planted").startswith("planted: the best 5 words explain 9")
    both = (found.null_low <= found.null) & (found.null <= found.null_high)
    assert both.all()


def test_the_whole_span_explains_all_of_it_for_words_and_for_random_vectors():
    texts, shifts = units(7, 3), noise(12, 3) + 1
    found = share_of_words({"blur": shifts}, texts, best=5, splits=2, nulls=9)
    assert found.share[0] == pytest.approx(1)
    assert found.null[0] == pytest.approx(1)


def test_what_lies_outside_the_words_is_not_explained():
    texts = np.concatenate([units(7, 3), np.zeros((7, 3))], axis=1)
    shifts = np.concatenate([np.zeros((12, 3)), noise(12, 3) + 1], axis=1)
    found = share_of_words({"blur": shifts}, texts, splits=2, nulls=9)
    assert found.share[0] == pytest.approx(0, abs=1e-12)
    assert found.null[0] == pytest.approx(0, abs=1e-12)


def test_few_moved_images_have_no_share():
    shifts = {"few": noise(9, 4), "still": np.zeros((9, 4)), "enough": noise(9, 4)}
    shifts["few"][:4] = NAN
    found = share_of_words(shifts, units(8, 4), splits=2, nulls=9)
    assert np.isnan(found.share).tolist() == [True, True, False]
    assert np.isnan(found.p).tolist() == [True, True, False]
    assert found.images.tolist() == [5, 0, 9]
    assert found.told("still") == "still: too few images moved to measure what words explain"
    alone = share_of_words({"enough": shifts["enough"]}, units(8, 4), splits=2, nulls=9)
    assert alone.share[0] == pytest.approx(found.share[2])
    assert math.isnan(share_of_words({"none": np.zeros((9, 4))}, units(8, 4), nulls=9).null_low[0])


def test_lengths_of_shifts_change_nothing():
    texts, shifts = units(8, 4), noise(9, 4)
    one, other = (share_of_words({"a": size * shifts}, texts, splits=2, nulls=9) for size in (1, 100))
    assert other.share[0] == pytest.approx(one.share[0])
    assert other.null_high[0] == pytest.approx(one.null_high[0])


@pytest.mark.parametrize("best", [0, 9])
def test_more_words_than_there_are_cannot_be_chosen(best):
    with pytest.raises(PlanError, match=f"{best} of 8 words are asked for; expected 1 to 8"):
        share_of_words({"a": noise(9, 4)}, units(8, 4), best=best)


def test_random_vectors_lie_in_the_directions_that_the_texts_lie_in():
    flat = np.random.default_rng(3).normal(size=(60, 32)) * np.where(np.arange(32) < 2, 1.0, 0.01)
    texts = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    shifts = noise(60, 32) / 10
    shifts[:, 0] += 1
    assert share_of_words({"a": shifts}, texts, splits=2, nulls=9).null_low[0] > 0.9
