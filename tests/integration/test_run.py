"""The command as a user meets it: results, exit codes, bad input, refused plans."""

import json
import re
import shutil

import pytest

from tests.integration.command import call, invoke
from tests.integration.tables import assert_identical, ordered, read

QUICK = ("--encoder", "lite", "--image-size", "64")
HERE = (*QUICK, "--workers", "0")
"""Without the seconds that a worker needs to start."""


@pytest.fixture(scope="module")
def finished(photos, tmp_path_factory):
    """A quick finished run, and what its command said."""
    out = tmp_path_factory.mktemp("cli") / "run"
    return out, call("run", str(photos), *HERE, "--out", str(out))


def test_results_go_to_stdout_and_messages_to_stderr(finished):
    out, result = finished
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("6 images found")
    assert f"run folder: {out}" in result.stdout
    for word in ("noise", "coarse_dropout", "overall", "rank", "▲", "▼"):
        assert word in result.stdout
    assert "images found" not in result.stdout


def test_run_json_holds_what_a_reader_needs(finished):
    out, _ = finished
    info = json.loads((out / "run.json").read_text())
    assert info["state"] == "finished"
    assert info["counts"] == {
        "images": 6,
        "failed": 0,
        "repeated": 0,
        "views": 54,
        "views_failed": 0,
        "undefined": 0,
        "views_kept": 60,
        "views_changed": 0,
    }
    assert len(info["encoder"]["digest"]) == 64
    assert info["plan"]["seed"] == 0
    assert {"albumentations", "numpy", "opencv-python-headless", "pillow", "torch"} <= set(info["versions"])
    assert info["sessions"][0]["peak_memory_bytes"] > 50e6


def test_the_same_command_returns_at_once_when_finished(finished, photos, monkeypatch):
    out, first = finished
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # every import is then a line on stderr
    again = call("run", str(photos), *HERE, "--out", str(out))
    assert again.returncode == 0
    assert "finished" in again.stderr
    assert again.stdout == first.stdout
    assert "| embshift" in again.stderr
    assert not re.search(r"\| +(torch|transformers|albumentations)$", again.stderr, flags=re.MULTILINE)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (("--seed", "1"), "seed: 0 in the run, 1 requested"),
        (("--draws", "2"), "draws: 1 in the run, 2 requested"),
        (("--image-size", "96"), "image_size: (64, 64) in the run, (96, 96) requested"),
        (("--resize", "area"), "resize: linear in the run, area requested"),
        (("--transform", "noise"), "transforms: noise"),
        (("--metric", "cosine"), "metrics: "),
        (("--metric-sample", "3"), "metric_sample: 2000 in the run, 3 requested"),
        (("--batch", "16"), "batch: 32 in the run, 16 requested"),
    ],
)
def test_another_plan_into_the_same_folder_is_refused(finished, photos, changed, named):
    out, _ = finished
    result = invoke("run", str(photos), *QUICK, *changed, "--out", str(out))
    assert result.returncode == 2
    assert named in result.stderr
    assert "another --out" in result.stderr


def test_what_does_not_count_may_change(finished, photos):
    out, _ = finished
    free = ("--workers", "1", "--keep-views", "0", "--max-error-rate", "0.5")
    assert invoke("run", str(photos), *QUICK, *free, "--out", str(out)).returncode == 0


def test_a_plan_file_runs_it_again(finished, tmp_path):
    out, _ = finished
    result = invoke("run", "--plan", str(out / "plan.toml"), "--out", str(tmp_path / "again"))
    assert result.returncode == 0, result.stderr
    assert_identical(out, tmp_path / "again")


