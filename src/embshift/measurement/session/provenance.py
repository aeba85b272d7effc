"""Provenance: what a result depends on beside its plan, and the fingerprint of all of it."""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from embshift.core.addresses import code_digest, load_object
from embshift.core.types import EncoderSpec, MetricSpec
from embshift.core.version import __version__
from embshift.measurement.plan.plan import COUNTED, DEFAULTS, Plan
from embshift.transforms import TRANSFORMS

__all__ = [
    "code_content",
    "encoder_content",
    "fingerprint",
    "machine",
    "metric_content",
    "peak_memory",
    "plan_content",
    "recorded_fingerprint",
    "strength_content",
    "versions",
]

_LATER = ("value_range", "mixed_hardware", "chunk", "keep_embeddings")
"""Fields of the plan that older runs lack."""

_PIXELS = ("albucore", "albumentations", "numpy", "opencv-python-headless", "pillow", "scipy")
_NUMBERS = ("pyarrow", "safetensors", "torch", "transformers")


def versions() -> dict[str, str]:
    """Return the versions of everything that touches pixels or numbers."""
    return {"embshift": __version__, **{name: _version(name) for name in (*_PIXELS, *_NUMBERS)}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def machine() -> dict[str, Any]:
    """Return facts on the machine that help to compare timings."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }


def plan_content(plan: Plan) -> dict[str, Any]:
    """Return a plan ready for JSON; a field that older runs lack is recorded only where it was given."""
    content = json.loads(json.dumps(asdict(plan)))
    for name in _LATER:
        if getattr(plan, name) == DEFAULTS[name]:
            del content[name]
    return content


def strength_content(plan: Plan) -> dict[str, Any]:
    """Return what the strengths of the plan's transforms mean, by registered name, for readers of the run."""
    found = dict[str, Any]()
    for each in plan.transforms:
        stated = TRANSFORMS[each.target].strength if each.strength is not None else None
        if stated is not None:
            found[each.target] = {
                "family": TRANSFORMS[each.target].family,
                "meaning": stated.meaning,
                "unit": stated.unit,
                "zero": stated.zero,
                "rising": stated.rising,
            }
    return found


def metric_content(spec: MetricSpec) -> dict[str, Any]:
    """Return a metric's spec ready for JSON; an infinite bound is null."""
    bounds = [None if abs(bound) == float("inf") else bound for bound in spec.bounds]
    return asdict(spec) | {"bounds": bounds, "direction": spec.direction.value, "needs": spec.needs.value}


def encoder_content(spec: EncoderSpec) -> dict[str, Any]:
    """Return an encoder's spec ready for JSON."""
    return json.loads(json.dumps({**asdict(spec), "preprocessing": dict(spec.preprocessing)}))


def code_content(plan: Plan, *, objects: Mapping[str, Any]) -> dict[str, str | None]:
    """Return a digest of the code of every transform that is a function; None where it has no source."""
    own = {each.name: each.target for each in plan.transforms if each.kind == "function"}
    return {
        name: code_digest(load_object(target) if isinstance(objects.get(name, ""), str) else objects[name])
        for name, target in own.items()
    }


def fingerprint(plan: Plan, *, encoder: EncoderSpec, code: Mapping[str, str | None]) -> str:
    """Return 32 hexadecimal digits of everything that results depend on; every file of the run holds them."""
    info = {"plan": plan_content(plan), "encoder": encoder_content(encoder)}
    return recorded_fingerprint({**info, "code": dict(code), "versions": versions()})


def recorded_fingerprint(info: Mapping[str, Any]) -> str:
    """Return the fingerprint that follows from the content of ``run.json``."""
    counted = {name: value for name, value in info["plan"].items() if name in COUNTED}
    return _digest({"plan": counted, **{name: info[name] for name in ("encoder", "code", "versions")}})


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def peak_memory() -> int | None:
    """Return the peak resident memory of this process, in bytes; None where the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
