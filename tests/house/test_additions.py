"""One place per addition: a stranger's file passes its family's contracts with nothing else touched.

A copy of the checkout gets a metric, a transform, a figure, an encoder and an option of ``run``, each in the
one file that CONTRIBUTING names (two for the option). Then the generated parts of the documentation are
refreshed, and the house tests and each family's contract tests run in the copy.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = (
    "src",
    "tests",
    "docs",
    "benchmarks",
    "LICENSE",
    "Makefile",
    "NOTICE",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "pyproject.toml",
)
HOUSE = tuple(Path("tests/house") / name for name in ("test_docs.py", "test_import.py", "test_layout.py"))
CONTRACTS = Path("tests/contracts")
# What runs the examples of the documents, or measures, does not depend on what is registered.
MEASURING = ("readme_python", "duckdb", "run_json", "run_folder", "shell_line", "wheel", "every_step")
TESTED = dict.fromkeys(HOUSE, " and ".join(f"not {name}" for name in MEASURING)) | {
    CONTRACTS / "test_metrics.py": "mean_colour_distance",
    CONTRACTS / "test_transforms.py": "posterise",
    CONTRACTS / "test_severity.py": "posterise",
    CONTRACTS / "test_figures.py": "cosine_against_ssim",
    CONTRACTS / "test_encoders.py": "colour_grid",
    Path("tests/unit/test_plan.py"): "plan",
    Path("tests/properties/test_plan.py"): "plan",
}
"""The tests that run in the copy, and which of each file, by an expression of pytest's -k."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

METRIC = '''
"""Mean colour: how far the mean colour of an image moves."""

import numpy as np
from jaxtyping import Float64

from embshift.core.types import Direction, Pixels, Views
from embshift.metrics import pixel_metric

__all__ = ["mean_colour_distance"]


@pixel_metric(
    name="mean_colour_distance",
    summary="distance between the mean colours",
    unit="1",
    bounds=(0.0, 1.0),
    identity=0.0,
    direction=Direction.LOWER,
    blind_to="where in the image the colours are",
    performance=False,
    reference="this package's own",
)
def mean_colour_distance(reference: Pixels, shifted: Views, /) -> Float64[np.ndarray, " views"]:
    """Compute the Euclidean distance between mean colours, as a share of that of black and white.

    ``d = ‖mean(P) − mean(P′)‖ / (255 √3)``. Blind to where in the image the colours are.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.

    Returns:
        One pure number per view, from 0 (equal means) to 1 (black against white). Never NaN.

    Example:
        >>> import numpy as np
        >>> black = np.zeros((8, 8, 3), dtype=np.uint8)
        >>> mean_colour_distance(black, np.stack([black, black + 255]))
        array([0., 1.])

    References:
        This package's own.
    """
    means = shifted.mean(axis=(1, 2)) - reference.mean(axis=(0, 1))
    return np.minimum(np.sqrt((means**2).sum(axis=1)) / (255 * np.sqrt(3)), 1.0)
'''

TRANSFORM = '''
"""Rounding of colours to few levels."""

import numpy as np

from embshift.core.types import Pixels
from embshift.transforms import Strength, transform

__all__ = ["posterise"]


@transform(
    name="posterise",
    family="photometric",
    summary="colours mixed with their rounding to four levels",
    strength=Strength(
        meaning="share of the rounded image",
        unit="1",
        least=0,
        greatest=1,
        severities=(0.2, 0.4, 0.6, 0.8, 1.0),
        zero=0,
    ),
)
def posterise(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> Pixels:
    """Mix every colour with its nearest of four levels."""
    rounded = np.round(pixels / 85.0) * 85.0
    return np.round((1 - strength) * pixels + strength * rounded).astype(np.uint8)
'''

