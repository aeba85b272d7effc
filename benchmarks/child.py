"""One way once, in a process of its own, so that no way finds what another has left behind.

`ask` starts it; it reads what to do from standard input, as JSON, and its last line is what it found.
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

from benchmarks.taking import seconds

__all__ = ["Clock", "ask", "ready"]

VIEWS, BATCH, SIDE = 10, 32, 224
"""Views of a picture with the original; views of a batch, which end to end is embshift's own choice."""


def ask(task: str, **given: Any) -> Any:
    """Do a task of `TASKS` in a new process; what it found."""
    # As the command line has it: numpy's threads, which a stage alone gives up, are its own again.
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
    """Listens to a run: when it began, when each picture was done, when it was over."""

    def __init__(self) -> None:
        self.begun, self.done, self.noted = time.perf_counter(), list[float](), list[str]()

    def note(self, text: str) -> None:
        """What the run says."""
        self.noted.append(text)

    def begin(self, *, total: int, done: int) -> None:
        """The run begins."""

    def advance(self, *, failed: bool) -> None:
        """A picture is done."""
        self.done.append(time.perf_counter())

    def end(self) -> None:
        """The run ends."""

    @property
    def before(self) -> float:
        """Seconds before the first picture: opening and compiling the encoder, starting the workers."""
        return self.done[0] - self.begun

    def rate(self, *, batch: int) -> float:
        """Pictures a second from the end of the first batch to the end of the last.

        Args:
            batch: Views in a batch: what the first one holds is taken off.
        """
        return (len(self.done) - batch / VIEWS) / (self.done[-1] - self.done[0])


def plain(*, network: str, encoder: str, pictures: Sequence[str]) -> dict[str, Any]:
    """The plain procedure; the first picture is for warming up, and is not counted."""
    from benchmarks.plain import open_lite, open_plain

    opened = open_lite() if network == "lite" else open_plain(Path(encoder))
    first, *others = map(Path, pictures)
    opened.run([first])
    opened.seconds.clear()
    spent = seconds(lambda: opened.run(others))
    return {"rate": len(others) / spent, "phases": opened.seconds}


def run(
    *,
    encoder: str,
    pictures: Sequence[str],
    options: Mapping[str, Any],
    alone: int,
    rounds: int,
) -> dict[str, Any]:
    """A whole run into a folder, and the encoder alone before and after it.

    Args:
        encoder: A checkpoint's folder, or "lite".
        pictures: Their paths.
        options: Fields of the plan.
        alone: The encoder's best batch.
        rounds: How many of them are timed.
    """
    network = ready(encoder, device="cpu", **_of_network(options))
    return _run(network, encoder=encoder, pictures=pictures, options=options, batch=alone, rounds=rounds)


def runs(
    *,
    encoder: str,
    pictures: Sequence[str],
    ways: Sequence[Mapping[str, Any]],
    alone: int,
    rounds: int,
    times: int,
    device: str,
) -> list[list[dict[str, Any]]]:
    """As `run`, several ways of one runtime and precision taking turns: what was found, for each way.

    In one process, since a device takes long to start.

    Args:
        encoder: A checkpoint's folder.
        pictures: Their paths.
        ways: Fields of the plan, for each way.
        alone: The encoder's batch.
        rounds: How many of them are timed.
        times: How often each way has its turn.
        device: As torch spells it.
    """
    network = ready(encoder, device=device, **_of_network(ways[0]))
    found: list[list[dict[str, Any]]] = [[] for _ in ways]
    for _ in range(times):
        for each, options in zip(found, ways, strict=True):
            each.append(
                _run(
                    network,
                    encoder=encoder,
                    pictures=pictures,
                    options=options,
                    batch=alone,
                    rounds=rounds,
                    device=device,
                )
            )
    return found


