"""Images measured into a temporary run folder, to be looked at and then removed."""

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from embshift.core.errors import SourceError
from embshift.core.progress import Reporter
from embshift.measurement.plan.plan import make_plan
from embshift.measurement.session.carry_out import carry_out
from embshift.runs.tables import RunTables

__all__ = ["LIMIT", "measure_for_now"]

LIMIT = 64
"""Images that are measured by default."""


@contextmanager
def measure_for_now(
    sources: Sequence[str], *, encoder: str, limit: int, reporter: Reporter
) -> Generator[RunTables]:
    """Measure images under the paper's transforms, into a folder that is removed with the context.

    Args:
        sources: Folders, images, globs or lists.
        encoder: The encoder.
        limit: Images that are measured at most.
        reporter: Who is told about the progress.

    Raises:
        SourceError: If none of them is a readable image.
    """
    plan = make_plan(sources=list(sources), encoder=encoder, limit=limit, keep_views=limit)
    with tempfile.TemporaryDirectory(prefix="embshift-serve-") as folder:
        run = carry_out(plan, sources=plan.sources, out=Path(folder) / "run", reporter=reporter)
        counts = run.info["counts"]
        if counts["failed"] == counts["images"]:
            failed = run.info["failures"][0]
            raise SourceError(f"no image could be used: {failed['member']}: {failed['error']}")
        yield run
