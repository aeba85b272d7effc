"""Measure, print a table, and write it with the machine beside it."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
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
    from benchmarks.machine import described, load
    from benchmarks.pictures import write_encoder, write_pictures
    from benchmarks.report import content, table
    from benchmarks.stages import STAGES, Setting
    from benchmarks.whole import end_to_end, memory

    stages = {**STAGES, "end": end_to_end, "memory": memory}
    parsed = _parse(arguments, list(stages))
    with TemporaryDirectory(dir=parsed.work) as work:
        folder = Path(work)
        say(f"making {parsed.images} pictures and an encoder with random weights")
        setting = Setting(
            pictures=write_pictures(folder / "pictures", count=parsed.images),
            encoder=write_encoder(folder / "encoder"),
            folder=folder,
            repetitions=parsed.repetitions,
            few=parsed.few,
            plain=parsed.plain_images,
            memory=parsed.memory_images,
            options=dict(option.split("=", 1) for option in parsed.option),
        )
        found, loads, started = [], [load()], time.perf_counter()
        for name in parsed.only or stages:
            say(f"{time.perf_counter() - started:6.0f} s  {name}")
            found += stages[name](setting)
        loads.append(load())
    results = content(found, settings=_settings(parsed), machine=described(), loads=loads)
    print(table(results))
    _write(results, parsed.out)
    return 0


def say(text: str) -> None:
    """A message on standard error."""
    print(text, file=sys.stderr, flush=True)


def _parse(arguments: Sequence[str] | None, stages: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few minutes: fewer pictures and repetitions")
    parser.add_argument("--only", choices=stages, action="append", help="only this stage; may be repeated")
    parser.add_argument("--images", type=int, help="distinct pictures (default: 500)")
    parser.add_argument("--plain-images", type=int, help="pictures of a repetition end to end (default: 40)")
    parser.add_argument("--memory-images", type=int, help="pictures of the long memory run (default: 2000)")
    parser.add_argument("--few", type=int, help="pictures of a repetition of one stage (default: 32)")
    parser.add_argument("--repetitions", type=int, help="of everything, taking turns (default: 3)")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a plan field of a third way end to end, e.g. precision=bfloat16; may be repeated",
    )
    parser.add_argument("--work", type=Path, help="where pictures and runs are put meanwhile")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parsed = parser.parse_args(arguments)
    usual = {"images": 500, "plain_images": 40, "memory_images": 2000, "few": 32, "repetitions": 3}
    quick = {"images": 64, "plain_images": 12, "memory_images": 192, "few": 8, "repetitions": 2}
    for name, value in (quick if parsed.quick else usual).items():
        if getattr(parsed, name) is None:
            setattr(parsed, name, value)
    return parsed


def _settings(parsed: argparse.Namespace) -> dict[str, Any]:
    names = ("quick", "images", "plain_images", "memory_images", "few", "repetitions", "option")
    return {name: getattr(parsed, name) for name in names}


def _write(results: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    (folder / name).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    say(f"written: {folder.name}/{name}")


if __name__ == "__main__":
    sys.exit(main())
