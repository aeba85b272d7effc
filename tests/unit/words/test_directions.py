"""Words named by shifts: the literal flips, planted words, what cannot be named, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.analysis.words.directions import NAMED_BELOW, name_directions
from embshift.analysis.words.vectors import label_vectors
from embshift.core.errors import PlanError, UnknownNameError
from tests.reference import words_reference as reference

NAN = float("nan")


def units(count, dim=8, *, seed=0):
    vectors = np.random.default_rng((seed, 1)).normal(size=(count, dim))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def names(count):
    return [f"word {at}" for at in range(count)]


def noise(images, dim=8, *, seed=0):
    return np.random.default_rng((seed, 2)).normal(size=(images, dim)) / 10


def planted(images, texts, *, at=3, size=0.2, seed=0):
    return noise(images, texts.shape[1], seed=seed) + size * (texts - texts.mean(axis=0))[at]


@given(seed=st.integers(0, 99), images=st.integers(6, 8), lost=st.integers(0, 2), size=st.floats(0, 0.3))
@settings(max_examples=8, deadline=None)
def test_t_and_p_are_those_of_the_literal_flips(seed, images, lost, size):
    texts = units(4, 3, seed=seed)
    shifts = {
        "blur": planted(images, texts, at=1, size=size, seed=seed),
        "noise": noise(images, 3, seed=seed + 1),
    }
    if images - lost >= 6:
        shifts["noise"][:lost] = NAN
    literal = {
        name: [None if np.isnan(row).any() else row.tolist() for row in table]
        for name, table in shifts.items()
    }
    t, p, line = reference.name_directions(literal, texts.tolist())
    found = name_directions(shifts, texts, names(4))
    for (transform, word), wanted in t.items():
        place = (found.transforms.index(transform), word)
        assert found.t[place] == pytest.approx(wanted, abs=1e-9)
        assert found.p[place] == pytest.approx(p[transform, word], abs=1e-12)
    assert found.line == pytest.approx(line, abs=1e-9)
    assert (found.flips, found.exact, found.least) == (2**images, True, 2.0 ** (1 - images))


def test_a_planted_word_is_named_and_only_where_it_is_planted():
    texts = units(40, 32)
    shifts = {"blur": planted(60, texts, at=7), "noise": noise(60, 32, seed=5)}
    found = name_directions(shifts, texts, names(40), resamples=999)
    assert found.named("blur")[0].word == "word 7"
    assert found.named("blur")[0].t > found.line
    assert found.named("blur")[0].mean > 0
    assert found.named("noise") == ()
    assert found.reason("blur") == ""
    away = name_directions({"blur": -shifts["blur"]}, texts, names(40), resamples=999)
    assert away.named("blur")[0].word == "word 7"
    assert away.named("blur")[0].t < -away.line


@pytest.mark.parametrize("images", [6, 9, 13, 40])
def test_the_line_parts_named_words_from_others(images):
    texts = units(30)
    shifts = {f"t{at}": planted(images, texts, size=0.02 * at, seed=at) for at in range(8)}
    found = name_directions(shifts, texts, names(30), resamples=199)
    assert np.array_equal(found.p < NAMED_BELOW, np.abs(found.t) > found.line + 1e-9)
    assert (found.p >= found.least - 1e-15).all()


def test_few_images_name_nothing_and_say_so():
    texts = units(5)
    shifts = {"blur": planted(8, texts, size=9.0)}
    shifts["blur"][:3] = 0.0  # they did not move
    found = name_directions(shifts, texts, names(5))
    assert found.images.tolist() == [5]
    assert found.named("blur") == ()
    assert np.isnan(found.t).all()
    assert np.isnan(found.p).all()
    assert math.isnan(found.line)
    assert found.reason("blur") == (
        "blur moves 5 images, so that p cannot be below 0.062; words are named from 6 images on"
    )


def test_too_few_images_of_one_transform_do_not_touch_the_others():
    texts = units(5)
    blur, few = planted(30, texts), planted(30, texts, seed=3)
    few[4:] = NAN
    alone = name_directions({"blur": blur}, texts, names(5), resamples=199)
    both = name_directions({"blur": blur, "few": few}, texts, names(5), resamples=199)
    assert np.array_equal(both.p[0], alone.p[0])
    assert not np.isnan(both.mean[1]).any()


def test_an_image_has_one_sign_for_all_transforms():
    texts = units(5)
    blur = planted(30, texts, size=0.02)
    once = name_directions({"blur": blur}, texts, names(5), resamples=199)
    twice = name_directions({"blur": blur, "same": blur}, texts, names(5), resamples=199)
    assert np.array_equal(twice.p, np.concatenate([once.p, once.p]))
    assert twice.line == once.line


@pytest.mark.parametrize("images", [0, 12])
def test_a_transform_that_moves_nothing_names_nothing(images):
    found = name_directions({"identity": np.full((images, 8), 1e-8)}, units(5), names(5))
    assert found.images.tolist() == [0]
    assert np.isnan(found.t).all()
    assert np.isnan(found.mean).all()
    assert name_directions({}, units(5), names(5)).t.shape == (0, 5)


def test_words_that_shifts_cannot_reach_have_no_t():
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    texts = turned[:3]
    shifts = np.random.default_rng(0).normal(size=(10, 1)) * turned[3:]  # orthogonal up to rounding
    assert np.isnan(name_directions({"blur": shifts}, texts, names(3)).t).all()


@given(seed=st.integers(0, 99), scale=st.floats(1e-3, 1e3))
@settings(max_examples=10, deadline=None)
def test_t_depends_on_no_order_and_no_scale(seed, scale):
    texts, rng = units(6, seed=seed), np.random.default_rng(seed)
    shifts = planted(9, texts, seed=seed)
    order, words = rng.permutation(9), rng.permutation(6)
    plain = name_directions({"blur": shifts}, texts, names(6))
    other = name_directions({"blur": scale * shifts[order]}, texts[words], [f"word {at}" for at in words])
    np.testing.assert_allclose(other.t[0], plain.t[0][words], atol=1e-9)
    np.testing.assert_allclose(other.p[0], plain.p[0][words], atol=1e-12)


def test_the_same_seed_gives_the_same_p():
    texts = units(6)
    first, again, other = (
        name_directions({"blur": planted(30, texts, size=0.02)}, texts, names(6), resamples=99, seed=seed).p
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"vectors": units(4)[:1], "names": ["a"]}, "with 2 or more"),
        ({"vectors": 2 * units(4)}, "has the length 2; expected 1"),
        ({"vectors": np.full((4, 8), NAN)}, "has the length nan"),
        ({"names": names(3)}, "3 words for 4 vectors"),
        ({"names": ["a", "b", "a", "c"]}, "'a' is there twice"),
        ({"shifts": {"blur": noise(9, 7)}}, r"shape \(9, 7\), text vectors the dimension 8"),
        ({"shifts": {"blur": noise(9), "noise": noise(8)}}, "8 and 9 images"),
        ({"shifts": {"blur": np.full((9, 8), np.inf)}}, "infinite"),
    ],
)
def test_what_does_not_fit_is_refused(change, told):
    given = {"shifts": {"blur": noise(9)}, "vectors": units(4), "names": names(4)} | change
    with pytest.raises(PlanError, match=told):
        name_directions(**given)


def test_an_unknown_transform_is_refused():
    with pytest.raises(UnknownNameError, match="blur"):
        name_directions({"blur": noise(9)}, units(4), names(4)).named("blu")


def test_label_vectors_are_means_of_unit_vectors_made_unit():
    prompts = np.random.default_rng(0).normal(size=(3, 2, 5))
    found = label_vectors(prompts)
    for label in range(2):
        mean = sum(prompts[at, label] / np.linalg.norm(prompts[at, label]) for at in range(3)) / 3
        np.testing.assert_allclose(found[label], mean / np.linalg.norm(mean), atol=1e-12)
    np.testing.assert_allclose(label_vectors(7 * prompts[:1]), label_vectors(prompts[:1]), atol=1e-12)


@pytest.mark.parametrize("prompts", [np.zeros((1, 2, 3)), np.full((1, 2, 3), NAN), np.empty((0, 2, 3))])
def test_prompts_without_a_direction_are_refused(prompts):
    with pytest.raises(PlanError):
        label_vectors(prompts)
