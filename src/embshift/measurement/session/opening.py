"""The encoder of a plan, opened; and the plan without what that encoder cannot give."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from embshift.core.encoding import Encoder
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, EncoderSpec
from embshift.encoders import open as named_encoders
from embshift.encoders.devices import choose_device
from embshift.encoders.forms.objects import open_object
from embshift.encoders.forms.onnx_parts.session import RUNTIME
from embshift.encoders.plain import check_plain
from embshift.measurement.plan.plan import DEFAULT_METRICS, Plan
from embshift.metrics import METRICS

__all__ = ["describe_device", "leave_out_metrics", "open_encoder_of"]

_OF_MAPS = Capture.ATTENTION | Capture.LAYERS | Capture.TOKENS


def open_encoder_of(plan: Plan, thing: Any, /, *, precision: str, runtime: str | None = None) -> Encoder:
    """Open the encoder of a plan in a precision.

    Args:
        plan: The plan.
        thing: The encoder itself, where no name leads to it; else None.
        precision: Number format of the products.
        runtime: What runs the encoder; the plan's where None.

    Raises:
        EncoderError: If the encoder cannot be opened so.
    """
    runs = runtime or plan.runtime
    if thing is None:
        return named_encoders.open_encoder(
            plan.encoder,
            device=plan.device,
            allow_pickle=plan.allow_pickle,
            precision=precision,
            runtime=runs,
        )
    check_plain(plan.encoder, precision=precision, runtime=runs)
    return open_object(thing, name=plan.encoder, device=plan.device, image_size=plan.image_size)


def describe_device(plan: Plan, spec: EncoderSpec, /) -> list[str]:
    """Return a line if the device was left open and a faster one than the encoder's is there; else nothing.

    Args:
        plan: The plan, as asked for.
        spec: The opened encoder's.
    """
    if plan.device != "auto" or spec.runtime != RUNTIME or (fastest := choose_device("auto")) == spec.device:
        return []
    return [
        f"the encoder runs on {spec.device}: {RUNTIME} as installed here does not run on {fastest}"
        f"{'; onnxruntime-gpu does' if fastest.startswith('cuda') else ''}"
    ]


def leave_out_metrics(plan: Plan, spec: EncoderSpec, /, *, note: Callable[[str], None]) -> Plan:
    """Return the plan without the default metrics that need a map, where the encoder has none.

    Args:
        plan: The plan.
        spec: The opened encoder's.
        note: Tells the user one line.

    Raises:
        EncoderError: If such a metric was asked for.
    """
    if spec.map_name:
        return plan
    needing = [name for name in plan.metrics if METRICS[name].spec.needs & _OF_MAPS]
    if not needing:
        return plan
    if plan.metrics != DEFAULT_METRICS:
        raise EncoderError(
            f"{', '.join(needing)} needs a map, and encoder '{spec.name}' gives none; ask for other metrics"
        )
    note(f"left out: {', '.join(needing)}, which needs a map: the encoder gives none")
    return replace(plan, metrics=tuple(name for name in plan.metrics if name not in needing))
