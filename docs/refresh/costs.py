"""What runs of up to a billion images take and cost, from figures of the benchmark and stated prices."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.refresh.markup import table

__all__ = ["PRICES", "Measured", "Prices", "actors", "cost_table", "costs", "read_measured"]

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"

VIEWS = 10  # the original and the nine of the paper's preset
SAMPLE = 2000  # images of the metric sample by default
_COUNTS = (10**5, 10**6, 10**7, 10**8, 10**9)
_CHUNKS = (64, 4096)
_FILES = 4  # files of a chunk, one for each table


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Prices in US dollars; assumptions, not measured.

    Attributes:
        core: One core for an hour.
        gpu: One H100 for an hour.
        put: A thousand objects written.
        stored: A gigabyte stored for a month.
    """

    core: float = 0.05
    gpu: float = 4.0
    put: float = 0.005
    stored: float = 0.023


PRICES = Prices()
"""Assumed on 29 November 2026."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Figures of the benchmark.

    Attributes:
        lite: Images per second and core with `lite`, float32 by torch, as in the paper.
        vit_b: The same for ViT-B/32.
        vit_l_gpu: Images per second of one H100 with ViT-L/14 and fast views.
        outside: Bytes of an image outside the metric sample, by table.
        sampled: The same within it.
        keys: Bytes of an image in `embeddings` with `--no-embeddings`.
        dim: Numbers of an embedding there.
    """

    lite: float
    vit_b: float
    vit_l_gpu: float
    outside: Mapping[str, float]
    sampled: Mapping[str, float]
    keys: float
    dim: int


_ACTORS = (
    "actors of Ray, lite",
    "actors of Ray, lite, processor time",
    "a chunk that is there already, processor time",
)
"""Stages of the benchmark on Ray."""


def _read_results() -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]


def actors() -> str:
    """Return the newest figures of Ray, every repetition of them, and how busy the machine was."""
    found = [each for each in _read_results() if each["figures"][0]["stage"] == _ACTORS[0]]
    if not found:
        return "No results yet: run `python -m benchmarks --only ray`.\n"
    machine, figures = found[-1]["machine"], found[-1]["figures"]
    rows = [
        (
            each["stage"],
            each["way"],
            f"{statistics.median(each['values']):.3g} {each['unit']}",
            ", ".join(f"{value:.3g}" for value in each["values"]),
            ", ".join(f"{value:.2f}" for value in each["ratios"]),
        )
        for each in figures
        if each["stage"] in _ACTORS
    ]
    head = ("measured", "way", "median", "every repetition", "times one actor")
    loads = " and ".join(str(load) for load in found[-1]["load"])
    ray = machine["versions"].get("ray", "not recorded")
    note = (
        f"{figures[0]['note']}; the ways take turns, each repetition begins with another."
        f" {machine['processor']}, {machine['cores']} cores, Ray {ray}; load before and after: {loads}."
    )
    return "\n".join([table(head, rows), note[:1].upper() + note[1:]]) + "\n"


def costs() -> str:
    """Return the inputs and the table of costs."""
    measured = read_measured(_read_results())
    return "\n\n".join([_input_table(measured, PRICES), cost_table(measured, PRICES)]) + "\n"


def read_measured(results: Sequence[Mapping[str, Any]]) -> Measured:
    """Return the newest figures among results, the oldest result first."""
    paper = "float32, torch; reference views, full decode"
    found = {
        (each["stage"], each["way"]): (statistics.median(each["values"]), result["machine"]["cores"])
        for result in results
        for each in result["figures"]
        if not result["settings"]["quick"]
        for value in [each["values"]]
        if value and None not in value
    }

    def per_core(network: str) -> float:
        rate, cores = found[f"end to end, {network}", paper]
        return rate / cores

    def stored(where: str) -> dict[str, float]:
        stage = f"stored, lite, {where}"
        return {way: 1e3 * value for (name, way), (value, _) in found.items() if name == stage}

    return Measured(
        lite=per_core("lite"),
        vit_b=per_core("ViT-B/32"),
        vit_l_gpu=found["GPU, from files", "ViT-L/14, views fast"][0],
        outside=stored("outside it"),
        sampled=stored("in the metric sample"),
        keys=stored("outside it, --no-embeddings")["embeddings"],
        dim=int(found["stored, lite", "numbers of an embedding"][0]),
    )


