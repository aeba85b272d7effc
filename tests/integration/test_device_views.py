"""`--views gpu` in whole runs: the CPU takes the place of the device; reference views are the truth."""

import shutil
from contextlib import nullcontext
from itertools import chain
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import embshift
from embshift.core.types import Capture, FrozenRow, ImageRecord
from embshift.measurement.pipeline.batches import Batches, Mishaps
from embshift.measurement.pipeline.encode import encode_views
from embshift.measurement.pipeline.gpu_views import render_drafts
from embshift.measurement.pipeline.perturb import draft_image, perturb_image
from embshift.measurement.pipeline.recipe import build_recipe, without_drafts
from embshift.measurement.plan.plan import make_plan
from embshift.metrics import METRICS
from embshift.transforms.gpu import DEVICE
from tests.integration.crops import write_crops
from tests.integration.tables import assert_identical
from tests.unit.fake_encoder import FakeEncoder

OPTIONS = {"encoder": "lite", "image_size": 64, "batch": 16}
PIXEL = ("patch_similarity", "edge_similarity", "detail_similarity")


@pytest.fixture(scope="module")
def pictures(samples, tmp_path_factory):
    return write_crops(samples, tmp_path_factory.mktemp("device") / "in", count=14, side=72)


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("device") / "run"
    return embshift.measure(pictures, out=out, views="gpu", workers=0, metric_sample=9, **OPTIONS)


def table(run, name):
    files = sorted((run.folder / name).glob("*.parquet"))
    return pq.ParquetDataset(files).read().to_pylist()


def items_of(pictures):
    for row, path in enumerate(sorted(pictures.rglob("*.jpg"))[:5]):
        record = ImageRecord(row=row, source=str(pictures), member=path.name, index=0, path=str(path))
        yield FrozenRow(record=record, sampled=row != 1, chunk=0)


def recipe_of(**options):
    plan = make_plan(sources=["x"], encoder="lite", image_size=64, views="gpu", **options)
    return build_recipe(plan, metrics={name: METRICS[name].compute for name in PIXEL}, objects={})


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_workers_change_no_bit(run, pictures, tmp_path, workers):
    other = embshift.measure(
        pictures, out=tmp_path / "run", views="gpu", workers=workers, metric_sample=9, **OPTIONS
    )
    assert_identical(run.folder, other.folder)


def test_every_view_has_its_digest_and_was_made(run):
    views = table(run, "embeddings")
    assert len(views) == 14 * 10
    assert {view["status"] for view in views} == {"ok"}
    assert all(view["pixels_digest"] for view in views)
    assert run.info["counts"]["views_changed"] == 0, "kept views were made again, bit for bit"
    originals = {view["row"]: view["pixels_digest"] for view in views if view["transform"] == "original"}
    same = [v for v in views if v["transform"] != "original" and v["pixels_digest"] == originals[v["row"]]]
    assert all('"applied": false' in view["parameters"] for view in same), "no original stands for a view"


def test_the_shifts_are_those_of_the_reference_views(run, pictures, tmp_path):
    other = embshift.measure(
        pictures, out=tmp_path / "run", views="reference", workers=0, metric_sample=9, **OPTIONS
    )
    here, there = run.summary(), other.summary()
    for row, wanted in zip(here.rows, there.rows, strict=True):
        for name, cell in row.cells.items():
            assert cell.n == wanted.cells[name].n
            # One draw of noise against another of the same law; the others are equal but for rounding.
            spread = max(wanted.cells[name].deviation, 1e-3) if row.transform == "noise" else 0.02
            assert cell.mean == pytest.approx(wanted.cells[name].mean, abs=spread, rel=0.05), (
                row.transform,
                name,
            )


def test_a_run_goes_on_to_the_same_bits(pictures, tmp_path):
    out, options = tmp_path / "run", OPTIONS | {"views": "gpu", "limit": 7, "metric_sample": 5, "chunk": 3}
    whole = embshift.measure(pictures, out=tmp_path / "whole", workers=0, **options)
    shutil.copytree(whole.folder, out)
    next((out / "images").glob("chunk-000001*")).unlink()
    again = embshift.measure(pictures, out=out, workers=1, **options)
    assert_identical(whole.folder, again.folder)


@pytest.mark.parametrize(
    "together", [pytest.param(1, marks=pytest.mark.slow), 3, pytest.param(5, marks=pytest.mark.slow)]
)
def test_made_together_or_alone_the_views_are_those_of_the_whole_form(pictures, together):
    recipe = recipe_of(draws=2)
    drawn = [draft_image(item, recipe=recipe) for item in items_of(pictures)]
    assert all(one.drafts for one in drawn)
    found = list(render_drafts(iter(drawn), recipe=recipe, device="cpu", images=together))
    for one, item in zip(found, items_of(pictures), strict=True):
        whole = perturb_image(item, recipe=without_drafts(recipe))
        np.testing.assert_array_equal(one.pixels, whole.pixels)
        assert one.attempts == whole.attempts
        assert one.held is None
        assert set(one.values) == set(whole.values) == (set(PIXEL) if item.sampled else set())
        for name, values in whole.values.items():
            np.testing.assert_allclose(one.values[name], values, rtol=1e-9, atol=1e-12, equal_nan=True)


