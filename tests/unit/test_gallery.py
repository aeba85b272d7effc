"""Which pictures a run keeps, found chunk by chunk, against the whole table at once."""

from unittest.mock import patch

import numpy as np
import pytest

import embshift
from embshift.core.seeding import make_generator
from embshift.core.types import Direction
from embshift.measurement.session.keep_views import EXTREME, SEEDED, choose_views
from tests.integration.crops import write_crops


@pytest.fixture(scope="module")
def run(samples, tmp_path_factory):
    """Five chunks, with three pictures that are equal to others."""
    folder = write_crops(samples, tmp_path_factory.mktemp("gallery") / "in", count=72, side=40)
    for at, path in enumerate(sorted(folder.rglob("*.jpg"))[:60:20]):
        (folder / f"again-{at}.jpg").write_bytes(path.read_bytes())
    return embshift.measure(
        folder,
        encoder="lite",
        image_size=32,
        transforms=["blur", "noise"],
        metric_sample=20,
        workers=0,
        chunk=16,
        out=tmp_path_factory.mktemp("gallery") / "run",
    )


def at_once(run, *, seed):
    values = run.values()
    wanted = {}
    for row in values.rows[make_generator(seed, "gallery").permutation(len(values.rows))[:SEEDED]]:
        wanted[int(row)] = set(values.transforms)
    sign = 1 if run.metrics[0].direction is Direction.HIGHER else -1
    for position, name in enumerate(values.transforms):
        column = values.values[:, position, 0] * sign
        defined = np.flatnonzero(~np.isnan(column))
        order = defined[np.argsort(column[defined], kind="stable")]
        for row in values.rows[np.concatenate([order[:EXTREME], order[-EXTREME:]])]:
            wanted.setdefault(int(row), set()).add(name)
    return {row: frozenset(names) for row, names in wanted.items()}


@pytest.mark.parametrize("seed", range(4))
def test_chunk_by_chunk_they_are_those_of_the_whole_table(run, seed):
    assert len(run.files("shifts")) == 5
    assert choose_views(run, seed=seed) == at_once(run, seed=seed)


def test_the_extremes_are_found_wherever_they_lie(run):
    with patch("embshift.measurement.session.keep_views.SEEDED", 0):
        wanted = choose_views(run, seed=0)
    assert sum("blur" in names for names in wanted.values()) == 2 * EXTREME


@pytest.mark.parametrize("pictures", [1, 10, 2**20])
def test_equal_pictures_are_found_in_any_number_of_parts(run, pictures):
    ids = run.images()["image_id"].to_pylist()
    again = {row for row, image_id in enumerate(ids) if image_id in ids[:row]}
    assert len(again) == 3
    with patch("embshift.runs.image_ids.IDS_AT_ONCE", pictures):
        assert run.repeated() == again


def test_of_very_many_some_are_drawn_without_ordering_them(run):
    with (
        patch("embshift.core.seeding.PERMUTE_UP_TO", 10),
        patch("embshift.measurement.session.keep_views.EXTREME", 1),
    ):
        wanted = choose_views(run, seed=0)
    assert SEEDED <= len(wanted) <= SEEDED + 4
