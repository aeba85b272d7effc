"""Comparisons of run folders, with their answers in words and their tables. Never imports torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embshift.analysis.compared.catalogue import PRIMARY
from embshift.analysis.compared.comparison import compare_runs
from embshift.analysis.compared.results import Comparison
from embshift.analysis.pairing.pairing import LEAST_SHARED
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.core.errors import FigureError
from embshift.core.paths import output_path
from embshift.core.records import Record, to_pandas, write_html
from embshift.core.threads import limit_threads
from embshift.runs.tables import RunTables
from embshift.show.run import open_run
from embshift.show.text.compared import format_compared
from embshift.show.text.compared_answers import list_answers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ComparedRuns", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedRuns:
    """Compared runs.

    Attributes:
        found: All numbers.
    """

    found: Comparison

    def answers(self) -> tuple[str, ...]:
        """Return the answers in words: what differs, whether to re-index, what is not worse by a margin."""
        return list_answers(self.found)

    def records(self) -> list[Record]:
        """Return one row for each run, transform and statistic, with its difference to the first run."""
        return self.found.records()

    to_pandas = to_pandas
    _repr_html_ = write_html

    def figure(
        self,
        name: str,
        *,
        width: float = 6.9,
        page: int = 1,
        plain: bool = False,
        style: str | Path | None = None,
    ) -> "Figure":
        """Render a figure; its ``get_label()`` is the alt text.

        Args:
            name: "differences" (of every run to the first, by transform) or "encoders" (stability beside
                recall and separation).
            width: Width in inches: 3.3 for one column, 6.9 for a page with two columns. The height follows.
            page: Page of a figure with several pages, from 1.
            plain: Leave out title and notes, for a caption in their place; the alt text stays.
            style: A style that matplotlib knows, or the path of a style sheet, on top of the package's own.

        Raises:
            FigureError: If the figure has no such page.
            UnknownNameError: If there is no such figure or style.
            UsageError: If the style sheet cannot be read or parsed.
        """
        # Only figures load Matplotlib.
        from embshift.show.comparison.render import render_comparison

        pages = list(render_comparison(self.found, name, width=width, plain=plain, style=style))
        if not 1 <= page <= len(pages):
            raise FigureError(
                f"page is {page}, but figure '{name}' has {len(pages)}; expected 1 to {len(pages)}"
            )
        return pages[page - 1].figure

    def report(self, out: str | Path) -> Path:
        """Write the answers, figures and tables into one HTML file that opens without a network.

        Args:
            out: Path of the file; an earlier comparison is replaced.

        Returns:
            The path.

        Raises:
            StorageError: If it cannot be written.
            UsageError: If the path leads to something else than a comparison.
        """
        from embshift.show.comparison.page import write_comparison_page

        return write_comparison_page(self.found, out)

    def figures(
        self,
        folder: str | Path,
        *,
        formats: Sequence[str] = ("png",),
        width: float = 6.9,
        plain: bool = False,
        style: str | Path | None = None,
    ) -> list[Path]:
        """Write all figures into a folder, and return the paths of the files.

        Args:
            folder: The folder.
            formats: "png", "svg" or "pdf", one or several.
            width: Width in inches.
            plain: Leave out title and notes, for a caption in their place; the alt text stays.
            style: A style that matplotlib knows, or the path of a style sheet, on top of the package's own.

        Raises:
            StorageError: If a file cannot be written.
            UnknownNameError: If there is no such format or style.
            UsageError: If the style sheet cannot be read, or something else than a figure has the name
                of a file.
        """
        from embshift.show.comparison.render import write_comparison

        folder = output_path(folder)
        return write_comparison(self.found, folder, formats=formats, width=width, plain=plain, style=style)

    def format(self, style: str) -> str:
        """Format the comparison as "markdown", "csv", "latex" or "json".

        Raises:
            UnknownNameError: For another style.
        """
        return format_compared(self.found, style=style)


def compare(
    *runs: RunTables | str | Path,
    by: str = PRIMARY,
    margin: float | None = None,
    least_shared: float = LEAST_SHARED,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ComparedRuns:
    """Compare two to thirty runs of the same images and transforms; the first is the reference.

    Args:
        *runs: Runs, or their folders.
        by: Statistic that is tested for differences: "relative_shift", "neighbour_ratio", "nearer_share",
            "recall_at_1", or "cosine_shift" within one embedding space.
        margin: Margin for "not worse by more than", in the unit of the statistic; not asked where None.
        least_shared: Least share of all images that every run must share with the first.
        level: Coverage of intervals and bounds.
        resamples: Number of resamples and of sign flips.
        seed: Their seed.

    Raises:
        PlanError: If an option is out of range, or the statistic cannot compare these encoders.
        RunError: If a folder is no run, transforms of one name do different things, or too little is shared.
        UnknownNameError: If there is no such statistic.
    """
    opened = [run if isinstance(run, RunTables) else open_run(run) for run in runs]
    with limit_threads(images=max((run.count_images() for run in opened), default=0)):
        found = compare_runs(
            opened,
            by=by,
            margin=margin,
            least_shared=least_shared,
            level=level,
            resamples=resamples,
            seed=seed,
        )
    return ComparedRuns(found=found)
