"""The house stands as drawn: rooms, arrows, the way of an image, and nothing that the linter cannot see."""

import ast
import re
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

import embshift
from docs.rooms import describe_house, find_circles, place_on_floors, read_house

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "embshift"
LAYOUT = ROOT / "docs" / "layout.md"
ROOMS = {
    *("cli", "measurement", "show", "analysis", "runs"),
    *("images", "transforms", "encoders", "metrics", "core"),
}


@pytest.fixture(scope="module")
def house():
    return read_house(ROOT / "src")


def test_there_are_ten_rooms_and_nothing_loose():
    found = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert found == {*ROOMS, "__init__.py", "__main__.py", "py.typed"}


def test_there_is_no_circle(house):
    assert find_circles(house.modules) == []
    assert find_circles(house.rooms) == []
    assert "0 circles" in next(iter(describe_house(house)))


def test_the_graph_holds_every_file(house):
    files = {
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
    }
    assert set(house.modules) == files


def test_circles_and_floors_are_found():
    assert find_circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert place_on_floors({"a": {"b"}, "b": set(), "c": {"a", "b"}}) == {"a": 2, "b": 1, "c": 3}


LATE = {
    # The registries, the package's own public names, and the command line's late loading.
    "core/registry.py",
    "__init__.py",
    "cli/parser.py",
}


def imported_by_string(path):
    """Calls of import_module with a name that could be the package's own."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name not in ("import_module", "__import__"):
            continue
        first = node.args[0]
        if not (isinstance(first, ast.Constant) and first.value.partition(".")[0] != "embshift"):
            yield ast.unparse(node)


# What comes from a user or from an installed package: its address is data.
ADDRESSES = {"core/addresses.py": "module_name", "transforms/gpu/__init__.py": "module"}


def test_no_import_is_hidden_from_the_linter():
    found = {
        (str(path.relative_to(PACKAGE)), call)
        for path in PACKAGE.rglob("*.py")
        for call in imported_by_string(path)
    }
    hidden = {
        (path, call)
        for path, call in found
        if path not in LATE and f"({ADDRESSES.get(path, '-')})" not in call
    }
    assert not hidden


def steps():
    """File and function of every step, as the documentation lists them."""
    way = LAYOUT.read_text(encoding="utf-8").partition("<!-- way -->")[2].partition("<!-- end -->")[0]
    return re.findall(r"^\| \d+ \| `([^`]+)` \| `([^`]+)` \|", way, re.MULTILINE)


class Reader:
    """Reads calls as a person does: from a function into those it names, in the order of the lines."""

    def __init__(self, wanted):
        self.wanted = wanted  # file and name of the listed functions
        self.met = []
        self.seen = set()

    def read(self, file, name):
        if (file, name) in self.seen:
            return
        self.seen.add((file, name))
        if (file, name) in self.wanted:
            self.met.append((file, name))
        tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
        function = find_function(tree, name)
        if function is None:  # a class or a constant
            assert (file, name) not in self.wanted, f"{file} has no function {name}"
            return
        homes = imported_names(tree)
        for part in in_order(function):
            self.follow(file, tree, homes, part)

    def follow(self, file, tree, homes, part):
        if find_function(tree, part) is not None:
            self.read(file, part)
        elif part in homes and homes[part] in {file for file, _ in self.wanted}:
            self.read(homes[part], part)
        elif part.startswith("."):
            for target, name in self.wanted:
                owner, _, method = name.partition(".")
                if method == part[1:] and owner in homes:
                    self.read(target, name)


def find_function(tree, name):
    owner, _, method = name.rpartition(".")
    body = tree.body
    if owner:
        body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == owner), [])
    return next((n for n in body if isinstance(n, ast.FunctionDef) and n.name == method), None)


def imported_names(tree):
    """File that each imported name comes from."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("embshift"):
            parts = node.module.split(".")[1:]
            path = Path(*parts) if parts else Path()
            for alias in node.names:
                file = path.with_suffix(".py") if parts else path / "__init__.py"
                found[alias.asname or alias.name] = resolve(file, path, alias.name)
    return found


def resolve(file, package, name):
    """The file that defines a name, through one package that hands it on."""
    if (PACKAGE / file).is_file():
        return str(file)
    inner = PACKAGE / package / "__init__.py"
    handed_on = imported_names(ast.parse(inner.read_text(encoding="utf-8")))
    return handed_on.get(name, str(package / "__init__.py"))


def in_order(function):
    """Names and attributes that a function mentions; the arguments of a call before what is called."""

    def visit(node):
        if isinstance(node, ast.Call):
            for one in [*node.args, *(keyword.value for keyword in node.keywords)]:
                yield from visit(one)
            yield from visit(node.func)
        elif isinstance(node, ast.Attribute):
            yield from visit(node.value)
            yield f".{node.attr}"
        elif isinstance(node, ast.Name):
            yield node.id
        else:
            for one in ast.iter_child_nodes(node):
                yield from visit(one)

    for statement in function.body:
        yield from visit(statement)


def test_the_way_of_an_image_is_short_and_true():
    listed = steps()
    assert 8 <= len(listed) <= 12
    assert len({file for file, _ in listed}) == len(listed), "one file a step"
    # The parser binds the command's name to its function, which no reader of calls can follow.
    entry, rest = listed[0], listed[1:]
    assert entry[1] == "main"
    reader = Reader(set(listed))
    reader.read(*rest[0])
    assert [entry, *reader.met] == listed


def test_the_parser_binds_run_to_the_function_of_the_way():
    from embshift.cli.parser import build_parser

    parsed = build_parser().parse_args(["run", "photos"])
    file, name = steps()[1]
    cells = [cell.cell_contents for cell in parsed.command.__closure__ or ()]
    where = "embshift." + file.removesuffix(".py").replace("/", ".")
    assert {name} <= set(map(str, cells)) or parsed.command.__module__ == where


def test_every_step_runs_before_the_first_chunk_is_there(tmp_path):
    """What the list says is what happens: each of its functions is entered in a run of one image."""
    from embshift.cli import main

    installed = Path(embshift.__file__).parent
    wanted = {(str(installed / file), name.rpartition(".")[2]) for file, name in steps()}
    entered = set()

    def watch(frame, event, argument):
        if event == "call" and (frame.f_code.co_filename, frame.f_code.co_name) in wanted:
            entered.add((frame.f_code.co_filename, frame.f_code.co_name))

    photo = next((PACKAGE / "images" / "samples").glob("*.jpg"))
    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        options = ("--encoder", "lite", "--out", str(tmp_path / "run"), "--workers", "0", "--quiet")
        code = main(["run", str(photo), *options])
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert code == 0
    assert entered == wanted


def test_the_wheel_holds_what_git_holds(tmp_path):
    """An entry of .gitignore that is not anchored would drop a folder of the package from the wheel."""
    tracked = subprocess.run(
        ["git", "ls-files", "src/embshift"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    wheels = sorted((ROOT / "dist").glob("embshift-*.whl"))
    if not wheels:
        pytest.skip("make test builds the wheel")
    with zipfile.ZipFile(wheels[-1]) as wheel:
        packed = {name for name in wheel.namelist() if name.startswith("embshift/")}
    assert packed == {name.removeprefix("src/") for name in tracked}