def test_bad_pictures_are_rows_and_the_run_goes_on(photos, tmp_path):
    folder = tmp_path / "mixed"
    shutil.copytree(photos, folder)
    (folder / "empty.jpg").touch()
    (folder / "page.png").write_text("<html>not a picture</html>")
    (folder / "cut.jpg").write_bytes((folder / "cat.jpg").read_bytes()[:9000])
    (folder / "folder.jpg").mkdir()
    result = invoke("run", str(folder), *HERE, "--out", str(tmp_path / "run"))
    assert result.returncode == 1
    assert "3 of 9 images could not be used" in result.stderr
    statuses = {row["member"]: row["status"] for row in read(tmp_path / "run", "images").to_pylist()}
    assert len(statuses) == 9
    assert statuses["empty.jpg"] == "empty"
    assert statuses["page.png"] == "unsupported"
    assert statuses["cut.jpg"] == "damaged"
    assert sorted(statuses.values()).count("ok") == 6
    allowed = invoke("run", str(folder), *HERE, "--out", str(tmp_path / "run"), "--max-error-rate", "0.4")
    assert allowed.returncode == 0


def test_nothing_readable_is_exit_code_3(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("not a picture")
    result = invoke("run", str(tmp_path / "photos"), *HERE, "--out", str(tmp_path / "run"))
    assert result.returncode == 3
    (tmp_path / "none").mkdir()
    empty = invoke("run", str(tmp_path / "none"), *HERE, "--out", str(tmp_path / "run2"))
    assert empty.returncode == 3
    assert "no image in" in empty.stderr
    assert "jpeg jpg png" in empty.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing-folder",), "does not exist"),
        (("{photos}", "--encoder", "lit"), "did you mean 'lite'"),
        (("{photos}", "--transform", "nois"), "did you mean 'noise'"),
        (("{photos}", "--metric", "cosin"), "did you mean 'cosine'"),
        (("{photos}", "--preset", "papr"), "paper"),
        (("{photos}", "--preset", "nowhere.toml"), "cannot be read"),
        (("{photos}", "--resize", "linea"), "did you mean 'linear'"),
        (("{photos}", "--image-size", "2"), "8 to 4096"),
        (("{photos}", "--draws", "0"), "expected 1 or more"),
        ((), "no source given"),
    ],
)
def test_wrong_use_is_exit_code_2_and_says_what_was_wanted(arguments, said, photos, tmp_path):
    filled = [argument.format(photos=photos) for argument in arguments]
    encoder = () if "--encoder" in filled else ("--encoder", "lite")
    result = invoke("run", *filled, *encoder, "--out", str(tmp_path / "run"))
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_without_a_connection_the_papers_encoder_names_both_ways_out(photos, tmp_path):
    result = invoke("run", str(photos), "--out", str(tmp_path / "run"))
    assert result.returncode == 2
    assert "--encoder lite" in result.stderr
    assert "folder" in result.stderr.lower()
    assert "Traceback" not in result.stderr


def test_workers_order_and_batch_do_not_change_a_pixel(photos, tmp_path):
    runs = {}
    for name, options in {"one": ("--workers", "0"), "two": ("--workers", "2")}.items():
        runs[name] = tmp_path / name
        assert invoke("run", str(photos), *QUICK, *options, "--out", str(runs[name])).returncode == 0
    assert_identical(runs["one"], runs["two"])
    assert invoke("run", str(photos), *HERE, "--batch", "7", "--out", str(tmp_path / "seven")).returncode == 0
    one, seven = ordered(runs["one"], "embeddings"), ordered(tmp_path / "seven", "embeddings")
    assert one["pixels_digest"].equals(seven["pixels_digest"])
    a, b = (ordered(run, "shifts")["value"].to_numpy() for run in (runs["one"], tmp_path / "seven"))
    assert a == pytest.approx(b, rel=1e-5, abs=1e-6)


