"""Runs as they come: of one image, damaged, moved, from a stranger, two at once; and dropped images."""

import io
import json
import os
import shlex
import shutil
import struct
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

import embshift
from embshift.core.addresses import INGESTED
from embshift.core.errors import ShiftError, UsageError
from embshift.measurement.session.trust import Trust
from embshift.show.app.places import check_same_images, find_start
from embshift.show.report.page import build_content
from embshift.show.text.words import make_visible
from tests.served import serve_runs
from tests.synthetic_runs import Wanted, make_run

HOSTILE = (
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=2</script><!--",
    "<img src=x onerror=window.pwned=3>",
    "javascript:window.pwned=4",
    '"\' onmouseover="window.pwned=5" x=\'',
    "\u202egpj.nuf\u202c\u2066evil",
    "nul\x00 and \x1b[31m and \x07 and\r\nline",
    "{{data}} ${window.pwned=6} <%= 7 %>",
    "&lt;b&gt; &amp; &#60;script&#62;",
    "l" * 4000 + "ong",
    "line\u2028separator\u2029and\ufeffmore",
    "../../../etc/passwd",
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A run that nothing makes again: it has no listing."""
    wanted = Wanted(images=12, explained=True)
    return make_run(tmp_path_factory.mktemp("recorded") / "run", wanted)


@pytest.fixture(scope="module")
def small(photos, tmp_path_factory):
    """A run of two transforms and two images, in a folder that tests copy."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "photos").mkdir()
    for name in ("cat", "dog"):
        shutil.copy(photos / f"{name}.jpg", folder / "photos")
    options = {"transforms": ["blur", "noise"], "image_size": (64, 64), "workers": 0, "encoder": "lite"}
    embshift.measure(folder / "photos", out=folder / "run", **options)
    return folder


@pytest.fixture
def copied(small, tmp_path):
    """The same run and its images, which a test may change: they are put back after it."""
    shutil.copytree(small, tmp_path / "kept", symlinks=True)
    yield small
    shutil.rmtree(small)
    shutil.copytree(tmp_path / "kept", small)


@pytest.mark.parametrize("transforms", [("blur", "noise"), ("blur:3", "blur=1.2345678")])
def test_the_app_takes_the_commands_of_the_report(small, tmp_path, transforms):
    options = {"transforms": list(transforms), "image_size": (64, 64), "workers": 0, "encoder": "lite"}
    run = embshift.measure(small / "photos", out=tmp_path / "a run", **options)
    side = serve_runs(run.folder).desk.first
    items = build_content(run)["shown"]["items"]
    assert len(items) == 2
    for item in items:
        program, serve, folder, at, place = shlex.split(item["serve"])
        assert (program, serve, folder, at) == ("embshift", "serve", "a run", "--at")
        row, transform, strength = find_start(side, place)
        assert (row, strength) == (item["row"], None), "the recorded view"
        assert transform in run.transforms


def png_of(pixels):
    return cv2.imencode(".png", pixels[:, :, ::-1])[1].tobytes()


def test_a_run_that_is_not_live_shows_what_it_has(recorded):
    served = serve_runs(recorded.folder)
    found = served.get("/api/run").json
    (encoder,) = found["encoders"]
    assert not encoder["live"]
    assert encoder["why"]
    assert not any(one["live"] for one in found["transforms"])
    content, bodies = served.view(3, "blur").frame
    assert content["recorded"]
    assert set(bodies) >= {"view", "original", "map", "original_map"}
    values = {
        line["metric"]: line["value"]
        for line in recorded.shifts().to_pylist()
        if (line["row"], line["transform"]) == (3, "blur")
    }
    assert content["metrics"] == pytest.approx(values)
    refused = served.view(3, "blur", 7.7)
    assert refused.status == 409
    assert "only the measured strength" in refused.json["error"]
    assert served.get("/api/thumb/3", "transform=blur").status == 200
    assert served.drop(b"x").status == 409


def test_a_view_that_was_not_kept_still_has_its_numbers(tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=12, views=False))
    served = serve_runs(run.folder)
    content, bodies = served.view(3, "blur").frame
    assert content["cosine"]
    assert "view" not in bodies
    assert served.get("/api/thumb/3").status == 404


