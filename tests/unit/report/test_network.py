"""The section on an explained run: the explanation's numbers; damage costs no more than the section."""

import base64
import io
import json
import os
import shutil
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

import embshift
from embshift.analysis.of_explained_views import (
    average_falls,
    average_shifts,
    count_changed_views,
    pool_places,
)
from embshift.runs.explained import (
    read_explained_record,
    write_explained_record,
    write_texts,
    write_texts_record,
)
from embshift.show.figures import FIGURES
from embshift.show.figures.layout.style import assign_looks
from embshift.show.figures.material import Material
from embshift.show.figures.render import render_page
from embshift.show.report import embedded_figures, network
from embshift.show.report.embedded_figures import NAMES
from embshift.show.report.network import build_network, hint_at_explain
from embshift.show.report.page import build_content, build_page
from embshift.show.text.numbers import spell_number
from embshift.show.text.words import format_percent
from tests.synthetic_runs import Wanted, make_run

WANTED = Wanted(
    transforms=("noise", "blur"), images=14, metrics=("cosine",), views=False, maps=False, explained=True
)
RESAMPLES = 200


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("network") / "run", WANTED)


@pytest.fixture
def run(kept, tmp_path):
    shutil.copytree(kept.folder, tmp_path / "run")
    return embshift.open_run(tmp_path / "run")


@pytest.fixture(scope="module")
def section(kept):
    return build_network(kept, resamples=RESAMPLES)


def add_texts(run, **kinds):
    """Store random vectors of the texts of each kind; a caption belongs to the row of its position."""
    rng = np.random.default_rng(0)
    rows = [
        {"kind": kind, "text": text, "key": str(at), "vector": rng.normal(size=8).astype(np.float32)}
        for kind, texts in kinds.items()
        for at, text in enumerate(texts)
    ]
    write_texts(run.folder, pa.Table.from_pylist(rows), fingerprint=run.info["fingerprint"])
    write_texts_record(
        run.folder, {"fingerprint": run.info["fingerprint"], "scale": 10.0, "bias": None, "prompts": ["{}"]}
    )


def draw(monkeypatch, names):
    """Have these figures alone on the page."""
    monkeypatch.setattr(network, "embed_figures", partial(embedded_figures.embed_figures, names=names))


def about(section, topic):
    return " ".join(one["text"] for one in section["findings"] if one["about"] == topic)


def test_the_table_holds_the_explanations_numbers(kept, section):
    found = kept.explanation()
    rows = section["tables"][0]["rows"]
    assert [row[0]["text"] for row in rows] == ["noise", "blur"]
    for row in rows:
        name = row[0]["text"]
        shares, effects = (part(name, resamples=RESAMPLES) for part in (found.shares, found.patches))
        largest = shares.largest(1)[0]
        at, place = shares.components.index(largest), effects.recovered.estimates
        assert row[2]["text"] == largest
        assert row[3]["text"] == spell_number(float(shares.share[at]))
        assert row[3]["small"] == (
            f"[{spell_number(float(shares.joint_low[at]))}, {spell_number(float(shares.joint_high[at]))}]"
        )
        assert row[4]["text"] == spell_number(float(place.mean[at]))
        assert row[4]["small"] == f"[{spell_number(place.low[at])}, {spell_number(place.high[at])}]"
        assert row[8]["text"] == "14"


def test_the_sentences_hold_the_explanations_numbers(kept, section):
    found = kept.explanation()
    tables = found.tables
    name = max(found.transforms, key=lambda one: average_shifts(tables, one).estimates.mean[0])
    shares = found.shares(name, resamples=RESAMPLES)
    at = shares.components.index(shares.largest(1)[0])
    text = about(section, "largest share")
    assert f"largest under {name}: mean 1 − cosine" in text
    ends = [format_percent(float(end[at])) for end in (shares.joint_low, shares.joint_high)]
    assert f"{format_percent(float(shares.share[at]))} (joint 95 % interval {' to '.join(ends)}, 14" in text
    effects = found.patches(name, resamples=RESAMPLES).recovered.estimates
    assert f"{format_percent(float(effects.mean[at]))} " in about(section, "patch")


def test_shifts_falls_and_places_are_those_of_the_stored_views(kept):
    tables = kept.explanation().tables
    shares, layers, maps = (
        [line for line in tables.read(name).to_pylist() if line["transform"] == "blur"]
        for name in ("shares", "layers", "maps")
    )
    squared = np.array([line["shift"] ** 2 for line in shares])
    assert average_shifts(tables, "blur").estimates.mean == pytest.approx([squared.mean() / 2])
    cosine = np.array([line["cosine"] for line in layers])
    falls = average_falls(tables, "blur").estimates.mean
    assert falls == pytest.approx(-np.diff(np.c_[np.ones(14), cosine], axis=1).mean(axis=0), abs=1e-6)
    assert falls.sum() == pytest.approx(1 - cosine[:, -1].mean(), abs=1e-6)
    places = pool_places(tables, "blur").share
    for name, share in zip(("left_picture", "not_placed"), places, strict=True):
        values = np.array([line[name] for line in maps])
        assert share == pytest.approx((values * squared).sum() / squared.sum())