def test_new_pictures_are_left_out_unless_asked_for(photos, samples, tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "run"
    shutil.copytree(photos, folder)
    command = ("run", str(folder), *HERE, "--out", str(out))
    assert invoke(*command).returncode == 0
    before = read(out, "images").to_pylist()
    shutil.copy(samples / "castle.jpg", folder / "a-new-one.jpg")
    left_out = invoke(*command)
    assert "1 new image left out (--update appends them): a-new-one.jpg" in left_out.stderr
    assert read(out, "images").to_pylist() == before
    assert invoke(*command, "--update").returncode == 0
    after = read(out, "images").to_pylist()
    assert after[:6] == before
    assert [(row["row"], row["member"]) for row in after[6:]] == [(6, "a-new-one.jpg")]
    assert json.loads((out / "run.json").read_text())["counts"]["images"] == 7


def test_equal_pictures_count_once(photos, tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "run"
    shutil.copytree(photos, folder)
    shutil.copy(folder / "cat.jpg", folder / "zz-the-same-cat.jpg")
    assert invoke("run", str(folder), *HERE, "--out", str(out)).returncode == 0
    shown = json.loads(invoke("summarise", str(out), "--format", "json").stdout)
    assert {cell["n"] for row in shown["transforms"] for cell in row["metrics"].values()} == {6}
    assert json.loads((out / "run.json").read_text())["counts"]["repeated"] == 1


def test_pictures_that_cannot_be_used_repeat_nothing(photos, tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "run"
    shutil.copytree(photos, folder)
    for name in ("one.jpg", "two.jpg"):
        (folder / name).write_bytes(b"the same bytes, and no picture")
    invoke("run", str(folder), *HERE, "--out", str(out))
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert (counts["failed"], counts["repeated"]) == (2, 0)


def test_a_transform_that_fails_is_a_row_with_a_status(photos, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "def odd(pixels, *, rng):\n"
        "    if pixels[0, 0, 0] % 2:\n"
        "        raise ValueError('an odd corner')\n"
        "    return 255 - pixels\n"
    )
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\nsummary = "one of each"\n'
        '[[transform]]\nname = "odd"\nfunction = "mine:odd"\n'
        '[[transform]]\nname = "fog"\nalbumentations = "RandomFog"\nparameters = { alpha_coef = 0.1 }\n'
        '[[transform]]\nname = "same"\ntransform = "identity"\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    options = ("--preset", str(tmp_path / "mine.toml"), "--max-error-rate", "1")
    result = invoke("run", str(photos), *HERE, *options, "--out", str(tmp_path / "run"))
    assert result.returncode == 0, result.stderr
    rows = read(tmp_path / "run", "embeddings").to_pylist()
    odd = [row for row in rows if row["transform"] == "odd"]
    failed = [row for row in odd if row["status"] == "transform_failed"]
    assert len(odd) == 6
    assert 0 < len(failed) < 6
    assert all("an odd corner" in row["error"] and row["embedding"] is None for row in failed)
    assert "views failed" in result.stderr
    values = [row for row in read(tmp_path / "run", "shifts").to_pylist() if row["transform"] == "same"]
    identity = {"l2": 0.0}
    assert all(row["value"] == pytest.approx(identity.get(row["metric"], 1.0), abs=1e-12) for row in values)


@pytest.mark.parametrize("style", ["table", "markdown", "csv", "json", "latex"])
def test_every_format_of_summary_and_clusters(finished, style):
    out, _ = finished
    for command in ("summarise", "clusters"):
        result = invoke(command, str(out), "--format", style)
        assert result.returncode == 0, result.stderr
        assert "horizontal" in result.stdout
        assert "\x1b" not in result.stdout


def test_ward_is_noted_and_distances_without_sense_are_refused(finished):
    out, _ = finished
    assert "assumes Euclidean" in invoke("clusters", str(out), "--linkage", "ward").stderr
    refused = invoke("clusters", str(out), "--distance", "mahalanobis")
    assert refused.returncode == 2
    assert "covariance" in refused.stderr


@pytest.mark.parametrize("what", ["transforms", "metrics", "encoders", "presets"])
def test_lists(what):
    result = invoke("list", what)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) > 2


def test_a_folder_that_is_no_run_is_named(tmp_path):
    result = invoke("summarise", str(tmp_path))
    assert result.returncode == 2
    assert "not a run folder" in result.stderr
