"""``embshift serve`` as a user starts it: one line, a page on this machine, and a clean end."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.integration.command import invoke, start


def read_line(process):
    """Return the address and the token of the one line on standard output."""
    line = process.stdout.readline()
    address, _, token = line.strip().partition("/#token=")
    return address, token


def request(address, path, token="", **headers):
    headers = {"Authorization": f"Bearer {token}", **headers} if token else headers
    with urllib.request.urlopen(
        urllib.request.Request(address + path, headers=headers), timeout=120
    ) as reply:
        return reply.read()


def stop(process, number):
    process.send_signal(number)
    return process.communicate(timeout=120)


@pytest.fixture
def begin():
    """Start the command; what is still running at the end of a test is killed."""
    begun = []

    def start_one(*words):
        begun.append(start(["serve", *words]))
        return begun[-1]

    yield start_one
    for process in begun:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def two(photos, tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("cat", "dog"):
        shutil.copy(photos / f"{name}.jpg", tmp_path / "photos")
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    return tmp_path / "photos"


def test_images_are_measured_served_and_removed(begin, two, tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    process = begin(str(two), "--limit", "1")
    address, token = read_line(process)
    assert address.startswith("http://127.0.0.1:")
    assert len(token) >= 40
    found = json.loads(request(address, "/api/run", token))
    assert found["images"] == 1
    assert found["encoders"][0]["live"]
    assert found["command"].endswith("--limit 1")
    assert any("left out" in note for note in found["notes"])
    assert list((tmp_path / "tmp").glob("embshift-serve-*"))
    port = int(address.rpartition(":")[2])
    assert not is_open(("127.0.0.2", port))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        request(address, "/api/run")
    rest, told = stop(process, signal.SIGINT)
    assert (process.returncode, rest) == (0, "")
    assert told.splitlines()[-1] == "stopped"
    assert list((tmp_path / "tmp").glob("embshift-*")) == []
    assert not is_open(("127.0.0.1", port))


def is_open(address):
    with socket.socket() as one:
        one.settimeout(2)
        return one.connect_ex(address) == 0


def test_a_run_is_served_until_it_is_terminated(begin, lite_run):
    process = begin(str(lite_run.folder), "--at", "2/blur/1.5", "--quiet")
    address, token = read_line(process)
    begun = json.loads(request(address, "/api/run", token))["start"]
    assert (begun["row"], begun["transform"], begun["strength"]) == (2, "blur", 1.5)
    assert request(address, "/").startswith(b"<!doctype html>")
    stop(process, signal.SIGTERM)
    assert process.returncode == 143


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "the following arguments are required: RUN|SOURCE"),
        (("{run}", "{photos}"), "is a run folder and"),
        (("{run}", "{run}", "{run}"), "3 run folders are given; expected one or two"),
        (("{run}", "--limit", "3"), "--limit is for images"),
        (("{run}", "--encoder", "lite"), "--encoder is for images"),
        (("{photos}", "--limit", "0"), "--limit is 0; expected 1 or more"),
        (("{run}", "--port", "99999"), "--port is 99999; expected 0 to 65535"),
        (("{run}", "--port", "{taken}"), "cannot be used: Address already in use"),
        (("{run}", "--at", "2/blurx/1"), "did you mean 'blur'"),
        (("{photos}/nothing",), "does not exist"),
        (("{empty}",), "no image in"),
        (("{broken}",), "no image could be used: broken.png"),
        (("{photos}", "--encoder", "lit"), "did you mean 'lite'"),
    ],
)
def test_wrong_use_is_told(lite_run, photos, tmp_path, words, said):
    for name in ("empty", "broken"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        names = {
            "run": lite_run.folder,
            "photos": photos,
            "taken": taken.getsockname()[1],
            "empty": tmp_path / "empty",
            "broken": tmp_path / "broken",
        }
        found = call(*(word.format(**names) for word in words))
    assert found.returncode in (2, 3)
    assert said in found.stderr
    assert "Traceback" not in found.stderr
    assert found.stdout == ""


def call(*words):
    """Return what the command says; without arguments the parser ends the process."""
    if words:
        return invoke("serve", *words)
    command = [sys.executable, "-m", "embshift", "serve"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_its_extra_it_names_the_command(lite_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "starlette", None)
    found = invoke("serve", str(lite_run.folder))
    assert found.returncode == 2
    assert "pip install 'embshift[app]'" in found.stderr


def test_the_server_half_never_loads_torch(lite_run):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from embshift.runs.tables import open_tables\n"
        "from embshift.show.app.answers.requests import Desk\n"
        "from embshift.show.app.answers.overview import describe_runs\n"
        "from embshift.show.app.application import build_app\n"
        "from embshift.show.app.server import make_server\n"
        "from embshift.show.app.served.run import ServedRun\n"
        "run = open_tables(sys.argv[1])\n"
        "side = ServedRun(run, title='run', live=None, why='as asked', reaches={})\n"
        "desk = Desk(sides=[side], command='embshift serve run')\n"
        "describe_runs(desk), build_app(desk, port=1, token='x')\n"
        "print({'torch', 'transformers', 'albumentations'} & set(sys.modules))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(lite_run.folder)], capture_output=True, text=True, check=True
    )
    assert found.stdout == "set()\n"
    assert Path(lite_run.folder).exists()