def test_joint_intervals_of_falls_are_wider_than_single_ones(kept):
    tables = kept.explanation().tables
    joint, single = (average_falls(tables, "noise", level=level).estimates for level in (0.95, 0.85))
    # Three layers: each interval of a joint 85 % has 95 %.
    assert (joint.high - joint.low > single.high - single.low).all()
    cosine = kept.explanation().layers("noise").cosine.estimates
    assert single.high[0] - single.low[0] == pytest.approx(cosine.high[0] - cosine.low[0], rel=0.2)


def test_views_that_changed_since_are_counted(kept, tmp_path):
    assert count_changed_views(kept, kept.explanation().tables) == 0
    more = make_run(
        tmp_path / "run", Wanted(transforms=("noise", "blur", "fog"), images=14, views=False, maps=False)
    )
    assert count_changed_views(more, kept.explanation().tables) == 14


def test_words_labels_and_captions_have_their_table(run, monkeypatch):
    draw(monkeypatch, ())
    add_texts(
        run,
        word=["cat", "dog", "house", "tree", "ship", "</script>\u202e"],
        label=["cat", "dog"],
        caption=[f"caption {at}" for at in range(14)],
    )
    found, section = run.explanation(), build_network(run, resamples=RESAMPLES)
    titles = [table["title"] for table in section["tables"]]
    assert titles == [
        "Which part of the network makes the shift?",
        "Which words name the direction of the shift?",
        "Do views keep their label, of 2 labels?",
        "Do views keep their caption?",
    ]
    words, labels, captions = (table["rows"] for table in section["tables"][1:])
    flips = found.labels(resamples=RESAMPLES)
    drops = found.captions(resamples=RESAMPLES)
    shares = found.word_shares()
    for at, name in enumerate(("noise", "blur")):
        assert words[at][3]["text"] == str(len(found.words().named(name)))
        assert words[at][5]["text"] == format_percent(float(shares.share[at]))
        assert labels[at][1]["text"] == spell_number(flips[name].measure("flip_rate")[0])
        assert captions[at][1]["text"] == spell_number(drops[name].measure("caption_drop")[0])
    assert about(section, "labels").startswith("Out of 2 labels")
    assert about(section, "texts") == ""
    assert section["command"].endswith(" --labels LABELS --captions CAPTIONS")
    assert "\u202e" not in json.dumps(section, ensure_ascii=False, default=str)


def test_fewer_words_than_are_chosen_explain_nothing(run, monkeypatch):
    draw(monkeypatch, ())
    add_texts(run, word=["cat", "dog", "house"])
    section = build_network(run, resamples=RESAMPLES)
    assert {row[5]["text"] for row in section["tables"][1]["rows"]} == {"–"}


def test_figures_that_are_registered_are_in_it(kept, section):
    shown = [one["name"] for one in section["figures"]]
    assert "layer_profile" in shown
    assert set(shown) <= {name for name in NAMES if name in FIGURES}
    one = next(one for one in section["figures"] if one["name"] == "layer_profile")
    page = render_page(Material(run=kept), "layer_profile")
    assert (one["alt"], one["title"]) == (page.alt, FIGURES["layer_profile"].question)
    image = Image.open(io.BytesIO(base64.b64decode(one["image"].partition(",")[2])))
    assert image.width == 1380
    assert one["image"].startswith("data:image/webp;base64,")
    assert len(one["image"]) < 150_000


def test_without_an_explanation_only_a_line_names_the_command(run, monkeypatch):
    draw(monkeypatch, NAMES[1:2])
    explained = build_content(run, resamples=RESAMPLES)
    shutil.rmtree(run.folder / "explain")
    plain = build_content(run, resamples=RESAMPLES)
    assert plain["network"] is None
    assert (plain["hint"], explained["hint"]) == ("embshift explain run", "")
    differing = {name for name in plain if plain[name] != explained[name]}
    assert differing == {"network", "hint", "methods", "caveats", "first"}
    assert "network" not in [one["about"] for one in plain["first"]["cards"]]
    assert explained["methods"][:-1] == plain["methods"]
    assert explained["methods"][-1]["title"] == "Explanation"
    assert explained["caveats"][: len(plain["caveats"])] == plain["caveats"]


@pytest.mark.parametrize(
    "change",
    [
        {"state": "running"},
        {"plan": {"sources": ["memory"]}},
        {"encoder": {"precision": "bfloat16"}},
        {"encoder": {"runtime": "onnx"}},
    ],
)
def test_a_run_that_cannot_be_explained_has_no_such_line(run, change):
    shutil.rmtree(run.folder / "explain")
    assert hint_at_explain(run) == "embshift explain run"
    for name, value in change.items():
        run.info[name] = {**run.info[name], **value} if isinstance(value, dict) else value
    assert hint_at_explain(run) == ""


