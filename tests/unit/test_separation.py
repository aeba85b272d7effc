"""How far different pictures lie apart: the closed form against every pair."""

import math
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

import embshift
from embshift.analysis.shifts import separation as module
from embshift.analysis.shifts.separation import compute_separation


def vectors(images, *, dim=7, seed=0, offset=0.0):
    return (np.random.default_rng(seed).normal(size=(images, dim)) + offset).astype(np.float32)


@given(images=st.integers(2, 40), dim=st.integers(1, 9), seed=st.integers(0, 99), offset=st.floats(-50, 50))
@settings(max_examples=60, deadline=None)
def test_means_equal_those_over_every_pair(images, dim, seed, offset):
    given_ = vectors(images, dim=dim, seed=seed, offset=offset)
    found = compute_separation(given_)
    assert found.cosine == pytest.approx(pdist(given_.astype(float), "cosine").mean(), abs=1e-12)
    assert found.l2 == pytest.approx(pdist(given_.astype(float)).mean(), rel=1e-9)
    assert found.cosine_pairs == found.l2_pairs == images * (images - 1) // 2


def test_blocks_change_nothing(monkeypatch):
    whole = compute_separation(vectors(50)).l2
    monkeypatch.setattr(module, "BLOCK", 7)
    assert compute_separation(vectors(50)).l2 == pytest.approx(whole, rel=1e-12)


def test_many_images_are_sampled_and_the_pairs_said(monkeypatch):
    monkeypatch.setattr(module, "ALL_PAIRS", 20)
    given_ = vectors(60)
    found = [compute_separation(given_, seed=seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert (found[0].l2_pairs, found[0].cosine_pairs, found[0].images) == (190, 1770, 60)
    assert found[0].l2 == pytest.approx(pdist(given_).mean(), rel=0.1)
    assert found[0].cosine == found[2].cosine == pytest.approx(pdist(given_, "cosine").mean(), abs=1e-6)


@pytest.mark.parametrize("images", [0, 1])
def test_fewer_than_two_pictures_are_not_apart(images):
    found = compute_separation(vectors(images))
    assert math.isnan(found.cosine)
    assert math.isnan(found.l2)
    assert (found.images, found.cosine_pairs) == (images, 0)


def test_vectors_without_an_angle_are_left_out_and_counted():
    given_ = vectors(6)
    given_[1], given_[4, 2] = 0, np.nan
    found = compute_separation(given_)
    assert (found.images, found.left_out) == (4, 2)
    assert found.cosine == pytest.approx(compute_separation(given_[[0, 2, 3, 5]]).cosine)


def test_a_run_counts_equal_pictures_once(photos, tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("cat", "dog", "crab"):
        shutil.copy(photos / f"{name}.jpg", tmp_path / "photos")
    shutil.copy(photos / "cat.jpg", tmp_path / "photos" / "second-cat.jpg")
    run = embshift.measure(
        tmp_path / "photos",
        encoder="lite",
        transforms=["grey"],
        metrics=["cosine"],
        image_size=64,
        workers=0,
        out=tmp_path / "run",
    )
    found, stored = run.separation(), run.embeddings().values.astype(float)
    assert (found.images, found.cosine_pairs) == (3, 3)
    assert found.cosine == pytest.approx(pdist(stored[:3], "cosine").mean(), abs=1e-12)
