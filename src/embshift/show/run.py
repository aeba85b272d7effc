"""The run object: a run folder opened for reading, with everything computed from it. Never imports torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from embshift.analysis.explanation import Explanation, open_explanation
from embshift.analysis.of_thresholds import analyse_thresholds
from embshift.analysis.sampling.bootstrap import LEVEL
from embshift.analysis.stored_texts import StoredTexts, open_stored_texts
from embshift.analysis.thresholds.measure import RESAMPLES
from embshift.analysis.thresholds.result import Thresholds
from embshift.core.progress import Reporter
from embshift.core.threads import limit_threads
from embshift.runs.addresses import describe_folder
from embshift.runs.precision import MetricError, read_precision_errors
from embshift.runs.studies import STUDIES
from embshift.runs.tables import open_tables
from embshift.show.measured_run import MeasuredRun
from embshift.show.text.summary import summary_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Run", "open_run"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run(MeasuredRun):
    """An open run folder: its tables, and the statistics, figures and report computed from them.

    Attributes:
        folder: The folder.
        info: The content of ``run.json``.
    """

    @property
    def precision_error(self) -> dict[str, MetricError] | None:
        """Return each metric's error relative to float32, on the first chunk; None for a float32 run."""
        return read_precision_errors(self.info)

    def thresholds(
        self,
        *,
        images: int | None = None,
        queries: int | None = None,
        resamples: int = RESAMPLES,
        level: float = LEVEL,
        seed: int = 0,
    ) -> Thresholds:
        """Measure which cosine means the same image: what a threshold keeps of views, and what it lets in.

        Args:
            images: Size of a seeded sample of images; all images if None.
            queries: Number of these images whose views are compared with all originals; if None, all of up
                to 100,000 images, and 2,000 of more.
            resamples: Number of resamples of the images.
            level: Coverage of the intervals.
            seed: Seed of samples and resamples.
        """
        with limit_threads(images=self.count_images()):
            return analyse_thresholds(
                self, images=images, queries=queries, resamples=resamples, level=level, seed=seed
            )

    def figure(
        self,
        name: str,
        *,
        width: float = 6.9,
        page: int = 1,
        pictures: int = 4,
        plain: bool = False,
        style: str | Path | None = None,
    ) -> "Figure":
        """Render a figure of the run; its ``get_label()`` is the alt text.

        Args:
            name: A figure of ``embshift list figures``, e.g. "dendrogram".
            width: Width in inches: 3.3 for one column, 6.9 for a page with two columns. The height follows.
            page: Page of a figure with several pages, from 1.
            pictures: Number of images in figures that show images.
            plain: Leave out title and notes, for a caption in their place; the alt text stays.
            style: A style that matplotlib knows, or the path of a style sheet: fonts, lines and grid on top
                of the package's own style.

        Raises:
            FigureError: If the run lacks data that the figure needs, or the figure has no such page.
            UnknownNameError: If there is no such figure or style.
            UsageError: If the style sheet cannot be read or parsed.
        """
        # Only figures load Matplotlib.
        from embshift.show.figures.material import Material
        from embshift.show.figures.render import render_page

        material = Material(run=self)
        found = render_page(
            material, name, page=page, width=width, pictures=pictures, plain=plain, style=style
        )
        return found.figure

    def report(self, out: str | Path | None = None) -> Path:
        """Write the report, one HTML file that opens without a network, and return its path.

        Args:
            out: Path of the file; ``report.html`` in the run folder if None, and of a run in a store
            ``<name>-report.html`` in the working folder.
        """
        from embshift.show.report.page import write_report

        return write_report(self, out)

    def scalars(self) -> dict[str, float]:
        """Return the run's numbers as a flat dictionary, for an experiment tracker; all of them are finite.

        Names are "transform/number": the mean of each metric, ``overall``, ``rank``, ``n``, ``undefined``,
        ``relative_shift``, ``neighbour_ratio``, ``recall_at_1``, ``recall_at_10`` and ``mrr``; "run/count"
        for the whole run, e.g. "run/images_failed". Undefined numbers are left out, and counted in
        ``run/left_out``.

        Example:
            >>> run.scalars()["blur/recall_at_1"]
            1.0
        """
        from embshift.show.handover.scalars import collect_scalars

        with limit_threads(images=self.count_images()):
            return collect_scalars(self)

    def explain(
        self,
        *,
        images: int | None = None,
        patch: Literal["direct", "class", "full"] | None = None,
        patch_images: int | None = None,
        seed: int | None = None,
        words: str | Path | None = None,
        labels: str | Path | None = None,
        captions: str | Path | None = None,
        prompts: Sequence[str] = (),
        vectors: str | Path | None = None,
        allow_code: bool = False,
        allow_remote: bool = False,
        allow_private: bool = False,
        reporter: Reporter | None = None,
    ) -> Explanation:
        """Measure where in the network of its encoder the run's shifts arise; see ``embshift explain``.

        The same call continues an interrupted explanation, and returns at once when it is finished. Loads
        torch, unlike the other methods. Options that are None are those of the explanation that the run
        holds, or else the defaults.

        Args:
            images: Size of a seeded sample of images, by default 256; equal images count once.
            patch: Most expensive exchange of parts: "direct", "class" (default) or "full".
            patch_images: Number of these images on which exchanged parts are followed, by default 64.
            seed: Seed of the sample, by default 0.
            words: A file of words, one a line; those that ship if None.
            labels: A file of labels, or "folders" for the images' folders; none if None.
            captions: A file of captions: CSV, TSV or JSON Lines; none if None.
            prompts: Texts with ``{}`` that words and labels are put into; "a photo of a {}" if empty.
            vectors: A Parquet file with the columns text and vector, for an encoder without a text side.
            allow_code: Whether code that the run's record names, which anyone may have written, may run.
            allow_remote: Whether images that it names on other machines are read.
            allow_private: Whether also at web addresses in private networks and on this machine.
            reporter: Who is told about the progress; the module ``logging`` where None.

        Raises:
            EncoderError: If the encoder is not the run's, its network cannot be explained, or it cannot read
                the texts that are asked for.
            PlanError: If a number is out of range, or a file of texts cannot be used.
            ResumeError: If the folder holds an explanation with other options.
            RunError: If the run is not finished, or its images cannot be read again.
            StorageError: If results cannot be written.
            UnknownNameError: If there is no such kind of patch.
            UsageError: If the record names code or images on other machines, and that is not allowed.
        """
        STUDIES["explain"](
            self,
            images=images,
            patch=patch,
            patch_images=patch_images,
            seed=seed,
            words=words,
            labels=labels,
            captions=captions,
            prompts=(prompts,) if isinstance(prompts, str) else tuple(prompts),
            vectors=vectors,
            allow_code=allow_code,
            allow_remote=allow_remote,
            allow_private=allow_private,
            reporter=reporter,
        )
        return self.explanation()

    def store_texts(
        self,
        *,
        words: str | Path | None = None,
        labels: str | Path | None = None,
        captions: str | Path | None = None,
        prompts: Sequence[str] = (),
        vectors: str | Path | None = None,
        reporter: Reporter | None = None,
    ) -> StoredTexts:
        """Store words, labels and captions with the run, whose network is not run: for every encoder.

        What is stored stays where nothing is asked for. Encoding texts loads torch.

        Args:
            words: A file of words, one a line; those that ship if None, or none beside `vectors`.
            labels: A file of labels, or "folders" for the images' folders; none if None.
            captions: A file of captions: CSV, TSV or JSON Lines; none if None.
            prompts: Texts with ``{}`` that words and labels are put into; "a photo of a {}" if empty.
            vectors: A Parquet file with the columns text and vector, for an encoder without a text side.
            reporter: Who is told what is left out; the module ``logging`` where None.

        Raises:
            EncoderError: If the encoder cannot read texts, and no vectors are given.
            PlanError: If a file of texts cannot be used.
            RunError: If the run is not finished.
            StorageError: If results cannot be written.
        """
        STUDIES["texts"](
            self,
            words=words,
            labels=labels,
            captions=captions,
            prompts=(prompts,) if isinstance(prompts, str) else tuple(prompts),
            vectors=vectors,
            reporter=reporter,
        )
        return self.texts()

    def texts(self) -> StoredTexts:
        """Open the words, labels and captions that are stored with the run, explained or not.

        Raises:
            RunError: If no texts are stored.
        """
        return open_stored_texts(self)

    def explanation(self) -> Explanation:
        """Open what ``embshift explain`` has stored: where in the network the shifts arise.

        Raises:
            RunError: If the run is not explained, or not to its end.
        """
        return open_explanation(self)

    def _repr_html_(self) -> str:
        return summary_html(self.summary(), title=f"{self.info['encoder']['name']} · {self.folder.name}")

    def __repr__(self) -> str:
        counts = {"images": "?", "failed": "?"} | self.info["counts"]  # unknown before the run is finished
        return (
            f"Run({describe_folder(self.folder)!r}: {counts['images']} images, {counts['failed']} failed,"
            f" {len(self.transforms)} transforms, encoder {self.info['encoder']['name']})"
        )


def open_run(folder: str | Path) -> Run:
    """Open a run folder for reading.

    Args:
        folder: A run folder, e.g. the one that ``embshift run`` printed; or its address in a store, such as
            "s3://bucket/runs/a".

    Raises:
        RunError: If the folder is not a run folder, or a later version wrote it.
    """
    found = open_tables(folder)
    return Run(folder=found.folder, info=found.info)
