"""Digests of the paper's views in their device forms, made on the CPU, with the versions that made them.

To write them anew: ``python -c "from tests.unit.transforms.golden_device import regenerate; regenerate()"``
"""

import json
from pathlib import Path

from embshift.core.types import ViewKey
from embshift.transforms.build import build
from embshift.transforms.gpu import to_device_form
from embshift.transforms.perturb import perturb, pixels_digest
from embshift.transforms.presets import load_preset
from tests.unit.transforms import golden_views

DIGESTS = Path(__file__).parents[2] / "golden" / "views" / "device.json"


def digests():
    return {
        plan.name: {str(seed): _digest(plan, seed) for seed in golden_views.SEEDS}
        for plan in load_preset("paper").transforms
    }


def versions():
    return golden_views.versions() | {name: golden_views.find_version(name) for name in ("scipy", "torch")}


def regenerate():
    content = {"versions": versions(), "views": digests()}
    DIGESTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _digest(plan, seed):
    key = ViewKey(run_seed=seed, image_id="0" * 32, transform=plan.name)
    return pixels_digest(perturb(golden_views.picture(), to_device_form(build(plan)), key=key).pixels)
