"""What a run does, frozen and wholly checked before any work starts."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

from embshift.core.errors import PlanError, UnknownNameError
from embshift.images import RESIZE_RULES, Limits
from embshift.metrics import METRICS
from embshift.transforms.presets import TransformPlan, load_preset

__all__ = [
    "CHUNK",
    "COUNTED",
    "DEFAULTS",
    "DEFAULT_ENCODER",
    "PRECISIONS",
    "RUNTIMES",
    "Plan",
    "check_fields",
    "checked_types",
    "make_plan",
]

DEFAULT_ENCODER = "openai/clip-vit-base-patch32"
"""The paper's encoder."""

DEFAULT_METRICS = (
    "cosine",
    "l2",
    "attention_similarity",
    "patch_similarity",
    "edge_similarity",
    "detail_similarity",
)
"""The seed's metrics, equations (4) to (12)."""

CHUNK = 64
"""Images that are committed together: what an interruption can cost."""

PRECISIONS = ("float32", "float16", "bfloat16", "auto")
RUNTIMES = ("torch", "compiled", "openvino")

_FREE = "the results do not depend on it"


def _counted(default: Any) -> Any:
    return field(default=default, metadata={"counted": True})


def _free(default: Any) -> Any:
    return field(default=default, metadata={"counted": False, "why": _FREE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that decides a run's results, and the little that does not.

    Fields that count are compared when a run folder is used again; None means "choose when the run starts",
    and what was chosen is recorded.

    Attributes:
        sources: Where the pictures come from, as written by the user.
        encoder: Name, folder or hub name.
        preset: Name or file of the preset that the transforms come from.
        transforms: The transforms, in order.
        metrics: Names of the pair metrics, in order.
        limit: Only the first pictures of the sorted listing; None for all.
        metric_sample: Pictures whose attention and pixel metrics are taken; the rest get the embedding ones.
        draws: Repeats of every transform with other random numbers.
        seed: The run's seed.
        image_size: Height and width that every picture is resized to, in pixels.
        resize: A key of `embshift.images.RESIZE_RULES`.
        decode: "full", or "scaled": a JPEG at 1/2, 1/4 or 1/8 of its size, never below ``image_size``.
        views: "reference": as the transforms' own library makes them; "fast": of the same law, in less time;
            "gpu": of the same law, made on the encoder's device.
        precision: Number format of the encoder's products: "float32", "float16" or "bfloat16"; "auto" becomes
            the fastest that qualifies when the run starts.
        runtime: What runs the encoder: "torch", "compiled" (by torch) or "openvino".
        max_pixels: Largest picture that is decoded, in pixels.
        max_aspect: Greatest ratio of sides that is decoded.
        background: Red, green and blue (0-255) behind transparent pixels.
        allow_pickle: Whether weights in an unpinned pickle may be read.
        batch: Views in one encoder batch; its shape never changes within a run.
        threads: Threads of the encoder on a CPU.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        workers: Processes that decode and make views; 0 for none beside the main one.
        worker_memory: What one picture may take of a worker's memory, in MiB beyond what it starts with.
        timeout: What decoding, views and pixel metrics of one picture may take in a worker, in seconds.
        keep_views: Pictures whose views are kept while the run goes on.
        max_error_rate: Failed fraction above which the run ends with exit code 1.
    """

    sources: tuple[str, ...] = _free(())  # the listing itself is what counts
    encoder: str = _counted(DEFAULT_ENCODER)
    preset: str = _free("paper")  # its transforms are what counts
    transforms: tuple[TransformPlan, ...] = _counted(())
    metrics: tuple[str, ...] = _counted(DEFAULT_METRICS)
    limit: int | None = _counted(None)
    metric_sample: int = _counted(2000)
    draws: int = _counted(1)
    seed: int = _counted(0)
    image_size: tuple[int, int] = _counted((224, 224))
    resize: str = _counted("linear")
    decode: str = _counted("full")
    views: str = _counted("reference")
    precision: str = _counted("float32")
    runtime: str = _counted("torch")
    max_pixels: int = _counted(50_000_000)
    max_aspect: float = _counted(20.0)
    background: tuple[int, int, int] = _counted((255, 255, 255))
    allow_pickle: bool = _free(False)
    batch: int | None = _counted(None)
    threads: int | None = _counted(None)
    device: str = _counted("auto")
    workers: int | None = _free(None)
    worker_memory: int | None = _free(None)
    timeout: int | None = _free(None)
    keep_views: int = _free(8)
    max_error_rate: float = _free(0.01)

    def __post_init__(self) -> None:
        for check in _CHECKS:
            check(self)

    @property
    def limits(self) -> Limits:
        """What one picture may ask for."""
        wanted = self.image_size if self.decode == "scaled" else None
        return Limits(
            pixels=self.max_pixels, aspect=self.max_aspect, background=self.background, wanted=wanted
        )


COUNTED = tuple(f.name for f in fields(Plan) if f.metadata["counted"])
"""Names of the fields that the results depend on."""

DEFAULTS: Mapping[str, Any] = {f.name: f.default for f in fields(Plan)}
"""Every field's default."""


def _at_least(least: float, *names: str) -> Any:
    def check(plan: Plan) -> None:
        for name in names:
            value = getattr(plan, name)
            if value is not None and not least <= value < math.inf:
                raise PlanError(f"{name} is {value}; wanted {least:g} or more")

    return check


def _one_of(name: str, known: Sequence[str]) -> Any:
    def check(plan: Plan) -> None:
        value = getattr(plan, name)
        if value not in known:
            raise UnknownNameError(name, str(value), known)

    return check


def _check_image_size(plan: Plan) -> None:
    if len(plan.image_size) != 2 or min(plan.image_size) < 8 or max(plan.image_size) > 4096:
        raise PlanError(f"image_size is {plan.image_size}; wanted height and width from 8 to 4096 pixels")


def _check_precision(plan: Plan) -> None:
    if plan.precision == "int8":
        raise PlanError(
            "precision is int8, which is off by 11 to 20 % in L2, more than some transforms move; "
            f"wanted {', '.join(PRECISIONS)}"
        )


def _check_rate(plan: Plan) -> None:
    if not 0 <= plan.max_error_rate <= 1:
        raise PlanError(f"max_error_rate is {plan.max_error_rate}; wanted a fraction from 0 to 1")


def _check_background(plan: Plan) -> None:
    if len(plan.background) != 3 or not all(0 <= value <= 255 for value in plan.background):
        raise PlanError(f"background is {plan.background}; wanted red, green and blue from 0 to 255")


def _check_names(plan: Plan) -> None:
    if not {*plan.metrics} <= {*DEFAULT_METRICS}:  # to look up the others imports torch
        for metric in plan.metrics:
            METRICS[metric]
    for kind, names in (("transform", [each.name for each in plan.transforms]), ("metric", plan.metrics)):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise PlanError(f"{kind}s named twice: {', '.join(twice)}; every {kind} needs its own name")


_CHECKS = (
    _at_least(1, "limit", "draws", "batch", "threads", "max_pixels", "max_aspect", "timeout"),
    _at_least(64, "worker_memory"),
    _at_least(0, "metric_sample", "seed", "workers", "keep_views"),
    _one_of("resize", tuple(RESIZE_RULES)),
    _one_of("decode", ("full", "scaled")),
    _one_of("views", ("reference", "fast", "gpu")),
    _check_precision,
    _one_of("precision", PRECISIONS),
    _one_of("runtime", RUNTIMES),
    _check_image_size,
    _check_rate,
    _check_background,
    _check_names,
)


def make_plan(*, transforms: Sequence[str] | None = None, base: Plan | None = None, **values: Any) -> Plan:
    """A checked plan from options.

    Args:
        transforms: Names to keep of the preset's transforms, in this order; also registered transforms that
            the preset does not hold, "blur:3" for one at severity 3, "blur=2.5" for one at strength 2.5. None
            or an empty list keeps the preset's.
        base: A plan whose fields stand where no option is given.
        **values: Fields of `Plan`; None leaves the default.

    Raises:
        PlanError: If an option is wrong; unknown names offer the nearest.
    """
    check_fields(values)
    given = {name: value for name, value in values.items() if value is not None}
    plan = replace(base or Plan(), **checked_types(given))
    if "preset" in given or not plan.transforms:
        plan = replace(plan, transforms=load_preset(plan.preset).transforms)
    if transforms:
        plan = replace(plan, transforms=_select(plan.transforms, _tuple("transforms", transforms)))
    return plan


def check_fields(values: Mapping[str, Any]) -> None:
    """Raise where a name is not a plan's, offering the nearest."""
    known = [f.name for f in fields(Plan)]
    for name in values:
        if name not in known:
            raise UnknownNameError("plan field", name, known)


def checked_types(values: Mapping[str, Any]) -> dict[str, Any]:
    """Lists as TOML and callers write them become the tuples of a frozen plan; a wrong type is an error."""
    typed = dict[str, Any]()
    for name, value in values.items():
        default = DEFAULTS[name]
        typed[name] = _tuple(name, value) if isinstance(default, tuple) else _scalar(name, value, default)
    return typed


def _tuple(name: str, value: Any) -> tuple[Any, ...]:
    if name == "image_size" and _is(value, int):
        return (value, value)
    wanted = int if name in ("image_size", "background") else str
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise PlanError(f"{name} is {value!r}; wanted a list")
    items = tuple(cast(Sequence[Any], value))
    if not all(_is(item, wanted) for item in items):
        raise PlanError(f"{name} is {value!r}; wanted a list in which each is {_WORDS[wanted]}")
    if wanted is int and len(items) != len(DEFAULTS[name]):
        raise PlanError(f"{name} is {value!r}; wanted {len(DEFAULTS[name])} whole numbers")
    return items


def _is(value: Any, wanted: type) -> bool:
    # To Python true and false are whole numbers; to a user they are not.
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def _scalar(name: str, value: Any, default: Any) -> Any:
    # Fields without a default are whole numbers that are chosen later.
    wanted = int if default is None else type(default)
    if wanted is float and _is(value, int):
        return float(value)
    if wanted is str and isinstance(value, os.PathLike):
        return os.fspath(cast(os.PathLike[str], value))
    if not _is(value, wanted):
        raise PlanError(f"{name} is {value!r}; wanted {_WORDS[wanted]}")
    return value


_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def _select(planned: Sequence[TransformPlan], names: Sequence[str]) -> tuple[TransformPlan, ...]:
    known = {transform.name: transform for transform in planned}
    return tuple(known[name] if name in known else _registered(name, known) for name in names)


def _registered(name: str, known: Mapping[str, TransformPlan]) -> TransformPlan:
    from embshift.transforms import TRANSFORMS
    from embshift.transforms.strength import read_level

    levelled = read_level(name)
    if levelled is not None:
        return levelled
    if name not in TRANSFORMS:
        raise UnknownNameError("transform", name, {*known, *TRANSFORMS})
    return TransformPlan(name=name, kind="registered", target=name, parameters={})
