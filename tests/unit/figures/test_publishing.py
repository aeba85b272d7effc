"""Figures for a journal: plain, in several formats, with a style sheet of one's own."""

import os

import matplotlib as mpl
import pytest
from matplotlib import style as styles

import embshift
from embshift.cli.main import main
from embshift.core.errors import UnknownNameError, UsageError
from embshift.show.figures import FIGURES
from embshift.show.figures.render import render_page, render_pages, write_figure
from tests.drawn_text import meeting, outside, recorded_text, words

SOME = [pytest.param(name, marks=() if at % 5 == 0 else pytest.mark.slow) for at, name in enumerate(FIGURES)]
"""All figures; most of them only with the slow tests."""

SHEET = """
font.family: serif
font.size: 30
axes.grid: True
axes.spines.top: True
axes.labelsize: xx-large
figure.figsize: 1, 1
figure.autolayout: True
savefig.bbox: tight
savefig.dpi: 100
text.usetex: True
xtick.direction: in
xtick.major.pad: 40
axes.linewidth: 2
"""


@pytest.fixture(scope="module")
def sheet(tmp_path_factory):
    """A style sheet that also asks for sizes, which figures do not follow."""
    path = tmp_path_factory.mktemp("styles") / "journal.mplstyle"
    path.write_text(SHEET)
    return path


def laid_out(page):
    """What is drawn without the package's own settings, as for a figure that the user saves."""
    page.figure.set_dpi(144)
    with recorded_text() as seen:
        page.figure.canvas.draw()
    return list(seen)


@pytest.mark.parametrize("name", SOME)
def test_a_plain_page_has_neither_title_nor_notes_and_keeps_its_alt_text(name, material):
    whole, plain = (
        next(render_pages(material, name, width=3.3, pictures=1, plain=plain)) for plain in (False, True)
    )
    written = words(plain.figure)
    assert FIGURES[name].question not in written
    assert "encoder synthetic" not in written
    assert "encoder synthetic" in words(whole.figure)
    assert plain.alt.startswith(whole.alt[:40])
    assert plain.figure.get_figheight() < whole.figure.get_figheight() or plain.alt != whole.alt
    texts = laid_out(plain)
    assert outside(plain.figure, texts) == []


@pytest.mark.parametrize("name", SOME)
def test_a_style_sheet_does_not_break_the_layout(name, material, sheet):
    page = next(render_pages(material, name, width=3.3, pictures=1, style=sheet))
    texts = laid_out(page)
    assert {text.get_fontfamily()[0] for text, _ in texts} == {"DejaVu Serif"}
    assert outside(page.figure, texts) == []
    assert meeting(texts) == []
    assert page.figure.get_figwidth() == 3.3


@pytest.mark.parametrize("style", ["seaborn-v0_8-poster", "classic"])
def test_styles_of_matplotlib_do_not_break_the_layout(style, material):
    page = render_page(material, "profiles", width=3.3, style=style)
    texts = laid_out(page)
    assert outside(page.figure, texts) == []
    assert meeting(texts) == []


@pytest.mark.parametrize("name", ["profiles", "radar", "attention_grid"])
def test_a_page_of_one_column_is_not_as_tall_as_a_page_of_two(name, material):
    for page in render_pages(material, name, width=3.3, pictures=2):
        assert page.figure.get_figheight() <= 5.0
        assert min(text.get_fontsize() for text, _ in laid_out(page)) >= 6
    assert len(list(render_pages(material, name, width=3.3, pictures=1))) == 1


@pytest.mark.parametrize(("width", "spokes"), [(3.3, ["1", "2", "3", "4", "5"]), (6.9, ["cosine", "detail"])])
def test_spokes_are_numbered_where_their_names_do_not_fit(width, spokes, material):
    page = render_page(material, "radar", width=width)
    written = [text.get_text() for text, _ in laid_out(page)]
    assert all(written.count(spoke) == 9 for spoke in spokes)
    assert any("1:\u00a0cosine · 2:\u00a0attention" in text for text in written) == (width < 4)