FIGURE = '''
"""Scatter of cosine against structural similarity."""

from collections.abc import Iterator

from embshift.show.figures import Page, figure
from embshift.show.figures.layout.labels import format_name
from embshift.show.figures.layout.sheets import Frame, open_sheet
from embshift.show.figures.layout.style import assign_looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number

__all__ = ["cosine_against_ssim"]


@figure(
    name="cosine_against_ssim",
    question="Does structural damage explain the shift?",
    shows="one point for each image and transform",
    source="this package's own",
    needs_metrics=("cosine", "ssim"),
)
def cosine_against_ssim(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render one point for each image and transform."""
    names = material.run.transforms
    listed = ", ".join(format_name(name) for name in names)
    notes = [material.format_sample(["cosine", "ssim"]), f"each transform in its colour: {listed}"]
    sheet = open_sheet(frame, body=2.5, notes=notes)
    axes = sheet.axes(0.5, 0.1, width=frame.inner - 0.7, height=2.0)
    columns = zip(material.select_metric("ssim").T, material.select_metric("cosine").T, strict=True)
    for look, (ssim, cosine) in zip(assign_looks(names).values(), columns, strict=True):
        axes.plot(ssim, cosine, ".", markersize=4, color=look.colour)
    axes.set_xlabel("structural similarity")
    axes.set_ylabel("cosine")
    means = "; ".join(
        f"{format_name(row.transform)} {format_number(row.cells['ssim'].mean)}"
        f" and {format_number(row.cells['cosine'].mean)}"
        for row in material.summary.rows
    )
    alt = f"Cosine against structural similarity, a point per image; means by transform: {means}."
    yield Page(figure=sheet.figure, alt=alt)
'''

ENCODER = '''
"""Mean colours of a grid as an embedding: the simplest encoder that there is."""

import numpy as np
import torch

from embshift.core.encoding import Encoder, Encoding
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, EncoderSpec, Field, Views
from embshift.encoders import encoder

__all__ = ["open_colour_grid"]

_SIDE = 4


class ColourGrid:
    """Mean colour of each of 4 by 4 cells; its map is the cells' brightness."""

    def __init__(self, spec: EncoderSpec) -> None:
        self.spec = spec

    def encode(self, views: Views, /, *, capture: Capture) -> Encoding:
        """Return an embedding of 48 numbers for every view."""
        array = views if isinstance(views, np.ndarray) else views.cpu().numpy()
        count, height, width, _ = array.shape
        cut = array[:, : height // _SIDE * _SIDE, : width // _SIDE * _SIDE].astype(np.float64)
        cells = cut.reshape(count, _SIDE, height // _SIDE, _SIDE, width // _SIDE, 3).mean(axis=(2, 4)) + 1
        bright = cells.sum(axis=3).reshape(count, 1, -1)
        attention = torch.from_numpy((bright / bright.sum(axis=2, keepdims=True)).astype(np.float32))
        return Encoding(
            embedding=torch.from_numpy(cells.reshape(count, -1).astype(np.float32)),
            grid=(_SIDE, _SIDE),
            field=Field(0, 0, height, width),
            attention=attention if Capture.ATTENTION in capture else None,
        )


@encoder(
    name="colour_grid",
    summary="mean colours of 4 by 4 cells",
    embedding="mean colours",
    map_source="brightness of the cells",
)
def open_colour_grid(
    source: str,
    /,
    *,
    device: str,
    allow_pickle: bool,
    precision: str = "float32",
    runtime: str = "torch",
) -> Encoder:
    """Open the encoder, which has no weights.

    Raises:
        EncoderError: If another precision or runtime is asked for.
    """
    del device, allow_pickle
    if precision != "float32" or runtime != "torch":
        raise EncoderError(f"colour_grid runs in float32 by torch; got {precision} by {runtime}")
    spec = EncoderSpec(
        name=source,
        family="colour_grid",
        dim=3 * _SIDE**2,
        embedding="mean colours",
        map_name="brightness map",
        map_source="brightness of the cells",
        layers=0,
        heads=1,
        digest="0" * 64,
        preprocessing={},
        precision="float32",
        device="cpu",
        runtime="torch",
    )
    return ColourGrid(spec)
'''

