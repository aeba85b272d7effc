"""Nothing is sent, fetched or run that was not asked for."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import embshift
from embshift.core.errors import WeightsError
from tests.faults.amounts import FULL
from tests.faults.watched import watched
from tests.integration.crops import write_crops
from tests.unit.encoders.families import make_checkpoint

EVERY_MODULE = """
import importlib, pkgutil, embshift
skipped = {"embshift.__main__"}
for found in pkgutil.walk_packages(embshift.__path__, "embshift."):
    if found.name not in skipped:
        importlib.import_module(found.name)
"""

WHOLE_JOB = """
import sys
from embshift.cli import main
def call(*arguments):
    code = main(arguments)
    assert code == 0, (arguments, code)
if __name__ == "__main__":
    photos, out = {photos!r}, {out!r}
    quick = "--encoder", {encoder!r}, "--image-size", "32"
    call("run", photos, *quick, "--workers", "{workers}", "--out", out)
    call("summarise", out)
    call("clusters", out)
    call("verify", out)
    call("figures", out, "--only", "dendrogram")
    import embshift
    embshift.ImageTransformDataset(photos)[0]
    embshift.open_run(out).statistics()
"""


def test_the_watch_sees_what_goes_out(tmp_path, tally):
    """Otherwise the other tests here could not fail."""
    ways = {
        "connect": "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)",
        "look-up": "import urllib.request; urllib.request.urlopen('http://example.invalid/', timeout=1)",
        "datagram": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))",
        "a child": "import subprocess, sys; subprocess.run([sys.executable, '-c',"
        " \"import socket; socket.getaddrinfo('example.invalid', 80)\"], check=True)",
    }
    missed = [way for way, code in ways.items() if not watched(code, tmp_path)[1]]
    assert watched("import socket; socket.getaddrinfo('127.0.0.1', 80)", tmp_path)[1] == []
    tally(tried=len(ways), lost=missed)


def test_importing_every_module_asks_nobody(tmp_path, tally):
    done, log = watched(EVERY_MODULE, tmp_path)
    assert done.returncode == 0, done.stderr
    tally(tried=1, lost=log)


@pytest.mark.slow
def test_albumentations_would_ask_and_is_told_not_to(tmp_path):
    assert watched("import albumentations", tmp_path)[1], (
        "the library asks no registry any more: this guard can go"
    )
    assert watched("import embshift.transforms.albumentations.adapter, albumentations", tmp_path)[1] == []


@pytest.mark.parametrize("encoder", ["lite", pytest.param("folder", marks=pytest.mark.slow)])
def test_the_whole_job_asks_nobody(samples, tmp_path, encoder, tally):
    photos = write_crops(samples, tmp_path / "in", count=4, side=64)
    name = encoder
    if encoder == "folder":
        name = str(tmp_path / "encoder")
        make_checkpoint("clip", Path(name))
    code = WHOLE_JOB.format(
        photos=str(photos), out=str(tmp_path / "out"), encoder=name, workers=1 if FULL else 0
    )
    (tmp_path / "job.py").write_text(code)
    done, log = watched(
        f"import runpy; runpy.run_path({str(tmp_path / 'job.py')!r}, run_name='__main__')", tmp_path
    )
    assert done.returncode == 0, done.stderr[-3000:]
    tally(tried=7, lost=log, measured="commands and calls")


@pytest.mark.skipif(not FULL or not shutil.which("strace"), reason="traces system calls: make faults, strace")
def test_nor_do_the_libraries_below_python(samples, tmp_path, tally):
    photos = write_crops(samples, tmp_path / "in", count=4, side=64)
    trace = ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", str(tmp_path / "trace")]
    command = [
        sys.executable,
        "-m",
        "embshift",
        "run",
        str(photos),
        "--encoder",
        "lite",
        "--image-size",
        "32",
    ]
    usual = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "NO_ALBUMENTATIONS_UPDATE")}
    done = subprocess.run(
        [*trace, *command, "--workers", "1", "--out", str(tmp_path / "out")],
        env=usual,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0
    lines = (tmp_path / "trace").read_text().splitlines()
    lost = [line for line in lines if "AF_INET" in line and "127.0.0.1" not in line and "::1" not in line]
    tally(tried=1, lost=lost, measured="connect, sendto and sendmsg of every process")


class Canary:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


PICKLES = ("pytorch_model.bin", "model.pt", "preprocessor_config.json", "config.json", "tokenizer.json")


@pytest.mark.parametrize("name", PICKLES)
@pytest.mark.parametrize("allowed", [False, True])
def test_a_canary_never_sings(photos, tmp_path, name, allowed, tally):
    folder, mark = tmp_path / "encoder", tmp_path / "mark"
    make_checkpoint("clip", folder)
    if name.endswith(".bin"):
        (folder / "model.safetensors").unlink()
        torch.save({"weight": Canary(mark)}, folder / name)
    else:
        (folder / name).write_bytes(pickle.dumps(Canary(mark)))
    try:
        embshift.measure(
            photos,
            encoder=str(folder),
            image_size=32,
            transforms=["blur"],
            workers=0,
            out=tmp_path / "run",
            allow_pickle=allowed,
        )
    except (WeightsError, embshift.ShiftError):
        pass
    else:
        assert name not in ("pytorch_model.bin", "config.json", "preprocessor_config.json")
    tally(tried=1, lost=[mark] if mark.exists() else [])


def test_code_beside_a_checkpoint_is_not_imported(photos, tmp_path, tally):
    import json

    folder, mark = tmp_path / "encoder", tmp_path / "mark"
    make_checkpoint("clip", folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling.Model", "AutoConfig": "modeling.Config"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling.py").write_text(f"import os\nos.mkdir({str(mark)!r})\n")
    embshift.measure(
        photos, encoder=str(folder), image_size=32, transforms=["blur"], workers=0, out=tmp_path / "run"
    )
    tally(tried=1, lost=[mark] if mark.exists() else [])
