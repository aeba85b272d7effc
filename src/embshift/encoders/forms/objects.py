"""Encoders of the user's own: a function, a network with its preparation, or an object that encodes."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast, final

import numpy as np
import torch
from jaxtyping import Float32
from PIL import Image

from embshift.core.addresses import code_digest, is_address, load_object, to_one_line
from embshift.core.encoding import AnyViews, Encoder, Encoding, to_numpy
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, EncoderSpec, Views
from embshift.encoders import encoder
from embshift.encoders.checked import CheckedEncoder, describe_type, name_errors
from embshift.encoders.devices import choose_device
from embshift.encoders.plain import check_plain, encode_without_map

__all__ = ["FunctionEncoder", "embed_with_module", "name_object", "open_object"]

Embed: TypeAlias = Callable[[Views], Any]
"""A user's function: images (n, height, width, 3) as uint8 to embeddings (n, dim)."""

_OTHER_FORMS = frozenset({"open_clip", "timm"})
_SIZE = (224, 224)
_READ_OUTS = ("image_embeds", "pooler_output")
_METHODS = ("encode_image", "get_image_features")
_WANTED = (
    "expected a function of images (uint8, n × height × width × 3) to embeddings (n × dim), a pair of a torch"
    " module and its preparation of one PIL image, or an object with 'spec' and 'encode'"
)


def _is_own(source: str) -> bool:
    return is_address(source) and source.partition(":")[0] not in _OTHER_FORMS


@encoder(
    name="object",
    summary="a function, network or object of one's own, by its address or from Python",
    embedding="what it returns",
    map_source="none, unless the object gives one",
    written="package.module:name",
    matches=_is_own,
    trust="code",
)
def open_address(
    source: str,
    /,
    *,
    device: str,
    allow_pickle: bool,
    precision: str = "float32",
    runtime: str = "torch",
) -> Encoder:
    """Open the object at an address "package.module:name", as `open_object` does.

    Args:
        source: The address.
        device: "auto", or a device as torch spells it; for a network.
        allow_pickle: No effect: nothing is read from a file.
        precision: "float32": what the object computes in is its own affair.
        runtime: "torch", for the same reason.

    Raises:
        EncoderError: If the object is no encoder, or another precision or runtime is asked for.
        PlanError: If there is no such object.
    """
    del allow_pickle
    check_plain(source, precision=precision, runtime=runtime)
    return open_object(load_object(source), name=source, device=device)


def name_object(thing: Any, /) -> str:
    """Return what names an object in a plan where no address leads to it: its type's or function's name.

    A pair of a module and its preparation is named by the module.
    """
    thing = cast(tuple[Any, ...], thing)[0] if isinstance(thing, tuple) and thing else thing
    own = getattr(thing, "__qualname__", type(thing).__qualname__)
    return f"memory:{''.join(letter if letter.isalnum() else '_' for letter in own)}"


def open_object(thing: Any, /, *, name: str, device: str, image_size: tuple[int, int] = _SIZE) -> Encoder:
    """Make an encoder of a user's object.

    Args:
        thing: A function of images (uint8, RGB, n × height × width × 3, at the run's image size) to
            embeddings (n × dim); a pair of a torch module and its preparation of one PIL image; or an object
            with ``spec`` and ``encode``, which is returned as it is.
        name: Its name in errors and in the run.
        device: "auto", or a device as torch spells it; a module is moved there.
        image_size: Height and width of the grey image that is tried first, in pixels.

    Raises:
        EncoderError: If the object is none of these.
    """
    if _encodes(thing):
        own = type(thing).__module__.partition(".")[0] == __name__.partition(".")[0]
        return thing if own else CheckedEncoder(thing, name=name)
    if isinstance(thing, tuple):
        return _open_pair(cast(tuple[Any, ...], thing), name=name, device=device, image_size=image_size)
    if isinstance(thing, torch.nn.Module):
        raise EncoderError(
            f"encoder '{name}' is a torch module alone, so how images are prepared is not known; give a pair"
            " of the module and a function that turns one PIL image into its input (3 × height × width)"
        )
    if isinstance(thing, type) or not callable(thing):
        raise EncoderError(f"encoder '{name}' is {describe_type(thing)}; {_WANTED}")
    return FunctionEncoder(thing, name=name, digest=_digest_code(thing), device="cpu", image_size=image_size)


def _encodes(thing: Any) -> bool:
    """Return whether an object states a spec and encodes, without asking it for the spec."""
    stated = hasattr(type(thing), "spec") or "spec" in getattr(thing, "__dict__", {})
    return stated and hasattr(type(thing), "encode") and not isinstance(thing, type)


def _open_pair(pair: tuple[Any, ...], *, name: str, device: str, image_size: tuple[int, int]) -> Encoder:
    if len(pair) != 2 or not isinstance(pair[0], torch.nn.Module) or not callable(pair[1]):
        kinds = f"a tuple of {', '.join(describe_type(one) for one in pair)}" if pair else "an empty tuple"
        raise EncoderError(f"encoder '{name}' is {kinds}; {_WANTED}")
    module, prepare = pair
    place = choose_device(device)
    code, embed = _digest_code(prepare), embed_with_module(module, prepare, device=place)
    digest = hashlib.sha256(f"{code}{_digest_weights(module)}".encode()).hexdigest() if code else ""
    return FunctionEncoder(embed, name=name, digest=digest, device=place, image_size=image_size)


