"""Runs whose encoder is a service on this machine: from start to report, and through its failures."""

import itertools
import json
import shutil

import pyarrow.parquet as pq
import pytest

import embshift
from tests import embedding_service as faults
from tests.embedding_service import embed, refuse, serve
from tests.integration.command import invoke
from tests.integration.crops import write_crops

SECRET = "sk-0123456789abcdef-secret"
QUICK = ("--transform", "blur", "--transform", "noise", "--image-size", "32", "--workers", "0")


@pytest.fixture
def service():
    with serve() as running:
        yield running


@pytest.fixture
def three(photos, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("cat", "dog", "crab"):
        shutil.copy(photos / f"{name}.jpg", folder)
    return folder


def write_settings(folder, service, **settings):
    lines = {"url": service.url, "first_wait": 0.001, "retries": 1, "key_variable": "MY_KEY"} | settings
    path = folder / "service.toml"
    path.write_text(
        "[service]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())
    )
    return path


def read_rows(run, table="embeddings"):
    found = [pq.read_table(path) for path in sorted((run / table).glob("*.parquet"))]
    return [row for each in found for row in each.to_pylist()]


def read_all(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_the_whole_job(service, three, tmp_path):
    out = tmp_path / "run"
    command = ("run", str(three), "--encoder", service.url, *QUICK, "--out", str(out))
    done = invoke(*command)
    assert done.returncode == 0, done.stderr
    assert "equal bit for bit (3 images asked 3 times)" in done.stderr
    assert "left out: attention_similarity" in done.stderr
    info = json.loads((out / "run.json").read_text())
    assert info["service"] == {"images": 3, "repeats": 3, "equal": True, "mean": 0.0, "max": 0.0}
    assert info["encoder"]["preprocessing"]["url"] == service.url
    asked = len(service.requests)
    for again in (command, ("summarise", str(out)), ("verify", str(out)), ("report", str(out))):
        done = invoke(*again)
        assert done.returncode == 0, done.stderr
    assert len(service.requests) == asked, "a finished run asks nobody"
    report = (out / "report.html").read_text()
    assert "answers for the same image are equal bit for bit (3 images asked 3 times)" in report
    done = invoke("verify", str(out), "--allow-remote")
    assert (done.returncode, len(service.requests)) == (0, asked + 1)
    assert "was not opened" not in done.stdout + done.stderr
    service.always = refuse(503)
    assert invoke(*command).returncode == 0


def test_recorded_embeddings_are_those_of_the_pixels(service, three, tmp_path):
    run = embshift.measure(
        three, encoder=service.url, transforms=["blur"], image_size=[24, 40], workers=0, out=tmp_path / "run"
    )
    served = {tuple(embed(image)) for image in service.images}
    short = {tuple(round(value, 5) for value in each) for each in served}
    rows = read_rows(run.folder)
    assert len(rows) == 6
    assert {tuple(round(value, 5) for value in row["embedding"]) for row in rows} <= short
    assert {image.shape for image in service.images[1:]} == {(24, 40, 3)}


def test_a_service_that_is_noisy_has_its_floor_measured(service, three, tmp_path):
    calls = itertools.count()

    def jitter(vectors):
        off = 1e-3 * (next(calls) % 3)
        return [[one[0] + off, *one[1:]] for one in vectors]

    service.change = jitter
    out = tmp_path / "run"
    done = invoke("run", str(three), "--encoder", service.url, *QUICK, "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "run.json").read_text())["service"]
    assert not found["equal"]
    assert 1e-9 < found["mean"] < found["max"] < 1e-4
    assert f"differ by up to {found['max']:.2g} in 1 − cosine" in done.stderr
    assert invoke("verify", str(out)).returncode == 0
    invoke("report", str(out))
    assert f"and by {found['max']:.2g} at most (3 images asked 3 times)" in (out / "report.html").read_text()


@pytest.fixture(scope="module")
def many(samples, tmp_path_factory):
    """Images for two chunks."""
    return write_crops(samples, tmp_path_factory.mktemp("many") / "in", count=70, side=32)


@pytest.fixture
def undisturbed(many, tmp_path):
    """Every row of a run in which nothing fails."""
    with serve() as calm:
        command = ("run", str(many), "--encoder", calm.url, *QUICK, "--out", str(tmp_path / "calm"))
        assert invoke(*command).returncode == 0
    return read_rows(tmp_path / "calm")


def test_a_service_that_fails_loses_nothing_and_doubles_nothing(
    service, many, undisturbed, tmp_path, monkeypatch
):
    monkeypatch.setenv("MY_KEY", SECRET)
    settings, out = write_settings(tmp_path, service), tmp_path / "run"
    command = ("run", str(many), "--encoder", str(settings), *QUICK, "--out", str(out))
    # One image to open, the floor, and exactly a chunk; then only the one image to open.
    first, said = [faults.answer] * (1 + 3 + 64 * 3 // 8), b""
    for fault in (faults.echo_headers, faults.cut_off, faults.hang_up):
        service.faults.extend(first)
        service.always, first = fault, [faults.answer]
        done = invoke(*command)
        said += (done.stdout + done.stderr).encode()
        assert done.returncode == 2, done.stderr
        assert "asked 2 times for the embeddings of " in done.stderr
        assert sorted({row["row"] for row in read_rows(out)}) == list(range(64))
        assert json.loads((out / "run.json").read_text())["state"] == "running"
    service.always = None
    service.faults.extend(
        [refuse(429, Retry_After="0"), faults.lose_one, faults.shuffle, refuse(500), faults.cut_quietly]
    )
    settings.write_text(settings.read_text().replace("retries = 1", "retries = 6"))
    images = len(service.images)
    done = invoke(*command)
    said += (done.stdout + done.stderr).encode()
    assert done.returncode == 0, done.stderr
    assert len(service.images) - images < 64 * 3, "what is committed is not asked for again"
    assert invoke("verify", str(out)).returncode == 0
    found = read_rows(out)
    assert len(found) == len({(row["row"], row["transform"], row["draw"]) for row in found})
    assert found == undisturbed
    invoke("report", str(out))
    assert SECRET.encode() not in read_all(out) + said
    assert f"Bearer {SECRET}" in {headers["Authorization"] for _, headers, _ in service.requests}


def test_another_model_does_not_continue_a_run(service, three, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)
    settings, out = write_settings(tmp_path, service, model="small"), tmp_path / "run"
    command = ("run", str(three), "--encoder", str(settings), *QUICK, "--out", str(out))
    assert invoke(*command).returncode == 0
    asked = len(service.requests)
    monkeypatch.delenv("MY_KEY")
    assert invoke(*command).returncode == 0
    assert len(service.requests) == asked, "with settings as they were, a finished run asks nobody"
    monkeypatch.setenv("MY_KEY", SECRET)
    write_settings(tmp_path, service, model="small", batch=3)
    assert invoke(*command).returncode == 0
    write_settings(tmp_path, service, model="large")
    done = invoke(*command)
    assert done.returncode == 2
    assert "the encoder is not the run's: its preprocessing" in done.stderr


def test_a_service_cannot_be_explained_and_is_sent_nothing(service, three, tmp_path):
    out = tmp_path / "run"
    assert invoke("run", str(three), "--encoder", service.url, *QUICK, "--out", str(out)).returncode == 0
    asked = len(service.requests)
    done = invoke("explain", str(out))
    assert (done.returncode, "does not see its network" in done.stderr) == (2, True)
    assert "--allow-remote" not in done.stderr, "explain has no such option"
    assert "--show words, labels or captions, with --vectors FILE" in done.stderr
    done = invoke("explain", str(out), "--show", "words")
    assert (done.returncode, "use text vectors of your own (--vectors)" in done.stderr) == (2, True)
    assert len(service.requests) == asked


@pytest.mark.parametrize(
    "address",
    ["https://me:hush@127.0.0.1/x", "https://127.0.0.1/x?key=hush", "http://127.0.0.1:1/x", "none.toml"],
)
def test_what_is_no_service_is_told(three, tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    done = invoke("run", str(three), "--encoder", address, *QUICK)
    assert done.returncode == 2
    assert done.stderr.count("error: ") == 1
    assert "hush" not in done.stdout + done.stderr
    assert not list(tmp_path.rglob("*hush*"))
    assert b"hush" not in read_all(tmp_path)