def test_a_view_that_is_missing_says_so(tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=12, missing=("blur",)))
    served = serve_runs(run.folder)
    reply = served.view(3, "blur")
    assert reply.status == 409
    assert "has not measured draw 0 of blur" in reply.json["error"]
    items = served.get("/api/gallery", "transform=blur").json["items"]
    assert [one["relative_shift"] for one in items] == [None] * 12
    assert served.get("/api/run").json["transforms"][1]["relative_shift"] is None
    assert served.get("/api/projection", "transform=blur").status == 200


def test_hostile_names_are_plain_text(tmp_path):
    wanted = Wanted(images=12, members=HOSTILE, transforms=HOSTILE, encoder=" ".join(HOSTILE), views=False)
    run = make_run(tmp_path / "run", wanted)
    served = serve_runs(run.folder)
    found = served.get("/api/run").json
    assert [one["name"] for one in found["transforms"]] == list(HOSTILE)
    assert found["encoders"][0]["name"] == make_visible(" ".join(HOSTILE))
    items = served.get("/api/gallery", "count=200").json["items"]
    assert {one["name"] for one in items} == {make_visible(name) for name in HOSTILE}
    for row, name in enumerate(HOSTILE):
        content, _ = served.view(row, name).frame
        assert content["name"] == make_visible(name)
        shown = json.dumps(
            [content["sentence"], content["command"], content["neighbours"]], ensure_ascii=False
        )
        assert not any(sign in shown for sign in "\x00\x1b\x07\u202e\u2028\ufeff")
        assert served.get("/api/thumb/0", f"transform={name[:50]}").status == 404


@pytest.mark.parametrize("images", [1, 2])
def test_a_run_may_have_few_images(photos, tmp_path, images):
    (tmp_path / "photos").mkdir()
    for name in ("cat", "dog")[:images]:
        shutil.copy(photos / f"{name}.jpg", tmp_path / "photos")
    options = {"transforms": ["blur", "identity"], "image_size": (64, 64), "workers": 0, "encoder": "lite"}
    embshift.measure(tmp_path / "photos", out=tmp_path / "run", **options)
    served = serve_runs(tmp_path / "run")
    assert served.get("/api/run").json["images"] == images
    assert served.get("/api/gallery").json["total"] == 2 * images
    for plane in ("images", "own"):
        for transform in ("blur", "identity"):
            reply = served.get("/api/projection", f"transform={transform}&plane={plane}")
            assert reply.frame[0]["rows"] == images
    content, _ = served.view(0, "blur").frame
    assert (content["rank"], content["of"]) == (1, images)
    if images == 1:
        assert content["relative_shift"] is None
        assert "no other image" in content["sentence"]
    assert served.view(0, "identity").frame[0]["words"] is None


def test_images_that_are_gone_leave_the_records(copied):
    shutil.rmtree(copied / "photos")
    served = serve_runs(copied / "run")
    assert "no longer where they were measured" in served.get("/api/run").json["encoders"][0]["why"]
    assert served.view(0, "blur").frame[0]["recorded"]
    assert served.view(0, "blur", 1.0).status == 409


def test_an_image_that_has_changed_is_not_shown_as_live(copied):
    served = serve_runs(copied / "run")
    shutil.copy(copied / "photos" / "cat.jpg", copied / "photos" / "dog.jpg")
    assert served.view(0, "blur", 1.0).status == 200
    reply = served.view(1, "blur", 1.0)
    assert reply.status == 409
    assert "has changed since it was measured" in reply.json["error"]
    assert served.view(1, "blur").frame[0]["recorded"]


def test_a_pipe_in_place_of_an_image_does_not_stop_the_app(copied):
    served = serve_runs(copied / "run")
    (copied / "photos" / "dog.jpg").unlink()
    os.mkfifo(copied / "photos" / "dog.jpg")
    assert served.view(1, "blur", 1.0).status == 409


def test_no_link_in_a_run_folder_is_followed(copied, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png_of(np.full((64, 64, 3), 7, np.uint8)))
    for view in (copied / "run" / "views").rglob("*.png"):
        view.unlink()
        view.symlink_to(secret)
    shutil.rmtree(copied / "photos")
    served = serve_runs(copied / "run")
    assert "view" not in served.view(0, "blur").frame[1]
    assert served.get("/api/thumb/0").status == 404
    (copied / "run" / "listing.parquet").unlink()
    (copied / "run" / "listing.parquet").symlink_to(secret)
    assert "link" in serve_runs(copied / "run").desk.first.why


