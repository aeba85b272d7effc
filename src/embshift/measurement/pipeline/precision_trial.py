"""Which precision a run's encoder has, and what that costs: its first chunk is encoded in float32 as well.

Runs once, when a run is started; what was found is recorded, and a continued run takes it from there.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from itertools import chain, groupby
from operator import or_
from typing import Any, TypeAlias

import numpy as np

from embshift.core.encoding import Encoder
from embshift.core.errors import EncoderError
from embshift.core.types import ORIGINAL, Capture
from embshift.measurement.pipeline.encode import (
    Compared,
    Item,
    Perturbed,
    Ready,
    Recipe,
    compare_views,
    encode_views,
    perturb_image,
)
from embshift.measurement.pipeline.gpu_views import finish_views
from embshift.measurement.plan.plan import CHUNK, Plan
from embshift.metrics import METRICS, Metric
from embshift.runs.precision import MetricError

__all__ = ["CANDIDATES", "COSINE_ERROR", "SHIFT_SHARE", "disqualified", "settle_precision"]

CANDIDATES = ("bfloat16", "float16")
"""What "auto" tries beside float32."""

COSINE_ERROR = 1e-4
"""Greatest mean error of cosine with which a precision qualifies."""

SHIFT_SHARE = 0.05
"""Greatest mean error of a metric on embeddings, as a share of the least-moving transform's mean shift."""

_NOTHING = 1e-12  # a mean shift below this is rounding: the transform moves nothing

_Key = tuple[int, str, int]  # row, transform, draw
_Values = Mapping[str, Mapping[_Key, float]]  # by metric


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trial:
    precision: str
    views_per_second: float | None
    errors: Mapping[str, MetricError]
    reason: str  # why it does not qualify; empty where it does


Reopen: TypeAlias = Callable[..., Encoder]
"""What opens the run's encoder in another ``precision``, or by another ``runtime``."""


def settle_precision(
    plan: Plan,
    encoder: Encoder,
    /,
    *,
    info: Mapping[str, Any] | None,
    reopen: Reopen,
    items: Iterable[Item],
    recipe: Callable[[], Recipe],
    metrics: Mapping[str, Metric],
    note: Callable[[str], None],
) -> tuple[Encoder, dict[str, Any] | None]:
    """The encoder to run with, and what is recorded of its precision.

    Args:
        plan: Its precision is what was asked for: "auto" becomes the fastest that qualifies (`disqualified`).
        encoder: As opened; for "auto" in float32.
        info: What ``run.json`` holds of a run that is continued, and keeps what it found; None for a new run.
        reopen: Opens the same encoder in another precision.
        items: The listing; its first chunk is encoded.
        recipe: Makes what happens to every picture before the encoder.
        metrics: The run's metrics on encodings, by name.
        note: Tells the user.

    Returns:
        The encoder, and what ``run.json`` says under ``precision``: None where float32 was asked for.
    """
    if info is not None or plan.precision == "float32":
        return encoder, None if info is None else info.get("precision")
    note(f"precision {plan.precision}: the first chunk is encoded in float32 as well")
    started = time.perf_counter()
    stage = _stage(items, recipe=recipe(), metrics=metrics, batch=plan.batch or 1, device=encoder.spec.device)
    opened = _opened(plan.precision, encoder, reopen)
    trials, views = _tried(opened, stage, choosing=plan.precision == "auto")
    used = _fastest(trials) if plan.precision == "auto" else plan.precision
    record = {
        "asked": plan.precision,
        "used": used,
        "images": stage.images,
        "views": views,
        "seconds": round(time.perf_counter() - started, 3),
        "trials": [_content(trial) for trial in trials],
    }
    for line in _lines(record):
        note(line)
    return opened[used], record


def _opened(asked: str, encoder: Encoder, reopen: Reopen) -> dict[str, Encoder]:
    if asked != "auto":
        # What float32 gives takes no compiler, which would be minutes for one chunk.
        options = {"runtime": "torch"} if encoder.spec.runtime == "compiled" else {}
        return {"float32": reopen(precision="float32", **options), asked: encoder}
    opened = {"float32": encoder}
    for name in CANDIDATES:
        # A runtime need not take every format: OpenVINO, which computes float16 slower than float32.
        with contextlib.suppress(EncoderError):
            opened[name] = reopen(precision=name)
    return opened