def _run(
    network: Callable[[int], Callable[[], object]],
    *,
    encoder: str,
    pictures: Sequence[str],
    options: Mapping[str, Any],
    batch: int,
    rounds: int,
    device: str = "cpu",
) -> dict[str, Any]:
    import embshift

    before = _views_a_second(network, batch=batch, rounds=rounds, device=device)
    clock = Clock()
    with TemporaryDirectory() as out:
        opened = embshift.measure(
            list(pictures), encoder=encoder, out=Path(out) / "run", device=device, reporter=clock, **options
        )
        whole, used = time.perf_counter() - clock.begun, int(opened.info["plan"]["batch"])
        size = sum(path.stat().st_size for path in opened.folder.rglob("*.parquet"))
    after = _views_a_second(network, batch=batch, rounds=rounds, device=device)
    return {
        "rate": clock.rate(batch=used),
        "alone": statistics.mean([before, after]),
        "before": clock.before,
        "after": clock.begun + whole - clock.done[-1],
        "whole": len(pictures) / whole,
        "kilobytes": size / 1e3 / len(pictures),
    }


def alone(
    *,
    encoder: str,
    options: Mapping[str, Any],
    batches: Sequence[int],
    rounds: int,
    device: str = "cpu",
) -> dict[str, float]:
    """Views a second of the encoder alone, by batch; every round has as many views."""
    network = ready(encoder, device=device, **_of_network(options))
    most = max(batches)
    return {
        str(batch): _views_a_second(network, batch=batch, rounds=rounds * most // batch, device=device)
        for batch in batches
    }


def precision(*, encoder: str, pictures: Sequence[str], runtime: str) -> dict[str, Any]:
    """What a run with ``precision="auto"`` finds out about the precisions of a runtime."""
    import embshift

    with TemporaryDirectory() as out:
        run = embshift.measure(
            list(pictures),
            encoder=encoder,
            out=Path(out) / "run",
            device="cpu",
            precision="auto",
            runtime=runtime,
            views="fast",
        )
    return run.info["precision"]


def ready(
    encoder: str, *, runtime: str, precision: str, device: str
) -> Callable[[int], Callable[[], object]]:
    """The encoder alone: from a batch's size to a call that encodes tensors that are there, nothing captured.

    ``lite`` has no preparation to speak of, and encodes bytes.
    """
    import numpy as np
    import torch

    if encoder == "lite":
        from embshift.core.types import Capture
        from embshift.encoders.open import open_encoder

        lite = open_encoder("lite", device=device, runtime=runtime, precision=precision)
        pixels = np.random.default_rng(0).integers(0, 256, (64, SIDE, SIDE, 3), dtype=np.uint8)
        return lambda batch: lambda: lite.encode(pixels[:batch], capture=Capture.EMBEDDING)
    programs = _programs(encoder, runtime=runtime, precision=precision, device=device)

    def of(batch: int) -> Callable[[], object]:
        given = {"pixel_values": torch.randn(batch, 3, SIDE, SIDE, device=device)}
        return lambda: programs.run(given, capture=None)

    return of


def _programs(encoder: str, *, runtime: str, precision: str, device: str) -> Any:
    from transformers import CLIPVisionModelWithProjection

    from embshift.encoders.speed.half_precision import halve
    from embshift.encoders.speed.patch_product import multiply_patches
    from embshift.encoders.speed.runtimes import Programs

    network = CLIPVisionModelWithProjection.from_pretrained(encoder, attn_implementation="sdpa")
    network = network.eval().requires_grad_(False).to(device)
    if device.startswith("cuda"):
        multiply_patches(network)
    if runtime != "openvino":
        halve(network, precision=precision)

    def look(inputs: Mapping[str, Any], /, *, capture: object) -> tuple[Any]:
        del capture
        return (network(**inputs).image_embeds,)

    return Programs(look, runtime=runtime, device=device, precision=precision)


def _views_a_second(
    network: Callable[[int], Callable[[], object]], *, batch: int, rounds: int, device: str
) -> float:
    call = network(batch)
    call()  # traced and compiled, where it is
    return batch * rounds / seconds(lambda: _awaited(call, rounds, device))


def _awaited(call: Callable[[], object], rounds: int, device: str) -> None:
    import torch

    for _ in range(rounds):
        call()
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def _of_network(options: Mapping[str, Any]) -> dict[str, str]:
    return {"runtime": options.get("runtime", "torch"), "precision": options.get("precision", "float32")}


TASKS: Mapping[str, Callable[..., Any]] = {
    "plain": plain,
    "run": run,
    "runs": runs,
    "alone": alone,
    "precision": precision,
}


def main() -> None:
    """Do what standard input says."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    given = json.loads(sys.stdin.read())
    found = TASKS[given.pop("task")](**given)
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
