"""Digests of every edit at its mildest, middle and greatest severity, with the versions that made them.

To write them anew: ``python -c "from tests.unit.transforms.golden_edits import regenerate; regenerate()"``
"""

import json
from pathlib import Path

from embshift.core.types import ViewKey
from embshift.transforms import TRANSFORMS
from embshift.transforms.build import build
from embshift.transforms.perturb import perturb, pixels_digest
from embshift.transforms.plan import TransformPlan
from embshift.transforms.strength import make_levelled_plan
from tests.unit.transforms import golden_views

DIGESTS = Path(__file__).parents[2] / "golden" / "views" / "edits.json"
LEVELS = (1, 3, 5)


def plans():
    for name, spec in TRANSFORMS.items():
        if spec.family == "control" or not spec.apply.__module__.startswith("embshift.transforms.edits."):
            continue
        if spec.strength is None:
            yield TransformPlan(name=name, kind="registered", target=name)
        else:
            yield from (make_levelled_plan(name, severity=level) for level in LEVELS)


def digests():
    picture = golden_views.picture()
    found = {}
    for plan in plans():
        key = ViewKey(run_seed=0, image_id="0" * 32, transform=plan.name)
        found[plan.name] = {"0": pixels_digest(perturb(picture, build(plan), key=key).pixels)}
    return found


def versions():
    return golden_views.versions() | {"pillow": golden_views.find_version("pillow")}


def regenerate():
    content = {"versions": versions(), "views": digests(), "rounded_otherwise": {}}
    DIGESTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
