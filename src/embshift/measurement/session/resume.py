"""Resume: start a run folder or continue one; results made in different ways are never mixed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from embshift.core.errors import ResumeError, ShiftError, UsageError
from embshift.measurement.plan.files import list_differences, plan_from_content
from embshift.measurement.plan.plan import DEFAULT_METRICS, Plan
from embshift.measurement.session.provenance import versions
from embshift.runs.fields import find_wrong_fields
from embshift.runs.places import file_in, list_in
from embshift.runs.record import RECORD, read_record_file

__all__ = ["NEW_FOLDER", "check_code", "check_encoder", "continue_plan", "other_versions", "read_record"]

NEW_FOLDER = "give another --out, or remove the folder to start again"
"""What a user can do where a run cannot be continued."""


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return the content of ``run.json``; None for a new folder.

    Raises:
        UsageError: If the folder holds files and is not a run folder.
        ResumeError: If ``run.json`` cannot be read.
        RunError: If a link or something else has its name.
    """
    path = file_in(folder, RECORD)
    if not path.exists():
        others = list_in(folder, pattern="*")
        if others:
            raise UsageError(
                f"'{folder}' is neither empty nor a run folder (it holds '{others[0].name}');"
                " give another --out"
            )
        return None
    try:
        info = read_record_file(folder)
    except (OSError, ValueError) as error:
        raise ResumeError(f"{path} cannot be read: {error}; {NEW_FOLDER}") from error
    wrong = next(find_wrong_fields(info), None)
    if wrong is not None:
        raise ResumeError(f"{path} is damaged: {wrong}, which no run writes; {NEW_FOLDER}")
    return info


def continue_plan(asked: Plan, info: Mapping[str, Any] | None, *, update: bool = False) -> Plan:
    """Return the plan to work by: as asked, with what the run has recorded where nothing was asked.

    Raises:
        ResumeError: If the folder holds another plan's results or another version's; names every difference.
    """
    if info is None:
        return asked
    lines = other_versions(info.get("versions", {}))
    try:
        before = plan_from_content(info["plan"])
    except (KeyError, TypeError, ShiftError) as error:  # fields of another version, or not a run's file
        listed = "\n  ".join([f"run.json holds a plan that this version does not know: {error}", *lines])
        raise ResumeError(f"the run folder cannot be continued:\n  {listed}\n{NEW_FOLDER}") from error
    if not info["encoder"].get("map_name") and asked.metrics == DEFAULT_METRICS:
        asked = replace(asked, metrics=before.metrics)  # those that need a map were left out
    lines = list_differences(before, asked) + lines
    if lines:
        listed = "\n  ".join(lines)
        raise ResumeError(f"the run folder holds the results of another plan:\n  {listed}\n{NEW_FOLDER}")
    return replace(
        asked,
        # What repeats the run is recorded: the listing is frozen, whatever is named now.
        sources=tuple(dict.fromkeys(before.sources + asked.sources)) if update else before.sources,
        preset=before.preset,
        batch=before.batch,
        chunk=before.chunk,
        threads=before.threads,
        device=_choose_device(before, asked),
        precision=before.precision if asked.precision == "auto" else asked.precision,
    )


def _choose_device(before: Plan, asked: Plan) -> str:
    return before.device if asked.device == "auto" else asked.device


def other_versions(before: Mapping[str, str]) -> list[str]:
    """Return what is installed in another version than the run was made with, one line each."""
    now = versions()
    return [
        f"{name}: {before.get(name, 'not recorded')} in the run, {now[name]} installed"
        for name in now
        if now[name] != before.get(name)
    ]


_ENCODER_FIELDS = ("digest", "config", "preprocessing", "embedding", "map_source", "dim", "precision")


def check_encoder(info: Mapping[str, Any] | None, encoder: Mapping[str, Any]) -> None:
    """Check that weights, config and preprocessing are those the run was started with.

    Raises:
        ResumeError: If one of them differs.
    """
    before = {} if info is None else info["encoder"]
    for name in _ENCODER_FIELDS:
        if name in before and before[name] != encoder[name]:
            what = "ingested embeddings are" if encoder["family"] == "ingested" else "encoder is"
            raise ResumeError(
                f"the {what} not the run's: its {_ENCODER_WORDS.get(name, name)} was"
                f" {str(before[name])[:80]} and is {str(encoder[name])[:80]}; {NEW_FOLDER}"
            )


_ENCODER_WORDS = {"digest": "weights' digest", "config": "config.json's digest"}


def check_code(info: Mapping[str, Any] | None, code: Mapping[str, str | None]) -> None:
    """Check that no function of the user's has changed since the run was started.

    Raises:
        ResumeError: If one has.
    """
    before = {} if info is None else info.get("code", {})
    changed = [name for name, digest in code.items() if name in before and before[name] != digest]
    if changed:
        raise ResumeError(
            f"the code of transform {', '.join(changed)} has changed since the run was started; {NEW_FOLDER}"
        )
