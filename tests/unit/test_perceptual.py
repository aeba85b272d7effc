"""Perceptual hashes: versions of one photograph are near, others are far, and older runs have none."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import embshift
from embshift.analysis.of_thresholds import find_near_duplicates
from embshift.analysis.thresholds.near_duplicates import LIMIT
from embshift.analysis.thresholds.result import COUNTED, LEFT_OUT
from embshift.images import HASH_BYTES, hash_pixels
from embshift.runs.perceptual_hashes import read_perceptual_hashes
from embshift.runs.schema import TABLES
from embshift.show.run import open_run
from embshift.show.text.thresholds import describe_near_duplicates
from tests.conftest import SAMPLES

STORED = Path(__file__).parents[1] / "golden" / "stored_run"


@pytest.fixture(scope="module")
def photos():
    return [cv2.imread(str(path)) for path in sorted(SAMPLES.glob("*.jpg"))[:12]]


def compress(pixels, quality):
    coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)


def apart(one, other):
    return sum((a ^ b).bit_count() for a, b in zip(one, other, strict=True))


def hash_of(pixels):
    """Hash of the resized image, as a run makes it."""
    return hash_pixels(cv2.resize(pixels, (224, 224))[:, :, ::-1])


def test_versions_of_a_photograph_are_near_and_photographs_are_far(photos):
    hashes = [hash_of(photo) for photo in photos]
    known = [at for at, one in enumerate(hashes) if one is not None]
    assert len(known) >= 11
    for at in known:
        half = cv2.resize(photos[at], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        assert len(hashes[at]) == HASH_BYTES
        for copy in (compress(photos[at], 90), compress(photos[at], 20), half):
            assert apart(hashes[at], hash_of(copy)) <= LIMIT
        assert min(apart(hashes[at], hashes[other]) for other in known if other != at) > 3 * LIMIT


def test_a_run_stores_hashes_and_names_near_duplicates(photos, tmp_path):
    for name, pixels in [("a", photos[0]), ("copy", compress(photos[0], 30)), ("b", photos[2])]:
        cv2.imwrite(str(tmp_path / f"{name}.png"), cv2.resize(pixels, (200, 200)))
    options = {"encoder": "lite", "transforms": ["horizontal_flip"], "metrics": ["cosine"], "workers": 0}
    options |= {"image_size": (64, 64), "batch": 8, "threads": 1, "device": "cpu"}
    run = embshift.measure(tmp_path, out=tmp_path / "run", **options)
    assert len(read_perceptual_hashes(run).rows) == 3
    found = run.thresholds(resamples=100)
    assert (found.near_count, found.near_images) == (1, 2)
    assert {found.near_pairs[0].first, found.near_pairs[0].second} == {"a.png", "copy.png"}
    counted, left_out = (found.row("horizontal_flip", near_duplicates=one) for one in (COUNTED, LEFT_OUT))
    assert (counted.pairs, left_out.pairs) == (6, 4)


@pytest.mark.parametrize("low", [0, 128, 255])
def test_plain_images_and_gradients_have_no_hash(low):
    assert hash_pixels(np.full((40, 60, 3), low, np.uint8)) is None
    ramp = np.repeat(np.linspace(0, 255, 60)[None, :, None], 40, axis=0).repeat(3, axis=2)
    assert hash_pixels(ramp.astype(np.uint8)) is None


def test_the_bits_compare_neighbouring_cells():
    """Bright cells in the first column and the first row alone."""
    cells = np.zeros((10, 14), np.uint8)
    cells[:, 0] = cells[0] = 200
    pixels = np.kron(cells, np.ones((4, 4), np.uint8))[:, :, None].repeat(3, axis=2)
    bits = np.unpackbits(np.frombuffer(hash_pixels(pixels), np.uint8))
    assert bits[:130].sum() == 0  # nothing is brighter than its left neighbour
    assert bits[130:].sum() == 0
    turned = np.unpackbits(np.frombuffer(hash_pixels(np.ascontiguousarray(pixels[::-1, ::-1])), np.uint8))
    assert turned[:130].reshape(10, 13).sum(axis=1).tolist() == [1] * 9 + [0]
    assert turned[130:].reshape(9, 14)[-1].tolist() == [1] * 13 + [0]


def test_a_run_of_an_earlier_version_is_read_and_its_near_duplicates_are_not_known(tmp_path):
    shutil.copytree(STORED, tmp_path / "run")
    run = open_run(tmp_path / "run")
    table = run.images()
    assert table.schema.names == TABLES["images"].arrow().names
    assert table["perceptual_hash"].null_count == len(table)
    assert read_perceptual_hashes(run).unknown.tolist() == [0, 1, 2]
    found = run.thresholds(resamples=100)
    assert found.near_count is None
    assert describe_near_duplicates(found).endswith("the run was measured with an earlier version.")
    assert find_near_duplicates(run, run.pairs()).unknown == 3
