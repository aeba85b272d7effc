"""What stands against explaining a run, told before its encoder is opened."""

from collections.abc import Mapping
from typing import Any

from embshift.core.addresses import INGESTED
from embshift.core.errors import EncoderError, ResumeError, RunError
from embshift.core.version import __version__
from embshift.encoders.inside import WITHOUT_NETWORK
from embshift.measurement.plan.plan import Plan
from embshift.measurement.studies.explain.options import ExplainOptions
from embshift.runs.tables import RunTables

__all__ = ["check_network", "check_options", "check_sources"]


def check_options(before: Mapping[str, Any] | None, asked: ExplainOptions, *, run: RunTables) -> None:
    """Raise `ResumeError` where the folder holds an explanation of another run or with other options."""
    if before is None:
        return
    remedy = f"remove {run.folder / 'explain'} to explain anew"
    if before.get("fingerprint") != run.info["fingerprint"] or before.get("version") != __version__:
        raise ResumeError(f"{run.folder} holds an explanation of another run or version; {remedy}")
    for name, value in asked.content().items():
        if before.get("plan", {}).get(name) != value:
            was = before.get("plan", {}).get(name)
            raise ResumeError(
                f"{run.folder} holds an explanation with {name} {was}, and {value} is asked for; {remedy}"
            )


def check_network(run: RunTables, plan: Plan) -> None:
    """Raise `EncoderError` for a network that is not at hand: a service's, or that of another tool."""
    from embshift.encoders.open import find_trust  # imports torch

    if plan.encoder.startswith(INGESTED):
        raise EncoderError(
            f"the embeddings of {run.folder} were computed elsewhere and ingested from"
            f" {plan.encoder.removeprefix(INGESTED)}: there is no network to explain; {WITHOUT_NETWORK}"
        )
    if find_trust(plan.encoder) == "remote":
        raise EncoderError(
            f"the encoder of {run.folder} is a service, {plan.encoder}: embshift does not see its network, so"
            f" it cannot be explained; {WITHOUT_NETWORK}"
        )


def check_sources(run: RunTables, plan: Plan) -> None:
    """Raise `RunError` for images that were in memory."""
    if "memory" in plan.sources:
        raise RunError(
            f"images of {run.folder} were in the memory of the process that measured them, so their views"
            f" cannot be made again; measure files to explain them; {WITHOUT_NETWORK}"
        )
