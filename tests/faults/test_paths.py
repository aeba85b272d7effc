"""Every option and list that takes a path, with everything that a path may be."""

import contextlib
import os
import shutil
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from PIL import Image

import embshift
from embshift.core.errors import PlanError, ShiftError, UsageError
from embshift.core.paths import input_path, output_file, output_path
from embshift.images import list_sources
from embshift.measurement.plan.files import load_plan
from embshift.measurement.plan.plan import make_plan
from embshift.transforms.presets import __file__ as presets
from embshift.transforms.presets import load_preset
from tests.integration.command import invoke

STORED = Path(__file__).parents[1] / "golden" / "stored_run"
NAMES = [
    "plain",
    "with space",
    "it's",
    'say "so"',
    "two\nlines",
    "caf\udce9",
    "100%25",
    "a#b?c",
    "[x]",
    "back\\slash",
    "~nobody-of-that-name",
    " ends with a space ",
    "x" * 200,
]

TEXTS = [name for name in NAMES if name != "caf\udce9"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The working folder, which is also the user's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def as_address(path):
    return "file://" + quote_from_bytes(os.fsencode(path))


FORMS = {
    "absolute": lambda home, name: str(home / name),
    "relative": lambda home, name: name,
    "from here": lambda home, name: f"./{name}",
    "home": lambda home, name: f"~/{name}",
    "address": lambda home, name: as_address(home / name),
    "address of this machine": lambda home, name: as_address(home / name).replace(
        "file://", "file://localhost"
    ),
    "single quotes": lambda home, name: f"'{name}'",
    "double quotes": lambda home, name: f'"{home / name}"',
    "quoted home": lambda home, name: f'"~/{name}"',
    "Path": lambda home, name: home / name,
    "Path from home": lambda home, name: Path("~") / name,
}


def read_source(path):
    (record,) = list_sources([path])
    return record.path


def save_image(path):
    Image.new("RGB", (8, 8), (1, 2, 3)).save(path, "PNG")


@pytest.mark.parametrize("form", list(FORMS))
class TestForms:
    """Whatever form a path is written in, it leads to the same file."""

    def test_of_an_image(self, home, form):
        for name in NAMES:
            save_image(home / name)
            assert read_source(FORMS[form](home, name)) == str(home / name)

    def test_of_a_folder(self, home, form):
        for name in NAMES:
            (home / name).mkdir()
            save_image(home / name / "a.png")
            assert read_source(FORMS[form](home, name)) == str(home / name / "a.png")

    def test_in_a_list(self, home, form):
        written = [FORMS[form](home, name.strip()) for name in NAMES if "\n" not in name]
        for name, line in zip((name.strip() for name in NAMES if "\n" not in name), written, strict=True):
            save_image(home / name)
            (home / "list.txt").write_bytes(os.fsencode(line) + b"\n")
            assert os.path.normpath(read_source("list.txt")) == str(home / name)

    def test_of_a_run(self, home, form):
        for name in TEXTS:
            (home / name).mkdir()
            shutil.copy(STORED / "run.json", home / name)
            assert embshift.open_run(FORMS[form](home, name)).folder.resolve() == home / name

    def test_of_a_plan_and_a_preset(self, home, form):
        plan = load_plan(STORED / "plan.toml")
        for name in (f"{name}.toml" for name in NAMES):
            shutil.copy(STORED / "plan.toml", home / name)
            assert load_plan(FORMS[form](home, name)) == plan
            shutil.copy(Path(presets).parent / "preparation.toml", home / name)
            assert load_preset(FORMS[form](home, name)).name == "preparation"

    def test_of_an_encoder(self, home, form):
        for name in NAMES:
            (home / name).mkdir()
            plan = make_plan(encoder=FORMS[form](home, name))
            assert Path(plan.encoder).resolve() == home / name

    def test_of_what_is_written(self, home, form):
        for name in TEXTS:
            # Without a folder before it, a tilde stands for a user's home.
            if not name.startswith("~") or "/" in str(FORMS[form](home, name)):
                found = output_path(FORMS[form](home, name))
                assert Path(os.path.abspath(found)) == home / name


def test_names_that_are_no_text_are_no_place_for_results(home):
    for refused in (lambda: output_path("caf\udce9"), lambda: embshift.open_run("caf\udce9")):
        with pytest.raises(ShiftError, match=r"'caf\\udce9' is not text in UTF-8"):
            refused()


def test_the_home_of_nobody_is_no_place_for_results(home):
    with pytest.raises(UsageError, match=r"there is no user 'nobody-of-that-name'; .* give './~nobody"):
        output_path("~nobody-of-that-name/x")


class TestLists:
    """What other programs and systems write."""

    @pytest.fixture
    def images(self, home):
        (home / "in").mkdir()
        for name in ("in/a b.png", "in/é.png"):
            save_image(home / name)
        return [str(home / name) for name in ("in/a b.png", "in/é.png")]

    def found(self, name, data):
        Path(name).write_bytes(data)
        return sorted(os.path.normpath(str(record.path)) for record in list_sources([name]))

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_of_any_encoding(self, images, encoding, end):
        mark = "\ufeff" if encoding.endswith(("le", "be")) else ""
        text = mark + end.join(["in/a b.png", "in/é.png", ""])
        assert self.found("list.txt", text.encode(encoding)) == images

    def test_with_backslashes(self, images):
        for written in ("in\\a b.png\n.\\in\\é.png\n", "in/a\\ b.png\nin/é.png\n"):
            assert self.found("list.txt", written.encode()) == images

    @pytest.mark.parametrize(
        "text",
        [
            "label,path\n1,in/a b.png\n2,in/é.png\n",
            'filename,label\n"in/a b.png","x,y"\n"in/é.png",2\n',
            "in/a b.png\nin/é.png\n",
            "Image\nin/a b.png\nin/é.png\n",
        ],
    )
    def test_that_are_tables(self, images, text):
        assert self.found("list.csv", text.encode()) == images
        assert self.found("list.tsv", text.replace('","', '"\t"').replace(",", "\t").encode()) == images

    def test_of_which_no_column_is_known(self, images):
        with pytest.raises(
            PlanError, match="has the columns where, what; expected one named path, file, image or url"
        ):
            self.found("list.csv", b"where,what\na.png,1\n")

    @pytest.mark.parametrize("name", ["a.json", "a.html"])
    def test_that_are_none(self, home, name):
        with pytest.raises(PlanError, match=r"is no list of paths; expected a text file"):
            self.found(name, b'{"a": 1}')

    def test_of_which_no_field_is_known(self, home):
        with pytest.raises(
            PlanError, match=r"'a.jsonl' has the columns a; for images expected one named file"
        ):
            self.found("a.jsonl", b'{"a": 1}')

    def test_of_addresses(self, home):
        assert self.found("list.txt", b"s3://x/a.png\n") == [os.path.normpath("s3://x/a.png")]

    def test_of_broken_utf_16(self, home):
        with pytest.raises(PlanError, match="begins as UTF-16 and is not"):
            self.found("list.txt", b"\xff\xfea")


ADDRESSES = ["https://example.org/x", "s3://bucket/x", "file://other-machine/x"]


@pytest.fixture
def traps(home):
    """What may stand where a file or a folder is wanted."""
    os.mkfifo(home / "pipe.toml")
    (home / "folder.toml").mkdir()
    (home / "dangling.toml").symlink_to("nowhere")
    (home / "circle.toml").symlink_to("circle.toml")
    (home / "empty.toml").touch()
    (home / "binary.toml").write_bytes(b"\x89PNG\xff\0")
    (home / "device.toml").symlink_to("/dev/zero")
    save_image(home / "image.png")
    (home / "image").mkdir()
    save_image(home / "image" / "a.png")
    shutil.copytree(STORED, home / "run")
    return home


WRONG = [
    "pipe.toml",
    "folder.toml",
    "dangling.toml",
    "circle.toml",
    "empty.toml",
    "binary.toml",
    "device.toml",
    "image.png/",
    "image.png/x.toml",
    "no/such.toml",
    "x" * 300 + ".toml",
    "",
    *ADDRESSES,
]
QUICK = ("--image-size", "32", "--transform", "blur", "--metric", "cosine", "--workers", "0")
READ = {
    "plan": lambda path: ("run", "image.png", "--encoder", "lite", "--plan", path, "--out", "out"),
    "preset": lambda path: ("run", "image.png", "--encoder", "lite", "--preset", path, "--out", "out"),
    "encoder": lambda path: ("run", "image.png", "--encoder", path, *QUICK, "--out", "out"),
    "encoder of a sweep": lambda path: ("sweep", "image.png", "--encoder", path, "--out", "out"),
    "run": lambda path: ("summarise", path),
    "run to verify": lambda path: ("verify", path),
    "run to report": lambda path: ("report", path),
    "floor": lambda path: ("summarise", "run", "--show", "calibration", "--floor", path),
    "against": lambda path: ("summarise", "run", "--show", "differences", "--against", path),
}


def test_an_empty_path_is_not_the_working_folder(tmp_path, monkeypatch):
    shutil.copytree(STORED, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    embshift.open_run(".")
    for read in (input_path, embshift.open_run, load_plan):
        with pytest.raises(UsageError, match="'' is no path"):
            read("")


@pytest.mark.parametrize("option", list(READ))
def test_what_cannot_be_read_is_said(traps, option):
    for path in WRONG:
        if (option, path) != ("plan", "empty.toml"):  # a plan may leave everything open
            result = invoke(*READ[option](path))
            assert (path, result.returncode) == (path, 2), result.stderr
            assert "Traceback" not in result.stderr
            assert "error: " in result.stderr


WRITTEN = {
    "run": lambda path: ("run", "image.png", "--encoder", "lite", *QUICK, "--out", path),
    "report": lambda path: ("report", "run", "--out", path),
    "figures": lambda path: ("figures", "run", "--only", "l2_bar", "--out", path),
}
NO_FOLDER = ["pipe.toml", "empty.toml", "image.png/", "image.png/x", "device.toml"]
NEITHER = ["", "caf\udce9", *ADDRESSES, "~nobody-of-that-name/x", "x" * 300, "circle.toml/x"]


@pytest.mark.parametrize(
    ("option", "paths"),
    [
        ("run", NO_FOLDER + NEITHER),
        ("figures", ["pipe.toml", "x" * 300, *NEITHER[:3]]),
        ("report", ["pipe.toml", "folder.toml", "folder.toml/", "device.toml", *NEITHER[:5]]),
    ],
)
def test_what_cannot_be_written_is_said(traps, option, paths):
    before = set(os.listdir(traps))
    for path in paths:
        result = invoke(*WRITTEN[option](path))
        assert (path, result.returncode) in ((path, 2), (path, 4)), result.stderr
        assert "Traceback" not in result.stderr
        assert "error: " in result.stderr
    # Libraries keep at home what they have computed.
    assert all(name.startswith(".") for name in set(os.listdir(traps)) ^ before)


@pytest.mark.parametrize("path", ["~/o1", "'o1'", "link", "two\nlines"])
def test_a_run_goes_where_it_is_meant_to_go(traps, path):
    (traps / "other").mkdir()
    (traps / "link").symlink_to("other")
    result = invoke(*WRITTEN["run"](path))
    assert result.returncode == 0, result.stderr
    name = {"link": "other", "two\nlines": path}.get(path, "o1")
    assert (traps / name / "run.json").is_file()
    assert not (traps / "~").exists()


def test_a_report_is_never_written_over_a_device(home):
    (home / "device").symlink_to("/dev/null")
    for path in (home / "device", home):
        with pytest.raises(UsageError, match=r"expected the path of a file|is not a regular file"):
            output_file(path)


def test_a_source_may_be_anything_without_a_defect(traps):
    for path in (*WRONG, "image.png/", "~", "~/", "~/image.png", "file:", "file:///", "\\", "'", '""', "\n"):
        with contextlib.suppress(ShiftError):
            list_sources([path])
