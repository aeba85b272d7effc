"""One measurement in a process of its own, so that no variant profits from what another has left behind.

`run_task` starts the process. It reads its task from standard input as JSON and prints the result as its last
line.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.timing import time_call

__all__ = ["Clock", "open_network", "run_task"]

VIEWS, BATCH, SIDE = 10, 32, 224
"""Views of an image including the original; views in a batch; side of an image in pixels."""


def run_task(task: str, **given: Any) -> Any:
    """Run a task of `TASKS` in a new process and return its result."""
    # The parent limits numpy to one thread; a run from the command line does not.
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.child"],
        env=environment,
        input=json.dumps({"task": task, **given}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{task} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


class Clock:
    """A reporter that records when a run began and when each image was finished."""

    def __init__(self) -> None:
        self.begun, self.done, self.noted = time.perf_counter(), list[float](), list[str]()

    def note(self, text: str) -> None:
        """Record a message of the run."""
        self.noted.append(text)

    def begin(self, *, total: int, done: int) -> None:
        """Ignore the start of the run."""

    def advance(self, *, failed: bool) -> None:
        """Record that an image is finished."""
        self.done.append(time.perf_counter())

    def end(self) -> None:
        """Ignore the end of the run."""

    @property
    def before(self) -> float:
        """Seconds before the first image: opening and compiling the encoder, starting the workers."""
        return self.done[0] - self.begun

    def rate(self, *, batch: int) -> float:
        """Return images per second, from the end of the first batch to the end of the last.

        Args:
            batch: Views in a batch; those of the first batch are not counted.
        """
        return (len(self.done) - batch / VIEWS) / (self.done[-1] - self.done[0])


def measure_plain(*, network: str, encoder: str, images: Sequence[str]) -> dict[str, Any]:
    """Measure the plain procedure; the first image is for warming up and is not counted."""
    from benchmarks.plain import open_lite, open_plain

    opened = open_lite() if network == "lite" else open_plain(Path(encoder))
    first, *others = map(Path, images)
    opened.run([first])
    opened.seconds.clear()
    spent = time_call(lambda: opened.run(others))
    return {"rate": len(others) / spent, "phases": opened.seconds}


def measure_run(
    *,
    encoder: str,
    images: Sequence[str],
    options: Mapping[str, Any],
    alone: int,
    rounds: int,
) -> dict[str, Any]:
    """Measure a whole run, and the encoder alone before and after it.

    Args:
        encoder: Folder of a checkpoint, or "lite".
        images: Paths of the images.
        options: Fields of the plan.
        alone: The encoder's best batch size.
        rounds: Number of batches that are timed.
    """
    network = open_network(encoder, device="cpu", **_network_options(options))
    return _measure_run(network, encoder=encoder, images=images, options=options, batch=alone, rounds=rounds)


def measure_runs(
    *,
    encoder: str,
    images: Sequence[str],
    ways: Sequence[Mapping[str, Any]],
    alone: int,
    rounds: int,
    times: int,
    device: str,
) -> list[list[dict[str, Any]]]:
    """Measure several variants of one runtime and precision in turns; return the results of each.

    They share one process, because a device takes long to start.

    Args:
        encoder: Folder of a checkpoint.
        images: Paths of the images.
        ways: Fields of the plan, for each variant.
        alone: The encoder's batch size.
        rounds: Number of batches that are timed.
        times: Number of turns of each variant.
        device: Device in torch's spelling.
    """
    network = open_network(encoder, device=device, **_network_options(ways[0]))
    found: list[list[dict[str, Any]]] = [[] for _ in ways]
    for _ in range(times):
        for each, options in zip(found, ways, strict=True):
            each.append(
                _measure_run(
                    network,
                    encoder=encoder,
                    images=images,
                    options=options,
                    batch=alone,
                    rounds=rounds,
                    device=device,
                )
            )
    return found


def _measure_run(
    network: Callable[[int], Callable[[], object]],
    *,
    encoder: str,
    images: Sequence[str],
    options: Mapping[str, Any],
    batch: int,
    rounds: int,
    device: str = "cpu",
) -> dict[str, Any]:
    import embshift

    before = _measure_rate(network, batch=batch, rounds=rounds, device=device)
    clock = Clock()
    with TemporaryDirectory() as out:
        opened = embshift.measure(
            list(images), encoder=encoder, out=Path(out) / "run", device=device, reporter=clock, **options
        )
        whole, used = time.perf_counter() - clock.begun, int(opened.info["plan"]["batch"])
        size = sum(path.stat().st_size for path in opened.folder.rglob("*.parquet"))
    after = _measure_rate(network, batch=batch, rounds=rounds, device=device)
    return {
        "rate": clock.rate(batch=used),
        "alone": statistics.mean([before, after]),
        "before": clock.before,
        "after": clock.begun + whole - clock.done[-1],
        "whole": len(images) / whole,
        "kilobytes": size / 1e3 / len(images),
    }


def measure_encoder(
    *,
    encoder: str,
    options: Mapping[str, Any],
    batches: Sequence[int],
    rounds: int,
    device: str = "cpu",
) -> dict[str, float]:
    """Measure views per second of the encoder alone by batch size; each size is timed on as many views."""
    network = open_network(encoder, device=device, **_network_options(options))
    most = max(batches)
    return {
        str(batch): _measure_rate(network, batch=batch, rounds=rounds * most // batch, device=device)
        for batch in batches
    }


def measure_precision(*, encoder: str, images: Sequence[str], runtime: str) -> dict[str, Any]:
    """Return what a run with ``precision="auto"`` records about the precisions of a runtime."""
    import embshift

    with TemporaryDirectory() as out:
        run = embshift.measure(
            list(images),
            encoder=encoder,
            out=Path(out) / "run",
            device="cpu",
            precision="auto",
            runtime=runtime,
            views="fast",
        )
    return run.info["precision"]


def open_network(
    encoder: str, *, runtime: str, precision: str, device: str
) -> Callable[[int], Callable[[], object]]:
    """Open the encoder alone; return a function from a batch size to a call that encodes ready tensors.

    Nothing is captured. ``lite`` needs almost no preparation and encodes bytes.
    """
    import numpy as np
    import torch

    if encoder == "lite":
        from embshift.core.types import Capture
        from embshift.encoders.open import open_encoder

        lite = open_encoder("lite", device=device, runtime=runtime, precision=precision)
        pixels = np.random.default_rng(0).integers(0, 256, (64, SIDE, SIDE, 3), dtype=np.uint8)
        return lambda batch: lambda: lite.encode(pixels[:batch], capture=Capture.EMBEDDING)
    programs = _open_programs(encoder, runtime=runtime, precision=precision, device=device)

    def of(batch: int) -> Callable[[], object]:
        given = {"pixel_values": torch.randn(batch, 3, SIDE, SIDE, device=device)}
        return lambda: programs.run(given, capture=None)

    return of


def _open_programs(encoder: str, *, runtime: str, precision: str, device: str) -> Any:
    from transformers import CLIPVisionModelWithProjection

    from embshift.encoders.speed.half_precision import use_half_precision
    from embshift.encoders.speed.patch_product import multiply_patches
    from embshift.encoders.speed.runtimes import Programs

    network = CLIPVisionModelWithProjection.from_pretrained(encoder, attn_implementation="sdpa")
    network = network.eval().requires_grad_(False).to(device)
    if device.startswith("cuda"):
        multiply_patches(network)
    if runtime != "openvino":
        use_half_precision(network, precision=precision)

    def look(inputs: Mapping[str, Any], /, *, capture: object) -> tuple[Any]:
        del capture
        return (network(**inputs).image_embeds,)

    return Programs(look, runtime=runtime, device=device, precision=precision)


def _measure_rate(
    network: Callable[[int], Callable[[], object]], *, batch: int, rounds: int, device: str
) -> float:
    call = network(batch)
    call()  # traces and compiles where needed
    return batch * rounds / time_call(lambda: _call_and_wait(call, rounds, device))


def _call_and_wait(call: Callable[[], object], rounds: int, device: str) -> None:
    import torch

    for _ in range(rounds):
        call()
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def _network_options(options: Mapping[str, Any]) -> dict[str, str]:
    return {"runtime": options.get("runtime", "torch"), "precision": options.get("precision", "float32")}


TASKS: Mapping[str, Callable[..., Any]] = {
    "plain": measure_plain,
    "run": measure_run,
    "runs": measure_runs,
    "alone": measure_encoder,
    "precision": measure_precision,
}


def main() -> None:
    """Run the task that standard input names, and print its result."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    given = json.loads(sys.stdin.read())
    found = TASKS[given.pop("task")](**given)
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
