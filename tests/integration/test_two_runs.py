"""Two runs beside each other: what is compared, what is marked, and what is refused."""

import json
import shutil

import pytest

import embshift
from embshift.core.errors import RunError
from tests.integration.command import invoke


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    return measure(photos, tmp_path_factory.mktemp("runs") / "linear")


def measure(photos, out, **options):
    wanted = {"encoder": "lite", "metrics": ["cosine"], "workers": 0, "image_size": (64, 64)}
    wanted["transforms"] = ["blur", "noise", "horizontal_flip"]
    return embshift.measure(photos, out=out, **(wanted | options))


def restate(run, folder, name, **fields):
    """A copy of the run whose plan states other fields of one transform."""
    shutil.copytree(run.folder, folder)
    path = folder / "run.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    del info["seal"]
    next(one for one in info["plan"]["transforms"] if one["name"] == name).update(fields)
    path.write_text(json.dumps(info), encoding="utf-8")
    return embshift.open_run(folder)


def test_of_equal_runs_only_the_images_are_counted(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "again")
    (note,) = run.differences(against=embshift.open_run(tmp_path / "again")).notes
    assert note == f"{run.count_images()} images in both"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (
            "parameters",
            {"p": 1.0, "blur_limit": [15, 31], "sigma_limit": [0.5, 3.0]},
            r"blur_limit \[15, 31\]",
        ),
        ("target", "MedianBlur", "target MedianBlur"),
        ("severity", 3, "severity 3"),
        ("strength", 0.5, "strength 0.5"),
        ("kind", "registered", "kind registered"),
    ],
)
def test_transforms_of_one_name_that_differ_are_refused(run, tmp_path, field, value, said):
    other = restate(run, tmp_path / "other", "blur", **{field: value})
    with pytest.raises(RunError, match=f"blur is not one transform in both runs: .*{said} in .*other"):
        run.differences(against=other)


def test_the_code_of_a_function_belongs_to_it(run, tmp_path):
    other = restate(run, tmp_path / "other", "noise")
    info = dict(other.info) | {"code": {"noise": "0" * 64}}
    changed = type(other)(folder=other.folder, info=info)
    with pytest.raises(RunError, match="noise is not one transform in both runs: code"):
        run.differences(against=changed)


def test_the_command_refuses_with_exit_2(run, tmp_path):
    other = restate(run, tmp_path / "other", "blur", severity=3)
    done = invoke("summarise", str(run.folder), "--show", "differences", "--against", str(other.folder))
    assert done.returncode == 2
    assert "blur is not one transform in both runs" in done.stderr


def test_another_preparation_is_marked(run, photos, tmp_path):
    other = measure(photos, tmp_path / "area", resize="area")
    count = 4 * run.count_images()
    _, note = run.differences(against=other).notes
    assert note.startswith(f"{count} of {count} shared originals and views have other pixels in area (resize")


def test_other_draws_are_marked(run, photos, tmp_path):
    other = measure(photos, tmp_path / "seed", seed=1)
    images = run.count_images()
    _, note = run.differences(against=other).notes
    # The flip is the same under every seed, and so are the originals.
    assert note.startswith(
        f"{2 * images} of {4 * images} shared originals and views have other pixels in seed"
    )
    assert "seed 1" in note


def test_what_only_one_run_has_is_said(run, photos, tmp_path):
    other = measure(photos, tmp_path / "other", transforms=["blur", "perspective"])
    assert run.differences(against=other).notes[1:] == (
        "not compared, since only in linear: noise, horizontal_flip",
        "not compared, since only in other: perspective",
    )


def test_runs_of_other_images_are_refused(run, photos, tmp_path):
    few = measure(sorted(map(str, photos.iterdir()))[:2], tmp_path / "few")
    images = run.count_images()
    said = rf"only 2 of {images} images are in both runs \({images - 2} only in .*linear, 0 only in .*few\)"
    with pytest.raises(RunError, match=said):
        run.differences(against=few)
