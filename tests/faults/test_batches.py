"""A batch that memory does not hold, and embeddings that are not finite, through whole runs."""

import math
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from embshift.core.errors import EncoderError
from tests.faults.amounts import amount
from tests.faults.sessions import contents, in_chunks, measure, refusal, write_pictures
from tests.unit.fake_encoder import FakeEncoder

COUNT = amount(full=1_000, quick=40)
VIEWS = 3  # of a picture: the original, blur, noise


class Steady(FakeEncoder):
    """Gives no view an embedding that is not finite."""

    def _embedding(self, view):
        self.poison = view[..., 2].mean()  # what stands there without poison
        return super()._embedding(view)


class Scarce(Steady):
    """Holds no more views at once than some, and says it as a library says it."""

    def __init__(self, most, error):
        super().__init__()
        self.most, self.error, self.refused = most, error, 0

    def encode(self, views, /, *, capture):
        if len(views) > self.most:
            self.refused += 1
            raise self.error
        return super().encode(views, capture=capture)


class Overflowing(Steady):
    """Gives NaN for views that are brighter than some, in half precision and in float32."""

    def __init__(self, precision, *, limits):
        super().__init__()
        self.precision, self.limits = precision, limits

    @property
    def spec(self):
        return replace(super().spec, precision=self.precision)

    def _embedding(self, view):
        plain = super()._embedding(view)
        return plain * math.nan if view.mean() > self.limits[self.precision] else plain


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("batches") / "pictures", count=COUNT)


@contextmanager
def opening(make):
    """In here a run's encoder is what ``make(precision)`` gives."""
    with (
        patch("embshift.encoders.open.open_encoder", lambda *_, precision="float32", **__: make(precision)),
        in_chunks(100),
    ):
        yield


def footers(run):
    """What each chunk says of its batch."""
    files = sorted((run.folder / "embeddings").glob("*.parquet"))
    return [(pq.read_metadata(file).metadata or {}).get(b"batch") for file in files]


ERRORS = {
    "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "cpu": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    "python": MemoryError("Unable to allocate 3.1 GiB"),
}


BATCH = 64


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    with opening(lambda _: Steady()):
        return measure(pictures, tmp_path_factory.mktemp("whole") / "run", batch=BATCH)


@pytest.mark.parametrize(("error", "most"), [("cuda", 1), ("cpu", 5), ("python", 31)])
def test_out_of_memory_halves_the_batch_and_loses_nothing(pictures, whole, tmp_path, most, error, tally):
    encoder = Scarce(most, ERRORS[error])
    with opening(lambda _: encoder):
        run = measure(pictures, tmp_path / "run", batch=BATCH)
    kept = {name: data for name, data in contents(run.folder).items() if name.endswith(".png")}
    lost = [] if run.embeddings().values.shape == whole.embeddings().values.shape else ["embeddings"]
    lost += [name for name in ("images", "shifts") if not equal(run, whole, name)]
    tally(
        tried=COUNT * VIEWS, lost=lost, measured=f"at most {math.log2(BATCH):.0f} halvings of {BATCH} views"
    )
    assert kept
    assert run.count_views() == whole.count_views() == (COUNT * (VIEWS - 1), 0)
    assert 0 < encoder.refused <= 1 + math.log2(BATCH), "once by the probe"
    settled = str(max(shape[0] for shape in encoder.batches)).encode()
    assert set(footers(run)) == {settled}, "every chunk was written after the first batch"
    assert run.info["sessions"][-1]["batch_halved_to"] == int(settled)


def equal(run, other, table):
    columns = {"images": ["row", "image_id", "status"], "shifts": None}[table]
    return read(run, table, columns).equals(read(other, table, columns))


def read(run, table, columns):
    files = sorted((run.folder / table).glob("*.parquet"))
    return pq.ParquetDataset(files).read(columns=columns).replace_schema_metadata(None)


def test_out_of_memory_for_a_single_view_says_what_to_do(pictures, tmp_path):
    with opening(lambda _: Scarce(0, ERRORS["cuda"])):
        error = refusal(pictures, tmp_path / "run", batch=64)
    assert isinstance(error, EncoderError)
    assert "the memory of cpu cannot hold a batch of one view" in str(error)


def test_not_finite_is_encoded_again_in_float32_and_else_counted(pictures, tmp_path, tally):
    with opening(lambda _: Steady()):
        whole = measure(pictures, tmp_path / "whole")
    expected = brightness(whole)
    low, high = np.quantile(list(expected.values()), [0.6, 0.9])
    with opening(partial(Overflowing, limits={"float16": low, "float32": high})):
        run = measure(pictures, tmp_path / "run", precision="float16")
    lines = read(run, "embeddings", ["row", "transform", "status", "embedding"]).to_pylist()
    lost = [
        line
        for line in lines
        if (line["status"] == "ok") != (expected[line["row"], line["transform"]] <= high)
        or (line["embedding"] is not None and not np.isfinite(line["embedding"]).all())
    ]
    again = sum(value > low for value in expected.values())
    gone = Counter(line["status"] for line in lines)["non_finite"]
    tally(tried=len(lines), lost=lost, measured=f"{again:,} encoded again, {gone:,} lost even so")
    assert 0 < gone < again < len(lines) == COUNT * VIEWS
    assert run.info["sessions"][-1]["encoded_again_in_float32"] == again
    shifts = read(run, "shifts", ["metric", "value"]).to_pydict()
    cosines = [value for metric, value in zip(shifts["metric"], shifts["value"]) if metric == "cosine"]
    assert cosines
    assert np.isfinite(cosines).all()
    cells = [row.cells["cosine"] for row in run.summary().rows]
    assert all(math.isfinite(cell.mean) and 0 < cell.n < COUNT for cell in cells)


def brightness(run):
    """Mean gray level of every view, which the small encoder's first three values are."""
    lines = read(run, "embeddings", ["row", "transform", "embedding"]).to_pylist()
    return {(line["row"], line["transform"]): float(np.mean(line["embedding"][:3])) for line in lines}