def test_what_hides_in_a_kept_view_is_not_passed_on(copied):
    shutil.rmtree(copied / "photos")
    for view in (copied / "run" / "views").rglob("*.png"):
        view.write_bytes(view.read_bytes() + b"<script>hidden</script>")
    served = serve_runs(copied / "run")
    assert b"hidden" not in served.get("/api/thumb/0").body
    assert b"hidden" not in served.view(0, "blur").body


CANARY = """
from pathlib import Path
Path(__file__).with_suffix(".ran").touch()
def change(pixels):
    return 255 - pixels
"""


def test_a_strangers_code_is_not_run_unasked(photos, tmp_path, monkeypatch):
    (tmp_path / "canary_app.py").write_text(CANARY)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "photos").mkdir()
    for name in ("cat", "dog"):
        shutil.copy(photos / f"{name}.jpg", tmp_path / "photos")
    transforms = {"mine": "canary_app:change", "blur": "blur"}
    options = {"image_size": (64, 64), "workers": 0, "encoder": "lite"}
    embshift.measure(tmp_path / "photos", out=tmp_path / "run", transforms=transforms, **options)
    sys.modules.pop("canary_app")
    (tmp_path / "canary_app.ran").unlink()
    served = serve_runs(tmp_path / "run")
    mine, blur = served.get("/api/run").json["transforms"]
    assert not mine["live"]
    assert "canary_app:change, which is not run unasked" in mine["why"]
    assert blur["live"]
    assert served.view(0, "blur", 2.5).status == 200
    assert served.view(0, "mine").frame[0]["recorded"]
    assert served.view("dropped", "mine").status == 409
    shutil.rmtree(tmp_path / "run" / "views")
    assert served.get("/api/thumb/0", "transform=mine").status == 404
    assert "canary_app" not in sys.modules
    assert not (tmp_path / "canary_app.ran").exists()
    trusted = serve_runs(tmp_path / "run", trust=Trust(code=True))
    assert trusted.view(0, "mine").frame[0]["recorded"]
    assert (tmp_path / "canary_app.ran").exists()


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        ("canary_app:encode", "not run unasked"),
        ("http://127.0.0.1:9/embed", "to which no image is sent"),
        ("openai/clip-vit-base-patch32", "nothing is downloaded here"),
        (f"{INGESTED}elsewhere", "no encoder to open"),
        ("nowhere/at/all", "there is no folder"),
    ],
)
def test_an_encoder_that_is_not_opened_says_why(copied, monkeypatch, tmp_path, encoder, said):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    record = copied / "run" / "run.json"
    info = json.loads(record.read_text())
    info["plan"] |= {"encoder": encoder, "allow_pickle": True}
    record.write_text(json.dumps(info))
    served = serve_runs(copied / "run")
    assert said in served.get("/api/run").json["encoders"][0]["why"]
    assert served.view(0, "blur").frame[0]["recorded"]


def test_pickles_are_not_read_for_the_record(copied, monkeypatch):
    from embshift.encoders import open as encoders

    asked = []
    own = encoders.open_encoder
    monkeypatch.setattr(
        encoders,
        "open_encoder",
        lambda *source, **options: (asked.append(options), own(*source, **options))[1],
    )
    record = copied / "run" / "run.json"
    info = json.loads(record.read_text())
    info["plan"]["allow_pickle"] = True
    record.write_text(json.dumps(info))
    serve_runs(copied / "run")
    assert [one["allow_pickle"] for one in asked] == [False]


def damage_json(run):
    (run / "run.json").write_text('{"plan": 3}')


def damage_plan(run):
    info = json.loads((run / "run.json").read_text())
    info["plan"]["image_size"] = ["<b>", -1]
    (run / "run.json").write_text(json.dumps(info))


def damage_embeddings(run):
    path = run / "embeddings" / "chunk-000000.parquet"
    path.write_bytes(path.read_bytes()[:-300])


def damage_shifts(run):
    path = run / "shifts" / "chunk-000000.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 255
    path.write_bytes(bytes(data))


def damage_listing(run):
    (run / "listing.parquet").write_bytes(b"PAR1" + bytes(100))


def damage_maps(run):
    (run / "attention" / "chunk-000000.parquet").unlink()


