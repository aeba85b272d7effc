"""The plan: what a run does, frozen and checked before any work starts.

Importing this module is light, so that the command line can read every default from it. A new option of
``embshift run`` is a field of `Plan` here, and a line in ``embshift/cli/options/run_options.py``.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, cast

from embshift.core.errors import PlanError, UnknownNameError
from embshift.core.paths import input_path
from embshift.core.services import check_address, read_encoder
from embshift.measurement.plan.selection import select_transforms

if TYPE_CHECKING:  # both import numpy and more
    from embshift.images import Limits
    from embshift.transforms.plan import TransformPlan

__all__ = [
    "CHUNK",
    "COUNTED",
    "DEFAULTS",
    "DEFAULT_ENCODER",
    "DEFAULT_METRICS",
    "RULES",
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
"""The paper's metrics, equations (4) to (12)."""

CHUNK = 64
"""Images that are committed together where the plan says nothing else."""


def _counted(default: Any, **rules: Any) -> Any:
    """Return a field that the results depend on; the rules are those of `RULES`."""
    return field(default=default, metadata={"counted": True, **rules})


def _free(default: Any, **rules: Any) -> Any:
    """Return a field that the results do not depend on."""
    return field(default=default, metadata={"counted": False, **rules})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that decides a run's results, and a few settings that do not.

    Fields that count are compared when a run folder is used again. None means "choose when the run starts";
    what was chosen is recorded.

    Attributes:
        sources: Where the images come from, as the user wrote it.
        encoder: Name, folder or hub name of the encoder.
        preset: Name or file of the preset that the transforms come from.
        transforms: The transforms, in order.
        metrics: Names of the metrics, in order.
        limit: Use only the first images of the sorted listing; None for all.
        metric_sample: Images for which not only the embedding metrics are computed.
        draws: Repeats of every transform with other random numbers.
        seed: The run's seed.
        image_size: Height and width that every image is resized to, in pixels.
        resize: A key of `embshift.images.RESIZE_RULES`.
        decode: "full"; or "scaled": a large JPEG at 1/2, 1/4 or 1/8 of its size, at least ``image_size``.
        views: "reference": made by the transforms' own library; "fast": of the same distribution, in less
            time; "gpu": of the same distribution, made on the encoder's device.
        precision: Number format of the encoder's products: "float32", "float16" or "bfloat16"; "auto" becomes
            the fastest that qualifies when the run starts.
        runtime: What runs the encoder: "torch", "compiled" (by torch) or "openvino".
        max_pixels: Largest image that is decoded, in pixels.
        max_aspect: Greatest ratio of sides that is decoded.
        background: Red, green and blue (0-255) behind transparent pixels.
        value_range: The values (0-65535) of grey images with 16 bits that become black and white.
        allow_pickle: Whether weights may be read from an unpinned pickle.
        batch: Views in one encoder batch; its shape never changes within a run.
        threads: Threads of the encoder on a CPU.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        workers: Processes that decode images and make views; 0 for none beside the main process.
        worker_memory: Memory that one image may use in a worker, in MiB beyond what the worker starts with.
        timeout: Time that decoding, views and pixel metrics of one image may take in a worker, in seconds.
        mixed_hardware: Whether a machine whose last digits differ may continue the run.
        chunk: Images that are committed together: what an interruption can cost.
        keep_views: Images whose views are written while the run goes on.
        keep_embeddings: Whether embeddings are kept, which retrieval, clusters and others need.
        max_error_rate: Failed fraction above which the run ends with exit code 1.
    """

    sources: tuple[str, ...] = _free(())  # the listing itself is what counts
    encoder: str = _counted(DEFAULT_ENCODER)
    preset: str = _free("paper")  # its transforms are what counts
    transforms: "tuple[TransformPlan, ...]" = _counted(())  # noqa: RUF009 - a frozen class, imported late
    metrics: tuple[str, ...] = _counted(DEFAULT_METRICS)
    limit: int | None = _counted(None, least=1)
    metric_sample: int = _counted(2000, least=0)
    draws: int = _counted(1, least=1)
    seed: int = _counted(0, least=0)
    image_size: tuple[int, int] = _counted((224, 224))
    resize: str = _counted("linear", one_of=("linear", "area", "cubic", "lanczos", "nearest"))
    decode: str = _counted("full", one_of=("full", "scaled"))
    views: str = _counted("reference", one_of=("reference", "fast", "gpu"))
    precision: str = _counted("float32", one_of=("float32", "float16", "bfloat16", "auto"))
    runtime: str = _counted("torch", one_of=("torch", "compiled", "openvino"))
    max_pixels: int = _counted(50_000_000, least=1)
    max_aspect: float = _counted(20.0, least=1)
    background: tuple[int, int, int] = _counted((255, 255, 255))
    value_range: tuple[int, int] = _counted((0, 65535))
    allow_pickle: bool = _free(False)
    batch: int | None = _counted(None, least=1)
    threads: int | None = _counted(None, least=1)
    device: str = _counted("auto")
    workers: int | None = _free(None, least=0)
    worker_memory: int | None = _free(None, least=64)
    timeout: int | None = _free(None, least=1)
    mixed_hardware: bool = _free(False)
    chunk: int = _free(CHUNK, least=1)
    keep_views: int = _free(8, least=0)
    keep_embeddings: bool = _counted(True)
    max_error_rate: float = _free(0.01)

    def __post_init__(self) -> None:
        check_address(self.encoder)
        for check in _CHECKS:
            check(self)
        for name, rules in RULES.items():
            _check_rules(name, getattr(self, name), rules)

    @property
    def limits(self) -> "Limits":
        """The limits that an image must keep to be decoded."""
        from embshift.images import Limits

        return Limits(
            pixels=self.max_pixels,
            aspect=self.max_aspect,
            background=self.background,
            value_range=self.value_range,
            wanted=self.image_size if self.decode == "scaled" else None,
        )


_FIELDS: tuple[Field[Any], ...] = fields(Plan)

COUNTED = tuple(f.name for f in _FIELDS if f.metadata["counted"])
"""Names of the fields that the results depend on."""

DEFAULTS: Mapping[str, Any] = {f.name: f.default for f in _FIELDS}
"""Every field's default."""

