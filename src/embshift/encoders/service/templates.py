"""Templates of requests: the JSON that a service expects, and where its answer holds the embeddings."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from embshift.core.errors import EncoderError

__all__ = ["TEMPLATES", "Template", "check_template", "fill_template", "takes_many"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The JSON of a request, with placeholders, and the path to the embeddings in the answer.

    Attributes:
        name: A key of `TEMPLATES`, or "own".
        body: The request. "{model}" stands for the model, "{images}" for the list of images, "{image}" for
            one image where a request holds but one, and "{key}" for the key. A field that is "{model}" is
            left out without a model.
        image: One image: "{data_url}" is its PNG as a data URL, "{base64}" the PNG in base64 alone.
        answer: Path to the embeddings: fields, or places in a list, joined by dots, and "[]" after the list
            that has one entry for each image.
    """

    name: str
    body: Mapping[str, Any]
    image: Any = "{data_url}"
    answer: str = "data[].embedding"


_ALL = (
    Template(
        name="input",
        body={"model": "{model}", "input": "{images}"},
        image={"image": "{data_url}"},
    ),
    Template(
        name="jina",
        body={"model": "{model}", "input": "{images}"},
        image={"image": "{base64}"},
    ),
    Template(
        name="infinity",
        body={"model": "{model}", "input": "{images}", "modality": "image", "encoding_format": "float"},
    ),
    Template(
        name="vllm",
        body={
            "model": "{model}",
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "{image}"}}]}
            ],
            "encoding_format": "float",
        },
    ),
    Template(
        name="voyage",
        body={"model": "{model}", "inputs": "{images}"},
        image={"content": [{"type": "image_base64", "image_base64": "{data_url}"}]},
    ),
)

TEMPLATES: Mapping[str, Template] = {each.name: each for each in _ALL}
"""The templates by name; "input" is the default."""

_ABSENT: Any = object()
_IN_BODY, _IN_IMAGE = {"{model}", "{images}", "{image}", "{key}"}, {"{data_url}", "{base64}"}


def takes_many(template: Template, /) -> bool:
    """Return whether a request may hold several images."""
    return "{images}" in _list_texts(template.body)


def check_template(template: Template, /) -> None:
    """Check a template that a user wrote.

    Raises:
        EncoderError: If a placeholder is unknown, or there is not exactly one for the images.
    """
    for part, texts, known in (
        ("body", [*_list_texts(template.body)], _IN_BODY),
        ("image", [*_list_texts(template.image)], _IN_IMAGE),
    ):
        wrong = [text for text in texts if text.startswith("{") and text.endswith("}") and text not in known]
        if wrong:
            raise EncoderError(
                f"the {part} of the template holds the placeholder {wrong[0]};"
                f" expected {', '.join(sorted(known))}"
            )
        wanted = known - {"{model}", "{key}"}
        if sum(text in wanted for text in texts) != 1:
            raise EncoderError(
                f"the {part} of the template must hold exactly one of {' and '.join(sorted(wanted))},"
                f" as a value of its own; it holds {json.dumps(texts)[:200]}"
            )
    if template.answer.count("[]") > 1 or not template.answer.strip("."):
        raise EncoderError(
            f"answer is '{template.answer}'; expected a path with one list, such as data[].embedding"
        )


def _list_texts(content: Any) -> Iterator[str]:
    if isinstance(content, Mapping):
        for value in cast(Mapping[str, Any], content).values():
            yield from _list_texts(value)
    elif isinstance(content, (list, tuple)):
        for value in cast(Sequence[Any], content):
            yield from _list_texts(value)
    elif isinstance(content, str):
        yield content


def fill_template(template: Template, images: Sequence[str], /, *, model: str) -> dict[str, Any]:
    """Return the content of a request.

    Args:
        template: The template.
        images: PNG files in base64; one where the template takes no more.
        model: The model; empty for none.
    """
    made = [
        _fill(template.image, {"{data_url}": f"data:image/png;base64,{one}", "{base64}": one})
        for one in images
    ]
    return _fill(template.body, {"{model}": model or _ABSENT, "{images}": made, "{image}": made[0]})


def _fill(content: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(content, Mapping):
        filled = {name: _fill(value, values) for name, value in cast(Mapping[str, Any], content).items()}
        return {name: value for name, value in filled.items() if value is not _ABSENT}
    if isinstance(content, (list, tuple)):
        return [_fill(value, values) for value in cast(Sequence[Any], content)]
    return values.get(content, content) if isinstance(content, str) else content
