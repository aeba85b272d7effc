"""Equal damage: strengths solved, each half on the other, what is out of reach said."""

import json
import shutil

import cv2
import numpy as np
import pytest

from embshift.core.errors import RunError, SourceError
from embshift.core.pixel_maps import mean_displacement
from embshift.core.types import ViewKey
from embshift.measurement.studies.match import measure_matched
from embshift.measurement.studies.solve import solve
from embshift.show.run import open_run
from embshift.show.text.matched import format_matched, matched_table
from embshift.transforms.build import build
from embshift.transforms.perturb import perturb
from embshift.transforms.strength import make_levelled_plan
from tests.reference import ssim_reference


@pytest.fixture(scope="module")
def pictures(samples):
    paths = sorted(samples.glob("*.jpg"))[:4]
    return [cv2.resize(cv2.cvtColor(cv2.imread(str(p)), cv2.COLOR_BGR2RGB), (96, 96)) for p in paths]


def views(name, strength, pictures):
    transform = build(make_levelled_plan(name, strength=strength))
    for at, pixels in enumerate(pictures):
        key = ViewKey(run_seed=0, image_id=f"{at:032x}", transform="any")
        yield perturb(pixels, transform, key=key)


@pytest.mark.parametrize("name", ["blur", "noise", "gamma", "salt_and_pepper", "occlusion", "downscale"])
def test_the_similarity_is_as_asked_for(name, pictures):
    for solved in solve(name, pictures, targets=(0.9, 0.7)):
        if solved.strength is None:
            assert name == "downscale"
            continue
        made = views(name, solved.strength, pictures)
        again = np.mean([ssim_reference.ssim(p, v.pixels) for p, v in zip(pictures, made, strict=True)])
        assert again == pytest.approx(solved.achieved, abs=1e-9)
        assert abs(again - solved.target) <= 0.005


@pytest.mark.parametrize("name", ["rotate", "crop", "perspective", "elastic", "border"])
def test_the_way_is_as_asked_for(name, pictures):
    for solved in solve(name, pictures, targets=(2.0, 5.0)):
        ways = [mean_displacement(v.coordinates()) for v in views(name, solved.strength, pictures)]
        assert np.mean(ways) == pytest.approx(solved.target, rel=0.01)


def test_solved_twice_agrees(pictures):
    assert solve("noise", pictures, targets=(0.7,)) == solve("noise", pictures, targets=(0.7,))
    others = [f"{at + 9:032x}" for at in range(4)]
    assert solve("noise", pictures, targets=(0.7,)) != solve("noise", pictures, targets=(0.7,), ids=others)


def test_out_of_reach_is_said_and_nothing_extrapolated(pictures):
    (solved,) = solve("hue", pictures, targets=(0.1,))
    assert solved.strength is None
    assert solved.why == f"even strength 180 gives only {solved.achieved:.3g}"
    (solved,) = solve("jpeg", pictures, targets=(0.99999,))
    assert solved.strength is None or abs(solved.achieved - 0.99999) <= 0.005
    (solved,) = solve("rotate", pictures, targets=(500.0,))
    assert solved.why.startswith("even strength 180 gives only")


@pytest.mark.parametrize("name", ["blur", "rotate"])
def test_levels_surround_the_target_with_the_damage_of_each_image(name, pictures):
    (solved,) = solve(name, pictures, targets=(0.8 if name == "blur" else 5.0,))
    assert [one.name.removeprefix(f"{name}_{solved.label}") for one in solved.levels] == [
        "_milder",
        "",
        "_harder",
    ]
    means = [np.mean(one.damage) for one in solved.levels]
    assert means == sorted(means, reverse=name == "blur")
    assert min(means) < solved.target < max(means)
    for one in solved.levels:
        for at, view in enumerate(views(name, one.strength, pictures)):
            wanted = (
                ssim_reference.ssim(pictures[at], view.pixels)
                if name == "blur"
                else mean_displacement(view.coordinates())
            )
            assert one.damage[at] == pytest.approx(wanted, abs=1e-9)


def test_one_image_cannot_be_halved(photos):
    with pytest.raises(SourceError, match="1 image found; matching needs at least 2, one for each half"):
        measure_matched(photos, limit=1, encoder="lite")


ASKED = {
    "transforms": ["noise", "blur", "hue", "rotate"],
    "ssim": [0.7],
    "displacement": [10],
    "encoder": "lite",
    "image_size": 96,
}


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    return measure_matched(photos, **ASKED, out=tmp_path_factory.mktemp("match") / "run")


def test_a_run_evaluates_every_image(run):
    found = run.matched(resamples=300)
    assert (found.solved_on, found.gallery, found.splits) == (6, 6, 5)
    by_similarity, by_way = found.groups
    shifts = [row.shift for row in by_similarity.rows]
    assert shifts == sorted(shifts, reverse=True)
    assert {row.transform for row in by_similarity.rows} | {
        each.transform for each in by_similarity.out_of_reach
    } == {"noise", "blur", "hue"}
    assert [row.transform for row in by_way.rows] == ["rotate"]
    assert len(run.images()) == 6
    noise = next(row for row in by_similarity.rows if row.transform == "noise")
    assert noise.n == 6
    # What six images of two halves can reach: the damage is told, whatever it is.
    assert abs(noise.damage - 0.7) < 0.05
    assert noise.off_target == (abs(noise.damage - 0.7) > 0.005)
    assert 1 <= noise.best <= noise.worst <= len(by_similarity.rows)
    assert noise.recall_low <= noise.recall <= noise.recall_high
    assert np.isnan(noise.low)  # of six images


def test_the_same_call_goes_on_in_the_folder(run, photos):
    again = measure_matched(photos, **ASKED, out=run.folder)
    # As text, since undefined intervals are not equal to themselves.
    assert repr(again.matched(resamples=300)) == repr(run.matched(resamples=300))


def test_text_in_every_format(run):
    found = run.matched(resamples=300)
    assert "out of reach" in format_matched(found, style="markdown")
    rows = format_matched(found, style="csv").splitlines()
    assert len(rows) == 1 + 4 + 2  # noise and blur once more, as the paper sets them
    content = json.loads(format_matched(found, style="json"))
    assert content["groups"][0]["target"] == 0.7
    assert "levels" not in json.dumps(content)
    assert matched_table(found).row_count == 4 + 2


def test_another_run_has_no_match(lite_run):
    with pytest.raises(RunError, match=r"no readable match\.json; make a run with 'embshift match'"):
        lite_run.matched()


def test_an_older_match_is_refused(run, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "old")
    (folder / "match.json").write_text('{"solved_on": 3, "solved": []}', encoding="utf-8")
    with pytest.raises(RunError, match="of an earlier version; match again into a new folder"):
        open_run(folder).matched()
