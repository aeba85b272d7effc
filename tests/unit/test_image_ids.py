"""Equal images, held to a dictionary of all ids."""

import tempfile
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest

from embshift.core.errors import StorageError
from embshift.runs import image_ids
from embshift.runs.image_ids import find_repeated, hash_ids, read_ids


def ids_of(numbers):
    return np.array([f"{number:032x}" for number in numbers], "S32")


def blocks(numbers, size=70):
    for start in range(0, len(numbers), size):
        part = numbers[start : start + size]
        yield np.arange(start, start + len(part)), ids_of(part)


def list_repeated(numbers):
    seen, found = set(), []
    for row, number in enumerate(numbers):
        if number in seen:
            found.append(row)
        seen.add(number)
    return found


@pytest.mark.parametrize("at_once", [1, 100, 10**6])
@pytest.mark.parametrize("values", [1, 30, 10**9])
def test_repeated_images_are_those_of_a_dictionary(at_once, values):
    numbers = np.random.default_rng(0).integers(values, size=500).tolist()
    with patch.object(image_ids, "IDS_AT_ONCE", at_once):
        assert find_repeated(blocks(numbers)).tolist() == list_repeated(numbers)


def test_images_that_share_a_hash_alone_are_not_equal():
    numbers = [5, 6, 7, 5, 8]
    with patch.object(image_ids, "hash_ids", lambda ids: np.zeros(len(ids), np.uint64)):
        assert find_repeated(blocks(numbers)).tolist() == [3]


def test_without_images_none_is_repeated():
    assert find_repeated([]).tolist() == []


def test_a_full_temporary_folder_is_named():
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def write(self, _):
            raise OSError(28, "No space left on device")

    with (
        patch.object(image_ids, "IDS_AT_ONCE", 1),
        patch.object(tempfile, "TemporaryFile", Full),
        pytest.raises(StorageError, match=r"No space left on device; free some space there, or set TMPDIR"),
    ):
        find_repeated(blocks([1, 2]))


def chunk(ids, statuses):
    rows = np.arange(len(ids), dtype=np.int64)
    return pa.table({"row": rows, "image_id": pa.array(ids, pa.string()), "status": statuses})


@pytest.mark.parametrize("last", [f"{9:032x}", "short"])
def test_ids_are_those_of_usable_images(last):
    found = read_ids(chunk([f"{1:032x}", None, f"{2:032x}", last], ["ok", "missing", "ok", "ok"]))
    assert found[0].tolist() == [0, 2, 3]
    assert found[1].tolist() == [f"{1:032x}".encode(), f"{2:032x}".encode(), last.encode()]


def test_no_usable_image_has_no_id():
    rows, ids = read_ids(chunk([None], ["missing"]))
    assert len(rows) == len(ids) == len(hash_ids(ids)) == 0
