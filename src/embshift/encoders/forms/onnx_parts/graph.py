"""Inputs and outputs of an ONNX graph, and which of them are the image, the embedding and the map."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from embshift.core.errors import EncoderError
from embshift.encoders.forms.onnx_parts.files import settings_file
from embshift.encoders.forms.onnx_parts.settings import Settings

__all__ = ["Graph", "Port", "choose_ports"]

_IMAGES = {
    "tensor(uint8)": "uint8",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
}
_FLOATS = frozenset(_IMAGES) - {"tensor(uint8)"}
_NUMBERS = _FLOATS | {f"tensor({sign}int{bits})" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_EMBEDDINGS = frozenset(
    {
        "embedding",
        "embeddings",
        "image_embedding",
        "image_embeddings",
        "image_embeds",
        "image_features",
        "pooler_output",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output of a graph, as onnxruntime states it.

    Attributes:
        name: Its name.
        type: E.g. "tensor(float)".
        shape: Lengths; a name or None where one is free.
    """

    name: str
    type: str
    shape: tuple[int | str | None, ...]

    def describe(self) -> str:
        """Return one line: name, type and shape."""
        shape = " × ".join("?" if each is None else str(each) for each in self.shape)
        return f"{self.name}: {self.type}{f', {shape}' if shape else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What of a graph is used.

    Attributes:
        input: Name of the input.
        output: Name of the embedding.
        attention: Name of the map; empty where there is none.
        layout: Order of the input's axes.
        type: The input's type, as NumPy spells it.
        batch: Images that it takes at once; None for any number.
        size: Height and width that it takes, in pixels; None where one of them is free.
    """

    input: str
    output: str
    attention: str
    layout: Literal["NCHW", "NHWC"]
    type: str
    batch: int | None
    size: tuple[int, int] | None


def choose_ports(
    inputs: Sequence[Port], outputs: Sequence[Port], /, *, settings: Settings, model: Path
) -> Graph:
    """Choose a graph's image, embedding and map: as stated, else where only one choice is possible.

    Args:
        inputs: Inputs that the graph must be given.
        outputs: Its outputs.
        settings: What the user states.
        model: Path of the model, for errors.

    Raises:
        EncoderError: Something is not clear, or not as stated; lists inputs and outputs, and the lines to
            write.
    """
    choice = _Choice(inputs=tuple(inputs), outputs=tuple(outputs), settings=settings, model=model)
    image = choice.choose_input()
    layout = choice.choose_layout(image)
    if image.type != "tensor(uint8)" and (settings.mean is None or settings.deviation is None):
        raise choice.make_error(
            "its input takes floats, and no graph says which mean and deviation it expects"
        )
    if image.type == "tensor(uint8)" and (settings.scale, settings.mean, settings.deviation) != (None,) * 3:
        raise choice.make_error("its input takes bytes, so scale, mean and deviation do not apply")
    height, width = image.shape[2:] if layout == "NCHW" else image.shape[1:3]
    return Graph(
        input=image.name,
        output=choice.choose_output().name,
        attention=choice.find_output("attention").name if settings.attention else "",
        layout=layout,
        type=_IMAGES[image.type],
        batch=_as_length(image.shape[0]),
        size=(height, width) if isinstance(height, int) and isinstance(width, int) else None,
    )


def _as_length(stated: int | str | None) -> int | None:
    return stated if isinstance(stated, int) and stated > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    settings: Settings
    model: Path

    def choose_input(self) -> Port:
        image = self.find("input", self.inputs) if self.settings.input else self._guess_input()
        if len(image.shape) != 4 or image.type not in _IMAGES:
            raise self.make_error(f"input '{image.name}' takes no batch of images of floats or bytes")
        if len(self.inputs) > 1:
            others = ", ".join(port.name for port in self.inputs if port is not image)
            raise self.make_error(
                f"it needs more than the image: {others}; export the half that takes images alone"
            )
        return image

    def _guess_input(self) -> Port:
        found = [port for port in self.inputs if len(port.shape) == 4 and port.type in _IMAGES]
        if len(found) != 1:
            raise self.make_error(f"{len(found)} of its inputs could take images")
        return found[0]

    def choose_layout(self, image: Port) -> Literal["NCHW", "NHWC"]:
        first, last = _is_channels(image.shape[1]), _is_channels(image.shape[3])
        layout = self.settings.layout or ("NHWC" if last else "NCHW")
        if not self.settings.layout and first == last:
            raise self.make_error(f"the order of the axes of '{image.name}' is not clear")
        stated = image.shape[1 if layout == "NCHW" else 3]
        if isinstance(stated, int) and stated != 3:
            raise self.make_error(f"'{image.name}' has {stated} channels in the layout {layout}; expected 3")
        return layout

    def choose_output(self) -> Port:
        if self.settings.output:
            return self.find_output("output")
        found = [
            port
            for port in self.outputs
            if len(port.shape) == 2 and port.type in _FLOATS and port.name != self.settings.attention
        ]
        named = [port for port in found if port.name in _EMBEDDINGS]
        choice = found if len(found) == 1 else named
        if len(choice) != 1:
            raise self.make_error(f"{len(found)} of its outputs could be the embedding")
        return choice[0]

    def find_output(self, field: Literal["output", "attention"]) -> Port:
        port = self.find(field, self.outputs)
        if port.type not in _NUMBERS:
            raise self.make_error(
                f"output '{port.name}' is {port.type}; expected a tensor of floats or integers, such as"
                " tensor(float), to which a graph can cast it"
            )
        return port

    def find(self, field: Literal["input", "output", "attention"], ports: tuple[Port, ...]) -> Port:
        wanted: str = getattr(self.settings, field)
        found = next((port for port in ports if port.name == wanted), None)
        if found is None:
            raise self.make_error(f"{field} is stated as '{wanted}', which it does not have")
        return found

    def make_error(self, what: str) -> EncoderError:
        file = settings_file(self.model)
        lines = [f"'{self.model}' cannot be used as it is: {what}; state what applies in '{file}', e.g."]
        lines += [f"  {line}" for line in self._list_lines()]
        lines += ["inputs of the graph:", *(f"  {port.describe()}" for port in self.inputs)]
        lines += ["outputs of the graph:", *(f"  {port.describe()}" for port in self.outputs)]
        return EncoderError("\n".join(lines))

    def _list_lines(self) -> list[str]:
        image = next((port for port in self.inputs if len(port.shape) == 4), None)
        lines = [f'input = "{image.name if image else "…"}"', f'output = "{self._name_output()}"']
        if image is None or _is_channels(image.shape[1]) == _is_channels(image.shape[3]):
            lines.append('layout = "NCHW"  # or "NHWC"')
        if image is None or image.type != "tensor(uint8)":
            lines.append(
                "mean = [0.48145466, 0.4578275, 0.40821073]  # CLIP's; [0, 0, 0] if the graph does it"
            )
            lines.append("deviation = [0.26862954, 0.26130258, 0.27577711]  # CLIP's; else [1, 1, 1]")
        return lines

    def _name_output(self) -> str:
        usable = [port for port in self.outputs if port.type in _NUMBERS]
        ranked = sorted(usable, key=lambda port: (port.name not in _EMBEDDINGS, len(port.shape) != 2))
        return ranked[0].name if ranked else "…"


def _is_channels(stated: int | str | None) -> bool:
    return stated == 3 or (isinstance(stated, str) and "channel" in stated.lower())
