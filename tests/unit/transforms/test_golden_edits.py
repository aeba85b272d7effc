import json

from tests.unit.transforms import golden_edits, golden_views


def test_the_edits_views_are_the_kept_ones():
    kept = json.loads(golden_edits.DIGESTS.read_text(encoding="utf-8"))
    complaint = golden_views.complaint(
        kept=kept["views"],
        found=golden_edits.digests(),
        made_with=kept["versions"],
        present=golden_edits.versions(),
    )
    assert not complaint, complaint


def test_no_two_edits_are_alike():
    views = json.loads(golden_edits.DIGESTS.read_text(encoding="utf-8"))["views"]
    # Without its colours a picture is grey: the one pair that may be alike, by the side that is drawn.
    del views["grey"]
    assert len({digest["0"] for digest in views.values()}) == len(views)
