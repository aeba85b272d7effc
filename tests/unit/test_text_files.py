"""Files from outside: only regular ones are read, and nesting has an end."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from embshift.core.errors import EncoderError, PlanError
from embshift.core.text_files import load_json, load_toml, read_text, read_typed_text
from embshift.encoders.checkpoints import read_config
from embshift.measurement.plan.files import load_plan
from embshift.runs.files import read_json
from embshift.transforms.presets import load_preset

DEEP = "[" * 100_000


@contextmanager
def fed_pipe(path: Path) -> Generator[Path]:
    """Make a pipe that gives two bytes to its first reader: a test then fails where it would only wait."""
    os.mkfifo(path)
    feeder = Thread(target=path.write_bytes, args=(b"{}",), daemon=True)
    feeder.start()
    try:
        yield path
    finally:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        feeder.join()
        os.close(handle)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("read", [read_text, read_typed_text, load_json, load_toml, read_json])
def test_a_pipe_is_refused_at_once(read, tmp_path):
    with (
        fed_pipe(tmp_path / "config.json") as pipe,
        pytest.raises(OSError, match="it is a pipe, not a regular file"),
    ):
        read(pipe)


@pytest.mark.timeout(20)
def test_so_it_is_by_whoever_reads(tmp_path):
    with fed_pipe(tmp_path / "config.json"), pytest.raises(EncoderError, match="it is a pipe"):
        read_config(tmp_path)
    with fed_pipe(tmp_path / "preset.toml") as pipe:
        with pytest.raises(PlanError, match=r"preset .*preset\.toml cannot be read: it is a pipe"):
            load_preset(pipe)
        with pytest.raises(PlanError, match=r"plan .*preset\.toml cannot be read: it is a pipe"):
            load_plan(pipe)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="a system without /dev/zero")
@pytest.mark.timeout(20)
def test_so_is_a_device():
    with pytest.raises(OSError, match="it is a device, not a regular file"):
        read_text(Path("/dev/zero"))


def test_nesting_has_an_end(tmp_path):
    (tmp_path / "config.json").write_text(DEEP)
    (tmp_path / "preset.toml").write_text(f"name = {DEEP}")
    for read in (load_json, read_json):
        with pytest.raises(ValueError, match="nested too deeply"):
            read(tmp_path / "config.json")
    with pytest.raises(EncoderError, match="nested too deeply"):
        read_config(tmp_path)
    with pytest.raises(PlanError, match="is not valid TOML: its brackets are nested too deeply"):
        load_preset(tmp_path / "preset.toml")
    with pytest.raises(PlanError, match="is not TOML: its brackets are nested too deeply"):
        load_plan(tmp_path / "preset.toml")
