"""Everything that a user can name is documented, and everything that is documented exists."""

import argparse
import dataclasses
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

import embshift
from docs.refresh.pages import COMMAND, PARTS, part_names, source_pages, write_pages
from embshift.cli.parser import build_parser
from embshift.core import errors
from embshift.encoders import ENCODERS
from embshift.encoders.service.settings import Settings
from embshift.encoders.service.templates import TEMPLATES, Template
from embshift.measurement.plan.plan import COUNTED, Plan
from embshift.metrics import METRICS
from embshift.runs.schema import TABLES
from embshift.show.figures import FIGURES
from embshift.transforms import TRANSFORMS
from embshift.transforms.presets import list_preset_names, load_preset
from tests.embedding_service import serve
from tests.unit.encoders.forms import own
from tests.unit.encoders.forms.onnx_models import write_model

ROOT = Path(__file__).parents[2]
SOURCES = source_pages()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *SOURCES]
GENERATED = [path for path in SOURCES if part_names(path.read_text(encoding="utf-8"))]


def read_page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def blocks(path: Path, language: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands() -> dict[str, argparse.ArgumentParser]:
    group = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return group.choices


def options() -> Iterator[tuple[str, str]]:
    for command, parser in commands().items():
        for action in parser._actions:
            yield from (
                (command, option) for option in action.option_strings if option not in ("-h", "--help")
            )


def section(text: str, title: str) -> str:
    """Return what stands under a heading, to the next heading of its level or above."""
    found = re.search(
        rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |^#{{1,2}} |\Z)", text, flags=re.MULTILINE | re.DOTALL
    )
    assert found, f"no heading '{title}'"
    return found[2]


def named(text: str) -> set[str]:
    """Return what stands in backticks, up to a space or an equals sign."""
    return {re.split(r"[ =\\]", words)[0] for words in re.findall(r"`([^`\n]+)`", text)}


# Generated parts are fresh --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every page whose generated parts were written anew."""
    folder = tmp_path_factory.mktemp("docs")
    write_pages(folder)
    return folder


@pytest.mark.parametrize("page", GENERATED, ids=lambda path: path.stem)
def test_generated_parts_are_as_committed(page: Path, fresh: Path):
    written = fresh / page.relative_to(ROOT / "docs")
    assert written.read_bytes() == page.read_bytes(), f"{page.name} is out of date; run: {COMMAND}"


def test_every_generated_part_is_in_one_page():
    names = [name for path in SOURCES for name in part_names(path.read_text(encoding="utf-8"))]
    assert sorted(names) == sorted(PARTS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_marker_is_one_of_a_pair(path: Path):
    text = path.read_text(encoding="utf-8")
    assert text.count("<!-- generated: ") == text.count("<!-- end: ") == len(part_names(text))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_is_whole_without_sphinx(path: Path):
    directives = set(re.findall(r"^```\{([\w-]+)\}", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert directives <= ({"toctree"} if path.name == "index.md" else set())


# Everything is documented -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", sorted(commands()))
def test_command_is_documented(command: str):
    section(read_page("command-line"), f"embshift {command}")


@pytest.mark.parametrize(("command", "option"), sorted(options()))
def test_option_is_documented(command: str, option: str):
    assert option in named(section(read_page("command-line"), f"embshift {command}"))


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_registered_transform_is_documented(name: str):
    assert name in named(read_page("transforms"))


@pytest.mark.parametrize("preset", list_preset_names())
def test_preset_is_documented_with_its_transforms(preset: str):
    assert {preset, *(plan.name for plan in load_preset(preset).transforms)} <= named(read_page("transforms"))


def test_every_parameter_of_the_paper_preset_says_where_it_comes_from():
    page = section(read_page("transforms"), "The paper preset")
    for plan in load_preset("paper").transforms:
        own = page.split(f"**`{plan.name}`**")[1].split("**`")[0]
        assert plan.target in named(own)
        for parameter in plan.parameters:
            assert re.search(rf"^\| `{parameter}` \| `.+` \| (given|resolved)", own, flags=re.MULTILINE), (
                parameter
            )


@pytest.mark.parametrize("name", sorted(METRICS))
def test_metric_is_documented(name: str):
    own = section(read_page("metrics"), name)
    spec = METRICS[name].spec
    assert f"| blind to | {spec.blind_to} |" in own
    assert spec.reference in own
    assert re.search(r"`{1,2}[^`]*[/√−‖|][^`]*`|exp\(", own), "no formula"


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_encoder_is_documented(name: str):
    assert {name, *ENCODERS[name].model_types} <= named(read_page("encoders"))


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_figure_is_documented(name: str):
    assert f"| `{name}` | {FIGURES[name].question} |" in read_page("figures")


@pytest.mark.parametrize("table", sorted(TABLES))
def test_columns_are_documented(table: str):
    own = section(read_page("run-folder"), table)
    assert {column.name for column in TABLES[table].columns} <= named(own)


def test_columns_of_the_listing_are_documented(lite_run: embshift.Run):
    names = pq.read_schema(lite_run.folder / "listing.parquet").names
    assert set(names) <= named(section(read_page("run-folder"), "listing.parquet"))


def test_plan_fields_are_documented_as_they_count():
    page = read_page("run-folder")
    counts, free = (part(page, name) for name in ("counted", "free"))
    for name in Plan.__dataclass_fields__:
        where, elsewhere = (counts, free) if name in COUNTED else (free, counts)
        assert f"\n| `{name}` |" in where
        assert f"\n| `{name}` |" not in elsewhere


def part(page: str, name: str) -> str:
    """Return the generated part of a page."""
    return page.split(f"<!-- generated: {name} ")[1].split("<!-- end")[0]


@pytest.mark.parametrize("name", embshift.__all__)
def test_public_name_is_documented(name: str):
    assert f"embshift.{name}" in section(section(read_page("python"), "Public names"), name)


@pytest.mark.parametrize("name", errors.__all__)
def test_error_is_in_the_tree(name: str):
    assert re.search(rf"\b{name}\b", section(read_page("python"), "Errors"))


def test_exit_codes_are_documented():
    table = read_page("command-line")
    raised = {error.exit_code for error in (errors.ShiftError, *descendants(errors.ShiftError))}
    for code in {0, 1, 130, 141, 143, *raised}:
        assert f"\n| {code} | " in table


def descendants(error: type) -> list[type]:
    return [each for child in error.__subclasses__() for each in (child, *descendants(child))]


def test_statuses_are_documented():
    package = Path(embshift.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    statuses = set(re.findall(r'\bstatus(?:: str)? ?= ?"(\w+)"', text))
    assert {"ok", "damaged", "transform_failed"} <= statuses
    page = read_page("run-folder")
    assert [status for status in sorted(statuses) if not re.search(rf"\b{status}\b", page)] == []


def test_run_json_is_documented(lite_run: embshift.Run):
    names = named(section(read_page("run-folder"), "run.json"))
    assert {*lite_run.info, *lite_run.info["counts"], *lite_run.info["sessions"][0]} <= names


def test_run_folder_is_documented(lite_run: embshift.Run):
    layout = blocks(ROOT / "docs" / "run-folder.md", "text")[0]
    for entry in lite_run.folder.iterdir():
        assert entry.name.startswith(".") or re.search(
            rf"^  {re.escape(entry.name)}\b", layout, flags=re.MULTILINE
        )


def test_rows_of_the_paper_are_mapped():
    page = read_page("paper")
    assert re.findall(r"^\| (S\d+) \|", page, flags=re.MULTILINE) == [f"S{row}" for row in range(1, 21)]


# Everything documented exists ---------------------------------------------------------------------------


def shell_lines() -> list[tuple[str, str]]:
    return [
        (path.name, line)
        for path in PAGES
        for block in blocks(path, "shell")
        for line in block.splitlines()
        if line.strip()
    ]


@pytest.mark.parametrize(("page", "line"), shell_lines())
def test_shell_line_can_be_run(page: str, line: str):
    words = shlex.split(line, comments=True)
    if words[0] == "embshift":
        build_parser().parse_args(words[1:])
    elif words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[1]}:", makefile, flags=re.MULTILINE)
    elif words[0] == "python":
        assert words[1] == "-m"
        assert find_spec(words[2])
    else:
        assert words[:2] == ["pip", "install"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_and_options_named_are_there(path: Path):
    text = path.read_text(encoding="utf-8")
    known = {option for _, option in options()} | {"--version", "--help"}
    assert set(re.findall(r"`embshift ([a-z]\w*)", text)) <= {*commands()}
    assert set(re.findall(r"`(?:embshift [^`\n]*?)?(--[a-z][a-z-]*)", text)) <= known


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_python_blocks_compile(path: Path):
    for block in blocks(path, "python"):
        compile(block, path.name, "exec")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_linked_files_are_there(path: Path):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.fixture
def workplace(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two photographs in ``photos/``, to work in."""
    (tmp_path / "photos").mkdir()
    for name in ("cat.jpg", "dog.jpg"):
        shutil.copy(photos / name, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_readme_python_runs(workplace: Path):
    embshift.measure("photos/", encoder="lite", preset="paper", workers=0, out="run")
    found = {}
    for block in blocks(ROOT / "README.md", "python"):
        exec(block, found)
    assert found["run"].transforms == ("grey",)


def test_readme_line_for_duckdb_gives_the_means_of_the_summary(
    lite_run: embshift.Run, monkeypatch: pytest.MonkeyPatch
):
    line = next(
        line
        for block in blocks(ROOT / "README.md", "python")
        for line in block.splitlines()
        if "sql(" in line
    )
    monkeypatch.chdir(lite_run.folder.parent)
    means = eval(line.replace("'run/", f"'{lite_run.folder.name}/"), {"duckdb": duckdb}).fetchall()
    assert len(means) == len(lite_run.transforms) * len(lite_run.metrics)
    rows = {row.transform: row for row in lite_run.summary().rows}
    for transform, metric, mean in means:
        assert mean == pytest.approx(rows[transform].cells[metric].mean, rel=1e-12)


def test_preset_of_the_documentation_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = ROOT / "docs" / "transforms.md"
    (tmp_path / "mine.toml").write_text(blocks(page, "toml")[0], encoding="utf-8")
    (tmp_path / "my_transforms.py").write_text(blocks(page, "python")[0], encoding="utf-8")
    monkeypatch.syspath_prepend(os.fspath(tmp_path))
    assert [plan.name for plan in load_preset(tmp_path / "mine.toml").transforms] == [
        "fog",
        "strong_blur",
        "floor",
        "salt",
    ]


def test_the_page_on_services_runs(workplace: Path, monkeypatch: pytest.MonkeyPatch):
    page = ROOT / "docs" / "encoder-service.md"
    monkeypatch.setenv("JINA_KEY", "key")
    with serve() as service:
        settings = blocks(page, "toml")[0].replace("https://api.jina.ai/v1/embeddings", service.url)
        (workplace / "service.toml").write_text(settings, encoding="utf-8")
        found = {}
        for block in blocks(page, "python"):
            exec(block, found)
    assert found["run"].info["service"]["equal"]
    assert {content["normalized"] for _, _, content in service.requests} == {False}
    assert {*TEMPLATES, *Template.__dataclass_fields__} - {"name"} <= named(read_page("encoder-service"))


def test_every_setting_of_a_service_is_documented():
    pages = read_page("encoder-service") + read_page("decisions/0016-services")
    names = {each.name for each in dataclasses.fields(Settings)} | {"key_variable", "key_over_http"}
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", pages)] == []


def test_changes_are_short():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    assert lines
    assert [line for line in lines if len(line.split()) > 26] == []
    assert f"## {embshift.__version__}" in text


def test_the_page_on_own_encoders_runs(workplace: Path):
    """Its function and its module measure; what it says of the address is a shell line, tested above."""
    found = {"model": own.network(), "preprocess": own.prepare}
    for block in blocks(ROOT / "docs" / "encoder-own.md", "python"):
        exec(block, found)
    assert embshift.open_run("own-run").transforms == ("blur", "noise")
    assert embshift.open_run("module-run").info["encoder"]["dim"] == found["run"].info["encoder"]["dim"] == 20


def test_the_page_on_onnx_runs(workplace: Path):
    page = ROOT / "docs" / "encoder-onnx.md"
    model = write_model(workplace, shape=("n", 3, 224, 224), attention=True)
    Path(model).with_suffix(".toml").write_text(blocks(page, "toml")[0], encoding="utf-8")
    for block in blocks(page, "python"):
        exec(block, {})
    encoder = embshift.open_run("onnx-run").info["encoder"]
    assert (encoder["family"], encoder["map_name"]) == ("onnx", "attention map")


def test_the_page_on_encoders_elsewhere_runs(workplace: Path):
    found = {}
    for block in blocks(ROOT / "docs" / "encoder-elsewhere.md", "python"):
        exec(block, found)
    assert found["run"].transforms == ("blur", "noise")
    assert found["run"].info["encoder"]["dim"] == 192
