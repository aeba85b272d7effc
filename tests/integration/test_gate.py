"""The commands of the gate, their exit codes and files, the fixture of pytest, and the documented recipes."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import embshift
from tests.integration.command import invoke
from tests.synthetic_runs import Wanted, make_run

ROOT = Path(__file__).parents[2]
PLUGIN = "embshift.show.gate.fixture"
WANTED = Wanted(transforms=("blur", "noise"), images=40, metrics=("cosine",), views=False, maps=False)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a run, and the same images by another encoder."""
    make_run(tmp_path / "run", WANTED)
    make_run(tmp_path / "worse", replace(WANTED, seed=3, encoder="other"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_gate_from_nothing_to_red(place):
    written = invoke("baseline", "run", "--out", "baseline.parquet", "--with-embeddings")
    assert (written.returncode, written.stderr) == (0, "")
    assert re.fullmatch(r"baseline: baseline.parquet, [\d,]+ bytes\n", written.stdout)
    assert invoke("budget", "run", "--baseline", "worse", "--margin", "0.02").returncode == 0
    budget = (place / "budget.toml").read_text()
    assert tomllib.loads(budget)["gate"]["baseline"] == "worse"
    assert re.search(r"at_most = .*  # now .*; needs \d+ images, of 40", budget)
    (place / "budget.toml").write_text(budget.replace('"worse"', '"baseline.parquet"'))

    held = invoke("check", "run", "--budget", "budget.toml", "--json", "check.json")
    assert (held.returncode, held.stderr) == (0, "")
    assert "all budgets hold" in held.stdout
    assert json.loads((place / "check.json").read_text())["verdict"] == "holds"

    outputs = (
        "--json",
        "check.json",
        "--junit",
        "check.xml",
        "--markdown",
        "check.md",
        "--sarif",
        "check.sarif",
    )
    strict = re.sub(r"at_most = 0[\d.]+", "at_most = 0.0001", (place / "budget.toml").read_text(), count=1)
    (place / "budget.toml").write_text(strict)
    broken = invoke("check", "worse", "--budget", "budget.toml", *outputs)
    assert broken.returncode == 1
    assert "a budget is broken" in broken.stdout
    for name in ("check.json", "check.xml", "check.md", "check.sarif"):
        assert "broken" in (place / name).read_text(encoding="utf-8")

    null = invoke("check", "run", "--budget", "budget.toml", "--null", "-q")
    assert (null.returncode, null.stdout.count("\n")) == (0, 1)
    assert "4 absolute budgets skipped" in null.stdout


def test_a_baseline_is_replaced_on_demand_alone(place):
    invoke("baseline", "run", "--out", "b.parquet")
    before = (place / "b.parquet").read_bytes()
    again = invoke("baseline", "run", "--out", "b.parquet")
    assert (again.returncode, again.stdout) == (0, "b.parquet holds this already\n")
    refused = invoke("baseline", "worse", "--out", "b.parquet")
    assert refused.returncode == 2
    assert "encoder name: synthetic → other" in refused.stdout
    assert "give --replace" in refused.stderr
    assert (place / "b.parquet").read_bytes() == before
    assert invoke("baseline", "worse", "--out", "b.parquet", "--replace").returncode == 0
    assert (place / "b.parquet").read_bytes() != before
    (place / "mine.parquet").write_text("mine")
    assert "is no baseline" in invoke("baseline", "run", "--out", "mine.parquet", "--replace").stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("check run", 2, "no budget given; expected --budget FILE, or --require TEXT"),
        ("check run --budget none.toml", 2, "budget file none.toml cannot be read"),
        ("check none --require same_image_shift<=1", 2, "'none' is not a run folder"),
        ("check run --require recall_at_1(jpg)>=0", 2, "'jpg' matches no transform of the run"),
        (
            "check run --require recall_at_1(blur)>=baseline-0.1",
            2,
            "compares with a baseline, and none is given",
        ),
        (
            "check run --require recall_at_1(blur)>=baseline-0.1 --baseline none",
            2,
            "baseline none does not exist",
        ),
        (
            "check run --require recall_at_1(blur)>=baseline-0.1 --null --baseline run",
            2,
            "leave --baseline out",
        ),
        ("check run --require recall_at_1(blur)>=0 --sarif a.sarif", 2, "a requirement stands in none"),
        ("check run --require recall_at_1(blur)>=0 --link x", 2, "--link belongs to --markdown"),
        ("check run --require recall_at_1(blur)>=0 --json a --junit a", 2, "two outputs have the same path"),
        ("check run --require recall_at_1(blur)>=0 --json run/run.json", 2, "among the results of the run"),
        ("check run --require recall_at_1(blur)>=0 --json none/a.json", 0, ""),
        ("check run --require recall_at_1(blur)>=0.97", 5, ""),
        ("check run --require relative_shift(noise)<=0.0001", 1, ""),
        ("budget run --out run/run.json --replace", 2, "among the results of the run"),
        ("baseline run --out run/shifts/b.parquet", 2, "among the results of the run"),
        ("budget run --margin 0.1", 2, "--margin belongs to --baseline"),
        ("budget run --slack -1", 2, "slack is -1; expected 0 or more"),
        ("budget run --baseline worse --margin 0", 2, "margin is 0; expected 2e-05 or more"),
    ],
)
def test_exit_codes(place, arguments, code, message):
    found = invoke(*arguments.split())
    assert (found.returncode, message in found.stderr) == (code, True), found.stderr


