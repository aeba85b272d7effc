"""What a session gives to the engine: recipe, metrics and limits."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from embshift.core.encoding import Encoder
from embshift.core.types import Capture
from embshift.measurement.engine.local import Work
from embshift.measurement.engine.worker import WorkerLimits
from embshift.measurement.pipeline.encode import Encoded
from embshift.measurement.pipeline.perturb import Perturbed
from embshift.measurement.pipeline.recipe import BuildRecipe, build_recipe
from embshift.measurement.plan.auto import is_portable
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.stored import Stored
from embshift.metrics import METRICS, Kind, Metric
from embshift.runs.listing import Listing
from embshift.transforms.build import describe

__all__ = ["explain_no_workers", "plan_recipe", "plan_work", "select_metrics"]


def select_metrics(plan: Plan, kind: Kind) -> dict[str, Metric]:
    """Return the plan's metrics of a kind, by name."""
    return {name: METRICS[name] for name in plan.metrics if METRICS[name].kind == kind}


def plan_recipe(plan: Plan, objects: Mapping[str, Any], stored: Stored | None) -> BuildRecipe:
    """Return what builds the recipe, here and in workers: it can be pickled, and pickles no torch."""
    pair = select_metrics(plan, "pair").values()
    return partial(
        build_recipe,
        plan,
        objects=objects,
        metrics={name: metric.compute for name, metric in select_metrics(plan, "pixel").items()},
        aligned={name: metric.compute for name, metric in select_metrics(plan, "aligned").items()},
        mapped=any(Capture.COORDINATES in metric.spec.needs for metric in pair),
        stored=None if stored is None else stored.read,
    )


def explain_no_workers(rows: Listing, build: BuildRecipe, objects: Mapping[str, Any]) -> str:
    """Return why workers cannot do the work; empty where they can."""
    if not is_portable(build) or any(describe(name, thing) is None for name, thing in objects.items()):
        return "a transform or a metric exists in this process alone"
    if rows.in_memory:
        return "images are in the memory of this process"
    return ""


def plan_work(
    plan: Plan,
    *,
    encoder: Encoder,
    build: BuildRecipe,
    metrics: Mapping[str, Metric],
    reopen: Callable[..., Encoder],
    fill: Callable[[Perturbed], Encoded] | None,
) -> Work:
    """Return what the engine is given beside the listing.

    Args:
        plan: The plan, with nothing left open.
        encoder: The opened encoder.
        build: Builds the recipe.
        metrics: The metrics on encodings, by name.
        reopen: Opens the encoder in another precision.
        fill: Gives views the embeddings that were computed elsewhere; None to encode them.
    """
    memory, seconds = plan.worker_memory or 0, plan.timeout or 0
    in_float32 = encoder.spec.precision == "float32"
    return Work(
        build=build,
        encoder=encoder,
        metrics=metrics,
        batch=plan.batch or 1,
        workers=plan.workers or 0,
        limits=WorkerLimits(memory=memory * 2**20, seconds=seconds),
        open_float32=None if in_float32 else partial(reopen, precision="float32"),
        fill=fill,
        keep_embeddings=plan.keep_embeddings,
    )
