"""A model card's section: Hugging Face's own parser reads its front matter, and people its tables."""

import re

import pytest
import yaml
from huggingface_hub import ModelCard

import embshift
from embshift.core.errors import UsageError
from embshift.show.handover.card import WORST, write_card
from embshift.show.handover.yaml_text import write_yaml
from tests.synthetic_runs import NINE, Wanted, make_run

AWKWARD = [
    "",
    "yes",
    "1e5",
    "- a",
    "a: b",
    "a # b",
    '"',
    "'",
    "\\",
    "\n",
    "\x85",
    "\u2028",
    "\ufeff",
    "\uffff",
    "é😀",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("secret") / "run", Wanted(images=12, missing=("elastic",)))


def test_the_parser_of_the_hub_reads_every_number_back(run):
    found = ModelCard(write_card(run, dataset="me/photos")).data
    assert found.model_name == "synthetic"
    calibration, retrieval = run.calibration(), run.retrieval()
    assert len(found.eval_results) == 3 * 8  # none for the transform whose views all failed
    for one in found.eval_results:
        source = retrieval if one.metric_type == "recall_at_1" else calibration
        assert one.metric_value == pytest.approx(source.mean(one.dataset_config, one.metric_type), rel=1e-5)
        assert (one.task_type, one.dataset_type) == ("image-feature-extraction", "me/photos")
        assert one.metric_name.endswith(f" under {one.dataset_config}")


def test_a_card_of_the_hubs_making_says_the_same(run):
    text = write_card(run)
    again = ModelCard(str(ModelCard(text)))
    assert again.data.eval_results == ModelCard(text).data.eval_results


def rows(text):
    """Return the first cells of a table's rows."""
    return re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)


def test_the_worst_come_first_and_all_follow(run):
    text = write_card(run)
    worst, _, rest = text.partition("<details>")
    found = run.calibration()
    known = [name for name in NINE if name != "elastic"]
    order = sorted(known, key=lambda name: -found.mean(name, "relative_shift"))
    assert rows(worst) == order[:WORST]
    assert rows(rest) == [*order, "elastic"]
    assert "<summary>All 9 transforms</summary>" in rest
    assert "| `elastic` | – | – | – | 0 |" in rest


def test_intervals_methods_and_command_are_stated(run):
    text = write_card(run)
    low, high = run.retrieval().interval("blur", "recall_at_1")
    assert f"({low:.4f} to {high:.4f})" in text
    for words in ("95 % intervals", "12 different images, 9 transforms, 1 draw each", "versions: embshift"):
        assert words in text
    assert "```shell\nembshift run --plan run/plan.toml --out again\nembshift card again\n```\n" in text
    assert "secret" not in text


def test_few_transforms_stand_in_one_table(tmp_path):
    text = write_card(make_run(tmp_path / "run", Wanted(images=4, transforms=("blur", "noise"))))
    assert rows(text).count("blur") == 1
    assert "<details>" not in text


@pytest.mark.parametrize(
    "name", ["a|b", "<script>", "x`y", "[l](http://x)", "---", "line\nbreak: x", "/home/me/vit"]
)
def test_awkward_names_stay_text(name, tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=3, transforms=("blur",), encoder=name))
    card = ModelCard(write_card(run, dataset=name))
    assert card.data.model_name == name.rpartition("/")[2].replace("\n", "␊") or name.startswith("[")
    assert "<script>" not in card.text
    assert "[l](" not in card.text
    assert "/home/me" not in write_card(run)


@pytest.mark.parametrize("text", AWKWARD)
def test_yaml_reads_a_text_as_it_was_shown(text):
    read = yaml.safe_load(write_yaml({"a": [{"b": text, "c": [text, 1.0]}]}))
    shown = read["a"][0]["b"]
    assert read == {"a": [{"b": shown, "c": [shown, 1.0]}]}
    assert isinstance(shown, str)
    assert shown == text or not text.isprintable()


@pytest.mark.parametrize("value", [0.0, -1.5, 1e-05, 1e16, 1.25e-300, 3])
def test_yaml_reads_a_number_as_a_number(value):
    assert yaml.safe_load(write_yaml({"a": value})) == {"a": value}


def test_a_card_replaces_a_card_alone(run, tmp_path):
    path = tmp_path / "README.md"
    text = embshift.write_card(run, path)
    assert path.read_text(encoding="utf-8") == text == embshift.write_card(run, path)
    path.write_text("---\nlicense: mit\n---\n# My model\n")
    with pytest.raises(UsageError, match="is a file with other content, no model card of embshift"):
        embshift.write_card(run, path)
    assert "My model" in path.read_text()