def test_a_making_half_that_fails_costs_its_own_views_alone(pictures):
    recipe = recipe_of()
    names = list(recipe.transforms)
    failing = names.index("blur") + 1
    drawn = [draft_image(item, recipe=recipe) for item in items_of(pictures)]
    target = next(one.target for one in drawn[0].drafts if one.at == failing)
    form = DEVICE[target]

    def make(originals, values):
        if any(torch.equal(one, torch.as_tensor(drawn[2].pixels[0])) for one in originals):
            raise RuntimeError("not this one")
        return good(originals, values)

    from embshift.transforms.gpu import load_maker

    good = load_maker(target)
    with patch(
        "embshift.measurement.pipeline.gpu_views.load_maker",
        lambda name: make if name == target else load_maker(name),
    ):
        found = list(render_drafts(iter(drawn), recipe=recipe, device="cpu", images=5))
    assert form.target == target
    for at, one in enumerate(found):
        status = {attempt.transform: attempt.status for attempt in one.attempts}
        lost = [name for name, said in status.items() if said != "ok"]
        assert lost == (["blur"] if at == 2 else [])
        assert len(one.pixels) == 10 - len(lost)
        whole = perturb_image(one.listed, recipe=without_drafts(recipe))
        kept = [place for place in range(10) if not (at == 2 and place == failing)]
        np.testing.assert_array_equal(one.pixels, whole.pixels[kept])
        for values in one.values.values():
            assert len(values) == len(kept) - 1
    (error,) = [attempt.error for attempt in found[2].attempts if attempt.error]
    assert error == "transform 'blur': failed on the device: RuntimeError: not this one"


def test_what_has_no_device_form_is_made_by_workers_and_said(pictures, tmp_path, caplog):
    caplog.set_level("INFO")
    run = embshift.measure(
        pictures,
        transforms=["blur", "jpeg"],
        out=tmp_path / "run",
        views="gpu",
        workers=0,
        limit=3,
        **OPTIONS,
    )
    assert "views gpu: no GPU form of jpeg; rendered by the workers" in caplog.text
    assert {view["status"] for view in table(run, "embeddings")} == {"ok"}


def test_batches_hold_tensors_where_they_are():
    seen = []

    class Tensors(FakeEncoder):
        def encode(self, views, /, *, capture):
            seen.append((type(views), tuple(views.shape)))
            return super().encode(views.numpy(), capture=capture)

    views = torch.as_tensor(np.random.default_rng(0).integers(0, 200, (5, 8, 8, 3), dtype=np.uint8))
    options = {"size": 3, "capture": Capture.EMBEDDING, "open_float32": None, "mishaps": Mishaps()}
    there, here = Batches(Tensors(), **options), Batches(FakeEncoder(), **options)
    parts = there.add(views[:4], sampled=False) + there.add(views[4:], sampled=False) + there.finish()
    others = here.add(views.numpy(), sampled=False) + here.finish()
    assert seen == [(torch.Tensor, (3, 8, 8, 3))] * 2
    for one, other in zip(parts, others, strict=True):
        assert torch.equal(one.embedding, other.embedding)


def test_views_stay_on_a_device_that_is_not_main_memory(pictures):
    recipe, moves = recipe_of(), []

    def moved(values, *, device):
        moves.append((device, tuple(values.shape)))
        return values

    drawn = [draft_image(item, recipe=recipe) for item in items_of(pictures)]
    # There is no such device here: what is asked for stands for what would happen.
    with (
        patch("embshift.measurement.pipeline.gpu_views.copy_to_device", moved),
        patch("embshift.measurement.pipeline.gpu_metrics.copy_to_device", moved),
        patch("embshift.measurement.pipeline.gpu_views.open_second_queue", lambda device: nullcontext),
        patch("embshift.measurement.pipeline.gpu_views.record_event", lambda device: lambda: None),
        patch("embshift.measurement.pipeline.gpu_metrics.record_event", lambda device: lambda: None),
    ):
        found = list(render_drafts(iter(drawn), recipe=recipe, device="cuda:0", images=5))
    assert moves[0] == ("cuda:0", (5, 64, 64, 3)), "all originals go over at once"
    assert {device for device, _ in moves} == {"cuda:0", "cpu"}, "places follow the views"
    for one in found:
        assert torch.equal(one.held, torch.as_tensor(one.pixels))
    encoder = FakeEncoder()
    encoder.encode = lambda views, *, capture: FakeEncoder.encode(encoder, views.numpy(), capture=capture)
    stream = encode_views(iter(found), encoder=encoder, batch=16, capture=Capture.EMBEDDING)
    for one in chain(*stream):
        assert len(one.encoding) == 10