def _input_table(measured: Measured, prices: Prices) -> str:
    outside = ", ".join(f"`{name}` {value / 1e3:.2f}" for name, value in measured.outside.items())
    sampled = ", ".join(f"`{name}` {value / 1e3:.2f}" for name, value in measured.sampled.items())
    rows = [
        ("`lite`, float32, as in the paper", f"{measured.lite:.2f} images/s and core", "measured"),
        ("ViT-B/32, the same", f"{measured.vit_b:.2f} images/s and core", "measured"),
        (
            "ViT-L/14, bfloat16, compiled, fast views, scaled decode",
            f"{measured.vit_l_gpu:.0f} images/s and H100",
            "measured",
        ),
        (
            "`lite`: numbers of an embedding; views of an image",
            f"{measured.dim}; {VIEWS}",
            "the encoder, the preset",
        ),
        ("an image outside the metric sample, KB", outside, "measured"),
        ("an image within it, KB", sampled, "measured"),
        ("`embeddings` with `--no-embeddings`, KB", f"{measured.keys / 1e3:.2f}", "measured"),
        ("a core, an H100, for an hour", f"${prices.core:g}, ${prices.gpu:g}", "assumed"),
        ("a thousand PUTs", f"${prices.put:g}", "assumed"),
        ("a gigabyte for a month", f"${prices.stored:g}", "assumed"),
    ]
    return table(("input", "value", "from"), rows)


def cost_table(measured: Measured, prices: Prices) -> str:
    """Return the table: one row for each number of images."""
    head = (
        "images",
        "core-hours, `lite`",
        "core-hours, ViT-B/32",
        "H100-hours, ViT-L/14",
        *(f"files and PUTs, `--chunk {chunk}`" for chunk in _CHUNKS),
        "all tables, a month",
        "with `--no-embeddings`",
    )
    return table(head, [_row(count, measured, prices) for count in _COUNTS])


def _row(count: int, measured: Measured, prices: Prices) -> tuple[str, ...]:
    bytes_of = {
        name: min(count, SAMPLE) * measured.sampled[name] + max(0, count - SAMPLE) * measured.outside[name]
        for name in measured.outside
    }
    total = sum(bytes_of.values())
    without = total - bytes_of["embeddings"] + count * measured.keys

    def hours(rate: float, price: float) -> str:
        spent = count / rate / 3600
        return f"{_number(spent)} (${_number(spent * price)})"

    def files(chunk: int) -> str:
        number = _FILES * math.ceil(count / chunk)
        return f"{_number(number)} (${_number(number / 1000 * prices.put)})"

    return (
        f"{count:,}",
        hours(measured.lite, prices.core),
        hours(measured.vit_b, prices.core),
        hours(measured.vit_l_gpu, prices.gpu),
        *(files(chunk) for chunk in _CHUNKS),
        f"{_size(total)} (${_number(total / 1e9 * prices.stored)})",
        f"{_size(without)} (${_number(without / 1e9 * prices.stored)})",
    )


def _number(value: float) -> str:
    """Return two significant digits, without an exponent."""
    if value <= 0:
        return "0"
    digits = max(0, 1 - math.floor(math.log10(value)))
    return f"{round(value, 1 - math.floor(math.log10(value))):,.{min(digits, 4)}f}"


def _size(value: float) -> str:
    for unit in ("MB", "GB", "TB"):
        value /= 1e3 if unit != "MB" else 1e6
        if value < 1000 or unit == "TB":
            return f"{_number(value)} {unit}"
    raise AssertionError