def _tried(opened: Mapping[str, Encoder], stage: "_Stage", *, choosing: bool) -> tuple[list[_Trial], int]:
    plain = opened["float32"]
    truth, speed = stage.measure(plain)
    alike = len({encoder.spec.runtime for encoder in opened.values()}) == 1
    trials = [_Trial(precision="float32", views_per_second=speed if alike else None, errors={}, reason="")]
    for name, encoder in opened.items():
        if name != "float32":
            # Where the user has chosen, it is measured however slow it is.
            least = stage.first_batch(plain) if choosing else math.inf
            trials.append(_trial(name, encoder, stage, truth=truth, least=least))
    return trials, len(truth["cosine"])


def _lines(record: Mapping[str, Any]) -> list[str]:
    lines = [_line(trial) for trial in record["trials"]]
    chosen = f"precision auto: {record['used']} is taken" if record["asked"] == "auto" else ""
    return [*lines, *([chosen] if chosen else [])]


def _line(trial: Mapping[str, Any]) -> str:
    speed = trial["views_per_second"]
    rate = "" if speed is None else f", {speed:.1f} views/s"
    verdict = "qualifies" if trial["qualifies"] else f"does not qualify: {trial['reason']}"
    return f"precision {trial['precision']}{rate}, {verdict}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stage:
    """The first chunk, perturbed, and what compares its views."""

    perturbed: Sequence[Perturbed]
    metrics: Mapping[str, Metric]
    batch: int

    @property
    def images(self) -> int:
        return sum(one.pixels is not None for one in self.perturbed)

    def measure(self, encoder: Encoder) -> tuple[_Values, float | None]:
        """Every value of every view, and views a second, without what the first batch takes to warm up."""
        if not self.images:
            return {name: {} for name in self.metrics}, None
        self.first_batch(encoder)
        started = time.perf_counter()
        encoded = list(self._encode(self.perturbed, encoder))
        seconds = time.perf_counter() - started
        views = sum(len(encoding) for _, encoding in chain(*encoded) if encoding is not None)
        compared = [one for ready in encoded for one in compare_views(ready, metrics=self.metrics)]
        return _values(compared, self.metrics), views / seconds

    def first_batch(self, encoder: Encoder) -> float:
        """Seconds that the first batch takes, once the encoder is warm; infinite without a picture."""
        first = [one for one in self.perturbed if one.pixels is not None][:1]
        seconds = math.inf
        for _ in range(2 * len(first)):
            started = time.perf_counter()
            list(self._encode(first, encoder))
            seconds = time.perf_counter() - started
        return seconds

    def _encode(self, perturbed: Sequence[Perturbed], encoder: Encoder) -> Iterator[Ready]:
        capture = reduce(or_, (metric.spec.needs for metric in self.metrics.values()))
        return encode_views(perturbed, encoder=encoder, batch=self.batch, capture=capture)


def _stage(
    items: Iterable[Item], *, recipe: Recipe, metrics: Mapping[str, Metric], batch: int, device: str
) -> _Stage:
    # What is measured on pixels does not pass through the encoder.
    bare = replace(recipe, metrics={}, aligned={})
    _, first = next(groupby(items, key=lambda item: item.chunk))
    drawn = (perturb_image(item, recipe=bare) for item in first)
    perturbed = list(finish_views(drawn, recipe=bare, device=device, pictures=CHUNK))
    return _Stage(perturbed=perturbed, metrics={"cosine": METRICS["cosine"], **metrics}, batch=batch)


def _values(compared: Sequence[Compared], metrics: Mapping[str, Metric]) -> _Values:
    values: dict[str, dict[_Key, float]] = {name: {} for name in metrics}
    for one in compared:
        kept = [each for each in one.attempts if each.status == "ok" and each.transform != ORIGINAL]
        keys = [(one.item.record.row, each.transform, each.draw) for each in kept]
        for name, column in one.values.items():
            values[name].update(zip(keys, map(float, column), strict=True))
    return values


