"""A run is a function of its plan and pictures, not of workers, order or chunks; another plan is refused."""

import random
import shutil
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embshift
from embshift.core.errors import PlanError, ResumeError
from embshift.measurement.plan.plan import COUNTED, RULES
from embshift.measurement.session.provenance import versions
from tests.faults.amounts import FULL
from tests.faults.sessions import contents, measure, quickly, refusal, write_pictures
from tests.integration.crops import write_crops
from tests.integration.tables import KEYS, ordered
from tests.plan_values import other_value
from tests.unit.fake_encoder import FakeEncoder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Pictures, and a finished run of them."""
    folder = tmp_path_factory.mktemp("same")
    pictures = write_pictures(folder / "pictures")
    with quickly():
        measure(pictures, folder / "run")
    return pictures, folder / "run"


def by_picture(run, table: str) -> pa.Table:
    """A table in an order that the listing has no part in, without what tells the listing."""
    keys = [key for key in KEYS[table] if key != "row"]
    found = ordered(run, table)
    return found.drop_columns(
        [name for name in ("row", "source", "member", "index") if name in found.column_names]
    ).sort_by([(key, "ascending") for key in ["image_id", *keys]])


WORKERS = (0, 1, 2, 4) if FULL else (0,)


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("chunk", (64, 17) if FULL else (7,))
def test_workers_chunks_and_order_change_no_bit(samples, tmp_path, workers, chunk, tally):
    pictures = write_crops(samples, tmp_path / "in", count=80 if FULL else 16, side=48)
    paths = sorted(pictures.rglob("*.jpg"))
    shuffled = random.Random(workers * 100 + chunk).sample(paths, len(paths))
    # The last batch of a chunk is padded; every batch has one shape.
    options = {"encoder": "lite", "image_size": 32, "transforms": ["blur", "noise"], "draws": 2, "batch": 16}
    one = embshift.measure(paths, out=tmp_path / "one", workers=0, **options)
    other = embshift.measure(shuffled, out=tmp_path / "other", workers=workers, chunk=chunk, **options)
    lost = [name for name in KEYS if not by_picture(one.folder, name).equals(by_picture(other.folder, name))]
    tally(tried=len(paths), lost=lost, measured="every table equal, bit for bit")


def chunk_sizes(run) -> list[int]:
    return [pq.read_metadata(path).num_rows for path in sorted((run.folder / "images").glob("*.parquet"))]


def test_a_run_keeps_the_size_of_its_chunks(tmp_path):
    pictures = write_pictures(tmp_path / "in", count=7)
    with patch("embshift.encoders.open.open_encoder", lambda *_, **__: FakeEncoder()):
        first = measure(pictures, tmp_path / "run", chunk=3)
        assert chunk_sizes(first) == [3, 3, 1]
        write_pictures(tmp_path / "more", count=5).rename(pictures / "more")
        again = measure(pictures, tmp_path / "run", chunk=4, update=True)
    assert again.info["plan"]["chunk"] == 3
    assert chunk_sizes(again) == [3, 3, 1, 3, 2]


CHANGES = {
    **{name: {name: other_value(name)} for name in COUNTED},
    **{f"resize {rule}": {"resize": rule} for rule in RULES["resize"]["one_of"][1:]},
    "limit": {"limit": 11},
    "batch": {"batch": 5},
    "encoder": {"encoder": "another"},
    "image_size, both sides": {"image_size": 24},
    "image_size": {"image_size": (16, 24)},
    "max_pixels": {"max_pixels": 49_999_999},
    "background": {"background": (255, 255, 254)},
    "transforms": {"transforms": ["blur"]},
    "one transform more": {"transforms": ["blur", "noise", "elastic"]},
    "another transform": {"transforms": ["blur", "elastic"]},
    "another order": {"transforms": ["noise", "blur"]},
    "metrics in another order": {"metrics": ["l2", "cosine"]},
}


def refused_and_untouched(pictures, out, **options) -> str | None:
    """What is wrong about how a changed run is refused; None for nothing."""
    before = contents(out)
    error = refusal(pictures, out, **options)
    if not isinstance(error, ResumeError) or error.exit_code != 2 or "give another --out" not in str(error):
        return f"not refused: {error!r}"
    return None if contents(out) == before else "the folder has been changed"


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_plan_is_refused(finished, change, tally):
    pictures, out = finished
    with quickly():
        wrong = refused_and_untouched(pictures, out, **CHANGES[change])
    tally(tried=1, lost=[wrong] if wrong else [])


ENCODER = {
    "weights": {"digest": "1" * 64},
    "config": {"config": "1" * 64},
    "preprocessing": {"preprocessing": {"mean": 0.5}},
    "what the embedding is": {"embedding": "pooled"},
    "what the map is": {"map_source": "elsewhere"},
    "dimension": {"dim": 7},
    "precision": {"precision": "bfloat16"},
}


@pytest.mark.parametrize("change", ENCODER)
def test_another_encoder_is_refused(finished, change, tally):
    pictures, out = finished
    with quickly(**ENCODER[change]):
        wrong = refused_and_untouched(pictures, out)
    tally(tried=1, lost=[wrong] if wrong else [])


@pytest.mark.parametrize("name", sorted(versions()))
def test_another_version_is_refused_by_name(finished, name, tally):
    pictures, out = finished
    before = contents(out)
    with (
        quickly(),
        patch("embshift.measurement.session.resume.versions", lambda: versions() | {name: "0.0.1"}),
    ):
        error = refusal(pictures, out)
    said = isinstance(error, ResumeError) and f"{name}: " in str(error) and "0.0.1 installed" in str(error)
    tally(tried=1, lost=[] if said and contents(out) == before else [name])


def test_a_changed_parameter_is_refused(tmp_path, tally):
    import albumentations

    pictures, out = write_pictures(tmp_path / "in", count=2), tmp_path / "run"
    before, after = (albumentations.Blur(blur_limit=(size, size), p=1.0) for size in (3, 5))
    with quickly():
        measure(pictures, out, transforms={"t": before})
        wrong = refused_and_untouched(pictures, out, transforms={"t": after})
    tally(tried=1, lost=[wrong] if wrong else [])


@pytest.mark.parametrize("name", ["decode", "views", "precision"])
def test_a_choice_that_is_not_there_is_no_plan(finished, name):
    pictures, out = finished
    with quickly(), pytest.raises(PlanError):
        measure(pictures, out, **{name: 3})


def test_a_picture_that_changes_under_a_run_is_told_and_not_mixed_in(tmp_path, caplog, tally):
    pictures, out = write_pictures(tmp_path / "in"), tmp_path / "run"
    with quickly():
        before = measure(pictures, out)
        shutil.copy(pictures / "00.png", pictures / "03.png")
        with caplog.at_level("INFO", logger="embshift"):
            after = measure(pictures, out)
    said = "1 image changed since the run was started: 03.png" in caplog.text
    same = after.shifts().equals(before.shifts()) and after.images().equals(before.images())
    tally(tried=1, lost=[] if said and same else [caplog.text])
