"""A run in a store is the run in a folder, byte for byte; and every command that reads runs reads it."""

import argparse
import os
import re
import shutil

import pytest
from obstore.exceptions import GenericError

import embshift
from embshift.cli.parser import _COMMANDS, build_parser
from embshift.core.errors import ResumeError, RunError, ShiftError, StoreError
from embshift.measurement.session.parts import finish_parts, measure_one_part, read_part
from embshift.measurement.session.trust import NO_TRUST
from embshift.runs import addresses
from embshift.runs.addresses import run_path
from embshift.runs.record import read_record_file
from embshift.runs.remote import putting
from embshift.show.report.methods import list_commands
from tests.faults.sessions import contents, measure, quickly, write_pictures
from tests.faulty_store import RUN, in_memory, objects, once
from tests.integration.command import invoke

TIMES = ("started", "finished", "sessions", "choices")
"""What differs in run.json: when, how long, and why, which a run that is continued knows no more."""


class Silent:
    def note(self, line): ...
    def begin(self, *, total, done): ...
    def advance(self, *, failed): ...
    def end(self): ...


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Pictures, and the run of them in a folder."""
    folder = tmp_path_factory.mktemp("local")
    write_pictures(folder / "in")
    with quickly():
        measure(folder / "in", folder / "run")
    return folder


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBSHIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(addresses, "_MIRRORS", {})
    monkeypatch.setattr(putting, "_PAUSES", (0, 0, 0))
    with in_memory() as faulty:
        yield faulty


def on_another_machine(tmp_path):
    """Forget what was opened and copied."""
    addresses._MIRRORS.clear()
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)


def check_same(store, local, tmp_path):
    """Check that the store holds the run of the folder, and nothing else, but for the times."""
    found, wanted = objects(store), contents(local / "run")
    assert set(found) == set(wanted)
    assert [name for name in found if found[name] != wanted[name] and name != "run.json"] == []
    on_another_machine(tmp_path)
    one, other = read_record_file(run_path(RUN)), read_record_file(local / "run")
    assert {**one, **dict.fromkeys(TIMES)} == {**other, **dict.fromkeys(TIMES)}


def run(local):
    with quickly():
        return measure(local / "in", RUN)


def test_a_run_in_a_store_has_the_bytes_of_one_in_a_folder(store, local, tmp_path):
    assert repr(run(local)).startswith(f"Run('{RUN}': ")
    check_same(store, local, tmp_path)
    before = objects(store)
    store.asked.clear()
    run(local)  # finished: answered from what is listed
    assert objects(store) == before
    assert store.asked["get"] == 1  # the listing, on a machine that has read run.json alone


def test_parts_in_a_store_have_the_bytes_of_one_in_a_folder(store, local, tmp_path):
    with quickly():
        command = ("run", str(local / "in"), "--encoder", "lite", "--image-size", "16", "--transform", "blur")
        command += ("--transform", "noise", "--metric-sample", "7", "--batch", "4", "--workers", "0")
        done = invoke(*command, "--out", RUN, "--prepare", "--quiet")
        assert f"embshift work {RUN} --part 0/1" in done.stdout
        for part in ("1/2", "0/2"):
            on_another_machine(tmp_path)
            assert invoke("work", RUN, "--part", part, "--workers", "0").returncode == 0
            assert list((tmp_path / "cache").rglob("chunk-*")) == []
        on_another_machine(tmp_path)
        done = invoke("finish", RUN)
    assert f"run folder: {RUN}\n" in done.stdout
    check_same(store, local, tmp_path)


def test_a_run_is_not_finished_without_its_parts(store, local):
    with quickly():
        measure_one_part_of(local, "0/2")
        with pytest.raises(ResumeError, match=rf"1 chunk of 3 missing from {RUN} \(1\)"):
            finish_parts(run_path(RUN), trust=NO_TRUST, reporter=Silent())


def measure_one_part_of(local, part):
    from embshift.measurement.plan.plan import make_plan
    from embshift.measurement.session.carry_out import carry_out

    options = {"encoder": "lite", "image_size": 16, "transforms": ["blur", "noise"], "metric_sample": 7}
    plan = make_plan(sources=[str(local / "in")], batch=4, workers=0, **options)
    carry_out(plan, sources=plan.sources, out=run_path(RUN), reporter=Silent(), prepare=True)
    measure_one_part(
        run_path(RUN), read_part(part), options={"workers": 0}, trust=NO_TRUST, reporter=Silent()
    )


LOST = ["run.json", "plan.toml", "listing.parquet", "chunk-000001.parquet", ".lease"]


@pytest.mark.parametrize(
    ("when", "ending"),
    [("before", "run.json"), ("before", "images/chunk-000000.parquet"), *(("after", name) for name in LOST)],
)
def test_a_request_that_fails_once_changes_nothing(store, local, tmp_path, when, ending):
    setattr(store, when, once("put", ending))
    run(local)
    check_same(store, local, tmp_path)


@pytest.mark.parametrize(
    ("when", "ending"),
    [
        ("after", "run.json"),
        ("before", "embeddings/chunk-000001.parquet"),
        ("after", "embeddings/chunk-000001.parquet"),
        ("before", "images/chunk-000001.parquet"),
        ("after", "images/chunk-000001.parquet"),
    ],
)
def test_a_run_that_died_between_two_objects_is_continued(store, local, tmp_path, when, ending):
    dead = []

    def die(name, key):
        if dead or (name == "put" and key.endswith(ending)):
            dead.append(key)
            raise GenericError("the machine is gone")

    setattr(store, when, die)
    with pytest.raises((StoreError, ResumeError)):
        run(local)
    assert dead
    store.before = store.after = lambda name, key: None
    for name in [name for name in objects(store) if name.startswith((".lease", ".probe"))]:
        store.delete(store.store, f"runs/a/{name}")  # ended by now
    on_another_machine(tmp_path)
    run(local)
    check_same(store, local, tmp_path)


def test_what_another_machine_measured_otherwise_is_told_and_stays(store, local):
    other = "runs/a/embeddings/chunk-000001.parquet"
    started = []

    def meddle(name, key):
        if name == "put" and key.endswith("shifts/chunk-000000.parquet") and not started:
            started.append(key)
            store.put(store.store, other, b"other bytes")

    store.before = meddle
    with pytest.raises(ResumeError, match="was written with other bytes") as caught:
        run(local)
    assert "s3://bucket/" + other in str(caught.value)
    assert objects(store)["embeddings/chunk-000001.parquet"] == b"other bytes"
    assert "images/chunk-000001.parquet" not in objects(store)


def test_a_folder_of_something_else_is_refused(store, local):
    store.put(store.store, "runs/a/thesis.pdf", b"%PDF")
    with pytest.raises(
        embshift.core.errors.UsageError, match=r"neither empty nor a run folder .*thesis\.pdf"
    ):
        run(local)
    assert set(objects(store)) == {"thesis.pdf"}


def test_an_address_without_a_run_is_told(store):
    with pytest.raises(RunError, match=r"run\.json not found"):
        embshift.open_run(RUN)
    done = invoke("summarise", RUN)
    assert done.returncode == 2
    assert f"'{RUN}' is not a run folder" in done.stderr


# Commands that read a run.


def upload(folder, store):
    for name, data in contents(folder).items():
        store.put(store.store, f"runs/a/{name}", data)
    store.asked.clear()
    return store


@pytest.fixture
def stored(store, local):
    return upload(local / "run", store)


READ = {
    "summarise": [["--show", what] for what in ("shifts", "retrieval")],
    "clusters": [[]],
    "compare": [["OTHER"]],
    "figures": [["--only", "dendrogram", "--out", "OUT/figures"]],
    "report": [["--out", "OUT/report.html"]],
    "export": [["--to", "projector", "--out", "OUT/export"]],
    "card": [[]],
    "budget": [["--out", "OUT/budget.toml"]],
    "baseline": [["--out", "OUT/base.parquet"]],
    "check": [
        ["--require", "recall_at_1(*) >= 0"],
        ["--require", "relative_shift(*) <= baseline + 1", "--baseline", "OTHER"],
    ],
    "verify": [["--folder-only"]],
}
WRITTEN = {"run", "work", "finish", "demo", "sweep", "match", "ingest", "explain"}
NEITHER = {"views", "list", "completion"}


def test_every_command_is_tried_on_a_run_in_a_store():
    commands = {name for name in _COMMANDS if "RUN" in str(vars(parser_of(name)))}
    assert set(READ) | WRITTEN | NEITHER | {"serve"} == set(_COMMANDS)
    assert not commands & NEITHER


def parser_of(name):
    def see(parser: argparse.ArgumentParser):
        return [str(action.metavar) for action in vars(parser)["_actions"]]

    parsers = next(
        a for a in vars(build_parser(name))["_actions"] if isinstance(a, argparse._SubParsersAction)
    )
    return argparse.Namespace(metavars=see(parsers.choices[name]))


SLOW = ("figures", "report", "verify")
TRIED = [
    pytest.param(name, one, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in READ
    for one in READ[name]
]


@pytest.mark.parametrize(("command", "options"), TRIED)
def test_a_command_says_of_a_run_in_a_store_what_it_says_of_one_in_a_folder(
    stored, local, tmp_path, command, options
):
    said, folder = [], str(local / "run")
    for number, (address, other) in enumerate([(RUN, folder), (folder, RUN)]):
        out = tmp_path / f"out{number}"
        out.mkdir()
        given = [one.replace("OUT", str(out)).replace("OTHER", other) for one in options]
        done = invoke(command, address, *given)
        assert done.returncode in (0, 1, 5), done.stderr
        text = done.stdout.replace(str(out), "OUT").replace(address, "RUN").replace(other, "OTHER")
        text = text.replace("run/plan.toml", "RUN/plan.toml")  # a card calls a folder by its name
        said.append((done.returncode, re.sub(r"\b(a|run)\b|[0-9,]+ bytes", "", text).split()))
    if "OTHER" not in options:  # else the sides are exchanged, and differences with them
        assert said[0] == said[1]
    assert stored.asked["put"] == 0


def test_reading_fetches_only_the_tables_that_are_needed(stored, tmp_path):
    invoke("summarise", RUN)
    assert dict(stored.asked) == {"list_with_delimiter": 1, "list": 2, "get": 1 + 2 * 3}
    assert {path.parent.name for path in (tmp_path / "cache").rglob("chunk-*")} == {"images", "shifts"}


@pytest.mark.slow
def test_python_errors_name_the_address_and_not_the_copy(stored, tmp_path):
    for call, message in [
        (lambda: embshift.open_run("s3://bucket/none"), "'s3://bucket/none' is not a run folder"),
        (lambda: embshift.open_run(RUN).variance(), f"{RUN} has one draw"),
        (lambda: embshift.open_run(RUN).matched(), RUN),
    ]:
        with pytest.raises(ShiftError) as caught:
            call()
        assert message in str(caught.value)
        assert str(tmp_path) not in str(caught.value)


def test_the_plan_of_a_run_in_a_store_is_read_there(stored, local, tmp_path):
    again = f"embshift run --plan {RUN}/plan.toml --out again"
    assert again in invoke("card", RUN).stdout
    assert again in list_commands(embshift.open_run(RUN))
    on_another_machine(tmp_path)
    with quickly():
        done = invoke("run", "--plan", f"{RUN}/plan.toml", "--limit", "3", "--out", str(tmp_path / "again"))
    assert done.returncode == 0, done.stderr
    assert "3 of 3 images" in done.stderr


def test_the_plan_of_a_run_in_a_store_runs_no_code(stored, tmp_path):
    plan = objects(stored)["plan.toml"].replace(b'"lite"', b'"http://127.0.0.1:1/encode"')
    stored.put(stored.store, "runs/a/plan.toml", plan, mode="overwrite")
    done = invoke("run", "--plan", f"{RUN}/plan.toml", "--out", str(tmp_path / "again"))
    assert done.returncode == 2
    assert "--allow-remote" in done.stderr


@pytest.mark.parametrize("name", ["plan.toml", "other.toml"])
def test_a_plan_that_is_not_there_is_told(store, name):
    done = invoke("run", "--plan", f"{RUN}/{name}", "--out", "again")
    assert done.returncode == 2
    assert f"{RUN}/{name}" in done.stderr


def test_a_report_and_figures_go_into_the_working_folder(stored, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke("report", RUN).stdout == "a-report.html\n"
    assert f"embshift serve {RUN} --at" in (tmp_path / "a-report.html").read_text().replace("\\u003a", ":")
    assert invoke("figures", RUN, "--only", "dendrogram").stdout == "a-figures/dendrogram.png\n"
    assert stored.asked["put"] == 0


@pytest.mark.slow
def test_an_explanation_is_written_into_the_store(store, lite_run, tmp_path):
    upload(lite_run.folder, store)
    assert invoke("explain", RUN, "--images", "2", "--quiet").returncode == 0
    assert "explain/explain.json" in objects(store)
    on_another_machine(tmp_path)
    before = objects(store)
    assert embshift.open_run(RUN).explanation().record["state"] == "finished"
    assert invoke("explain", RUN, "--images", "2", "--quiet").returncode == 0
    assert objects(store) == before
    assert invoke("verify", RUN, "--folder-only").returncode == 0


def test_verifying_reads_the_store_and_repairing_changes_it(stored):
    assert embshift.verify_run(RUN, inputs=False).sound
    broken = bytearray(objects(stored)["shifts/chunk-000000.parquet"])
    broken[100] ^= 1
    stored.put(stored.store, "runs/a/shifts/chunk-000000.parquet", bytes(broken), mode="overwrite")
    done = invoke("verify", RUN, "--folder-only")
    assert done.returncode == 1
    assert "shifts/chunk-000000.parquet has changed since it was written" in done.stdout
    assert embshift.verify_run(RUN, inputs=False, repair=True).dropped
    left = objects(stored)
    assert not [name for name in left if name.endswith("chunk-000000.parquet")]
    assert b'"state": "running"' in left["run.json"]


def test_verifying_trusts_no_copy(stored):
    assert embshift.open_run(RUN).summary()
    copy = run_path(RUN) / "shifts" / "chunk-000000.parquet"
    before, data = copy.stat(), bytearray(copy.read_bytes())
    data[100] ^= 1
    copy.write_bytes(data)
    os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))
    addresses._MIRRORS.clear()
    with pytest.raises(RunError, match="do not match its seal"):
        embshift.open_run(RUN).summary()
    assert embshift.verify_run(RUN, inputs=False).sound


def test_a_run_is_served_from_a_store(stored):
    from embshift.cli.commands import serve
    from embshift.measurement.studies.live.opening import open_served
    from embshift.runs.tables import open_tables

    assert serve._is_run(RUN)
    assert serve._name(RUN) == "a"
    with quickly():
        assert open_served(open_tables(RUN), title="a", trust=NO_TRUST).title == "a"


@pytest.mark.slow
def test_studies_are_written_into_a_store(store, photos):
    from embshift.measurement.studies.match import measure_matched
    from embshift.measurement.studies.sweep import measure_sweep

    usual = {"encoder": "lite", "image_size": 32, "workers": 0, "limit": 3}
    found = measure_sweep(str(photos), transforms=["blur"], severities=(1, 3), out=RUN, **usual)
    assert found.finished
    other = "s3://bucket/runs/b"
    measure_matched(str(photos), transforms=["noise"], ssim=(0.9,), out=other, **usual)
    assert "match.json" in objects(store, "runs/b")
    addresses._MIRRORS.clear()
    assert embshift.open_run(other).matched().groups


def test_nothing_secret_is_written(store, local, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-key")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA-name")
    run(local)
    for data in objects(store).values():
        assert b"s3cr3t-key" not in data
        assert b"AKIA-name" not in data
