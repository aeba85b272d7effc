"""Baselines: the file gives back what was written, and everything else is refused."""

import os
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from embshift.analysis.compared.values import measure_values
from embshift.analysis.gate.baselines import make_table, parse_table, read_baseline, write_table
from embshift.analysis.gate.changes import list_changes
from embshift.analysis.gate.rows import list_rows, read_rows
from embshift.analysis.of_run import pair_views
from embshift.analysis.pairing.panels import read_panel
from embshift.core.errors import BaselineError, RunError
from embshift.runs.seal import write_sealed
from tests.synthetic_runs import NINE, Wanted, make_run

WANTED = Wanted(transforms=("blur", "noise"), images=12, draws=2, views=False, maps=False, partly=("noise",))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("baseline") / "run", WANTED)


@pytest.fixture(scope="module")
def path(run):
    path = run.folder.parent / "baseline.parquet"
    write_table(make_table(run, with_embeddings=True), path)
    return path


def by_key(views):
    return views.select(["image", "transform", "draw", "digest"]).sort_by(
        [(name, "ascending") for name in ("transform", "image", "draw")]
    )


def test_a_baseline_gives_back_what_was_written(run, path):
    found, values = read_baseline(path), measure_values(pair_views(run), transforms=run.transforms)
    assert found.values.ids == values.ids
    assert np.array_equal(found.values.values, values.values, equal_nan=True)
    assert np.array_equal(found.values.scale_pulls, values.scale_pulls)
    assert np.isnan(values.values).any()
    panel = read_panel(run)
    assert dict(found.panel.specifications) == panel.specifications
    assert by_key(found.panel.views).equals(by_key(panel.views).cast(by_key(found.panel.views).schema))
    assert found.panel.images() == panel.images()
    originals = run.embeddings()
    assert {tuple(row) for row in found.embeddings} == {tuple(row) for row in originals.values}
    assert len(found.digest) == 64
    assert not list_changes(found, parse_table(make_table(run, with_embeddings=True), path=path, digest=""))


def test_a_value_takes_forty_bytes_of_a_file(tmp_path):
    """500 images under 10 transforms make .2 MB."""
    wanted = Wanted(transforms=(*NINE, "jpeg"), images=50, metrics=("cosine",), views=False, maps=False)
    write_table(make_table(make_run(tmp_path / "run", wanted)), tmp_path / "b.parquet")
    assert os.path.getsize(tmp_path / "b.parquet") - 15_000 < 40 * 50 * 10


def test_a_missing_cut_changed_or_foreign_file_is_refused(path, run, tmp_path):
    data = path.read_bytes()
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    write_sealed(
        tmp_path / "strange", pa.table({"a": [1]}).replace_schema_metadata({"embshift baseline": "{}"})
    )
    (tmp_path / "cut").write_bytes(data[: len(data) // 2])
    (tmp_path / "changed").write_bytes(changed)
    (tmp_path / "text").write_text("not a table")
    os.mkfifo(tmp_path / "pipe")
    for name, message in {
        "none": "baseline .*none does not exist; write it with 'embshift baseline RUN --out",
        "cut": "is no baseline of embshift, or was cut or changed",
        "changed": "is no baseline of embshift, or was cut or changed",
        "text": "is no baseline of embshift, or was cut or changed",
        "pipe": "is no regular file",
        "strange": "is damaged: 'format'",
    }.items():
        with pytest.raises(BaselineError, match=message):
            read_baseline(tmp_path / name)
    with pytest.raises(BaselineError, match="is a table of a run, no baseline"):
        read_baseline(run.folder / "shifts" / "chunk-000000.parquet")


def test_a_later_format_is_refused(path, run, tmp_path):
    table = make_table(run)
    metadata = {
        key: value.replace(b'"format": 1', b'"format": 2') for key, value in table.schema.metadata.items()
    }
    write_table(table.replace_schema_metadata(metadata), tmp_path / "later")
    with pytest.raises(BaselineError, match="has format 2, newer than 1; upgrade embshift"):
        read_baseline(tmp_path / "later")


def test_an_unfinished_run_gives_none(run):
    running = replace(run, info={**run.info, "state": "running"})
    with pytest.raises(RunError, match="is not finished; continue it"):
        make_table(running)


def test_changes_are_listed(run, path, tmp_path):
    old = read_baseline(path)
    other = replace(WANTED, transforms=("blur", "jpeg"), images=13, draws=1, encoder="other", seed=1)
    changes = list_changes(
        old, parse_table(make_table(make_run(tmp_path / "other", other)), path=path, digest="")
    )
    shown = "\n".join(changes)
    for line in (
        "encoder name: synthetic → other",
        "draws: 2 → 1",
        "1 image added",
        "noise: removed",
        "jpeg: added",
        "blur: relative_shift ",
        "embeddings of the originals: removed",
    ):
        assert re.search(rf"^{line}", shown, re.MULTILINE), line


def test_a_view_without_an_embedding_stays_one(run):
    panel, values = read_panel(run), measure_values(pair_views(run), transforms=run.transforms)
    digests = panel.views["digest"].to_pylist()
    digests[-1] = None
    views = panel.views.drop_columns(["digest"]).append_column("digest", pa.array(digests, pa.string()))
    lost = replace(panel, views=views)
    found = read_rows(list_rows(lost, values, embeddings=None), transforms=run.transforms)[0]
    assert found["digest"].null_count == 1
