"""Precision trial: the first chunk is encoded in float32 as well, to measure what another precision costs.

Runs once, when a run is started; the result is recorded, and a continued run takes it from there.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial, reduce
from itertools import chain, groupby, islice
from operator import or_
from typing import Any, TypeAlias

from embshift.core.encoding import Encoder
from embshift.core.errors import EncoderError
from embshift.core.types import ORIGINAL, FrozenRow
from embshift.measurement.pipeline.compare import Compared, compare_views
from embshift.measurement.pipeline.encode import Encoded, encode_views
from embshift.measurement.pipeline.gpu_views import render_drafts
from embshift.measurement.pipeline.perturb import Perturbed, perturb_or_draft
from embshift.measurement.pipeline.precision_notes import compare_rates, pass_on
from embshift.measurement.pipeline.precision_rule import Key, Values, disqualify, measure_error
from embshift.measurement.pipeline.recipe import BuildRecipe, Recipe
from embshift.measurement.plan.plan import CHUNK, Plan
from embshift.metrics import METRICS, Metric
from embshift.runs.precision import MetricError

__all__ = ["CANDIDATES", "Stage", "prepare_stage", "settle_precision"]

CANDIDATES = ("bfloat16", "float16")
"""What "auto" tries beside float32."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trial:
    precision: str
    views_per_second: float | None
    errors: Mapping[str, MetricError]
    reason: str  # why it does not qualify; empty where it does


Reopen: TypeAlias = Callable[..., Encoder]
"""Opens the run's encoder in another ``precision``, or by another ``runtime``."""


def settle_precision(
    plan: Plan,
    encoder: Encoder,
    /,
    *,
    info: Mapping[str, Any] | None,
    reopen: Reopen,
    rows: Iterable[FrozenRow],
    build: BuildRecipe,
    metrics: Mapping[str, Metric],
    note: Callable[[str], None],
) -> tuple[Encoder, dict[str, Any] | None]:
    """Return the encoder to run with, and what is recorded of its precision.

    Args:
        plan: Its precision is what was asked for: "auto" becomes the fastest that qualifies (`disqualify`).
        encoder: As opened; for "auto" in float32.
        info: The content of ``run.json`` of a run that is continued, whose precision is kept; None for a new
            run.
        reopen: Opens the same encoder in another precision.
        rows: The listing; its first chunk is encoded.
        build: Builds the recipe.
        metrics: The run's metrics on encodings, by name.
        note: Tells the user one line.

    Returns:
        The encoder, and the content of ``precision`` in ``run.json``: None where float32 was asked for.
    """
    if info is not None or plan.precision == "float32":
        return encoder, None if info is None else info.get("precision")
    tell = partial(pass_on, note=note, label=f"precision {plan.precision}")
    note(f"precision {plan.precision}: encoding the first chunk in float32 as well, to compare")
    started = time.perf_counter()
    opened = _open_candidates(plan.precision, encoder, reopen)
    first = (group for _, group in islice(groupby(rows, key=lambda row: row.chunk), 1))
    chunk = [row for group in first for row in islice(group, CHUNK)]
    prepare = partial(
        prepare_stage, recipe=build(), metrics=metrics, batch=plan.batch or 1, device=encoder.spec.device
    )
    if plan.precision != "auto":  # which stops a slow precision after one batch
        for line in compare_rates(opened, prepare(chunk[:1]).perturbed):
            note(f"precision {plan.precision}: {line}")
    stage = prepare(tell(chunk, total=len(chunk), doing="perturbed"), tell=tell)
    trials, views = _try_candidates(opened, stage, choosing=plan.precision == "auto")
    used = _choose_fastest(trials) if plan.precision == "auto" else plan.precision
    record = {
        "asked": plan.precision,
        "used": used,
        "images": stage.images,
        "views": views,
        "seconds": round(time.perf_counter() - started, 3),
        "trials": [_trial_content(trial) for trial in trials],
    }
    for line in _describe_record(record):
        note(line)
    return opened[used], record


def _open_candidates(asked: str, encoder: Encoder, reopen: Reopen) -> dict[str, Encoder]:
    if asked != "auto":
        # Float32 needs no compiler here, which would take minutes for one chunk.
        options = {"runtime": "torch"} if encoder.spec.runtime == "compiled" else {}
        return {"float32": reopen(precision="float32", **options), asked: encoder}
    opened = {"float32": encoder}
    for name in CANDIDATES:
        # A runtime need not take every format: OpenVINO computes float16 slower than float32.
        with contextlib.suppress(EncoderError):
            opened[name] = reopen(precision=name)
    return opened


def _try_candidates(
    opened: Mapping[str, Encoder], stage: "Stage", *, choosing: bool
) -> tuple[list[_Trial], int]:
    float32 = opened["float32"]
    truth, speed = stage.measure(float32)
    alike = len({encoder.spec.runtime for encoder in opened.values()}) == 1
    trials = [_Trial(precision="float32", views_per_second=speed if alike else None, errors={}, reason="")]
    for name, encoder in opened.items():
        if name != "float32":
            # A precision that the user chose is measured however slow it is.
            least = stage.time_first_batch(float32) if choosing else math.inf
            trials.append(_try_precision(name, encoder, stage, truth=truth, least=least))
    return trials, len(truth["cosine"])


