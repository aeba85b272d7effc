"""``embshift export`` and ``embshift card`` on a measured run."""

import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard

from tests.integration.command import invoke


def test_a_measured_run_is_exported(lite_run, tmp_path):
    out = tmp_path / "run.parquet"
    done = invoke(
        "export", str(lite_run.folder), "--to", "embedding-atlas", "--out", str(out), "--images", "4"
    )
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first == f"40 points of 4 images: {out}"
    assert second.startswith(f"open: embedding-atlas {out} --x x --y y")
    assert "note: a sample of 4 of 6 images (seed 0)" in done.stderr
    table = pq.read_table(out)
    assert len(table) == 40
    assert {metric.name for metric in lite_run.metrics} <= set(table.column_names)


def test_samples_of_a_measured_run_point_at_files(lite_run, tmp_path):
    out = tmp_path / "dataset"
    assert invoke("export", str(lite_run.folder), "--to", "fiftyone", "--out", str(out), "-q").returncode == 0
    samples = json.loads((out / "samples.json").read_text(encoding="utf-8"))["samples"]
    assert len(samples) == 60
    assert {one["member"] for one in samples} == set(lite_run.images()["member"].to_pylist())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "projektor", "--out", "x"), "unknown exporter 'projektor'; did you mean 'projector'?"),
        (("--to", "projector", "--out", "{run}/shifts"), "is among the results of the run"),
        (("--to", "projector", "--out", "{run}"), "which is not of an earlier export to projector"),
        (("--to", "projector", "--out", "{run}/views/x"), "is among the results of the run"),
    ],
)
def test_wrong_use_ends_with_2(arguments, message, lite_run):
    given = [one.format(run=lite_run.folder) for one in arguments]
    done = invoke("export", str(lite_run.folder), *given)
    assert done.returncode == 2
    assert message in done.stderr


def test_the_card_of_a_measured_run_is_read_by_the_hub(lite_run, tmp_path):
    done = invoke("card", str(lite_run.folder), "--dataset", "six photographs")
    assert done.returncode == 0
    found = ModelCard(done.stdout).data
    assert found.model_name == "lite"
    assert {one.dataset_config for one in found.eval_results} == set(lite_run.transforms)
    assert lite_run.info["encoder"]["digest"] in done.stdout
    path = tmp_path / "card.md"
    assert invoke("card", str(lite_run.folder), "--out", str(path)).stdout == f"{path}\n"
    assert path.read_text(encoding="utf-8").startswith("---\nmodel-index:\n")


def test_handing_over_loads_neither_torch_nor_matplotlib(lite_run, tmp_path):
    code = (
        "import sys, embshift\n"
        "run = embshift.open_run(sys.argv[1])\n"
        "embshift.export(run, to='projector', out=sys.argv[2])\n"
        "embshift.write_card(run), run.scalars()\n"
        "print(sorted({'torch', 'matplotlib', 'transformers'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(lite_run.folder), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
