"""The app's answers about a run that is live: what it shows is what the run recorded, or is computed anew."""

import json
import threading

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from embshift.core.seeding import make_view_generator
from embshift.core.types import ViewKey
from embshift.transforms.perturb import pixels_digest
from tests.served import serve_runs
from tests.synthetic_runs import NINE


@pytest.fixture(scope="module")
def served(lite_run):
    return serve_runs(lite_run.folder)


@pytest.fixture(scope="module")
def stored(lite_run):
    """Rows of the run's tables, read without the package."""
    tables = {
        name: pq.read_table(sorted((lite_run.folder / name).glob("*.parquet"))).to_pylist()
        for name in ("embeddings", "shifts", "images")
    }
    vectors = {
        (one["row"], one["transform"]): np.array(one["embedding"], np.float64) for one in tables["embeddings"]
    }
    digests = {(one["row"], one["transform"]): one["pixels_digest"] for one in tables["embeddings"]}
    values = {(one["row"], one["transform"], one["metric"]): one["value"] for one in tables["shifts"]}
    return vectors, digests, values


def decode_png(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def unit(vector):
    return vector / np.sqrt((vector * vector).sum())


@pytest.mark.parametrize("transform", NINE)
def test_a_live_view_is_the_recorded_one(served, stored, transform):
    vectors, digests, values = stored
    row = NINE.index(transform) % 6
    content, bodies = served.view(row, transform).frame
    assert content["recorded"] is True
    assert pixels_digest(np.ascontiguousarray(decode_png(bodies["view"]))) == digests[row, transform]
    assert pixels_digest(np.ascontiguousarray(decode_png(bodies["original"]))) == digests[row, "original"]
    for metric, value in content["metrics"].items():
        assert value == pytest.approx(values[row, transform, metric], abs=1e-5, rel=1e-5)
    assert set(content["metrics"]) == {metric for one, name, metric in values if name == transform}
    before, after = unit(vectors[row, "original"]), unit(vectors[row, transform])
    assert content["cosine"] == pytest.approx(float((before * after).sum()), abs=1e-5)


def test_the_numbers_are_those_of_a_literal_computation(served, stored):
    vectors, _, _ = stored
    for row, transform in ((0, "noise"), (3, "noise"), (5, "perspective")):
        content, _ = served.view(row, transform).frame
        view = unit(vectors[row, transform])
        units = [unit(vectors[one, "original"]) for one in range(6)]
        cosines = [float(sum(a * b for a, b in zip(view, one, strict=True))) for one in units]
        shift = 0.5 * sum((a - b) ** 2 for a, b in zip(view, units[row], strict=True))
        apart = [
            0.5 * sum((a - b) ** 2 for a, b in zip(units[row], one, strict=True))
            for at, one in enumerate(units)
            if at != row
        ]
        assert content["relative_shift"] == pytest.approx(shift / (sum(apart) / 5), rel=1e-5)
        assert content["rank"] == 1 + sum(one >= cosines[row] for at, one in enumerate(cosines) if at != row)
        assert content["of"] == 6
        order = sorted(range(6), key=lambda at: -cosines[at])
        assert [one["row"] for one in content["neighbours"]] == order
        assert [one["cosine"] for one in content["neighbours"]] == pytest.approx(
            [cosines[at] for at in order], abs=1e-5
        )
        assert [one["original"] for one in content["neighbours"]] == [at == row for at in order]
        assert content["overtaken_by"] == (order[0] if content["rank"] > 1 else None)


def test_another_strength_has_the_same_draw(served, lite_run):
    content, bodies = served.view(2, "blur", 1.5).frame
    assert content["recorded"] is False
    assert content["strength"] == 1.5
    original = np.ascontiguousarray(decode_png(bodies["original"]))
    key = ViewKey(run_seed=0, image_id=content["image_id"], transform="blur", draw=0)
    import albumentations

    from embshift.transforms.albumentations.adapter import adapt_object

    own = albumentations.GaussianBlur(blur_limit=0, sigma_limit=(1.5 / 6, 1.5), p=1.0)
    wanted = adapt_object(own)(original.copy(), rng=make_view_generator(key)).pixels
    # The kernel may be longer than needed; its values are those of the same deviation.
    difference = np.abs(decode_png(bodies["view"]).astype(int) - wanted.astype(int))
    assert difference.mean() < 2
    stronger = served.view(2, "blur", 12).frame[0]
    assert stronger["cosine"] < content["cosine"]


def test_a_recorded_strength_is_the_recorded_view(served):
    by_number, by_null = (served.view(1, "blur", strength, detail=False) for strength in (3, None))
    assert by_number.frame[0]["recorded"] is True
    assert by_number.frame[1]["view"] == by_null.frame[1]["view"]
    assert by_number.frame[0]["command"].endswith("--at 1/blur/3")


def test_details_sum_up(served):
    content, bodies = served.view(4, "noise").frame
    parts = [share for row in content["heads"] for share in row]
    parts += [one["share"] for one in content["others"]]
    assert sum(parts) == pytest.approx(1, abs=1e-4)
    assert content["head_layer"] == 3
    assert content["layers"][-1] == pytest.approx(content["cosine"], abs=1e-4)
    assert all(-1 <= one["weight"] <= 1 for one in content["words"])
    shown = next(one for one in content["bodies"] if one["name"] == "shift_map")
    assert shown["low"] == -shown["high"]
    assert len(bodies["shift_map"]) == shown["shape"][0] * shown["shape"][1]


def test_dragging_leaves_out_details(served):
    content, bodies = served.view(4, "noise", 0.2, detail=False).frame
    assert (content["layers"], content["heads"], content["words"]) == (None, None, None)
    assert set(bodies) == {"view", "original", "map", "original_map"}
    assert "edge_similarity" not in content["metrics"]


def test_a_head_has_its_own_map(served):
    content, bodies = served.view(0, "blur", layer=2, head=1).frame
    assert content["map_of"] == {"layer": 2, "head": 1}
    assert bodies["map"] != served.view(0, "blur").frame[1]["map"]
    none = served.view(0, "blur", layer=40, head=1).frame
    assert none[0]["map_of"] is None
    assert "map" not in none[1]


def test_an_image_id_leads_to_its_row(served):
    first = served.view(3, detail=False).frame[0]
    assert served.view(first["image_id"], detail=False).frame[0]["row"] == 3


def test_the_overview_names_what_is_live(served, lite_run):
    found = served.get("/api/run").json
    assert found["images"] == 6
    assert [one["name"] for one in found["transforms"]] == list(NINE)
    assert all(one["live"] and not one["why"] for one in found["transforms"])
    flip = found["transforms"][4]
    assert (flip["range"], flip["recorded"]) == (None, None)
    blur = found["transforms"][1]
    assert blur["recorded"] == 3
    assert blur["range"][0] < 1
    assert blur["range"][1] == 20
    (encoder,) = found["encoders"]
    assert encoder["live"]
    assert encoder["explained"]
    assert encoder["words"]
    wanted = lite_run.calibration()
    at = wanted.transforms.index("blur")
    mean = wanted.estimates.mean[at, [one.name for one in wanted.measures].index("relative_shift")]
    assert blur["relative_shift"] == pytest.approx(mean)
    assert blur["interval"] == [None, None]  # fewer than ten images


def test_the_start_is_the_most_shifted_view(served):
    start = served.get("/api/run").json["start"]
    first = served.get("/api/gallery", "count=1").json["items"][0]
    assert (start["row"], start["transform"]) == (first["row"], first["transform"])


def test_the_gallery_is_in_the_order_of_the_shifts(served):
    found = served.get("/api/gallery", "count=200").json
    assert found["total"] == 54
    assert found["next"] is None
    shifts = [one["relative_shift"] for one in found["items"]]
    assert shifts == sorted(shifts, reverse=True)
    parts = [served.get("/api/gallery", f"count=20&cursor={at}").json for at in (0, 20, 40)]
    assert [item for part in parts for item in part["items"]] == found["items"]
    assert [part["next"] for part in parts] == [20, 40, None]
    least = served.get("/api/gallery", "count=200&order=least").json["items"]
    assert [one["relative_shift"] for one in least] == shifts[::-1]


def test_gallery_and_view_agree(served):
    items = served.get("/api/gallery", "transform=perspective").json["items"]
    for place, item in enumerate(items):
        content = served.view(item["row"], "perspective", detail=False).frame[0]
        assert content["place"] == place
        assert content["relative_shift"] == pytest.approx(item["relative_shift"], abs=1e-5)
        assert content["rank"] == item["rank"]


def test_thumbs_have_the_size_asked_for(served):
    for query, side in (("side=64", 64), ("transform=noise&side=100", 100), ("", 160)):
        reply = served.get("/api/thumb/2", query)
        assert reply.headers["content-type"] == "image/png"
        assert max(decode_png(reply.body).shape) == side


@pytest.mark.parametrize("plane", ["images", "own"])
def test_the_plane_shows_what_it_says(served, stored, plane):
    vectors, _, _ = stored
    content, arrays = served.get("/api/projection", f"transform=noise&plane={plane}").frame
    found = {
        one["name"]: np.frombuffer(arrays[one["name"]], "<f4").reshape(one["shape"])
        for one in content["arrays"]
    }
    units = np.stack([unit(vectors[row, "original"]) for row in range(6)])
    moved = np.stack([unit(vectors[row, "noise"]) for row in range(6)]) - units
    left, _, right = np.linalg.svd(units - units.mean(axis=0) if plane == "images" else moved)
    axes = right[:2].T
    shown = ((moved @ axes) ** 2).sum()
    assert content["shown"] == pytest.approx(shown / (moved**2).sum(), rel=1e-4)
    arrows = found["views"] - found["originals"]
    assert np.linalg.norm(arrows, axis=1) == pytest.approx(np.linalg.norm(moved @ axes, axis=1), abs=1e-5)
    each = ((moved @ axes) ** 2).sum(axis=1) / (moved**2).sum(axis=1)
    assert found["shown"] == pytest.approx(each, abs=1e-4)
    assert content["row_ids"] == list(range(6))
    assert len(content["names"]) == 6
    del left


def test_requests_at_once_get_their_own_answers(served):
    wishes = [(row, transform) for row in range(3) for transform in ("blur", "noise")]
    alone = {wish: served.view(*wish, detail=False).frame[0]["cosine"] for wish in wishes}
    found = {}

    def look(wish):
        found[wish] = served.view(*wish, detail=False).frame[0]["cosine"]

    threads = [threading.Thread(target=look, args=(wish,)) for wish in wishes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone


@pytest.mark.parametrize(
    ("wish", "status", "said"),
    [
        ({"row": 99}, 404, "no usable image '99'"),
        ({"row": "../../etc/passwd"}, 404, "no usable image"),
        ({"row": True}, 404, "no usable image"),
        ({"transform": "nope"}, 404, "no transform 'nope'; it has noise, blur"),
        ({"transform": ["blur"]}, 404, "no transform"),
        ({"strength": "3"}, 422, "expected a number or null"),
        ({"strength": 1e9}, 409, "strength is 1e+09; expected 0 to 20 px"),
        ({"transform": "horizontal_flip", "strength": 2}, 422, "no strength to turn"),
        ({"draw": -1}, 422, "draw is '-1'"),
        ({"encoder": 1}, 422, "encoder is '1'; expected a whole number from 0 to 0"),
        ({"layer": 1.5, "head": 0}, 422, "layer is '1.5'"),
    ],
)
def test_wrong_wishes_are_told(served, wish, status, said):
    reply = served.view(**wish)
    assert reply.status == status
    assert said in reply.json["error"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"row": NaN}', b"[" * 60_000])
def test_broken_requests_are_told(served, body):
    reply = served.post(body)
    assert reply.status in (404, 422)
    assert reply.json["error"]


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/api/gallery", "order=up", 422),
        ("/api/gallery", "count=100000", 422),
        ("/api/gallery", "cursor=-1", 422),
        ("/api/gallery", "transform=nope", 404),
        ("/api/projection", "transform=noise&plane=up", 422),
        ("/api/projection", "", 404),
        ("/api/thumb/2", "side=100000", 422),
        ("/api/thumb/2", "transform=../original", 404),
        ("/api/thumb/77", "", 404),
        ("/api/thumb/dropped", "", 404),
    ],
)
def test_wrong_addresses_are_told(served, path, query, status):
    reply = served.get(path, query)
    assert (reply.status, bool(reply.json["error"])) == (status, True)


def test_nothing_is_written(served, lite_run):
    before = {path: path.stat().st_mtime_ns for path in lite_run.folder.rglob("*")}
    served.view(5, "elastic", 300)
    served.get("/api/thumb/5", "transform=elastic")
    assert {path: path.stat().st_mtime_ns for path in lite_run.folder.rglob("*")} == before


def test_numbers_are_json(served):
    text = served.get("/api/run").body.decode()
    json.loads(text, parse_constant=lambda name: pytest.fail(name))
