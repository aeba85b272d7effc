"""The search through an index: exact where it searches everything, one-sided elsewhere, and checked."""

import re
import sys

import numpy as np
import pytest

from embshift.analysis.embeddings.faiss_search import PLACES, ApproximateSearch, shared_share
from embshift.analysis.embeddings.neighbours import scan
from embshift.analysis.embeddings.pairs import make_pairs, unit_vectors
from embshift.analysis.embeddings.retrieval import retrieve
from embshift.cli import main
from embshift.core.errors import MissingExtraError, UnknownNameError
from tests.reference import approximate_reference as reference
from tests.synthetic_runs import Wanted, make_run

IMAGES, DIM = 6000, 24


@pytest.fixture(scope="module")
def gallery():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, DIM))
    return unit_vectors(centres[rng.integers(0, 60, IMAGES)] + 0.8 * rng.normal(size=(IMAGES, DIM)))[0]


def moved(gallery, by):
    rng = np.random.default_rng(1)
    return unit_vectors(gallery + by * rng.normal(size=gallery.shape))[0]


def pairs_of(gallery, views):
    rows = np.arange(len(gallery))
    return make_pairs(
        rows=rows,
        values=gallery,
        ids={row: f"{row:032x}" for row in rows.tolist()},
        transforms=tuple(views),
        read=lambda name: (rows, np.zeros_like(rows), views[name]),
    )


def equal(one, other):
    assert one.rank.tolist() == other.rank.tolist()
    np.testing.assert_array_equal(one.nearest, other.nearest)
    np.testing.assert_allclose(one.own, other.own, rtol=1e-12)
    np.testing.assert_allclose(one.best, other.best, rtol=1e-12)


def test_with_all_lists_it_is_the_exact_search(gallery):
    views, own = moved(gallery, 0.8)[:700], np.arange(700)
    search = ApproximateSearch(gallery, neighbours=10, seed=0)
    assert 1 < search.probes < search.lists
    search.probes = search.lists
    exact = scan(views, gallery, own=own, neighbours=10)
    found = search(views, own=own)
    assert found.rank.tolist() == np.minimum(exact.rank, PLACES + 1).tolist()
    np.testing.assert_array_equal(found.nearest, exact.nearest)


def test_what_it_misses_makes_no_rank_greater_and_no_margin_less(gallery):
    views, own = moved(gallery, 0.2), np.arange(IMAGES)
    search = ApproximateSearch(gallery, neighbours=10, seed=0)
    exact, found = scan(views, gallery, own=own, neighbours=10), search(views, own=own)
    assert (found.rank <= exact.rank).all()
    assert (found.best <= exact.best).all()
    assert 0.9 < shared_share(exact.nearest, found.nearest) < 1  # it does miss some
    assert exact.rank.mean() > 1


@pytest.mark.parametrize(("wanted", "least", "most"), [(0.0, 0.3, 0.95), (0.99, 0.98, 0.9999)])
def test_lists_are_added_until_enough_neighbours_are_found(gallery, monkeypatch, wanted, least, most):
    for name, value in (("WANTED_SHARE", wanted), ("FIRST_PROBES", 1), ("PLACES", 10)):
        monkeypatch.setattr(f"embshift.analysis.embeddings.faiss_search.{name}", value)
    own = np.arange(IMAGES)
    search = ApproximateSearch(gallery, neighbours=10, seed=0)
    exact = scan(gallery, gallery, own=own, neighbours=10)
    assert least < shared_share(exact.nearest, search(gallery, own=own).nearest) < most


def test_views_far_from_all_pictures_take_more_lists(gallery):
    search = ApproximateSearch(gallery, neighbours=10, seed=0)
    views, own, before = moved(gallery, 0.6), np.arange(IMAGES), search.probes
    true = scan(views, gallery, own=own, neighbours=10).nearest
    missed = 1 - shared_share(true, search(views, own=own).nearest)
    search.tune(views, own=own, seed=0)
    assert search.probes > before
    assert 1 - shared_share(true, search(views, own=own).nearest) < missed / 2


def test_lists_that_hold_too_few_are_made_up_for(gallery):
    """Sixty-four pictures a list, and a hundred are looked at: one list is not enough for any query."""
    search = ApproximateSearch(gallery[:640], neighbours=10, seed=0)
    search.probes = 1
    views, own = moved(gallery, 0.1)[:640], np.arange(640)
    exact, found = scan(views, gallery[:640], own=own, neighbours=10), search(views, own=own)
    np.testing.assert_array_equal(found.nearest, exact.nearest)


def test_equal_vectors_tie_as_in_the_exact_search(gallery):
    twice = np.concatenate([gallery[:200], gallery[:200]])
    own = np.arange(400)
    equal(
        ApproximateSearch(twice, neighbours=5, seed=0)(twice, own=own),
        scan(twice, twice, own=own, neighbours=5),
    )


