"""Many levels of several transforms as one run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from embshift.core.errors import PlanError
from embshift.core.progress import Reporter, Silent
from embshift.core.remote import allow_private_addresses
from embshift.images.objects import expand_source
from embshift.measurement.plan.objects import name_objects
from embshift.measurement.plan.options import PlanOptions
from embshift.measurement.plan.plan import Plan, make_plan
from embshift.measurement.session.carry_out import carry_out, default_folder
from embshift.runs.addresses import output_run
from embshift.show.run import Run
from embshift.transforms import SEVERITIES, TRANSFORMS
from embshift.transforms.plan import TransformPlan
from embshift.transforms.strength import list_adjustable_transforms, make_levelled_plan

__all__ = ["check_keeping", "chosen_transforms", "measure_sweep", "sweep_plan"]

ALL = "all"


def chosen_transforms(names: Sequence[str] | None) -> tuple[str, ...]:
    """Registered transforms with a strength.

    Args:
        names: Their names; "all" stands for every one, None for those of the paper.

    Raises:
        PlanError: If one has no strength.
        UnknownNameError: If there is no such transform.
    """
    known = list_adjustable_transforms()
    if names is None:
        return tuple(name for name in known if _of_the_paper(name))
    chosen = [each for name in names for each in (known if name == ALL else (name,))]
    for name in chosen:
        if TRANSFORMS[name].strength is None:
            raise PlanError(f"{name} has no strength, so it cannot be swept; leave it out")
    return tuple(dict.fromkeys(chosen))


def _of_the_paper(name: str) -> bool:
    strength = TRANSFORMS[name].strength
    return strength is not None and strength.paper is not None


def sweep_plan(
    transforms: Sequence[str] | None = None,
    *,
    severities: Sequence[int] | None = None,
    strengths: Sequence[float] | None = None,
    **options: Any,
) -> Plan:
    """A plan of several levels of every transform.

    Args:
        transforms: As for `chosen_transforms`.
        severities: Levels; all five where neither is given.
        strengths: In place of severities: strengths of one transform, in its unit.
        **options: Fields of `Plan`; the metric is cosine alone where none is given.

    Raises:
        PlanError: If an option is wrong, or strengths are asked of several transforms.
    """
    chosen = chosen_transforms(transforms)
    if strengths is not None and severities is not None:
        raise PlanError("both severities and strengths are given; leave one of them out")
    if strengths is not None and len(chosen) != 1:
        raise PlanError(
            f"strengths are given for {len(chosen)} transforms, whose units differ; name one transform"
        )
    levels: list[TransformPlan]
    if strengths is not None:
        levels = [make_levelled_plan(chosen[0], strength=each) for each in dict.fromkeys(strengths)]
    else:
        taken = dict.fromkeys(SEVERITIES if severities is None else severities)
        levels = [make_levelled_plan(name, severity=each) for name in chosen for each in taken]
    check_keeping(options, what="embshift sweep")
    metrics = options.pop("metrics", None) or ("cosine",)
    # The levels replace the preset's transforms.
    return replace(make_plan(metrics=metrics, **options), transforms=tuple(levels))


def check_keeping(options: Mapping[str, Any], *, what: str) -> None:
    """Raise `PlanError` where options leave out the embeddings that a study's results need.

    Args:
        options: Fields of `Plan`.
        what: The study.
    """
    if options.get("keep_embeddings") is False:
        raise PlanError(
            f"keep_embeddings is False, but {what} finds originals by their embeddings; keep them"
        )


def measure_sweep(
    source: Any,
    /,
    *,
    transforms: Sequence[str] | None = None,
    severities: Sequence[int] | None = None,
    strengths: Sequence[float] | None = None,
    out: str | Path | None = None,
    allow_private: bool = False,
    reporter: Reporter | None = None,
    **options: Unpack[PlanOptions],
) -> Run:
    """Measure transforms at several levels into one run folder; ``run.sweep()`` gives the curves.

    Args:
        source: As for `embshift.measure`.
        transforms: Registered transforms with a strength; "all" for every one, None for the paper's eight.
        severities: Levels; all five where neither is given.
        strengths: In place of severities: strengths of one transform, in its unit.
        out: The run folder; ``runs/<time>-<encoder>`` where None.
        allow_private: Whether images may be at web addresses in private networks and on this machine.
        reporter: Who is told about the progress; nobody where None.
        **options: Fields of `Plan`.

    Returns:
        The run, opened for reading.

    Raises:
        UsageError: If an option or the run folder does not fit.
        SourceError: If there is no image.

    Example:
        >>> run = measure_sweep("photos/", transforms=["blur"], encoder="lite")  # doctest: +SKIP
        >>> run.sweep().curves[0].shift.mean  # doctest: +SKIP
    """
    sources = expand_source(source)
    named = [str(one) if isinstance(one, (str, Path)) else "memory" for one in sources]
    values, encoder = name_objects(options)
    plan = sweep_plan(transforms, severities=severities, strengths=strengths, sources=named, **values)
    with allow_private_addresses(allow_private):
        return carry_out(
            plan,
            sources=sources,
            encoder=encoder,
            out=default_folder(plan) if out is None else output_run(out),
            reporter=reporter or Silent(),
        )