def chunk(run, table):
    return run.folder / "explain" / table / "chunk-000000.parquet"


def damage_record(run, **changes):
    record = {**read_explained_record(run.folder), **changes}
    record.pop("seal", None)
    write_explained_record(run.folder, {name: one for name, one in record.items() if one is not None})


def replace_by_pipe(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.mkfifo(path)


def replace_by_link(path):
    path.rename(path.parent / "moved")
    path.symlink_to("moved")


AGAIN = "run 'embshift verify run --repair', then the command that explained the run"

DAMAGES = {
    "a pipe for a record": (
        lambda run: replace_by_pipe(run.folder / "explain" / "explain.json"),
        "is a pipe",
    ),
    "a pipe for a folder": (lambda run: replace_by_pipe(run.folder / "explain"), "is a pipe"),
    "a link for a folder": (lambda run: replace_by_link(run.folder / "explain"), "is a link"),
    "a link for a table": (lambda run: replace_by_link(chunk(run, "maps").parent), "is a link"),
    "unfinished": (lambda run: damage_record(run, state="running"), "is not finished"),
    "of another run": (lambda run: damage_record(run, fingerprint="other"), "explains another run"),
    "without counts": (lambda run: damage_record(run, counts=None), "counts"),
    "other components": (lambda run: damage_record(run, components=["what"]), "cannot be shown"),
    "other layers": (lambda run: damage_record(run, layers=-4), "cannot be shown"),
    "no chunk": (lambda run: damage_record(run, chunks=0), "holds no view"),
    "a word in place of a number": (lambda run: damage_record(run, chunks="many"), "cannot be shown"),
    "no record": (lambda run: (run.folder / "explain" / "explain.json").write_text("{"), "cannot be read"),
    "a lost file": (lambda run: chunk(run, "layers").unlink(), AGAIN),
    "a cut file": (lambda run: chunk(run, "shares").write_bytes(b"PAR1"), AGAIN),
}


@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_a_damaged_explanation_costs_the_section_and_says_so(run, kind):
    harm, told = DAMAGES[kind]
    harm(run)
    section = build_network(run, resamples=RESAMPLES)
    (one,) = section["findings"]
    assert one["text"].startswith("The explanation of this run cannot be shown: ")
    assert told in one["text"]
    assert str(run.folder.parent) not in one["text"]
    assert section["tables"] == section["figures"] == []
    assert hint_at_explain(run) == ""


def test_the_page_of_a_damaged_explanation_is_whole(run):
    chunk(run, "shares").write_bytes(b"PAR1")
    found = build_content(run, resamples=RESAMPLES)
    assert [one["about"] for one in found["network"]["findings"]] == ["damage"]
    assert found["findings"]
    assert build_page(found).endswith("</html>\n")


def test_damaged_texts_cost_only_what_they_say(run):
    add_texts(run, word=["cat", "dog", "house"])
    path = run.folder / "explain" / "texts.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    section = build_network(run, resamples=RESAMPLES)
    assert about(section, "texts").startswith("Words, labels and captions are left out: ")
    assert about(section, "largest share")
    assert len(section["tables"]) == 1


def test_nine_images_name_no_component(tmp_path):
    few = make_run(
        tmp_path / "run",
        Wanted(transforms=("noise",), images=9, metrics=("cosine",), views=False, maps=False, explained=True),
    )
    section = build_network(few, resamples=RESAMPLES)
    assert "No component is named, since there is no interval" in about(section, "largest share")
    assert about(section, "patch") == ""
    assert section["tables"][0]["rows"][0][2]["text"] == "none certain"


@pytest.mark.parametrize("limit", [0, 100_000, 10_000_000])
def test_figures_without_room_are_named(kept, section, limit):
    found, note = embedded_figures.embed_figures(kept, NAMES[:2], limit=limit)
    shown = {one["name"] for one in found}
    assert sum(len(one["image"]) for one in found) <= limit
    whole = {one["name"] for one in section["figures"]} & {*NAMES[:2]}
    assert len(whole) == 2
    assert all(name in shown or name in note for name in whole)
    assert bool(note) == (limit < 10_000_000)


def test_colours_of_figures_are_those_that_were_drawn(kept, section):
    one = next(one for one in section["figures"] if one["name"] == "network_shares")
    image = Image.open(io.BytesIO(base64.b64decode(one["image"].partition(",")[2]))).convert("RGB")
    looks = assign_looks(kept.transforms).values()
    drawn = {tuple(round(255 * part) for part in to_rgb(look.colour)) for look in looks}
    assert drawn <= {colour for _, colour in image.getcolors(maxcolors=2**24)}