def test_a_budget_file_is_not_overwritten(place):
    (place / "budget.toml").write_text("mine")
    assert "budget.toml exists; give --replace" in invoke("budget", "run").stderr
    assert (place / "budget.toml").read_text() == "mine"
    refused = invoke("budget", "run", "--replace")
    assert (refused.returncode, "no budget file of embshift" in refused.stderr) == (2, True)
    assert (place / "budget.toml").read_text() == "mine"
    (place / "budget.toml").write_text("# mine\n[[budget]]\n")
    assert invoke("budget", "run", "--replace").returncode == 0


# The fixture of pytest --------------------------------------------------------------------------------------


def run_pytest(place, *arguments):
    """Run pytest in a process of its own, with no plugin but this."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", PLUGIN, *arguments]
    # Others, such as hypothesis, load numpy; and an installed plugin would be registered twice.
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=300)


def test_the_fixture_fails_a_test_whose_run_does_not_hold(place):
    (place / "test_mine.py").write_text(
        "import sys\n"
        "LOADED = {'numpy', 'pyarrow', 'scipy', 'torch'} & {*sys.modules}\n"
        "def test_the_plugin_loads_nothing():\n    assert not LOADED\n"
        "def test_holds(embshift_check):\n"
        "    assert embshift_check('run', require='relative_shift(*) <= 2').verdict == 'holds'\n"
        "def test_broken(embshift_check):\n    embshift_check('run', require='relative_shift(*) <= 0.0001')\n"
        "def test_undecided(embshift_check):\n"
        "    embshift_check('run', require='recall_at_1(blur) >= 0.97')\n"
    )
    found = run_pytest(place, "test_mine.py")
    assert "2 failed, 2 passed" in found.stdout, found.stdout + found.stderr
    assert "broken: relative_shift(noise) ≤ 0.0001; it is" in found.stdout
    assert "recall_at_1(blur) ≥ 0.97; it is" in found.stdout


def test_the_plugin_is_the_entry_point():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"embshift": PLUGIN}


# Recipes ----------------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "docs" / "recipes" / "Dockerfile").read_text(encoding="utf-8")


def find_scripts(value):
    """Yield the shell lines of GitHub's ``run`` and GitLab's ``script``, wherever they stand."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("run", "script", "entry") and isinstance(each, str):
                yield each
            elif key in ("script", "before_script"):
                yield "\n".join(each)
            else:
                yield from find_scripts(each)
    elif isinstance(value, list):
        for each in value:
            yield from find_scripts(each)


def yaml_blocks():
    return re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def repository(place):
    """What a repository with a gate holds, and the commands on PATH; pip and the measuring are stand-ins."""
    invoke("baseline", "run", "--out", "baseline.parquet")
    (place / "budget.toml").write_text(
        '[gate]\nbaseline = "baseline.parquet"\n'
        '[[budget]]\nstatistic = "relative_shift"\nworse_by_at_most = 0.01\n'
    )
    shutil.move(place / "run", place / "measured")
    tools = place / "bin"
    tools.mkdir()
    command = f'exec "{sys.executable}" -m embshift "$@"'
    measure = 'if [ "$1" = run ]; then cp -r measured run; exit; fi'
    for name, text in {"embshift": f"{measure}\n{command}", "pip": "exit 0"}.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    return place


@pytest.mark.parametrize("at", range(len(yaml_blocks())))
def test_the_recipes_run(repository, at):
    summary = repository / "summary.md"
    environment = {
        **os.environ,
        "PATH": f"{repository / 'bin'}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(summary),
        "RUN": "run",
        "BUDGET": "budget.toml",
    }
    scripts = list(find_scripts(yaml.safe_load(yaml_blocks()[at])))
    if not (repository / "run").exists() and not any("embshift run" in one for one in scripts):
        shutil.copytree(repository / "measured", repository / "run")
    for script in scripts:
        found = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert found.returncode == 0, script + found.stdout + found.stderr
    if any("GITHUB_STEP_SUMMARY" in one for one in scripts):
        assert "all budgets hold" in summary.read_text()


def test_the_dockerfile_holds_what_it_runs():
    """There is no docker here: its lines are read, and what they name exists."""
    lines = [line for line in re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines() if line and line[0] != "#"]
    steps = [line.split(maxsplit=1) for line in lines]
    assert steps[0][0] == "FROM"
    assert {name for name, _ in steps} <= {
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "ENV",
        "ENTRYPOINT",
        "CMD",
    }
    for name, rest in steps:
        if name == "COPY":
            assert all((ROOT / source).exists() for source in rest.split()[:-1])
        if name in ("ENTRYPOINT", "CMD"):
            assert isinstance(json.loads(rest), list)
    (entry,) = (json.loads(rest) for name, rest in steps if name == "ENTRYPOINT")
    assert entry == ["embshift"]


def test_public_check_is_the_one_of_the_command(place):
    record = embshift.check("run", require="relative_shift(*) <= 2")
    found = invoke("check", "run", "--require", "relative_shift(*) <= 2", "--json", "a.json")
    assert json.loads((place / "a.json").read_text()) == record.content()
    assert found.returncode == record.exit_code == 0
