"""The report as a file: what is in it, what may run in it, how large it is."""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from embshift.core.errors import StorageError
from embshift.show.report.page import build_content, build_page, embed_json
from tests.synthetic_runs import NINE, Wanted, image_id, make_run
from tests.unit.report.large_runs import make_large_run

# Apache ECharts 6.1.0, dist/echarts.min.js, as it is published.
ECHARTS = "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0"


FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|fetch\(|XMLHttp|import\("
)


class Parts(HTMLParser):
    """Tags with their attributes, and the text of scripts and styles."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.inside, self.kept = [], None, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag if tag in ("script", "style") else None
        if self.inside:
            self.kept.append([tag, dict(attrs), ""])

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, text):
        if self.inside:
            self.kept[-1][2] += text


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("report") / "run", Wanted(images=36, size=(64, 48)))


@pytest.fixture(scope="module")
def found(run):
    return build_content(run)


@pytest.fixture(scope="module")
def text(found):
    return build_page(found)


def test_the_policy_allows_the_pages_own_scripts_and_style_and_nothing_else(text):
    parts = Parts(text)
    policy = next(a["content"] for t, a in parts.tags if t == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    allowed = set(re.findall(r"'(sha256-[^']+)'", policy))
    digests = {
        "sha256-" + base64.b64encode(hashlib.sha256(kept.encode()).digest()).decode()
        for tag, attributes, kept in parts.kept
        if attributes.get("type") != "application/json"
    }
    assert digests == allowed
    assert len(digests) == 3


def test_nothing_is_loaded_and_nothing_is_an_inline_handler(text):
    for tag, attributes in Parts(text).tags:
        assert not {"src", "srcset", "style"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "#").startswith("#")
        assert tag not in ("link", "base", "iframe", "object", "embed", "form")


def test_own_scripts_parse_nothing_as_markup_and_evaluate_nothing():
    assets = files("embshift.show.report") / "assets"
    own = [one for one in assets.iterdir() if one.name.endswith(".js") and one.name != "echarts.min.js"]
    assert len(own) == 12
    for script in own:
        assert not FORBIDDEN.search(script.read_text(encoding="utf-8"))


def test_the_charting_library_is_the_published_file():
    file = files("embshift.show.report") / "assets" / "echarts.min.js"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == ECHARTS
    assert len(file.read_bytes()) < 1_300_000


def test_data_cannot_end_its_script():
    hostile = {"name": "</script><script>alert(1)</script><!-- & \u2028 \ud800"}
    written = embed_json(hostile)
    assert not set("<>&\u2028") & set(written)
    assert written.isascii()
    assert json.loads(written) == hostile


def test_data_is_the_runs_own(run, text):
    kept = next(
        kept for _, attributes, kept in Parts(text).kept if attributes.get("type") == "application/json"
    )
    data = json.loads(kept)
    summary = run.summary()
    for row, line in enumerate(summary.rows):
        assert data["transforms"][row]["name"] == line.transform
        for column, cell in enumerate(line.cells[spec.name] for spec in run.metrics):
            assert data["cells"][row][column]["mean"] == pytest.approx(cell.mean, rel=1e-5)
            assert data["cells"][row][column]["n"] == cell.n
    assert [one["id"] for one in data["shown"]["items"]]
    assert {one["id"] for one in data["shown"]["items"]} <= {image_id(row) for row in range(36)}


def test_the_extremes_are_the_most_and_the_least_shifted(run, found):
    values = run.values()
    for row in range(9):
        for column, spec in enumerate(run.metrics):
            sign = -1 if str(spec.direction).startswith("higher") else 1
            shift = sign * values.values[:, row, column]
            ends = found["extremes"][row][column]
            assert (
                list(ends["most"])
                == values.rows[(-shift).argsort(kind="stable")[: len(ends["most"])]].tolist()
            )
            assert ends["least"][0] == values.rows[shift.argmin()]
            assert len(ends["most"]) == 4


def test_only_the_run_folder_is_read_and_the_same_run_gives_the_same_bytes(run, tmp_path, text):
    moved = tmp_path / run.folder.name
    shutil.copytree(run.folder, moved)
    import embshift

    assert build_page(build_content(embshift.open_run(moved))) == text


def test_it_appears_whole_or_not_at_all(tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=2, transforms=("blur",)))
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StorageError):
        run.report(blocked / "report.html")
    assert run.report(tmp_path / "report.html").read_text(encoding="utf-8").endswith("</html>\n")
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith("rep")) == ["report.html"]


@pytest.mark.slow
def test_of_many_images_at_most_three_hundred_are_listed(tmp_path):
    found = build_content(make_large_run(tmp_path / "run", images=800, shown=0), resamples=100)
    assert len(found["shown"]["items"]) == 300
    assert len(build_page(found).encode()) < 2_000_000


def test_views_outside_the_folder_are_not_read(tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=4, transforms=("blur",)))
    views = run.folder / "views"
    outside = tmp_path / "outside"
    views.rename(outside)
    views.symlink_to(outside)
    for item in build_content(run)["shown"]["items"]:
        assert item["original"] is None


@pytest.mark.slow
def test_images_that_do_not_compress_stay_within_the_bounds(tmp_path):
    sizes = []
    for images in (60, 600):
        run = make_large_run(
            tmp_path / str(images), images=images, transforms=NINE[:2], shown=60, side=160, grid=8
        )
        found = build_content(run, resamples=100)  # resampling takes most of the time and changes no size
        assert found["shown"]["full"]
        sizes.append(len(build_page(found).encode()))
    assert max(sizes) < 5_000_000
    assert abs(sizes[1] - sizes[0]) < 200_000
