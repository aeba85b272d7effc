"""What may continue a run, and what may not."""

import json
import shutil
import subprocess
import sys

import pytest

import embshift
from embshift.core.errors import ResumeError
from tests.integration.command import invoke
from tests.integration.tables import assert_identical
from tests.unit.encoders.families import make_checkpoint

QUICK = (
    "--encoder",
    "lite",
    "--image-size",
    "64",
    "--transform",
    "blur",
    "--transform",
    "horizontal_flip",
    "--workers",
    "0",
)


@pytest.fixture
def checkpoint_run(photos, tmp_path):
    encoder = tmp_path / "encoder"
    make_checkpoint("clip", encoder)
    command = (
        "run",
        str(photos),
        "--encoder",
        str(encoder),
        "--transform",
        "blur",
        "--out",
        str(tmp_path / "run"),
    )
    result = invoke(*command)
    assert result.returncode == 0, result.stderr
    return encoder, command


def test_a_listing_that_an_update_left_half_way_is_not_taken(photos, tmp_path):
    """Killed between the listing's staging and its naming, an update has not begun."""
    pictures, out = shutil.copytree(photos, tmp_path / "in"), tmp_path / "run"
    assert invoke("run", str(pictures), *QUICK, "--out", str(out)).returncode == 0
    before = (out / "listing.parquet").read_bytes()
    shutil.copy(photos / "cat.jpg", pictures / "zebra.jpg")
    longer = tmp_path / "other"
    assert invoke("run", str(pictures), *QUICK, "--out", str(longer)).returncode == 0
    shutil.copy(longer / "listing.parquet", out / ".listing.parquet.new.tmp")
    (out / "images" / "chunk-000000.parquet").unlink()
    result = invoke("run", str(pictures), *QUICK, "--out", str(out))
    assert result.returncode == 0, result.stderr
    assert (out / "listing.parquet").read_bytes() == before
    assert json.loads((out / "run.json").read_text())["counts"]["images"] == 6
    assert not (out / ".listing.parquet.new.tmp").exists()


def test_altered_weights_are_refused_even_by_a_finished_run(checkpoint_run):
    encoder, command = checkpoint_run
    assert invoke(*command).returncode == 0
    file = encoder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-4:] = b"\x00\x00\x00\x00"
    file.write_bytes(bytes(content))
    result = invoke(*command)
    assert result.returncode == 2
    assert "the encoder is not the run's: its weights' digest was" in result.stderr


@pytest.mark.parametrize(
    ("file", "key", "said"), [("preprocessor_config.json", "image_mean", "preprocessing")]
)
def test_altered_preprocessing_is_refused(checkpoint_run, file, key, said):
    encoder, command = checkpoint_run
    settings = json.loads((encoder / file).read_text())
    assert key in settings
    (encoder / file).write_text(json.dumps(settings | {key: [0.0, 0.0, 0.0]}))
    result = invoke(*command)
    assert result.returncode == 2
    assert f"its {said} was" in result.stderr


def test_an_altered_config_is_refused(checkpoint_run):
    encoder, command = checkpoint_run
    config = json.loads((encoder / "config.json").read_text())
    (encoder / "config.json").write_text(json.dumps(config | {"of_no_matter": 1}))
    assert "config.json's digest was" in invoke(*command).stderr


def test_a_changed_function_is_another_transform(photos, tmp_path):
    options = {"encoder": "lite", "image_size": (64, 64), "out": tmp_path / "run"}
    embshift.measure(photos, transforms={"t": lambda pixels: 255 - pixels}, **options)
    with pytest.raises(ResumeError, match="the code of transform t has changed since the run was started"):
        embshift.measure(photos, transforms={"t": lambda pixels: pixels // 2}, **options)


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    assert invoke("run", str(photos), *QUICK, "--out", str(out)).returncode == 0
    return out


@pytest.mark.parametrize("table", ["images", "embeddings", "shifts", "attention"])
def test_a_chunk_that_is_gone_is_measured_again(photos, whole, tmp_path, table):
    out = shutil.copytree(whole, tmp_path / "run")
    next((out / table).glob("*.parquet")).unlink()
    result = invoke("run", str(photos), *QUICK, "--out", str(out))
    assert result.returncode == 0
    assert "nothing left to do" not in result.stderr
    assert_identical(whole, out)


def test_a_limit_is_no_news(photos, samples, tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "run"
    shutil.copytree(photos, folder)
    command = ("run", str(folder), *QUICK, "--limit", "3", "--out", str(out))
    first = invoke(*command)
    assert "6 images found, using the first 3" in first.stderr
    shutil.copy(samples / "castle.jpg", folder / "aaa.jpg")
    for more in ((), ("--update",)):
        again = invoke(*command, *more)
        assert "no longer there" not in again.stderr
        assert "new image" not in again.stderr
        assert "nothing left to do" in again.stderr


def test_other_sources_do_not_rewrite_what_repeats_the_run(photos, tmp_path):
    out = tmp_path / "run"
    assert invoke("run", str(photos), *QUICK, "--out", str(out)).returncode == 0
    next((out / "images").glob("*.parquet")).unlink()
    assert invoke("run", str(photos / "cat.jpg"), *QUICK, "--out", str(out)).returncode == 0
    assert json.loads((out / "run.json").read_text())["plan"]["sources"] == [str(photos)]


HEAVY = {
    "albumentations",
    "pandas",
    "pyarrow.dataset",
    "scipy.cluster",
    "scipy.linalg",
    "scipy.special",
    "scipy.stats",
    "torch",
    "transformers",
}


def test_a_finished_run_answers_without_what_measures(photos, tmp_path):
    command = ["run", str(photos), "--encoder", "lite", "--image-size", "64", "--out", str(tmp_path / "run")]
    assert invoke(*command).returncode == 0
    code = (
        "import sys; from embshift.cli import main; code = main(sys.argv[1:]);"
        f"print(code, {HEAVY} & set(sys.modules))"
    )
    again = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert "nothing left to do" in again.stderr
    assert again.stdout.splitlines()[-1] == "0 set()"


def test_an_unfinished_run_says_so(photos, tmp_path):
    out = tmp_path / "run"
    assert invoke("run", str(photos), *QUICK, "--out", str(out)).returncode == 0
    info = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps(info | {"state": "running"}))
    for command in ("summarise", "clusters"):
        assert "the run is not finished; 6 images are measured so far" in invoke(command, str(out)).stderr


def test_a_record_that_is_not_a_runs_is_named(tmp_path):
    for content, said in (("[]", "does not hold a JSON object"), ("{}", "does not describe a run")):
        (tmp_path / "run.json").write_text(content)
        result = invoke("summarise", str(tmp_path))
        assert result.returncode == 2
        assert said in result.stderr


def test_a_transform_that_exits_is_a_row_with_a_status(photos, tmp_path):
    def leave(pixels):
        raise SystemExit(3)

    run = embshift.measure(
        photos,
        transforms={"leave": leave, "same": lambda pixels: pixels},
        encoder="lite",
        image_size=(64, 64),
        out=tmp_path / "run",
    )
    assert run.info["counts"]["views_failed"] == 6
