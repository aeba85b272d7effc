"""Views written to a file or folder, for an encoder that runs elsewhere."""

import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Unpack

from embshift.core.errors import PlanError, UsageError
from embshift.core.paths import output_path
from embshift.core.progress import Reporter, Silent
from embshift.core.remote import allow_private_addresses, grant_sources
from embshift.core.types import FrozenRow, Identity
from embshift.core.words import count_noun
from embshift.images import LeftOut, lead_elsewhere, stream_sources
from embshift.images.objects import expand_source
from embshift.measurement.api import plan_call
from embshift.measurement.engine.pool import perturb_images
from embshift.measurement.engine.worker import WorkerLimits
from embshift.measurement.exchange.layout import About, Form, choose_form, format_about
from embshift.measurement.exchange.packed_images import PackedImages, write_images
from embshift.measurement.exchange.packing import open_packer
from embshift.measurement.exchange.reading import is_views, open_views
from embshift.measurement.pipeline.perturb import Perturbed
from embshift.measurement.pipeline.recipe import BuildRecipe, build_recipe
from embshift.measurement.plan.auto import Setting, choose, is_portable
from embshift.measurement.plan.files import plan_to_toml
from embshift.measurement.plan.options import PlanOptions
from embshift.measurement.plan.plan import CHUNK, DEFAULTS, Plan
from embshift.measurement.session.provenance import code_content, versions
from embshift.measurement.session.trust import Trust, load_trusted_plan
from embshift.runs.files import make_storage_error, rename_into_place
from embshift.runs.listing import freeze_listing
from embshift.runs.lock import lock_folder

__all__ = ["WrittenViews", "write_views"]

