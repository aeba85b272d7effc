"""Equations (1) to (3): distances between views, averaged over images, and what SciPy makes of them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from embshift.analysis.embeddings.clusters import (
    DISTANCES,
    LINKAGES,
    check_distance,
    cluster_transforms,
    mean_distances,
)
from embshift.core.errors import PlanError, UnknownNameError
from tests.reference import summary_reference as reference

NAMES = ("a", "b", "c", "d", "e")


def pictures(count=4, *, draws=2, dim=5, seed=0, missing=0.0):
    """Embeddings by transform; a missing view is a row of NaN."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        views = rng.normal(size=(len(NAMES), draws, dim)).astype(np.float32)
        views[rng.random((len(NAMES), draws)) < missing] = np.nan
        found.append(dict(zip(NAMES, views)))
    return found


def clusters(images=None, **options):
    condensed, n = mean_distances(images or pictures(), transforms=NAMES, distance="cosine")
    return cluster_transforms(condensed, n=n, transforms=NAMES, distance="cosine", **options)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_every_distance_equals_the_literal_loops(distance, missing):
    images = pictures(missing=missing)
    found, n = mean_distances(iter(images), transforms=NAMES, distance=distance)
    wanted, counts = reference.mean_distances(images, transforms=NAMES, distance=distance)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert n.tolist() == counts


@given(
    count=st.integers(0, 4),
    draws=st.integers(1, 3),
    seed=st.integers(0, 99),
    missing=st.sampled_from([0.0, 0.2, 0.8, 1.0]),
    distance=st.sampled_from(DISTANCES),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_missing(count, draws, seed, missing, distance):
    images = pictures(count, draws=draws, seed=seed, missing=missing)
    found, n = mean_distances(images, transforms=NAMES, distance=distance)
    wanted, counts = reference.mean_distances(images, transforms=NAMES, distance=distance)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert n.tolist() == counts


def test_a_view_missing_on_one_picture_leaves_that_picture_out_for_its_pairs():
    images = pictures(3)
    images[1]["b"][:] = np.nan
    _, n = mean_distances(images, transforms=NAMES, distance="cosine")
    assert squareform(n)[1].tolist() == [2, 0, 2, 2, 2]
    assert squareform(n)[0].tolist() == [0, 2, 3, 3, 3]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mahalanobis", "needs a covariance or variance fitted to many vectors"),
        ("seuclidean", "needs a covariance or variance fitted to many vectors"),
        ("jaccard", "compares truth values"),
        ("yule", "compares truth values"),
        ("dice", "compares truth values"),
        ("hamming", "counts unequal entries"),
        ("jensenshannon", "compares probabilities"),
    ],
)
def test_a_refused_distance_says_why_and_what_can_be_had(name, reason):
    with pytest.raises(
        PlanError, match=f"distance '{name}' {reason}.*; expected one of braycurtis, .*cosine"
    ):
        check_distance(name)


def test_every_distance_of_scipy_is_either_taken_or_refused_with_a_reason():
    from scipy.spatial import distance

    for name in distance._METRICS_NAMES:
        if name not in DISTANCES:
            with pytest.raises(PlanError, match=f"distance '{name}' "):
                check_distance(name)


def test_unknown_names_offer_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown distance 'cosin'; did you mean 'cosine'"):
        check_distance("cosin")
    with pytest.raises(UnknownNameError, match="unknown linkage 'wards'; did you mean 'ward'"):
        clusters(method="wards")


@pytest.mark.parametrize("method", LINKAGES)
def test_the_tree_is_scipys_on_the_literal_distances(method):
    images = pictures(6)
    literal, _ = reference.mean_distances(images, transforms=NAMES, distance="cosine")
    found, tree = clusters(images, method=method), linkage(literal, method=method)
    np.testing.assert_allclose(found.tree, tree, rtol=1e-12)
    assert found.threshold == pytest.approx(0.7 * tree[:, 2].max())
    assert found.labels.tolist() == fcluster(tree, found.threshold, criterion="distance").tolist()
    np.testing.assert_allclose(found.square, squareform(literal), rtol=1e-12)
    assert sorted(found.order) == list(range(5))
    assert (found.linkage, found.distance) == (method, "cosine")


def test_average_is_the_default():
    assert clusters().linkage == "average"
    np.testing.assert_array_equal(clusters().tree, clusters(method="average").tree)


def test_a_threshold_of_ones_own():
    assert set(clusters(threshold=0.0).labels.tolist()) == {1, 2, 3, 4, 5}
    assert clusters(threshold=99.0).members() == {1: NAMES}
    assert sorted(clusters(threshold=0.0).members().values()) == [(name,) for name in NAMES]
    assert clusters(threshold=99.0).threshold == 99.0


def test_alike_transforms_share_a_cluster():
    images = pictures(3)
    for views in images:
        views["d"] = views["b"] * 2
    found = clusters(images)
    assert found.labels[1] == found.labels[3]
    assert squareform(found.condensed)[1, 3] == pytest.approx(0, abs=1e-7)


def test_transforms_that_are_all_the_same():
    view = np.ones((1, 5), np.float32)
    found = clusters([dict.fromkeys(NAMES, view)], threshold=1e-9)
    assert set(found.labels.tolist()) == {1}


@pytest.mark.parametrize("method", LINKAGES)
def test_a_note_where_the_linkage_assumes_a_geometry(method):
    note = clusters(method=method).note
    assert bool(note) == (method in {"ward", "centroid", "median"})
    assert not note or f"linkage '{method}' assumes Euclidean distances" in note


def test_pairs_never_seen_together_are_named():
    images = pictures(2)
    images[0]["b"][:], images[1]["c"][:] = np.nan, np.nan
    with pytest.raises(PlanError, match="no image has views of both transforms: b-c; cluster the others"):
        clusters(images)


def test_one_transform_is_no_cluster():
    with pytest.raises(PlanError, match="at least two transforms; the run has 1"):
        cluster_transforms(np.empty(0), n=np.empty(0, np.int64), transforms=["a"], distance="cosine")


def test_the_literal_writing_itself_on_numbers_by_hand():
    images = [
        {"a": [[0.0, 0.0], [0.0, 0.0]], "b": [[3.0, 4.0], [math.nan, 0.0]]},
        {"a": [[0.0], [0.0]], "b": [[1.0], [3.0]]},
    ]
    assert reference.mean_distances(images, transforms=("a", "b"), distance="euclidean") == ([3.5], [2])
