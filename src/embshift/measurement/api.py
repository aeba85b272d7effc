"""Measure from Python: one call from images to an opened run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Unpack

from embshift.core.errors import UsageError
from embshift.core.progress import Reporter, Silent
from embshift.core.remote import allow_private_addresses
from embshift.images.objects import expand_source
from embshift.measurement.cluster.choice import choose_engine
from embshift.measurement.cluster.options import RayOptions
from embshift.measurement.plan.objects import name_objects
from embshift.measurement.plan.options import PlanOptions
from embshift.measurement.plan.plan import Plan, make_plan
from embshift.measurement.session.carry_out import carry_out, default_folder
from embshift.measurement.session.trust import Trust, load_trusted_plan
from embshift.runs.addresses import output_run
from embshift.show.run import Run
from embshift.transforms.build import describe, wrap
from embshift.transforms.plan import TransformPlan
from embshift.transforms.presets import load_preset
from embshift.transforms.strength import check_different

__all__ = ["measure", "plan_call"]


def measure(
    source: Any,
    /,
    *,
    transforms: Mapping[str, Any] | Sequence[str] | None = None,
    out: str | Path | None = None,
    plan: Plan | str | Path | None = None,
    update: bool = False,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    actors: int | None = None,
    gpus_per_actor: float | None = None,
    allow_code: bool = False,
    allow_remote: bool = False,
    allow_private: bool = False,
    reporter: Reporter | None = None,
    **options: Unpack[PlanOptions],
) -> Run:
    """Measure how embeddings move when images are changed, into a run folder.

    The same call on the same folder continues an interrupted run, and returns at once when it is finished.

    Args:
        source: A folder, an image file, a glob, a list of paths (text, CSV, JSON Lines or Parquet), an
            archive .tar or a table .parquet or .arrow of images, a PIL image, an array of height x
            width x 3 (uint8, or floats from 0 to 1), a tensor of torch (3 colours first or last), a list or
            pandas column of these, or a pandas table with a column named path, image or file.
        transforms: Names of the preset's transforms, or a dictionary of transforms by name: albumentations
            objects, registered functions, "package.module:function", or callables ``(pixels)`` or
            ``(pixels, *, rng)``. None or an empty dictionary means the preset.
        out: The run folder, or its address in a store; ``runs/<time>-<encoder>`` where None.
        plan: A plan or its TOML file; options override its fields.
        update: Whether images that are new since the run was started are appended.
        engine: ``"ray"`` hands the run's chunks out to actors of a Ray cluster; the results are the same.
        address: The cluster, "auto" or host:port; None starts Ray on this machine, or takes the cluster that
            this process has joined.
        actors: How many actors; None for as many as there is room for.
        gpus_per_actor: GPUs of an actor, also a fraction of one.
        allow_code: Whether a plan's file in a run folder, which anyone may have written, may name code.
        allow_remote: Whether such a file may name a service as encoder, or images on other machines.
        allow_private: Whether images may be at web addresses in private networks and on this machine.
        reporter: Who is told about the progress; the module ``logging`` where None.
        **options: Fields of `Plan`: encoder, preset, seed, draws, image_size, … The encoder may also be an
            object: a function of images (uint8, RGB, n × height × width × 3) to embeddings (n × dim), a pair
            of a torch module and its preparation of one PIL image, or anything with ``spec`` and ``encode``.
            A metric may be the registered function itself.

    Returns:
        The run, opened for reading.

    Raises:
        UsageError: If an option, the plan or the run folder does not fit.
        SourceError: If there is no image.
        EncoderError: If the encoder cannot be opened.

    Example:
        >>> run = measure("photos/", encoder="lite", out="run")  # doctest: +SKIP
        >>> run.summary()  # doctest: +SKIP
    """
    sources = expand_source(source)
    base = (
        load_trusted_plan(plan, Trust(code=allow_code, remote=allow_remote))
        if isinstance(plan, (str, Path))
        else plan
    )
    objects = dict(transforms) if isinstance(transforms, Mapping) else {}
    named, encoder = name_objects(options)
    asked = plan_call(sources, transforms=transforms, base=base, options=named)
    cluster = RayOptions(address=address, actors=actors, gpus_per_actor=gpus_per_actor)
    chosen = choose_engine(engine, cluster, plan=asked)
    if chosen is not None:
        _check_portable(objects, encoder)
    with allow_private_addresses(allow_private):
        return carry_out(
            asked,
            sources=sources,
            objects=objects,
            encoder=encoder,
            out=default_folder(asked) if out is None else output_run(out),
            update=update,
            engine=chosen,
            reporter=reporter or Silent(),
        )


def _check_portable(objects: Mapping[str, Any], encoder: Any) -> None:
    """Check that other processes can make the same: they have only what the run folder names."""
    lost = [f"transform {name}" for name, thing in objects.items() if describe(name, thing) is None]
    lost += ["the encoder"] * (encoder is not None)
    if lost:
        raise UsageError(
            f"engine='ray' measures in other processes, and {', '.join(lost)} exists in this one alone; give"
            ' its address, "package.module:name", instead'
        )


def plan_call(
    sources: Sequence[Any],
    /,
    *,
    transforms: Mapping[str, Any] | Sequence[str] | None,
    base: Plan | None,
    options: Mapping[str, Any],
) -> Plan:
    """Return the plan of a call from Python.

    Args:
        sources: The sources, as `expand_source` returns them.
        transforms: As for `measure`.
        base: A plan whose fields stand where no option is given.
        options: Fields of `Plan`, with names in place of objects.

    Raises:
        UsageError: If an option or the plan does not fit.
    """
    objects = dict(transforms) if isinstance(transforms, Mapping) else {}
    names = None if isinstance(transforms, Mapping) else transforms
    asked = make_plan(base=base, transforms=names, sources=[_name_source(one) for one in sources], **options)
    if not objects:
        return asked
    planned = [_plan_object(name, thing) for name, thing in objects.items()]
    return replace(asked, transforms=check_different(planned, paper=load_preset("paper").transforms))


def _name_source(source: Any) -> str:
    return str(source) if isinstance(source, (str, Path)) else "memory"


def _plan_object(name: str, thing: Any) -> TransformPlan:
    """Return an object's plan; what no file can repeat is recorded by its name, for readers."""
    wrap(name, thing)
    address = f"{getattr(thing, '__module__', '?')}:{getattr(thing, '__qualname__', type(thing).__name__)}"
    return describe(name, thing) or TransformPlan(name=name, kind="function", target=address)
