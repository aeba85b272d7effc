"""Run folders in which a name leads elsewhere, or holds something else: no command hangs or is fooled.

Every name of a run folder is in turn a link to the same content outside, a pipe, a folder, a file, empty, cut
short, changed in one bit, taken from another run, and nested without end. Every command that reads a run
folder runs on each.
"""

import os
import random
import shutil
from functools import partial
from unittest.mock import patch

import pytest
from PIL import Image, ImageOps

from embshift import open_run
from embshift.runs.record import MATCH, write_record_file
from embshift.show.report.embedded_figures import NAMES, embed_figures
from tests.explained_views import write_explanation, write_words
from tests.faults.amounts import FULL
from tests.faults.sessions import quickly, write_pictures
from tests.integration.command import invoke

OPTIONS = (
    *("--encoder", "lite", "--image-size", "16", "--transform", "blur", "--transform", "noise"),
    *("--metric", "cosine", "--metric", "attention_similarity", "--metric-sample", "7"),
    *("--batch", "4", "--workers", "0", "--keep-views", "1"),
)
COMMANDS = {
    "summarise": ("summarise", "{run}"),
    "retrieval": ("summarise", "{run}", "--show", "retrieval"),
    "clusters": ("clusters", "{run}"),
    "figures": ("figures", "{run}", "--only", "gallery", "--only", "clustermap"),
    "report": ("report", "{run}"),
    "explain": ("explain", "{run}", "--read-only"),
    "verify": ("verify", "{run}", "--folder-only"),
    "repair": ("verify", "{run}", "--folder-only", "--repair"),
    "run": ("run", "{pictures}", "--out", "{run}", *OPTIONS),
}
FILES = (
    *("run.json", "plan.toml", "listing.parquet", MATCH, "report.html", ".lock", ".owner"),
    *(f"{table}/chunk-000000.parquet" for table in ("images", "embeddings", "shifts", "attention")),
    *("views/*/original.png", "views/*/blur-0.png"),
    *(
        "explain/explain.json",
        "explain/shares/chunk-000000.parquet",
        "explain/texts.parquet",
        "explain/texts.json",
    ),
)
FOLDERS = (
    "images",
    "embeddings",
    "shifts",
    "attention",
    "views",
    "views/*",
    "figures",
    "explain",
    "explain/maps",
)
CASES = [
    *(
        (name, how)
        for name in FILES
        for how in ("link", "pipe", "folder", "empty", "cut", "bit", "other", "deep")
    ),
    *((name, how) for name in FOLDERS for how in ("link", "pipe", "file", "emptied", "other")),
]
UNSEALED = ("report.html", "figures", ".lock", ".owner")
"""Made from the results, or of no use to them: only what stands in their place is checked."""

DRAWN = NAMES if FULL else ("shift_map",)
"""Figures of a report's explanation: one reads what all of them read, and takes a fraction of the time."""

