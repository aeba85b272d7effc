"""Ranks by screening against the plain search, on galleries that can and cannot be screened."""

import numpy as np
import pytest

from embshift.analysis.embeddings.neighbours import scan
from embshift.analysis.embeddings.own_ranks import open_gallery, rank_own


def _units(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0, 3.0])
def test_ranks_are_those_of_the_plain_search(flat, noise):
    rng = np.random.default_rng(int(10 * noise))
    spread = np.ones(64) if flat else 1 / np.arange(1, 65)
    gallery = _units(rng.normal(size=(300, 64)) * spread)
    gallery[200:230] = gallery[10]  # images of one embedding tie
    queries = _units(gallery + noise * rng.normal(size=(300, 64)) * spread / np.linalg.norm(spread))
    opened, own = open_gallery(gallery), np.arange(300)
    assert (opened.axes is None) == flat
    assert (rank_own(queries, opened, own=own) == scan(queries, gallery, own=own, neighbours=0).rank).all()


def test_a_tie_in_all_but_the_last_digits_counts_as_in_float64():
    rng = np.random.default_rng(0)
    gallery = _units(rng.normal(size=(40, 64)) / np.arange(1, 65))
    gallery[1::2] = _units(gallery[::2] + 1e-6 * rng.normal(size=(20, 64)))
    own = np.arange(40)
    found = rank_own(gallery, open_gallery(gallery), own=own)
    assert (found == scan(gallery, gallery, own=own, neighbours=0).rank).all()
    assert (found == 1).all()


def test_an_empty_gallery_has_no_ranks():
    none = np.empty((0, 4))
    assert not len(rank_own(none, open_gallery(none), own=np.empty(0, np.int64)))