@pytest.mark.parametrize(
    "damage",
    [damage_json, damage_plan, damage_embeddings, damage_shifts, damage_listing, damage_maps],
)
def test_a_damaged_run_is_told(copied, damage):
    damage(copied / "run")
    if damage in (damage_json, damage_embeddings):
        with pytest.raises(ShiftError, match=str(copied)):
            serve_runs(copied / "run")
        return
    served = serve_runs(copied / "run")
    for reply in (
        served.get("/api/run"),
        served.get("/api/gallery"),
        served.get("/api/projection", "transform=blur"),
        served.view(0, "blur"),
        served.view(0, "blur", 2.2),
        served.get("/api/thumb/0"),
    ):
        assert reply.status in (200, 404, 409, 422), reply.body
        if reply.status != 200:
            assert "Traceback" not in reply.json["error"]


def test_two_runs_are_seen_side_by_side(small, photos, tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("astronaut", "dog"):  # dog is row 1 here and there, astronaut is new
        shutil.copy(photos / f"{name}.jpg", tmp_path / "photos")
    options = {"transforms": ["blur"], "image_size": (96, 96), "workers": 0, "encoder": "lite"}
    embshift.measure(tmp_path / "photos", out=tmp_path / "other", **options)
    served = serve_runs(small / "run", tmp_path / "other")
    found = served.get("/api/run").json
    assert [one["run"] for one in found["encoders"]] == ["run", "other"]
    content, _ = served.view(1, "blur", 2.0, encoder=1).frame
    assert content["row"] == 1
    assert {one["row"] for one in content["neighbours"]} == {1, None}
    assert served.view(0, "blur", encoder=1).status == 404
    assert served.view(1, "noise", encoder=1).status == 404
    rows = served.get("/api/projection", "transform=blur&encoder=1").frame[0]["row_ids"]
    assert rows == [None, 1]
    assert served.drop(png_of(np.zeros((40, 40, 3), np.uint8))).status == 200
    assert served.view("dropped", "blur", encoder=1).frame[0]["of"] == 3


def test_two_runs_need_an_image_in_common(small, recorded):
    sides = [serve_runs(folder).desk.first for folder in (small / "run", recorded.folder)]
    with pytest.raises(UsageError, match="no image in common"):
        check_same_images(sides)


def test_a_dropped_image_is_measured_as_the_runs_are(small, photos):
    served = serve_runs(small / "run")
    assert served.view("dropped", "blur").status == 409
    reply = served.drop((photos / "cat.jpg").read_bytes())
    with Image.open(photos / "cat.jpg") as opened:
        assert (reply.json["width"], reply.json["height"]) == opened.size
    content, bodies = served.view("dropped", "blur", 2.0).frame
    same, wanted = served.view(0, "blur", 2.0).frame
    assert bodies["view"] == wanted["view"]
    assert content["cosine"] == pytest.approx(same["cosine"], abs=1e-6)
    assert (content["row"], content["of"], content["command"]) == ("dropped", 3, None)
    assert content["image_id"] == same["image_id"]
    assert served.get("/api/thumb/dropped").status == 200
    assert served.view("dropped", "blur").frame[0]["recorded"] is False


def bomb(side):
    """A PNG of a few bytes that states, and holds, a huge image."""

    def part(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(side * 3 + 1) * 64)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", pixels) + part(b"IEND", b"")


def long_strip():
    kept = io.BytesIO()
    Image.new("RGB", (3000, 2)).save(kept, "PNG")
    return kept.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"<svg onload=alert(1)>", "not an image in any of the formats"),
        (bomb(60_000), "at most 50,000,000 are decoded"),
        (long_strip(), "aspect ratio"),
    ],
)
def test_what_is_no_usable_image_is_refused(small, content, said):
    reply = serve_runs(small / "run").drop(content)
    assert reply.status == 422
    assert said in reply.json["error"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("7/blur/2.4", (7, "blur", 2.4)),
        ("3/blur/recorded", (3, "blur", None)),
        ("folder/picture-4.jpg/noise/0.5", (4, "noise", 0.5)),
    ],
)
def test_at_finds_an_image(recorded, text, found):
    assert find_start(serve_runs(recorded.folder).desk.first, text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("17", "expected IMAGE/TRANSFORM/STRENGTH"),
        ("17/blurx/2", "did you mean 'blur'"),
        ("99/blur/2", "no usable image '99'"),
        ("1/blur/strong", "expected 0.25 to 20, or recorded"),
        ("1/blur/2000", "expected 0.25 to 20"),
        ("1/horizontal_flip/2", "expected recorded"),
    ],
)
def test_at_says_what_is_wrong(recorded, text, said):
    with pytest.raises(UsageError, match=said):
        find_start(serve_runs(recorded.folder).desk.first, text)