RULES: Mapping[str, Mapping[str, Any]] = {f.name: f.metadata for f in _FIELDS}
"""What every field's values must be: ``least`` of a number, ``one_of`` of a name."""


def _check_rules(name: str, value: Any, rules: Mapping[str, Any]) -> None:
    least, known = rules.get("least"), rules.get("one_of")
    if least is not None and value is not None and not least <= value < math.inf:
        raise PlanError(f"{name} is {value}; expected {least:g} or more")
    if known is not None and value not in known:
        raise UnknownNameError(name, str(value), known)


def _check_image_size(plan: Plan) -> None:
    if len(plan.image_size) != 2 or min(plan.image_size) < 8 or max(plan.image_size) > 4096:
        raise PlanError(f"image_size is {plan.image_size}; expected height and width from 8 to 4096 pixels")


def _check_precision(plan: Plan) -> None:
    if plan.precision == "int8":
        raise PlanError(
            "precision is int8, which changes L2 by 11 to 20 %, more than some transforms do; "
            f"expected {', '.join(RULES['precision']['one_of'])}"
        )


def _check_rate(plan: Plan) -> None:
    if not 0 <= plan.max_error_rate <= 1:
        raise PlanError(f"max_error_rate is {plan.max_error_rate}; expected a fraction from 0 to 1")


def _check_background(plan: Plan) -> None:
    if len(plan.background) != 3 or not all(0 <= value <= 255 for value in plan.background):
        raise PlanError(f"background is {plan.background}; expected red, green and blue from 0 to 255")


