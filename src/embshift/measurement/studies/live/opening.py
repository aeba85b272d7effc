"""Opening of what is live in a run; where nothing is, the reason in one sentence."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

import pyarrow as pa

from embshift.core.addresses import INGESTED, to_one_line
from embshift.core.encoding import Encoder
from embshift.core.errors import EncoderError, RunError, ShiftError
from embshift.measurement.pipeline.recipe import build_recipe
from embshift.measurement.plan.files import plan_from_content
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.assignment import select_metrics
from embshift.measurement.session.provenance import code_content, encoder_content
from embshift.measurement.session.resume import check_code, check_encoder
from embshift.measurement.session.trust import Trust, check_remote_images
from embshift.measurement.studies.live.live_run import LiveRun
from embshift.measurement.studies.live.pictures import Pictures
from embshift.measurement.studies.live.reach import list_reaches
from embshift.runs.listing import Listing, is_there
from embshift.runs.places import file_in
from embshift.runs.tables import RunTables
from embshift.show.app.served.live import Reach
from embshift.show.app.served.run import ServedRun

__all__ = ["open_served"]

_TRIED = 8
"""Images that are looked for before all count as gone."""


def open_served(run: RunTables, *, title: str, trust: Trust) -> ServedRun:
    """Open a run for the app, live as far as it can be.

    Nothing that only the run's record names is run, fetched or sent to: no function without trust, no weights
    from a pickle, no checkpoint from the hub, no service.

    Args:
        run: The run.
        title: What the user called it.
        trust: Whether code that the record names may run, and images be read from other machines.

    Raises:
        RunError: If the run cannot be shown at all.
    """
    try:
        plan = plan_from_content(run.info["plan"])
        reaches = list_reaches(plan, trust)
    except (ShiftError, LookupError, TypeError, ValueError) as error:
        why = f"the run's plan cannot be read: {to_one_line(error)}"
        return ServedRun(run, title=title, live=None, why=why, reaches={})
    try:
        live, why = _open_live(run, plan, reaches, trust=trust), ""
    except (ShiftError, OSError) as error:
        live, why = None, to_one_line(error)
    return ServedRun(run, title=title, live=live, why=why, reaches=reaches)


def _open_live(run: RunTables, plan: Plan, reaches: Mapping[str, Reach], *, trust: Trust) -> LiveRun:
    if trust.code:
        check_code(run.info, code_content(plan, objects={}))
    listing = _open_listing(run, trust)
    encoder = _open_encoder(run, plan, trust=trust)
    safe = replace(plan, transforms=())
    recipe = build_recipe(
        safe,
        metrics={name: metric.compute for name, metric in select_metrics(plan, "pixel").items()},
        aligned={name: metric.compute for name, metric in select_metrics(plan, "aligned").items()},
        objects={},
    )
    return LiveRun(
        run,
        pictures=Pictures(run, plan=plan, listing=listing, reaches=reaches, access=trust.access()),
        encoder=encoder,
        metrics=select_metrics(plan, "pair"),
        recipe=recipe,
    )


def _open_listing(run: RunTables, trust: Trust) -> Listing:
    """Open the listing, and look for some of its files."""
    try:
        listing = Listing(file_in(run.folder, "listing.parquet"))
        first = list(islice(listing, _TRIED))
        records = [row.record for row in first]
    except (OSError, LookupError, TypeError, ValueError, pa.ArrowException) as error:
        raise RunError(f"the listing of {run.folder} cannot be read: {to_one_line(error)}") from error
    if "memory" in run.info["plan"].get("sources", ()) and not any(record.path for record in records):
        raise RunError("the images were in the memory of the process that measured them")
    check_remote_images(first, trust, where=str(run.folder))
    if not any(record.path is not None and is_there(record) for record in records):
        raise RunError("the images are no longer where they were measured; put them back, then start again")
    return listing


def _open_encoder(run: RunTables, plan: Plan, *, trust: Trust) -> Encoder:
    from embshift.encoders.hub import without_downloads
    from embshift.encoders.open import find_trust, open_encoder

    if plan.encoder.startswith(INGESTED):
        raise EncoderError("the embeddings were computed elsewhere and ingested: there is no encoder to open")
    kind = find_trust(plan.encoder)
    if kind == "remote":
        raise EncoderError(f"the encoder is a service, {plan.encoder}, to which no image is sent from here")
    if kind == "code" and not trust.code:
        raise EncoderError(
            f"the run's record names Python code as its encoder, {plan.encoder}, which is not run unasked; if"
            " you trust it, give --allow-code"
        )
    with without_downloads():
        encoder = open_encoder(plan.encoder, device="auto", allow_pickle=False)
    # The app always encodes in float32, whatever the run was measured in.
    recorded = {name: value for name, value in run.info["encoder"].items() if name != "precision"}
    check_encoder({**run.info, "encoder": recorded}, encoder_content(encoder.spec))
    return encoder