def embed_with_module(module: torch.nn.Module, prepare: Callable[[Any], Any], /, *, device: str) -> Embed:
    """Return the function that prepares images one by one and embeds them with a module.

    The module's ``encode_image`` or ``get_image_features`` is called where it has one, else the module.

    Args:
        module: The network; put into evaluation mode and moved to the device.
        prepare: Turns one PIL image into a tensor, or a mapping with "pixel_values", of 3 × height × width or
            1 × 3 × height × width.
        device: A device as torch spells it.
    """
    module.eval().to(device)
    call = next((getattr(module, name) for name in _METHODS if hasattr(module, name)), module)

    def embed(images: Views) -> Any:
        inputs = [_to_input(prepare(Image.fromarray(one))) for one in images]
        with torch.inference_mode():
            return _read_out(call(torch.stack(inputs).to(device)))

    return embed


def _to_input(prepared: Any) -> torch.Tensor:
    tensor = prepared["pixel_values"] if isinstance(prepared, Mapping) else prepared
    tensor = torch.as_tensor(np.asarray(tensor) if isinstance(tensor, list) else tensor)
    return tensor[0] if tensor.ndim == 4 and len(tensor) == 1 else tensor


def _read_out(output: Any) -> Any:
    for name in _READ_OUTS:
        if getattr(output, name, None) is not None:
            return getattr(output, name)
    return output[0] if isinstance(output, tuple) else output


def _digest_weights(module: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for name, values in sorted(module.state_dict().items()):
        digest.update(f"{name}{tuple(values.shape)}{values.dtype}".encode())
        digest.update(values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _digest_code(thing: Any) -> str:
    """Return a digest of a function's source, or of its class's; empty where there is none.

    Only of a plain function: what an object or a closure holds cannot be read.
    """
    if getattr(thing, "__closure__", None):
        return ""
    return code_digest(thing) or ""


@final
class FunctionEncoder:
    """A user's function as an encoder; its embedding is what it returns, and it has no map.

    Args:
        embed: The function.
        name: Its name in errors and in the run.
        digest: Digest of its code and weights; empty where they cannot be read.
        device: What its spec names.
        image_size: Height and width of the grey image that is tried first, in pixels.

    Raises:
        EncoderError: If it fails on a grey image, or returns something else than embeddings.
    """

    def __init__(
        self, embed: Embed, *, name: str, digest: str, device: str, image_size: tuple[int, int]
    ) -> None:
        self._embed, self._name = embed, name
        dim = self._call(np.full((1, *image_size, 3), 128, dtype=np.uint8)).shape[1]
        self._spec = EncoderSpec(
            name=name,
            family="object",
            dim=dim,
            embedding="what it returns",
            map_name="",
            map_source="",
            layers=0,
            heads=0,
            digest=digest,
            preprocessing={"backend": "its own"},
            precision="float32",
            device=device,
        )

    @property
    def spec(self) -> EncoderSpec:
        """How the encoder states itself."""
        return self._spec

    def encode(self, views: AnyViews, /, *, capture: Capture) -> Encoding:
        """Return the embeddings of a batch of views.

        Args:
            views: Images of one size, at least one.
            capture: No effect: there is nothing but the embedding.

        Raises:
            EncoderError: If the function fails, or returns something else than embeddings.
        """
        del capture
        images = to_numpy(views)
        embedding = self._call(images)
        if embedding.shape[1] != self._spec.dim:
            raise EncoderError(
                f"encoder '{self._name}' returned {tuple(embedding.shape)} for images {images.shape};"
                f" expected ({len(images)}, {self._spec.dim}), as for the first image"
            )
        return encode_without_map(embedding, images)

    def _call(self, images: Views) -> Float32[torch.Tensor, "views dim"]:
        with name_errors(self._name, images.shape):
            # A copy: what a function does to its input must not reach the pixel metrics.
            returned = self._embed(images.copy())
        return self._check(returned, images)

    def _check(self, returned: Any, images: Views) -> Float32[torch.Tensor, "views dim"]:
        try:
            tensor = returned
            if not isinstance(tensor, torch.Tensor):
                tensor = torch.as_tensor(np.ascontiguousarray(np.asarray(returned)))
            if tensor.is_complex():
                raise TypeError("complex numbers")
            found = tensor.detach().to(device="cpu", dtype=torch.float32).contiguous()
        except (TypeError, ValueError, RuntimeError) as error:
            raise EncoderError(
                f"encoder '{self._name}' returned {describe_type(returned)} that is no array of numbers:"
                f" {to_one_line(error)}; expected embeddings (n × dim)"
            ) from error
        if found.ndim != 2 or len(found) != len(images) or not found.shape[1]:
            raise EncoderError(
                f"encoder '{self._name}' returned {tuple(found.shape)} for images {images.shape};"
                f" expected ({len(images)}, dim): one embedding for each image"
            )
        return found