ADDED = {
    "metrics/mean_colour.py": METRIC,
    "transforms/edits/posterise.py": TRANSFORM,
    "show/figures/plots/cosine_against_ssim.py": FIGURE,
    "encoders/towers/colour_grid.py": ENCODER,
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A checkout of its own with one addition to each family, and the documentation refreshed."""
    folder = tmp_path_factory.mktemp("additions")
    for name in COPIED:
        whole = ROOT / name
        if whole.is_dir():
            leave = shutil.ignore_patterns("__pycache__", "_build")
            shutil.copytree(whole, folder / name, ignore=leave)
        else:
            shutil.copy(whole, folder / name)
    for place, text in ADDED.items():
        path = folder / "src" / "embshift" / place
        assert not path.exists()
        path.write_text(text.lstrip(), encoding="utf-8")
    add_option(folder / "src" / "embshift")
    refreshed = python(folder, "-m", "docs.refresh")
    assert refreshed.returncode == 0, refreshed.stdout + refreshed.stderr
    return folder


def add_option(package):
    plan, options = package / "measurement/plan/plan.py", package / "cli/options/run_options.py"
    text = plan.read_text(encoding="utf-8")
    for before, line in (
        ("    max_error_rate: float = ", "    patience: int = _free(3, least=1)\n"),
        ("        max_error_rate: ", "        patience: Attempts before an image counts as lost.\n"),
    ):
        assert text.count(before) == 1
        text = text.replace(before, line + before)
    plan.write_text(text, encoding="utf-8")
    given = options.read_text(encoding="utf-8")
    last = given.rindex("    add(")
    line = '    add("patience", "N", "attempts before an image counts as lost")\n'
    options.write_text(given[:last] + line + given[last:], encoding="utf-8")


def python(copy, *arguments):
    """Run Python in the copy, whose sources stand before any installed ones."""
    environment = os.environ | {"PYTHONPATH": str(copy / "src")}
    environment.pop("PYTEST_XDIST_WORKER", None)
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def passed(copy):
    """Number of tests that passed in the copy, by file: one run of all, since each start takes seconds."""
    chosen = " or ".join(f"({file.stem} and {only})" for file, only in TESTED.items())
    # To rewrite the tests for detailed messages takes seconds, and is kept for no second run.
    options = ["-v", "-p", "no:cacheprovider", "--assert=plain", "-m", "slow or not slow", "-k", chosen]
    done = python(copy, "-m", "pytest", *options, *map(str, TESTED))
    assert done.returncode == 0, done.stdout + done.stderr
    files = re.findall(r"^(\S+\.py)::.* PASSED", done.stdout, re.MULTILINE)
    return Counter(map(Path, files))


def embshift(copy, *arguments):
    found = python(copy, "-m", "embshift", *arguments)
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def plan(copy, tmp_path_factory):
    """What a run on one photograph states of its plan, by the new encoder and with the new option."""
    photo, out = (
        next((copy / "src/embshift/images/samples").glob("*.jpg")),
        tmp_path_factory.mktemp("one") / "run",
    )
    added = ("--encoder", "colour_grid", "--patience", "5")
    embshift(copy, "run", str(photo), "--out", str(out), "--workers", "0", *added)
    return (out / "plan.toml").read_text(encoding="utf-8")


def test_the_house_stays_as_it_should_be(passed):
    assert sum(passed[file] for file in HOUSE) > 40
    assert all(passed[file] for file in HOUSE)


def test_a_metric_is_one_file(copy, passed):
    assert passed[CONTRACTS / "test_metrics.py"] > 8
    assert "mean_colour_distance" in embshift(copy, "list", "metrics")


def test_a_transform_with_severities_is_one_file(copy, passed):
    assert passed[CONTRACTS / "test_transforms.py"] + passed[CONTRACTS / "test_severity.py"] > 12
    assert passed[CONTRACTS / "test_severity.py"]
    assert "posterise" in embshift(copy, "list", "transforms")


def test_a_figure_of_an_optional_metric_is_one_file(copy, passed):
    assert passed[CONTRACTS / "test_figures.py"] > 8
    assert "cosine_against_ssim" in embshift(copy, "list", "figures")


def test_an_encoder_is_one_file(passed, plan):
    assert passed[CONTRACTS / "test_encoders.py"] > 4
    assert "colour_grid" in plan


def test_an_option_of_run_is_two_files(passed, plan):
    assert passed[Path("tests/unit/test_plan.py")] + passed[Path("tests/properties/test_plan.py")] > 20
    assert "patience = 5" in plan
