"""A run folder that anyone may have written: no command runs the code or asks the service that it names."""

import shutil
import sys

import pytest

import embshift
from embshift.core.errors import UsageError
from tests.embedding_service import serve
from tests.integration.command import invoke

CANARY = """
from pathlib import Path
Path(__file__).with_suffix(".ran").touch()
def encode(images):
    return images.mean((1, 2))
def change(pixels):
    return 255 - pixels
"""

PRESET = """
name = "theirs"
summary = "names code"
[[transform]]
name = "mine"
function = "canary_stranger:change"
"""


@pytest.fixture
def service():
    with serve() as running:
        yield running


@pytest.fixture
def place(photos, tmp_path, monkeypatch, service):
    """Runs whose records name code or a service; `traces` tells whether either was reached."""
    (tmp_path / "canary_stranger.py").write_text(CANARY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "canary_stranger", raising=False)
    (tmp_path / "service.toml").write_text(f'[service]\nurl = "{service.url}"\n')
    (tmp_path / "photos").mkdir()
    for name in ("cat", "dog"):
        shutil.copy(photos / f"{name}.jpg", tmp_path / "photos")
    for name, asked in NAMED.items():
        chosen = {one: value.format(tmp_path) for one, value in asked.items() if one == "encoder"}
        options = {"transforms": ["blur", "noise"], "image_size": (32, 32), "workers": 0} | asked | chosen
        options = {**options, "encoder": service.url} if name == "address" else options
        embshift.measure(tmp_path / "photos", out=tmp_path / name, **options)
    sys.modules.pop("canary_stranger", None)
    (tmp_path / "canary_stranger.ran").unlink()
    service.requests.clear()
    hide_code_in_a_preset(tmp_path)
    return tmp_path


NAMED = {
    "encoder": {"encoder": "canary_stranger:encode"},
    "transform": {"encoder": "lite", "transforms": {"mine": "canary_stranger:change"}},
    "address": {"encoder": ""},
    "settings": {"encoder": "{0}/service.toml"},
    "preset": {"encoder": "lite"},
}


def hide_code_in_a_preset(folder):
    """Let the plan of a run name a preset's file, and that file the code."""
    (folder / "preset" / "theirs.toml").write_text(PRESET)
    plan = folder / "preset" / "plan.toml"
    head = plan.read_text().partition("[[transform]]")[0]
    plan.write_text(head.replace('"paper"', f'"{folder}/preset/theirs.toml"'))


def traces(place, service):
    return (place / "canary_stranger.ran").exists() or bool(service.requests)


COMMANDS = [
    ("summarise", "{run}"),
    ("summarise", "{run}", "--show", "calibration", "--floor", "{run}"),
    ("summarise", "{run}", "--show", "differences", "--against", "{run}"),
    ("report", "{run}"),
    ("figures", "{run}", "--only", "profiles"),
    ("explain", "{run}", "--patch", "direct"),
    ("explain", "{run}", "--labels", "folders"),
    ("explain", "{run}", "--read-only"),
    ("verify", "{run}"),
    ("run", "{photos}", "--preset", "{run}/plan.toml", "--out", "{new}"),
    ("run", "{photos}", "--out", "{run}", "--image-size", "32"),
    ("run", "{run}", "--out", "{new}"),
    ("sweep", "{photos}", "--out", "{run}", "--encoder", "lite"),
    ("ingest", "{run}", "--embeddings", "{run}/run.json", "--out", "{new}"),
    ("verify", "{run}", "--repair"),
]
BY_PLAN = [
    ("run", "{photos}", "--plan", "{run}/plan.toml", "--out", "{new}"),
    ("run", "--plan", "{run}/plan.toml", "--out", "{new}"),
    ("views", "{photos}", "--plan", "{run}/plan.toml", "--out", "{new}"),
]


def test_no_command_reaches_what_a_record_names(place, service):
    for name in NAMED:
        names = {"run": place / name, "photos": place / "photos", "new": place / "new"}
        for words in COMMANDS:
            told = invoke(*(word.format(**names) for word in words))
            assert not traces(place, service), (name, words)
            assert "Traceback" not in told.stderr, (name, words)
            shutil.rmtree(place / "new", ignore_errors=True)
    for name in ("encoder", "transform"):
        with pytest.raises(UsageError, match="allow_code=True"):
            embshift.open_run(place / name).explain()
        assert embshift.verify_run(place / name).sound
    assert not traces(place, service)


def test_a_plan_reaches_it_where_that_is_allowed_alone(place, service):
    for name in NAMED:
        names = {"run": place / name, "photos": place / "photos", "new": place / "new"}
        option = "--allow-remote" if name in ("address", "settings") else "--allow-code"
        for words in BY_PLAN:
            if words[0] == "views" and option == "--allow-remote":
                continue  # no encoder is asked
            told = invoke(*(word.format(**names) for word in words))
            assert (told.returncode, f"give {option}" in told.stderr) == (2, True), (name, words)
            assert not traces(place, service), (name, words)
        with pytest.raises(UsageError, match=option.removeprefix("--").replace("-", "_")):
            embshift.measure(place / "photos", plan=place / name / "plan.toml", out=place / "new")
        assert not traces(place, service)
        words = (*(word.format(**names) for word in BY_PLAN[0]), "--workers", "0", option)
        assert invoke(*words).returncode == 0
        assert traces(place, service)
        (place / "canary_stranger.ran").unlink(missing_ok=True)
        sys.modules.pop("canary_stranger", None)
        service.requests.clear()
        shutil.rmtree(place / "new")
