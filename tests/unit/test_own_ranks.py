"""Ranks by screening against the plain search, on galleries that can and cannot be screened."""

import numpy as np
import pytest

from embshift.analysis.embeddings import neighbours
from embshift.analysis.embeddings.neighbours import find_nearest, scan
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


@pytest.mark.parametrize("at_once", [1 << 24, 5_000])
def test_nearest_others_are_those_of_the_plain_search(at_once, monkeypatch):
    monkeypatch.setattr(neighbours, "PRODUCTS_AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    units = _units(rng.normal(size=(300, 16)))
    units[20:110] = units[10]  # more that tie than are decided together
    units[120:124] = units[119]
    units[130] = _units(units[129:130] + 1e-9 * rng.normal(size=(1, 16)))[0]
    asked = np.arange(0, 300, 3)
    found = find_nearest(units, asked=asked)
    assert (found == scan(units[asked], units, own=asked).nearest[:, 0]).all()
    assert find_nearest(units[:2], asked=np.arange(2)).tolist() == [1, 0]


def test_equal_nearest_others_are_decided_by_their_place():
    units = _units(np.random.default_rng(1).normal(size=(50, 8)))
    units[[7, 30]] = units[40]
    assert find_nearest(units, asked=np.array([30, 7, 40])).tolist() == [7, 30, 7]


def test_what_float32_takes_for_equal_is_decided_in_float64():
    units = np.zeros((3, 4))
    units[:, 0] = 1.0
    units[1, 1], units[2, 1] = 2e-5, 1e-5
    units = _units(units)
    products = units.astype(np.float32) @ units.astype(np.float32).T
    assert products[0, 1] == products[0, 2]
    assert find_nearest(units, asked=np.arange(1)).tolist() == [2]