def _check_names(plan: Plan) -> None:
    if not {*plan.metrics} <= {*DEFAULT_METRICS}:
        from embshift.metrics import METRICS

        for metric in plan.metrics:
            METRICS[metric]  # raises where there is none; imports torch
    for kind, names in (("transform", [each.name for each in plan.transforms]), ("metric", plan.metrics)):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise PlanError(f"{kind}s named twice: {', '.join(twice)}; every {kind} needs its own name")


def _check_range(plan: Plan) -> None:
    if not 0 <= plan.value_range[0] < plan.value_range[1] <= 65535:
        raise PlanError(f"value_range is {plan.value_range}; expected two rising values from 0 to 65535")


_CHECKS = (_check_precision, _check_image_size, _check_rate, _check_background, _check_range, _check_names)


def make_plan(*, transforms: Sequence[str] | None = None, base: Plan | None = None, **values: Any) -> Plan:
    """Make a checked plan from options.

    Args:
        transforms: Names to keep of the preset's transforms, in this order; also registered transforms that
            the preset does not hold, "blur:3" for blur at severity 3, "blur=2.5" for blur at strength 2.5.
            None or an empty list keeps the preset's.
        base: A plan whose fields stand where no option is given.
        **values: Fields of `Plan`; None leaves the default.

    Raises:
        PlanError: If an option is wrong; unknown names offer the nearest.
    """
    check_fields(values)
    given = {name: value for name, value in values.items() if value is not None}
    plan = replace(base or Plan(), **checked_types(given))
    from embshift.transforms.presets import load_preset  # heavy, so what is wrong above is said first

    if "preset" in given or not plan.transforms:
        plan = replace(plan, transforms=load_preset(plan.preset).transforms)
    if transforms:
        plan = replace(
            plan, transforms=select_transforms(plan.transforms, _to_tuple("transforms", transforms))
        )
    return plan


def check_fields(values: Mapping[str, Any]) -> None:
    """Raise `UnknownNameError` where a name is not a field of the plan."""
    for name in values:
        if name not in DEFAULTS:
            raise UnknownNameError("plan field", name, DEFAULTS)


def checked_types(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the types of the plan: lists, as TOML and callers give them, become tuples.

    Raises:
        PlanError: If a value has the wrong type.
    """
    typed = dict[str, Any]()
    for name, value in values.items():
        default = DEFAULTS[name]
        typed[name] = _to_tuple(name, value) if isinstance(default, tuple) else _scalar(name, value, default)
    return typed


def _to_tuple(name: str, value: Any) -> tuple[Any, ...]:
    if name == "image_size" and _is(value, int):
        return (value, value)
    wanted = int if name in ("image_size", "background", "value_range") else str
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise PlanError(f"{name} is {value!r}; expected a list")
    items = tuple(cast(Sequence[Any], value))
    if not all(_is(item, wanted) for item in items):
        raise PlanError(f"{name} is {value!r}; expected a list in which each item is {_WORDS[wanted]}")
    if wanted is int and len(items) != len(DEFAULTS[name]):
        raise PlanError(f"{name} is {value!r}; expected {len(DEFAULTS[name])} whole numbers")
    return items


def _is(value: Any, wanted: type) -> bool:
    # To Python true and false are whole numbers; to a user they are not.
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def _scalar(name: str, value: Any, default: Any) -> Any:
    # Fields without a default are whole numbers that are chosen later.
    wanted = int if default is None else type(default)
    if wanted is float and _is(value, int):
        return float(value)
    if name in ("encoder", "preset") and isinstance(value, str | os.PathLike):
        read = read_encoder if name == "encoder" else input_path
        return read(os.fspath(cast(str, value))) if value else value
    if not _is(value, wanted):
        raise PlanError(f"{name} is {value!r}; expected {_WORDS[wanted]}")
    return value


_WORDS = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
