"""Description of the machine, without anything that identifies it."""

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from embshift.measurement.session.provenance import versions

__all__ = ["describe_machine", "read_load"]

_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")


def describe_machine() -> dict[str, Any]:
    """Return the processor, its cores and vector extensions, memory and versions, ready for JSON."""
    import torch

    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "flags": [flag for flag in _FLAGS if flag in _processor_flags()],
        "memory_bytes": _memory_bytes(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch_threads": torch.get_num_threads(),
        "versions": {**versions(), **_optional_versions()},
    }


def read_load() -> float | None:
    """Return the mean number of processes that waited for a core in the last minute; None if unknown."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor() -> str:
    return _read_cpuinfo("model name") or platform.processor() or "unnamed processor"


def _processor_flags() -> set[str]:
    return set(_read_cpuinfo("flags").split())


def _read_cpuinfo(name: str) -> str:
    """Return what Linux states about the first core."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")


def _optional_versions() -> dict[str, str]:
    """Return the versions of what is installed of the packages that stages may use."""
    found = dict[str, str]()
    for name in ("openvino", "onnxruntime", "open_clip_torch", "timm", "ray"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _memory_bytes() -> int | None:
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
