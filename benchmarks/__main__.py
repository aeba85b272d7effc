"""Measure, print a table, and write it with the machine beside it."""

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
# numpy alone: torch has threads of its own. Stages alone are then timed as a worker of a run does them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for."""
    from benchmarks import accelerator, lasting, stages, whole
    from benchmarks.machine import described, load
    from benchmarks.pictures import write_encoder, write_pictures
    from benchmarks.report import content, table
    from benchmarks.setting import Setting

    every = {**stages.STAGES, **whole.STAGES, **lasting.STAGES, **accelerator.STAGES}
    parsed = _parse(arguments, list(every))
    path, results = parsed.out / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json", dict[str, Any]()
    with TemporaryDirectory(dir=parsed.work) as work:
        folder = Path(work)
        say(f"making {parsed.images} pictures and an encoder with random weights")
        sizes = {name: getattr(parsed, name) for name in _SIZES if name != "images"}
        setting = Setting(
            pictures=write_pictures(folder / "pictures", count=parsed.images),
            encoder=write_encoder(folder / "encoder"),
            folder=folder,
            **sizes,
        )
        found, loads, started = [], [load()], time.perf_counter()
        for name in parsed.only or every:
            say(f"{time.perf_counter() - started:6.0f} s  {name}")
            found += every[name](setting)
            # After every stage: what took minutes is not lost where a later one fails.
            now = [*loads, load()]
            results = content(found, settings=_settings(parsed), machine=described(), loads=now)
            _write(results, path)
    print(table(results))
    say(f"written: {path.parent.name}/{path.name}")
    return 0


def say(text: str) -> None:
    """A message on standard error."""
    print(text, file=sys.stderr, flush=True)


_SIZES = {
    "images": (540, 72, "distinct pictures"),
    "plain": (32, 8, "of them for a repetition of the plain procedure"),
    "ours": (64, 16, "for a repetition of a run with reference views"),
    "fast": (160, 32, "for a repetition of a run with fast views"),
    "memory": (2000, 192, "pictures of the long memory run"),
    "finished": (13312, 1024, "pictures of the finished run that is asked again; whole chunks of 64"),
    "few": (32, 8, "pictures of a repetition of one stage alone"),
    "repetitions": (3, 2, "of everything, taking turns"),
}
"""What is asked for, as a whole and with ``--quick``, and what it is."""


def _parse(arguments: Sequence[str] | None, stages: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few minutes: fewer pictures and repetitions")
    parser.add_argument("--only", choices=stages, action="append", help="only this stage; may be repeated")
    for name, (whole, quick, text) in _SIZES.items():
        parser.add_argument(f"--{name}", type=int, help=f"{text} (default: {whole}, quick: {quick})")
    parser.add_argument("--work", type=Path, help="where pictures and runs are put meanwhile")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
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
