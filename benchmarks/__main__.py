"""Measure the speed of embshift, print a table, and write it with a description of the machine."""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# This limits numpy only; torch has its own threads. Single stages are then timed as in a worker of a run.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the stages asked for, and return the exit code."""
    from benchmarks import (
        accelerator,
        app,
        clusters,
        comparing,
        explaining,
        forms,
        long_runs,
        many_images,
        stages,
        whole_runs,
    )
    from benchmarks.images import write_encoder, write_images
    from benchmarks.machine import describe_machine, read_load
    from benchmarks.report import format_table, make_results
    from benchmarks.setting import Setting

    every = {
        **stages.STAGES,
        **whole_runs.STAGES,
        **long_runs.STAGES,
        **explaining.STAGES,
        **forms.STAGES,
        **comparing.STAGES,
        **many_images.STAGES,
        **app.STAGES,
        **clusters.STAGES,
        **accelerator.STAGES,
    }
    parsed = _parse(arguments, list(every))
    path, results = parsed.out / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json", dict[str, Any]()
    with TemporaryDirectory(dir=parsed.work) as work:
        folder = Path(work)
        say(f"making {parsed.images} images and an encoder with random weights")
        sizes = {name: getattr(parsed, name) for name in _SIZES if name != "images"}
        setting = Setting(
            images=write_images(folder / "images", count=parsed.images),
            encoder=write_encoder(folder / "encoder"),
            folder=folder,
            **sizes,
        )
        found, loads, started = [], [read_load()], time.perf_counter()
        for name in parsed.only or every:
            say(f"{time.perf_counter() - started:6.0f} s  {name}")
            found += every[name](setting)
            # Written after every stage, so that minutes of work are not lost if a later stage fails.
            now = [*loads, read_load()]
            results = make_results(found, settings=_settings(parsed), machine=describe_machine(), loads=now)
            _write(results, path)
    print(format_table(results))
    say(f"written: {path.parent.name}/{path.name}")
    return 0


def say(text: str) -> None:
    """Print a message to standard error."""
    print(text, file=sys.stderr, flush=True)


_SIZES = {
    "images": (540, 72, "distinct images"),
    "plain": (32, 8, "images in a repetition of the plain procedure"),
    "ours": (64, 16, "images in a repetition of a run with reference views"),
    "fast": (160, 32, "images in a repetition of a run with fast views"),
    "memory": (2000, 192, "images of the long memory run"),
    "finished": (
        13312,
        1024,
        "images of the finished run that is asked again, and of compared runs; a multiple of 64",
    ),
    "explained": (256, 32, "images of the run that is explained"),
    "many": (1_000_000, 200_000, "images of the run whose statistics are made in parts"),
    "few": (32, 8, "images in a repetition of a single stage"),
    "repetitions": (3, 2, "repetitions of everything"),
}
"""Numbers by option: the default, the one with ``--quick``, and the help."""


def _parse(arguments: Sequence[str] | None, stages: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer images and repetitions: nearly ten minutes on two cores"
    )
    parser.add_argument(
        "--only", choices=stages, action="append", help="measure only this stage; may be repeated"
    )
    for name, (whole, quick, text) in _SIZES.items():
        parser.add_argument(f"--{name}", type=int, help=f"{text} (default: {whole}, quick: {quick})")
    parser.add_argument("--work", type=Path, help="folder for temporary images and runs")
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help="folder for the results (default: benchmarks/results)"
    )
    parsed = parser.parse_args(arguments)
    for name, (whole, quick, _) in _SIZES.items():
        if getattr(parsed, name) is None:
            setattr(parsed, name, quick if parsed.quick else whole)
    return parsed


def _settings(parsed: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(parsed, name) for name in ("quick", "only", *_SIZES)}


def _write(results: Mapping[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
