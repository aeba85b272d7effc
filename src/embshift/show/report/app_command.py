"""The command that opens an image of the report in the app."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from embshift.core.types import Direction
from embshift.runs.addresses import call_folder
from embshift.show.report.facts.run import Facts, find_main_metric
from embshift.show.text.words import make_visible

__all__ = ["write_app_command"]


def write_app_command(folder: Path, facts: Facts, *, row: int, at: int) -> str:
    """Return ``embshift serve RUN --at ROW/TRANSFORM/STRENGTH`` for the transform that moves an image most.

    The strength is "recorded" where the plan gives the transform none.

    Args:
        folder: The run folder.
        facts: The numbers of the run.
        row: Row of the image in the listing.
        at: Its position among the measured images.

    Returns:
        The command; empty where no transform has a value for the image.
    """
    spec = find_main_metric(facts.metrics) or next(iter(facts.metrics), None)
    if spec is None:
        return ""
    values = facts.values.values[at, :, facts.values.metrics.index(spec.name)]
    if np.isnan(values).all():
        return ""
    most = int(np.nanargmin(values) if spec.direction is Direction.HIGHER else np.nanargmax(values))
    place = shlex.quote(
        f"{row}/{facts.transforms[most]}{_spell_strength(facts.info['plan']['transforms'][most])}"
    )
    return make_visible(f"embshift serve {shlex.quote(call_folder(folder))} --at {place}")


def _spell_strength(transform: Mapping[str, Any]) -> str:
    strength = transform.get("strength")
    return "/recorded" if strength is None else f"/{strength!r}"
