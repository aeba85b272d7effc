"""Types of the options that are fields of the plan; written by ``python -m docs.refresh``."""

from collections.abc import Sequence
from typing import Literal, TypedDict

from embshift.measurement.plan.objects import EncoderLike, MetricLike

__all__ = ["PlanOptions"]


class PlanOptions(TypedDict, total=False):
    """Options of `embshift.measure`, `sweep` and `match`: fields of `Plan`; None leaves the default."""

    encoder: EncoderLike | None
    preset: str | None
    metrics: Sequence[MetricLike] | None
    limit: int | None
    metric_sample: int | None
    draws: int | None
    seed: int | None
    image_size: int | Sequence[int] | None
    resize: Literal["linear", "area", "cubic", "lanczos", "nearest"] | None
    decode: Literal["full", "scaled"] | None
    views: Literal["reference", "fast", "gpu"] | None
    precision: Literal["float32", "float16", "bfloat16", "auto"] | None
    runtime: Literal["torch", "compiled", "openvino"] | None
    max_pixels: int | None
    max_aspect: float | None
    background: Sequence[int] | None
    value_range: Sequence[int] | None
    allow_pickle: bool | None
    batch: int | None
    threads: int | None
    device: str | None
    workers: int | None
    worker_memory: int | None
    timeout: int | None
    mixed_hardware: bool | None
    chunk: int | None
    keep_views: int | None
    keep_embeddings: bool | None
    max_error_rate: float | None