def _describe_record(record: Mapping[str, Any]) -> list[str]:
    lines = [_describe_trial(trial) for trial in record["trials"]]
    chosen = f"precision auto: using {record['used']}" if record["asked"] == "auto" else ""
    return [*lines, *([chosen] if chosen else [])]


def _describe_trial(trial: Mapping[str, Any]) -> str:
    speed = trial["views_per_second"]
    rate = "" if speed is None else f", {speed:.1f} views/s"
    verdict = "qualifies" if trial["qualifies"] else f"does not qualify: {trial['reason']}"
    return f"precision {trial['precision']}{rate}, {verdict}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """The first chunk, perturbed, and what compares its views."""

    perturbed: Sequence[Perturbed]
    metrics: Mapping[str, Metric]
    batch: int
    tell: Callable[..., Iterator[Any]] | None = None

    @property
    def images(self) -> int:
        return sum(one.pixels is not None for one in self.perturbed)

    def measure(self, encoder: Encoder) -> tuple[Values, float | None]:
        """Return every value of every view, and views per second after a warm-up."""
        if not self.images:
            return {name: {} for name in self.metrics}, None
        self.time_first_batch(encoder)
        started = time.perf_counter()
        shown = f"encoded in {encoder.spec.precision}"
        stream = self.perturbed
        if self.tell is not None:
            stream = self.tell(stream, total=len(self.perturbed), doing=shown)
        encoded = list(self._encode(stream, encoder))
        seconds = time.perf_counter() - started
        views = sum(len(one.encoding) for one in chain(*encoded) if one.encoding is not None)
        compared = [one for ready in encoded for one in compare_views(ready, metrics=self.metrics)]
        return _index_values(compared, self.metrics), views / seconds

    def time_first_batch(self, encoder: Encoder) -> float:
        """Return the seconds of the first batch, after a warm-up; infinite without an image."""
        first = [one for one in self.perturbed if one.pixels is not None][:1]
        seconds = math.inf
        for _ in range(2 * len(first)):
            started = time.perf_counter()
            list(self._encode(first, encoder))
            seconds = time.perf_counter() - started
        return seconds

    def _encode(self, perturbed: Iterable[Perturbed], encoder: Encoder) -> Iterator[list[Encoded]]:
        capture = reduce(or_, (metric.spec.needs for metric in self.metrics.values()))
        return encode_views(perturbed, encoder=encoder, batch=self.batch, capture=capture)


def prepare_stage(
    rows: Iterable[FrozenRow],
    *,
    recipe: Recipe,
    metrics: Mapping[str, Metric],
    batch: int,
    device: str,
    tell: Callable[..., Iterator[Any]] | None = None,
) -> Stage:
    """Perturb the first chunk, without pixel metrics, which do not pass through the encoder.

    Args:
        rows: The first chunk of the listing.
        recipe: What happens to every image before the encoder.
        metrics: The run's metrics on encodings, by name.
        batch: Views in an encoder batch.
        device: The encoder's.
        tell: Passes images on, and tells how many of the ``total`` there were.
    """
    bare = replace(recipe, metrics={}, aligned={})
    drafted = (perturb_or_draft(listed, recipe=bare) for listed in rows)
    perturbed = list(render_drafts(drafted, recipe=bare, device=device, images=CHUNK))
    compared = {"cosine": METRICS["cosine"], **metrics}
    return Stage(perturbed=perturbed, metrics=compared, batch=batch, tell=tell)


def _index_values(compared: Sequence[Compared], metrics: Mapping[str, Metric]) -> Values:
    values: dict[str, dict[Key, float]] = {name: {} for name in metrics}
    for one in compared:
        kept = [each for each in one.attempts if each.status == "ok" and each.transform != ORIGINAL]
        keys = [(one.listed.record.row, each.transform, each.draw) for each in kept]
        for name, column in one.values.items():
            values[name].update(zip(keys, map(float, column), strict=True))
    return values


def _try_precision(name: str, encoder: Encoder, stage: Stage, *, truth: Values, least: float) -> _Trial:
    if not stage.images:
        reason = "no image of the first chunk could be read"
        return _Trial(precision=name, views_per_second=None, errors={}, reason=reason)
    # One batch is a rough measure: the whole chunk decides where the difference is small.
    if stage.time_first_batch(encoder) > 2 * least:
        reason = "less than half as fast as float32"
        return _Trial(precision=name, views_per_second=None, errors={}, reason=reason)
    found, speed = stage.measure(encoder)
    errors = {each: measure_error(truth[each], found[each], metric) for each, metric in stage.metrics.items()}
    reason = disqualify(truth, found, metrics=stage.metrics)
    return _Trial(precision=name, views_per_second=speed, errors=errors, reason=reason)


def _choose_fastest(trials: Sequence[_Trial]) -> str:
    fit = [trial for trial in trials if trial.views_per_second is not None and not trial.reason]
    return max(fit, key=lambda trial: trial.views_per_second or 0.0).precision if fit else "float32"


def _trial_content(trial: _Trial) -> dict[str, Any]:
    errors = {
        name: {key: _null_for_json(value) for key, value in asdict(error).items()}
        for name, error in trial.errors.items()
    }
    speed = None if trial.views_per_second is None else round(trial.views_per_second, 2)
    return {
        "precision": trial.precision,
        "views_per_second": speed,
        "errors": errors,
        "qualifies": not trial.reason,
        "reason": trial.reason,
    }


def _null_for_json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