def _trial(name: str, encoder: Encoder, stage: _Stage, *, truth: _Values, least: float) -> _Trial:
    if not stage.images:
        reason = "no picture of the first chunk could be read"
        return _Trial(precision=name, views_per_second=None, errors={}, reason=reason)
    # One batch is a rough measure; what is only a little slower is told by the whole chunk.
    if stage.first_batch(encoder) > 2 * least:
        reason = "less than half as fast as float32"
        return _Trial(precision=name, views_per_second=None, errors={}, reason=reason)
    found, speed = stage.measure(encoder)
    errors = {each: _error(truth[each], found[each], metric) for each, metric in stage.metrics.items()}
    reason = disqualified(truth, found, metrics=stage.metrics)
    return _Trial(precision=name, views_per_second=speed, errors=errors, reason=reason)


def _error(truth: Mapping[_Key, float], found: Mapping[_Key, float], metric: Metric) -> MetricError:
    wanted, differences = _differences(truth, found)
    relative = metric.spec.unit != "1"
    undefined = int(np.isnan(differences).sum())
    kept = ~np.isnan(differences) & ((wanted != 0) | (not relative))
    errors = differences[kept] / (np.abs(wanted[kept]) if relative else 1)
    n = len(errors)
    mean, most = (float(errors.mean()), float(errors.max())) if n else (math.nan, math.nan)
    return MetricError(mean=mean, max=most, relative=relative, n=n, undefined=undefined)


def _differences(truth: Mapping[_Key, float], found: Mapping[_Key, float]) -> tuple[np.ndarray, np.ndarray]:
    """Values in float32, where defined, and how far the others are; NaN where those are undefined."""
    keys = [key for key, value in truth.items() if not math.isnan(value)]
    wanted = np.array([truth[key] for key in keys], dtype=np.float64)
    other = np.array([found.get(key, math.nan) for key in keys], dtype=np.float64)
    return wanted, np.abs(other - wanted)


def disqualified(truth: _Values, found: _Values, /, *, metrics: Mapping[str, Metric]) -> str:
    """Why a precision does not qualify; empty where it does.

    It qualifies with a mean error of cosine of at most `COSINE_ERROR`, and of every metric on embeddings of
    at most `SHIFT_SHARE` of the mean shift of the transform that moves it least. A transform that moves
    nothing is left out. A value that is defined in float32 alone disqualifies.

    Args:
        truth: Values in float32 by metric, and by row, transform and draw.
        found: Values in the other precision, likewise.
        metrics: The metrics by name, cosine among them.
    """
    for name, metric in metrics.items():
        if metric.spec.needs != Capture.EMBEDDING:
            continue
        _, differences = _differences(truth[name], found[name])
        error = float(differences.mean()) if len(differences) else math.nan
        bound = SHIFT_SHARE * _least_shift(truth[name], identity=metric.spec.identity)
        bound = min(bound, COSINE_ERROR) if name == "cosine" else bound
        if not error <= bound:
            return f"mean error of {name} {error:.1e}, more than {bound:.1e}"
    return ""


def _least_shift(values: Mapping[_Key, float], *, identity: float) -> float:
    """Mean shift of the transform that moves least of those that move at all; infinite where none does."""
    shifts: dict[str, list[float]] = {}
    for (_, transform, _), value in values.items():
        if not math.isnan(value):
            shifts.setdefault(transform, []).append(abs(value - identity))
    means = [float(np.mean(each)) for each in shifts.values()]
    return min((mean for mean in means if mean > _NOTHING), default=math.inf)


def _fastest(trials: Sequence[_Trial]) -> str:
    fit = [trial for trial in trials if trial.views_per_second is not None and not trial.reason]
    return max(fit, key=lambda trial: trial.views_per_second or 0.0).precision if fit else "float32"


def _content(trial: _Trial) -> dict[str, Any]:
    errors = {
        name: {key: _null(value) for key, value in asdict(error).items()}
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


def _null(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
