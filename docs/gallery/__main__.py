"""Gallery: every figure, small, on one page. Run ``python -m docs.gallery [RUN]``."""

import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

import embshift
from embshift.core.errors import FigureError
from embshift.measurement.studies.sweep import measure_sweep
from embshift.show.comparison.figures import COMPARISON_FIGURES
from embshift.show.comparison.render import render_comparison
from embshift.show.figures import FIGURES, Page
from embshift.show.figures.layout.style import use_house_style
from embshift.show.figures.material import Material
from embshift.show.figures.render import render_pages

HERE = Path(__file__).parent
RESOLUTION = 90  # pixels per inch; the files of embshift figures have 300
LABELS = ["dog", "cat", "bird", "flower", "tree", "car", "boat", "house", "bread", "cup", "chair", "clock"]
HEAD = """# Gallery

```shell
embshift demo
embshift figures demo-run
```

These commands write the figures of a run, as large as [figures](../figures.md) describes. `make gallery`
writes the smaller copies shown here: the first page of each, of the demo run with 36 sample photographs, the
nine transforms of the paper and the encoder `lite`. The figures show what the output looks like; they say
nothing about CLIP.

```shell
embshift explain demo-run --labels labels.txt                                   # for label_flips
embshift sweep photos --encoder lite --transforms blur noise jpeg --out sweep   # for severity
embshift run photos --encoder lite --resize cubic --out cubic                   # for the comparisons
```
"""


def shrink_page(figure) -> Image.Image:
    """Return a page as an image of at most 256 colours: with fewer, transforms lose theirs."""
    kept = io.BytesIO()
    with use_house_style():
        figure.savefig(kept, format="png", dpi=RESOLUTION, metadata={"Software": None})
    page = Image.open(kept).convert("RGB")
    return page.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def write_figure(pages: Iterator[Page], name: str, *, title: str, command: str, reading: str) -> str:
    """Write the first page of a figure and return its section; return nothing if the run lacks its data."""
    try:
        page = next(pages)
    except FigureError:
        return ""
    shrink_page(page.figure).save(HERE / f"{name}.png", optimize=True)
    alt = page.alt.replace("[", "(").replace("]", ")")
    return f"## {title}\n\n`{command}`: {reading}\n\n![{alt}]({name}.png)\n"


def write_run(run: embshift.Run, names: list[str], *, folder: str) -> list[str]:
    """Write figures of one run; return their sections."""
    material = Material(run=run)
    return [
        write_figure(
            render_pages(material, name, pictures=1),
            name,
            title=FIGURES[name].question,
            command=f"embshift figures {folder} --only {name}",
            reading=read_figure(name),
        )
        for name in names
    ]


def read_figure(name: str) -> str:
    """Return in a sentence how to read a figure."""
    more = f"; more shift: {FIGURES[name].more_shift}" if FIGURES[name].more_shift else ""
    return f"{FIGURES[name].shows}{more}."


def write_comparisons(run: embshift.Run, other: embshift.Run) -> list[str]:
    """Write the figures of a comparison; return their sections."""
    found = embshift.compare(run, other).found
    command = "embshift compare demo-run cubic --figures figures"
    return [
        write_figure(
            render_comparison(found, name),
            f"compared_{name}",
            title=entry.question,
            command=command,
            reading=" ".join(entry.notes(found)),
        )
        for name, entry in COMPARISON_FIGURES.items()
    ]


def main(folder: str) -> None:
    """Write the whole gallery anew."""
    for stale in HERE.glob("*.png"):
        stale.unlink()
    run = embshift.open_run(folder)
    photos = run.info["plan"]["sources"]
    with tempfile.TemporaryDirectory() as kept:
        labels = Path(kept) / "labels.txt"
        labels.write_text("\n".join(LABELS), encoding="utf-8")
        run.explain(labels=labels)
        sweep = measure_sweep(
            photos, transforms=["blur", "noise", "jpeg"], encoder="lite", out=Path(kept) / "sweep"
        )
        cubic = embshift.measure(photos, encoder="lite", resize="cubic", out=Path(kept) / "cubic")
        sections = write_run(run, [name for name in FIGURES if name != "severity"], folder="demo-run")
        sections += write_run(sweep, ["severity"], folder="sweep")
        sections += write_comparisons(run, cubic)
    (HERE / "index.md").write_text("\n".join([HEAD, *filter(None, sections)]), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "demo-run")
