import json

import pytest

from embshift.transforms.perturb import pixels_digest
from tests.unit.transforms import golden_views


@pytest.fixture(scope="module")
def kept():
    return json.loads(golden_views.DIGESTS.read_text(encoding="utf-8"))


def test_the_picture_is_the_one_that_the_digests_were_made_of(kept):
    assert pixels_digest(golden_views.picture()) == kept["picture"]


def test_the_papers_views_are_the_kept_ones(kept):
    complaint = golden_views.complaint(
        kept=kept["views"],
        found=golden_views.digests(),
        made_with=kept["versions"],
        present=golden_views.versions(),
    )
    assert not complaint, complaint


def test_every_kept_digest_is_another():
    views = json.loads(golden_views.DIGESTS.read_text(encoding="utf-8"))["views"]
    found = [
        digest for name, by_seed in views.items() if name != "horizontal_flip" for digest in by_seed.values()
    ]
    assert len(set(found)) == len(found) == 2 * (len(views) - 1)


@pytest.mark.parametrize(
    ("present", "reason"),
    [({"opencv": "4"}, "the versions are the same"), ({"opencv": "5"}, "the versions differ")],
)
def test_a_changed_digest_names_both_versions(present, reason):
    complaint = golden_views.complaint(
        kept={"noise": {"0": "a", "1": "b"}},
        found={"noise": {"0": "a", "1": "c"}},
        made_with={"opencv": "4"},
        present=present,
    )
    assert complaint.startswith("views changed: noise at seed 1;")
    assert reason in complaint
    assert f"kept with opencv 4; now opencv {present['opencv']}" in complaint


def test_a_new_transform_of_the_preset_is_a_change():
    complaint = golden_views.complaint(kept={}, found={"noise": {}}, made_with={}, present={})
    assert "['noise']" in complaint