TRIED = [(*case, command) for case in CASES for command in COMMANDS]
CHOSEN = TRIED if FULL else sorted(random.Random(0).sample(TRIED, len(TRIED) // 10))


def make_run(folder, *, seed: int):
    pictures = write_pictures(folder / "pictures", count=4)
    if seed:
        for path in pictures.iterdir():
            ImageOps.invert(Image.open(path)).save(path)
    with quickly():
        made = invoke("run", str(pictures), "--out", str(folder / "run"), "--seed", str(seed), *OPTIONS)
    assert made.returncode == 0, made.stderr
    assert invoke("figures", str(folder / "run"), "--only", "gallery").returncode == 0
    explain(open_run(folder / "run"), seed=seed)
    (folder / "run" / "report.html").write_text("a report")
    solved = {"fingerprint": open_run(folder / "run").info["fingerprint"], "images": [], "solved": []}
    write_record_file(folder / "run", solved, name=MATCH)
    for name in (".lock", ".owner"):
        (folder / "run" / name).touch()
    return folder


def explain(run, *, seed: int) -> None:
    """Write an explanation of a network that there is none of: the run's encoder is a quick one."""
    ids, options = run.image_ids(), {"seed": seed, "fingerprint": run.info["fingerprint"]}
    views = [
        (0.5, {"row": row, "image_id": ids[row], "transform": name, "draw": 0})
        for row in sorted(ids)
        for name in run.transforms
    ]
    write_explanation(run.folder, views, images=len(ids), size=(16, 16), **options)
    write_words(run.folder, dim=run.embeddings().values.shape[1], **options)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished run with its pictures, and another one."""
    folder = tmp_path_factory.mktemp("hostile")
    return make_run(folder / "one", seed=0), make_run(folder / "two", seed=1)


@pytest.fixture(scope="module")
def shown(runs, tmp_path_factory):
    """What the commands that only print say of the run as it was written."""
    run = tmp_path_factory.mktemp("normal") / "run"
    shutil.copytree(runs[0] / "run", run)
    found = {
        name: carry_out(name, run, runs[0]) for name in ("summarise", "retrieval", "clusters", "explain")
    }
    assert {each.returncode for each in found.values()} == {0}
    return {name: each.stdout for name, each in found.items()}


def carry_out(command, run, place):
    words = (word.format(run=run, pictures=place / "pictures") for word in COMMANDS[command])
    with quickly(), patch("embshift.show.report.network.embed_figures", partial(embed_figures, names=DRAWN)):
        return invoke(*words)


def find(run, name):
    return sorted(run.glob(name))[0] if "*" in name else run / name


def spoil(path, how, *, other, outside) -> None:
    """Put something else in the place of a file or a folder."""
    rng = random.Random(f"{path.name} {how}")
    whole = path.read_bytes() if path.is_file() else b""
    kept = outside / path.name
    shutil.move(path, kept)
    if how == "link":
        path.symlink_to(kept)
        return
    if how == "other":
        copy = shutil.copytree if other.is_dir() else shutil.copyfile
        copy(other, path)
    elif how == "pipe":
        os.mkfifo(path)
    elif how in ("folder", "emptied"):
        path.mkdir()
    elif how in ("file", "empty"):
        path.touch()
    elif how == "deep":
        path.write_text("x = " * (path.suffix == ".toml") + "[" * 100_000)
    elif how == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif whole:
        changed = bytearray(whole)
        changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
    else:
        path.write_bytes(b"\1")


def state(folder):
    """Everything below a folder, with its content and time."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


@pytest.mark.timeout(60, func_only=True)
@pytest.mark.parametrize(("name", "how", "command"), CHOSEN)
def test_no_command_hangs_follows_or_is_fooled(runs, shown, tmp_path, name, how, command, tally):
    run, outside = tmp_path / "run", tmp_path / "outside"
    shutil.copytree(runs[0] / "run", run)
    outside.mkdir()
    path = find(run, name)
    spoil(path, how, other=find(runs[1] / "run", name), outside=outside)
    before = state(outside)
    result = carry_out(command, run, runs[0])
    lost = [] if state(outside) == before else ["touched what is outside"]
    if result.returncode not in (0, 1, 2, 4) or "Traceback" in result.stderr:
        lost.append(f"ended with {result.returncode}: {result.stderr[-2000:]}")
    if result.returncode in (2, 4) and "error: " not in result.stderr:
        lost.append("said nothing")
    if result.returncode == 0 and result.stdout != shown.get(command, result.stdout):
        lost.append("printed other numbers")
    misplaced = how in ("link", "pipe", "folder", "file")
    sound = result.stdout.strip().splitlines()[-1:] in (["sound"], ["sound, record unsealed"])
    if command in ("verify", "repair") and sound and (name not in UNSEALED or misplaced):
        lost.append("called sound")
    tally(tried=1, lost=lost)
