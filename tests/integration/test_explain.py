"""`embshift explain` as a user meets it: made, asked again, stopped, damaged, refused."""

import csv
import inspect
import io
import json
import shutil

import numpy as np
import pytest

import embshift
from embshift.cli.commands.explain import ensure_explained
from embshift.core.errors import EncoderError, PlanError, ResumeError, RunError, UnknownNameError
from embshift.encoders.inside import count_bytes, open_inside
from embshift.encoders.open import open_encoder
from embshift.measurement.studies.explain import explain_run
from embshift.measurement.studies.explain import measured as measured_module
from embshift.measurement.studies.explain.measured import count_views
from embshift.measurement.studies.explain.options import ExplainOptions
from embshift.measurement.studies.explain.sample import CHUNK
from embshift.measurement.verify import verify_run
from embshift.runs.explained import read_texts_record
from embshift.runs.explained_schema import EXPLAINED
from embshift.runs.record import read_record_file, write_record_file
from embshift.show.run import open_run
from tests.integration.command import invoke
from tests.integration.crops import write_crops
from tests.unit.encoders.families import make_checkpoint

NAMES = ("noise", "shift_scale_rotate", "identity")


@pytest.fixture(scope="module")
def pictures(samples, tmp_path_factory):
    return write_crops(samples, tmp_path_factory.mktemp("explain") / "in", count=12, side=64)


@pytest.fixture(scope="module")
def measured(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("measured") / "run"
    embshift.measure(
        pictures,
        encoder="lite",
        out=out,
        image_size=64,
        workers=0,
        transforms=list(NAMES),
        metrics=["cosine"],
        draws=2,
    )
    return out


@pytest.fixture
def run(measured, tmp_path):
    return shutil.copytree(measured, tmp_path / "run")


@pytest.fixture(scope="module")
def explained(measured, tmp_path_factory):
    folder = shutil.copytree(measured, tmp_path_factory.mktemp("explained") / "run")
    explain_run(folder)
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in (folder / "explain").rglob("*.parquet")}


def test_the_record_says_what_is_there(explained):
    record = json.loads((explained / "explain" / "explain.json").read_text())
    assert record["components"] == ["what", "where.0", "where.1", "where.2", "where.3"]
    assert record["state"] == "finished"
    assert record["counts"] == {"images": 12, "left_out": 0, "views": 72, "without_shift": 24}
    assert record["greatest_residual"] < 1e-6
    assert record["fingerprint"] == open_run(explained).info["fingerprint"]


def test_shares_of_the_stored_views_sum_to_one(explained):
    found = open_run(explained).explanation()
    table = found.tables.read("shares")
    shares = np.array(table["share"].to_pylist())
    moved = np.array([name != "identity" for name in table["transform"].to_pylist()])
    assert np.abs(shares[moved].sum(axis=1) - 1).max() < 1e-6
    assert np.isnan(shares[~moved]).all()


def test_the_shift_is_that_of_the_run(explained):
    run = open_run(explained)
    table = run.explanation().tables.read("shares").to_pylist()
    clean, views = run.embeddings(), run.embeddings("noise")
    unit = clean.values / np.linalg.norm(clean.values, axis=1, keepdims=True)
    for at in range(4):
        line = next(
            one
            for one in table
            if (one["row"], one["transform"], one["draw"]) == (views.rows[at], "noise", views.draws[at])
        )
        own = views.values[at] / np.linalg.norm(views.values[at])
        assert line["shift"] == pytest.approx(np.linalg.norm(own - unit[views.rows[at]]), abs=1e-5)


def test_what_is_shown_is_what_is_stored(explained):
    text = invoke("explain", str(explained), "--read-only", "--format", "csv").stdout
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == len(NAMES) * 5
    found = open_run(explained).explanation()
    noise = found.shares("noise")
    own = {line["component"]: float(line["share"]) for line in lines if line["transform"] == "noise"}
    assert own == dict(zip(noise.components, noise.share.tolist(), strict=True))
    assert sum(own.values()) == pytest.approx(1)
    assert {line["share"] for line in lines if line["transform"] == "identity"} == {""}
    for show in ("layers", "heads"):
        shown = json.loads(
            invoke("explain", str(explained), "--read-only", "--show", show, "--format", "json").stdout
        )
        assert len(shown[show]) == {"layers": 3 * 4, "heads": 3 * 4 * 4}[show]
    table = invoke("explain", str(explained), "--read-only")
    assert table.returncode == 0
    assert "24 views without a shift have no share" in " ".join(table.stdout.split())