_LATER = (
    "encoder",
    "metrics",
    "metric_sample",
    "precision",
    "runtime",
    "batch",
    "device",
    "mixed_hardware",
    "chunk",
    "keep_views",
)
"""Fields of the plan that concern what happens to views later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenViews:
    """What was written.

    Attributes:
        path: The file or folder.
        images: Images of the listing.
        failed: Those that could not be used.
        views: Views that were written, the originals included; equal images have theirs once.
        views_failed: Views that could not be made.
    """

    path: Path
    images: int
    failed: int
    views: int
    views_failed: int


def write_views(
    source: Any,
    /,
    *,
    out: str | Path,
    transforms: Mapping[str, Any] | Sequence[str] | None = None,
    plan: Plan | str | Path | None = None,
    allow_code: bool = False,
    allow_remote: bool = False,
    allow_private: bool = False,
    reporter: Reporter | None = None,
    **options: Unpack[PlanOptions],
) -> WrittenViews:
    """Write originals and views with their keys, so that any program can embed them; `ingest` reads them.

    Args:
        source: As for `measure`.
        out: A file ``.parquet`` or ``.tar``, or a folder. It appears when it is complete. Written views are
            replaced by a file; a folder of other views is refused.
        transforms: As for `measure`.
        plan: A plan or its TOML file; options override its fields.
        allow_code: Whether a plan's file in a run folder or beside views, which anyone may have written, may
            name code.
        allow_remote: Whether such a file may name images on other machines.
        allow_private: Whether images may be at web addresses in private networks and on this machine.
        reporter: Who is told about the progress; the module ``logging`` where None.
        **options: Fields of `Plan` that decide images and views: preset, seed, draws, image_size, …

    Raises:
        UsageError: If an option does not fit, or ``out`` holds something else.
        SourceError: If there is no image.
        StorageError: If it cannot be written.

    Example:
        >>> write_views("photos/", out="views.parquet")  # doctest: +SKIP
    """
    sources, told = expand_source(source), reporter or Silent()
    objects = dict(transforms) if isinstance(transforms, Mapping) else {}
    _check_options(options)
    # No service is asked here, whatever encoder the plan names.
    trust = Trust(code=allow_code, remote=allow_remote)
    base = load_trusted_plan(plan, trust, encodes=False) if isinstance(plan, (str, Path)) else plan
    asked = _check_plan(plan_call(sources, transforms=transforms, base=base, options=options))
    with (
        allow_private_addresses(allow_private),
        grant_sources() if lead_elsewhere(sources) else nullcontext(),
    ):
        return _write_views(sources, asked, objects=objects, path=output_path(out), told=told)


def _write_views(
    sources: Sequence[Any], asked: Plan, *, objects: Mapping[str, Any], path: Path, told: Reporter
) -> WrittenViews:
    form, left = choose_form(path), LeftOut()
    count = sum(1 for _ in islice(stream_sources(sources, left=left), asked.limit))
    told.note(f"{count_noun(count, 'image')} found; views: {path}")
    for line in left.lines():
        told.note(line)
    rows = partial(_list_rows, sources, count=count, seed=asked.seed)
    about = About(
        plan=asked,
        versions=versions(),
        code=code_content(asked, objects=objects),
        images=count,
        views=0,
    )
    before = _find_before(path, about, rows(), form=form)
    if before is not None:
        told.note("nothing left to do: the views are written")
        return before
    with _set_aside(path) as aside:
        return _write(rows, about, form=form, path=path, aside=aside, objects=objects, told=told)


def _list_rows(sources: Sequence[Any], *, count: int, seed: int) -> Iterator[FrozenRow]:
    """List the sources, so that memory holds no listing."""
    records = islice(stream_sources(sources), count)
    return freeze_listing(records, count=count, chunk=CHUNK, sample=0, seed=seed)


def _check_options(options: Mapping[str, Any]) -> None:
    later = [name for name in _LATER if options.get(name) is not None]
    if later:
        raise PlanError(f"{later[0]} says nothing about views; leave it out here, and give metrics to ingest")


def _check_plan(plan: Plan) -> Plan:
    """Return the plan without what concerns the encoder, which is not known."""
    if plan.views == "gpu":
        raise PlanError(
            "views gpu are made on an encoder's device, and none is used here; give fast or reference"
        )
    return replace(plan, **{name: DEFAULTS[name] for name in _LATER if name != "encoder"}, encoder="ingested")


def _find_before(path: Path, about: About, rows: Iterable[FrozenRow], *, form: Form) -> WrittenViews | None:
    """Return what an earlier call has written, if it is the same.

    Raises:
        UsageError: If there is something else that must not be replaced.
    """
    if not os.path.lexists(path):
        return None
    if path.is_dir() and form == "folder" and not any(path.iterdir()):
        path.rmdir()
        return None
    if path.is_symlink() or not is_views(path) or path.is_dir() != (form == "folder"):
        raise UsageError(f"'{path}' exists and holds no views of embshift; give another --out")
    with open_views(path) as views:
        pairs = zip_longest(views.list_files(), map(_identify, rows))
        if replace(views.about, views=0) == about and all(before == now for before, now in pairs):
            return WrittenViews(path=path, **views.count())
    if form == "folder":
        raise UsageError(f"'{path}' holds views of another plan or of other images; give another --out")
    return None


def _identify(row: FrozenRow) -> tuple[Identity, str, int, int]:
    return row.record.identity, row.record.etag, row.size, row.mtime_ns


@contextmanager
def _set_aside(path: Path) -> Generator[Path]:
    """Yield a locked folder beside a path, which is emptied at the start and removed at the end."""
    aside = path.with_name(f".{path.name}.tmp")
    with lock_folder(aside):
        _empty(aside)
        try:
            yield aside
        except OSError as error:
            raise make_storage_error(path, error, written=0) from error
        finally:
            _empty(aside)


def _empty(aside: Path) -> None:
    """Remove what an interrupted call has left; no link is followed."""
    for entry in list(os.scandir(aside)):
        if entry.name.startswith("."):  # the lock
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _write(
    rows: Callable[[], Iterator[FrozenRow]],
    about: About,
    *,
    form: Form,
    path: Path,
    aside: Path,
    objects: Mapping[str, Any],
    told: Reporter,
) -> WrittenViews:
    made, listed = aside / "made", aside / "images"
    with closing(open_packer(form, made)) as packer:
        record = PackedImages(packer)
        told.begin(total=about.images, done=0)
        try:
            perturbed = _perturb(rows(), about, objects)
            write_images(listed, record.take_all(_show(perturbed, told)))
        finally:
            told.end()
        written = replace(about, views=record.views)
        plan = plan_to_toml(about.plan)
        packer.finish(about=format_about(written), plan=plan, images=listed)
    rename_into_place(made, path)
    return WrittenViews(
        path=path,
        images=about.images,
        failed=record.failed,
        views=record.views,
        views_failed=record.views_failed,
    )


def _show(stream: Iterable[Perturbed], told: Reporter) -> Iterator[Perturbed]:
    for perturbed in stream:
        yield perturbed
        told.advance(failed=perturbed.pixels is None)


def _perturb(rows: Iterator[FrozenRow], about: About, objects: Mapping[str, Any]) -> Iterator[Perturbed]:
    build: BuildRecipe = partial(build_recipe, about.plan, metrics={}, objects=objects)
    build()  # what cannot be built is said before any work starts
    shared = is_portable(build) and "memory" not in about.plan.sources
    held = "" if shared else "images or transforms exist in this process alone"
    chosen, _ = choose(about.plan, Setting(device="cpu", threads=1, count=about.images, held=held))
    limits = WorkerLimits(memory=(chosen.worker_memory or 0) * 2**20, seconds=chosen.timeout or 0)
    for made in perturb_images(rows, build=build, workers=chosen.workers or 0, limits=limits):
        if isinstance(made, Perturbed):  # drafts are for a GPU alone
            yield made