def test_a_style_changes_the_file_and_leaves_the_users_settings(material, sheet, tmp_path):
    before = dict(mpl.rcParams)
    own = write_figure(material, "l2_bar", folder=tmp_path / "own")
    journal = write_figure(material, "l2_bar", folder=tmp_path / "journal", style=sheet)
    assert own[0].read_bytes() != journal[0].read_bytes()
    assert dict(mpl.rcParams) == before
    from_run = material.run.figure("l2_bar", style=sheet, plain=True)
    assert from_run.get_label() == material.run.figure("l2_bar").get_label()


def test_several_formats_are_those_of_single_calls(material, tmp_path):
    both = write_figure(material, "l2_bar", folder=tmp_path / "both", formats=("pdf", "png", "svg", "pdf"))
    assert [path.name for path in both] == ["l2_bar.pdf", "l2_bar.png", "l2_bar.svg"]
    for path in both:
        kind = path.suffix[1:]
        (alone,) = write_figure(material, "l2_bar", folder=tmp_path / "alone", formats=(kind,))
        assert alone.read_bytes() == path.read_bytes()


OPTIONS = {
    "plain": (["--plain"], {"plain": True}),
    "width": (["--width", "3.3"], {"width": 3.3}),
    "formats": (["--format", "svg, png"], {"formats": ("svg", "png")}),
    "repeated": (["--format", "svg", "--format", "png,svg"], {"formats": ("svg", "png")}),
    "style": (["--style", "ggplot"], {"style": "ggplot"}),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_the_command_hands_on_its_options(option, nine, material, tmp_path, capsys):
    given, meant = OPTIONS[option]
    command = ["figures", str(nine.folder), "--only", "l2_bar", *given, "--out", str(tmp_path / "found")]
    assert main(command) == 0
    wanted = write_figure(material, "l2_bar", folder=tmp_path / "wanted", **meant)
    found = [tmp_path / "found" / path.name for path in wanted]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in found]
    assert [path.read_bytes() for path in found] == [path.read_bytes() for path in wanted]
    plain = write_figure(material, "l2_bar", folder=tmp_path / "default")
    assert [path.read_bytes() for path in plain] != [path.read_bytes() for path in wanted]


def test_the_command_hands_on_the_number_of_images(nine, tmp_path, capsys):
    command = ["figures", str(nine.folder), "--only", "attention_grid", "--width", "3.3"]
    assert main([*command, "--pictures", "1", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "attention_grid.png")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "pdf,pgn"], "unknown format 'pgn'; did you mean 'png'?"),
        (["--format", ","], "unknown format ','"),
        (["--style", "gplot"], "unknown style 'gplot'; did you mean 'ggplot'?"),
        (["--style", "os.path"], "unknown style 'os.path'"),
        (["--style", "no/such.mplstyle"], "style 'no/such.mplstyle': no such file"),
    ],
)
def test_a_wrong_format_or_style_is_a_usage_error(nine, options, message, capsys, tmp_path):
    try:
        code = main(["figures", str(nine.folder), "--out", str(tmp_path), *options])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"axes.linewidth: thick", "cannot be parsed: .*thick"),
        (b"axes.linewith: 2", "cannot be parsed: .*axes.linewith"),
        (b"no colon here", "cannot be parsed: .*[Cc]olon"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "cannot be parsed"),
        (b"axes.prop_cycle: cycler('color', [__import__('os').getcwd()])", "cannot be parsed"),
        (b"font.family: No Such Font", "asks for a font that is not installed: No Such Font"),
        (b"#" * 1_000_001, "is larger than 1 MB"),
    ],
)
def test_a_file_that_is_no_style_sheet_is_refused(content, message, material, tmp_path, caplog):
    path = tmp_path / "bad.mplstyle"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"bad.mplstyle' {message}"):
        render_page(material, "l2_bar", style=path)
    assert caplog.records == []


def test_a_pipe_is_not_waited_for(material, tmp_path):
    os.mkfifo(tmp_path / "pipe.mplstyle")
    with pytest.raises(UsageError, match="is not a file"):
        render_page(material, "l2_bar", style=tmp_path / "pipe.mplstyle")


def test_every_style_of_matplotlib_can_be_read(nine):
    for name in ("Solarize_Light2", "grayscale", "tableau-colorblind10"):
        assert name in styles.available
        assert embshift.open_run(nine.folder).figure("l2_bar", style=name).get_label()


def test_an_unknown_style_in_python(material):
    with pytest.raises(UnknownNameError, match="did you mean 'ggplot'"):
        render_page(material, "l2_bar", style="ggplt")