def test_a_run_explains_itself_as_the_command_does(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")
    asked = ("--images", "5", "--patch", "direct", "--patch-images", "2", "--seed", "3")
    texts = ("--words", str(words), "--prompt", "a {}", "--quiet")
    assert invoke("explain", str(other), *asked, *texts).returncode == 0
    found = open_run(run).explain(
        images=5, patch="direct", patch_images=2, seed=3, words=words, prompts=["a {}"]
    )
    assert contents(run) == contents(other)
    assert (run / "explain" / "texts.json").read_bytes() == (other / "explain" / "texts.json").read_bytes()
    assert found.record["plan"] == {"images": 5, "patch": "direct", "patch_images": 2, "seed": 3}
    assert found.words().names == ("cat", "dog")
    again = open_run(run).explain(images=5, patch="direct", patch_images=2, seed=3, prompts="the {}")
    assert read_texts_record(run)["prompts"] == ["the {}"]
    assert again.record == found.record


def test_the_method_goes_on_with_the_options_of_what_is_stored(run):
    first = open_run(run).explain(images=3, patch="direct", patch_images=1, seed=2)
    again = open_run(run).explain()
    assert again.record == first.record
    assert again.record["plan"] == {"images": 3, "patch": "direct", "patch_images": 1, "seed": 2}
    assert {*ExplainOptions().content()} <= {*inspect.signature(embshift.Run.explain).parameters}


def test_the_demo_explains_once_with_the_defaults_and_keeps_what_is_there(run, capsys):
    ensure_explained(open_run(run), quiet=True)
    assert capsys.readouterr() == (f"explanation: {run / 'explain'}\n", "")
    before = contents(run)
    assert open_run(run).explanation().words().names
    ensure_explained(open_run(run), quiet=False)
    assert capsys.readouterr() == (f"explanation: {run / 'explain'}\n", "")
    assert contents(run) == before
    shutil.rmtree(run / "explain")
    explain_run(run, images=3, patch_images=0)
    ensure_explained(open_run(run), quiet=True)
    assert open_run(run).explanation().record["images"] == 3


def test_asked_again_nothing_is_measured(explained):
    before = contents(explained)
    again = invoke("explain", str(explained))
    assert again.returncode == 0
    assert "nothing left to do" in again.stderr
    assert contents(explained) == before


def test_a_stopped_explanation_goes_on_to_the_same_bits(run, explained, monkeypatch):
    from embshift.measurement.studies.explain import sample

    assert CHUNK == 32
    monkeypatch.setattr(sample, "CHUNK", 5)
    whole = shutil.copytree(run, run.with_name("whole"))
    explain_run(whole)

    class Stop(BaseException):
        pass

    class Stopping:
        count = 0

        def note(self, text): ...
        def begin(self, *, total, done):
            self.done = done

        def advance(self, *, failed):
            Stopping.count += 1
            if Stopping.count == 8:
                raise Stop

        def end(self): ...

    with pytest.raises(Stop):
        explain_run(run, reporter=Stopping())
    with pytest.raises(RunError, match="is not finished; go on with"):
        open_run(run).explanation()
    assert verify_run(run, inputs=False).sound
    again = Stopping()
    explain_run(run, reporter=again)
    assert again.done == 5
    assert contents(run) == contents(whole)


def test_views_that_changed_are_left_out_and_counted(run, pictures, tmp_path):
    moved = shutil.copytree(pictures, tmp_path / "moved")
    other = tmp_path / "other"
    embshift.measure(
        moved, encoder="lite", out=other, image_size=64, workers=0, transforms=["noise"], metrics=["cosine"]
    )
    paths = sorted(path for path in moved.rglob("*") if path.is_file())
    shutil.copy(paths[1], paths[0])
    paths[2].unlink()
    found = explain_run(other)
    assert found.record["counts"]["images"] == 10
    assert found.record["counts"]["left_out"] == 2
    assert "2 images could not be made again" in " ".join(
        invoke("explain", str(other), "--read-only").stdout.split()
    )


def test_sources_that_are_gone_are_told_and_explained_once_they_are_back(run, pictures, tmp_path):
    moved = shutil.copytree(pictures, tmp_path / "moved")
    other = tmp_path / "other"
    embshift.measure(
        moved, encoder="lite", out=other, image_size=64, workers=0, transforms=["noise"], metrics=["cosine"]
    )
    moved.rename(tmp_path / "away")
    result = invoke("explain", str(other))
    assert result.returncode == 2, result.stderr
    assert "none of 12 images" in result.stderr
    assert "is not finished" in invoke("explain", str(other), "--read-only").stderr
    assert verify_run(other, inputs=False).sound
    (tmp_path / "away").rename(moved)
    assert explain_run(other).record["counts"]["images"] == 12


def test_what_is_not_asked_for_is_as_in_the_stored_explanation(run):
    first = explain_run(run, images=3, patch_images=0, seed=2)
    again = explain_run(run)
    assert again.record == first.record
    with pytest.raises(ResumeError, match="with seed 2, and 0 is asked for"):
        explain_run(run, seed=0)


@pytest.mark.parametrize("table", EXPLAINED)
def test_a_damaged_chunk_is_found_dropped_and_made_again(explained, tmp_path, table):
    run = shutil.copytree(explained, tmp_path / "run")
    path = run / "explain" / table / "chunk-000000.parquet"
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    shown = [
        invoke("explain", str(run), "--read-only", "--show", show) for show in ("shares", "layers", "heads")
    ]
    assert {result.returncode for result in shown} <= {0, 2}
    verdict = verify_run(run, inputs=False, repair=True)
    assert {fault.kind for fault in verdict.faults} == {"explanation broken"}
    assert "embshift explain makes them again" in str(verdict)
    assert verify_run(run, inputs=False).sound
    assert open_run(run).finished
    explain_run(run)
    assert contents(run) == contents(explained)


def test_a_changed_record_is_found(explained, tmp_path):
    run = shutil.copytree(explained, tmp_path / "run")
    path = run / "explain" / "explain.json"
    path.write_text(path.read_text().replace('"what"', '"who"'))
    assert not verify_run(run, inputs=False, repair=True).sound
    assert verify_run(run, inputs=False).sound
    explain_run(run)
    assert contents(run) == contents(explained)


def test_no_link_is_followed(run, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (run / "explain").symlink_to(outside)
    with pytest.raises(RunError, match="is a link, and none is followed"):
        explain_run(run)
    assert not list(outside.iterdir())
    assert {fault.kind for fault in verify_run(run, inputs=False).faults} == {"place taken"}


def test_other_options_are_refused(explained):
    with pytest.raises(ResumeError, match="with images 256, and 5 is asked for; remove"):
        explain_run(explained, images=5)
    with pytest.raises(PlanError, match="patch_images is -1"):
        explain_run(explained, patch_images=-1)
    with pytest.raises(UnknownNameError, match="did you mean 'class'"):
        explain_run(explained, patch="clas")


def test_a_run_that_is_not_explained_says_how(run):
    result = invoke("explain", str(run), "--read-only")
    assert result.returncode == 2
    assert f"make one with: embshift explain {run}" in result.stderr


def test_an_unfinished_run_and_images_from_memory_are_refused(run, tmp_path):
    path = run / "run.json"
    path.write_text(path.read_text().replace('"state": "finished"', '"state": "running"'))
    with pytest.raises(RunError, match="is not finished; finish the run, then explain it"):
        explain_run(run)
    held = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    memory = tmp_path / "memory"
    embshift.measure(
        [held], encoder="lite", out=memory, image_size=64, transforms=["noise"], metrics=["cosine"]
    )
    with pytest.raises(RunError, match="in the memory of the process"):
        explain_run(memory)


def test_low_precision_is_refused_with_the_reason(run):
    record = read_record_file(run)
    write_record_file(run, {**record, "encoder": {**record["encoder"], "precision": "bfloat16"}})
    with pytest.raises(EncoderError, match="in float32 by torch only"):
        explain_run(run)


def test_a_checkpoint_with_a_class_token(pictures, tmp_path):
    checkpoint = make_checkpoint("clip", tmp_path / "clip")
    out = tmp_path / "run"
    embshift.measure(
        pictures,
        encoder=str(checkpoint),
        out=out,
        image_size=32,
        workers=0,
        transforms=["noise"],
        metrics=["cosine"],
    )
    explain_run(out, patch_images=4)
    found = open_run(out).explanation()
    assert found.kind == "class"
    assert found.components[:3] == ("stem", "head.0.0", "head.0.1")
    assert found.components[-2:] == ("mlp.2", "bias")
    assert found.shares("noise").share.sum() == pytest.approx(1, abs=1e-6)
    assert {one.kind for one in found.calibration()} == {"direct", "class"}
    followed = [one for one in found.calibration() if one.kind == "class"]
    assert min(one.correlation for one in followed) > 0.95
    effects = found.patches("noise")
    assert effects.recovered.estimates.n.tolist() == [0, *[4] * 9, 0]
    row = found.tables.read("maps")["row"].to_pylist()[0]
    shown = found.map("noise", row)
    assert shown.view.shape == (4, 4)
    assert shown.not_placed == pytest.approx(1 - shown.view.sum() + shown.clean.sum(), abs=1e-5)
    with pytest.raises(UnknownNameError, match="noise"):
        found.map("nois", row)
    table = invoke("explain", str(out), "--read-only").stdout
    assert "class patches against full ones" in " ".join(table.split())
    # Beside each number the images behind it: twelve shares, four patches.
    header = next(line.split() for line in table.splitlines() if "recovered" in line)
    assert header == ["transform", "component", "share", "n", "recovered", "patched"]
    first = next(line.split() for line in table.splitlines() if line.split()[:1] == ["noise"])
    assert (first[first.index("12")], first[-1]) == ("12", "4")
    assert len(found.to_pandas()) == len(found.components)
    assert "<table>" in found._repr_html_()


def test_views_that_memory_cannot_hold_at_once_are_split(run, explained, monkeypatch):
    whole = count_views(open_inside(open_encoder("lite", device="cpu")), (64, 64))
    assert whole == measured_module.VIEWS == 31
    kept = measured_module.KEPT
    # Room for the original and two of the six views of an image.
    monkeypatch.setattr(measured_module, "KEPT", 3 * count_bytes(observe_one()))
    assert count_views(open_inside(open_encoder("lite", device="cpu")), (64, 64)) == 2
    found = explain_run(run)
    monkeypatch.setattr(measured_module, "KEPT", kept)
    split, together = (read_shares(tables) for tables in (found, explain_run(explained)))
    assert split.keys() == together.keys()
    for key, share in together.items():
        np.testing.assert_allclose(split[key], share, atol=1e-5)


def observe_one():
    inside = open_inside(open_encoder("lite", device="cpu"))
    return inside.observe(np.zeros((1, 64, 64, 3), np.uint8))


def read_shares(tables):
    return {
        (line["row"], line["transform"], line["draw"]): line["share"]
        for chunk in tables.chunks("shares", ["row", "transform", "draw", "share"])
        for line in chunk.to_pylist()
    }


def test_contributions_sum_to_the_mean_shift_but_for_its_length(explained):
    run = open_run(explained)
    found = run.explanation()
    parts = found.contributions("noise")
    assert parts.shape == (len(found.components), run.info["encoder"]["dim"])
    clean = {row: unit(one) for row, one in zip(run.embeddings().rows, run.embeddings().values, strict=True)}
    rests = []
    views = run.embeddings("noise")
    for row, one in zip(views.rows, views.values, strict=True):
        old, new = (
            np.linalg.norm(run.embeddings().values[run.embeddings().rows == row][0]),
            np.linalg.norm(one),
        )
        length = (old - new) / (old + new) * (clean[row] + unit(one))
        rests.append(unit(one) - clean[row] - length)
    np.testing.assert_allclose(parts.sum(axis=0), np.mean(rests, axis=0), atol=1e-6)
    with pytest.raises(UnknownNameError, match="noise"):
        found.contributions("nois")


def unit(vector):
    return vector.astype(np.float64) / np.linalg.norm(vector.astype(np.float64))