def test_twice_is_the_same(gallery):
    views, own = moved(gallery, 0.2), np.arange(IMAGES)
    one, other = (ApproximateSearch(gallery, neighbours=10, seed=3) for _ in range(2))
    assert (one.lists, one.probes) == (other.lists, other.probes)
    equal(one(views, own=own), other(views, own=own))


def test_retrieval_says_how_far_it_is_from_the_exact_one(gallery):
    pairs = pairs_of(gallery, {"little": moved(gallery, 0.2), "much": moved(gallery, 0.4)})
    exact = retrieve(pairs, resamples=100)
    found = retrieve(pairs, search="approximate", resamples=100)
    np.testing.assert_allclose(found.estimates.mean, exact.estimates.mean, atol=0.02)
    assert (found.estimates.mean[:, :4] >= exact.estimates.mean[:, :4]).all()  # recalls and reciprocal ranks
    *_, searched, error = found.notes
    assert searched.startswith("approximate search, index of 93 lists: ")
    told = {name: float(value) for name, value in re.findall(r"(\w+) ([\d.e-]+)(?:,|$)", error)}
    assert error.startswith("checked exactly on 500 images: at most ")
    assert 0 < told["knn_jaccard"] < 0.02
    assert not any("approximate" in note for note in exact.notes)


def test_the_error_it_reports_is_that_against_brute_force(gallery, monkeypatch):
    """One list of six is searched and all images are checked, so that the error is that of all means."""
    for name, value in (("WANTED_SHARE", 0.0), ("FIRST_PROBES", 1), ("PLACES", 20)):
        monkeypatch.setattr(f"embshift.analysis.embeddings.faiss_search.{name}", value)
    originals = gallery[:400]
    views = {name: moved(gallery, by)[:400] for name, by in (("little", 0.2), ("much", 0.4))}
    found = retrieve(pairs_of(originals, views), neighbours=5, search="approximate", resamples=100)
    exact = {name: reference.means(originals, vectors, k=5) for name, vectors in views.items()}
    told = dict(re.findall(r"(\w+) ([\d.e+-]+)(?:,|$)", found.notes[-1]))
    assert {*told} == {one.name for one in found.measures}
    for measure, error in told.items():
        apart = [abs(found.mean(name, measure) - exact[name][measure]) for name in views]
        assert error == f"{max(apart):.2g}"
    search, own = ApproximateSearch(originals, neighbours=5, seed=0), np.arange(400)
    missed = [
        reference.overlooked(originals, vectors, search(vectors, own=own).nearest, k=5)
        for vectors in views.values()
    ]
    assert max(missed) > 0.01
    assert f"at most {100 * max(missed):.2g} % of" in found.notes[-1]


def test_all_are_asked_unless_fewer_are_wanted(gallery, monkeypatch):
    monkeypatch.setattr("embshift.analysis.embeddings.pairs.ALL", 500)
    monkeypatch.setattr("embshift.analysis.embeddings.pairs.QUERIES", 200)
    pairs = pairs_of(gallery[:1000], {"moved": moved(gallery, 0.2)[:1000]})
    assert retrieve(pairs, resamples=100).estimates.n.max() == 200
    assert retrieve(pairs, search="approximate", resamples=100).estimates.n.max() == 1000
    assert retrieve(pairs, search="approximate", queries=300, resamples=100).estimates.n.max() == 300


@pytest.mark.parametrize("images", [0, 1, 2, 3])
def test_few_pictures(gallery, images):
    pairs = pairs_of(gallery[:images], {"moved": moved(gallery, 0.2)[:images]})
    exact, found = (retrieve(pairs, search=search, resamples=100) for search in ("exact", "approximate"))
    np.testing.assert_array_equal(found.estimates.mean, exact.estimates.mean)


def test_without_faiss_it_says_what_to_install(gallery, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'embshift[faiss]'")):
        retrieve(pairs_of(gallery, {}), search="approximate")


def test_another_search_is_refused(gallery):
    with pytest.raises(UnknownNameError, match="did you mean 'approximate'"):
        retrieve(pairs_of(gallery[:9], {}), search="approx")


def test_the_command_takes_it(tmp_path, capsys):
    run = make_run(tmp_path, Wanted(images=24))
    assert main(["summarise", str(run.folder), "--show", "retrieval", "--search", "approximate"]) == 0
    assert "approximate search, index of 1 lists" in capsys.readouterr().out
    assert main(["summarise", str(run.folder), "--show", "direction", "--search", "exact"]) == 2
    assert "it belongs to --show retrieval" in capsys.readouterr().err
