"""The encoder that is a service: it is sent images over HTTP, and returns embeddings."""

import base64
import threading
from collections.abc import Mapping
from typing import Any, final

import cv2
import numpy as np
import torch
from jaxtyping import Float32

from embshift.core.encoding import AnyViews, Encoder, Encoding, to_numpy
from embshift.core.errors import EncoderError
from embshift.core.services import is_service_address, is_settings_file, strip_address
from embshift.core.types import Capture, EncoderSpec, Pixels, Views
from embshift.encoders import encoder
from embshift.encoders.plain import check_plain, encode_without_map
from embshift.encoders.service.requests import Requests
from embshift.encoders.service.settings import Settings, read_settings
from embshift.encoders.service.threads import map_in_threads

__all__ = ["ServiceEncoder", "open_service"]

_COMPRESSION = 3  # of 9 in zlib: takes a tenth of the time of 9, for files a few per cent larger


def _is_service(source: str) -> bool:
    # By the text alone: what is trusted must not depend on what a file holds at the moment.
    return is_service_address(source) or is_settings_file(source)


@encoder(
    name="service",
    summary="a service that returns embeddings over HTTP, such as vLLM, infinity, Jina or Voyage",
    embedding="what it returns",
    map_source="none",
    written="https://host/path or service.toml",
    matches=_is_service,
    trust="remote",
)
def open_service(
    source: str,
    /,
    *,
    device: str,
    allow_pickle: bool,
    precision: str = "float32",
    runtime: str = "torch",
) -> Encoder:
    """Open a service, and ask it for the embedding of one grey image.

    Args:
        source: Its address, or a TOML file with a table ``[service]``.
        device: No effect: the service computes.
        allow_pickle: No effect: nothing is read from a file.
        precision: "float32": what the service computes in is its own affair.
        runtime: "torch", for the same reason.

    Raises:
        EncoderError: If the service gives no embedding, a setting is wrong, or another precision or runtime
            is asked for.
        PlanError: If the address holds more than scheme, host, port and path.
    """
    del device, allow_pickle
    check_plain(strip_address(source), precision=precision, runtime=runtime)
    return ServiceEncoder(read_settings(source), name=source)


@final
class ServiceEncoder:
    """A service as an encoder; its embedding is what it returns, and it has no map.

    Args:
        settings: How the service is asked.
        name: What the user gave.

    Raises:
        EncoderError: If it gives no embedding of a grey image.
    """

    def __init__(self, settings: Settings, *, name: str) -> None:
        self._settings, self._requests = settings, Requests(settings)
        grey = _to_png(np.full((224, 224, 3), 128, dtype=np.uint8))
        dim = self._requests.ask([grey], stop=threading.Event(), patient=False).shape[1]
        self._spec = EncoderSpec(
            name=name,
            family="service",
            dim=dim,
            embedding="what it returns",
            map_name="",
            map_source="",
            layers=0,
            heads=0,
            digest="",
            preprocessing=_describe(settings),
            precision="float32",
            device="cpu",
        )

    @property
    def spec(self) -> EncoderSpec:
        """How the encoder states itself."""
        return self._spec

    def encode(self, views: AnyViews, /, *, capture: Capture) -> Encoding:
        """Return the embeddings of a batch of views, asked for in several requests at once.

        Args:
            views: Images of one size, at least one.
            capture: No effect: there is nothing but the embedding.

        Raises:
            EncoderError: If the service does not give them.
        """
        del capture
        images = to_numpy(views)
        asked = images[: _count_without_padding(images)]
        rows = np.minimum(np.arange(len(images)), len(asked) - 1)
        embedding = torch.from_numpy(self._ask(asked)[rows])
        return encode_without_map(embedding, images)

    def _ask(self, images: Views) -> Float32[np.ndarray, "views dim"]:
        size, stop = self._settings.batch, threading.Event()
        parts = [images[start : start + size] for start in range(0, len(images), size)]

        def ask(part: Views) -> Float32[np.ndarray, "views dim"]:
            found = self._requests.ask([_to_png(one) for one in part], stop=stop)
            if found.shape[1] != self._spec.dim:
                raise EncoderError(
                    f"the service {self._settings.url} gave embeddings of length {found.shape[1]}; expected"
                    f" {self._spec.dim}, as for its first image: it has changed; measure into another --out"
                )
            return found

        return np.concatenate(map_in_threads(ask, parts, threads=self._settings.concurrency, stop=stop))


def _count_without_padding(images: Views) -> int:
    """Return how many images there are before the repeats at the end, which only fill up a batch."""
    count = len(images)
    while count > 1 and np.array_equal(images[count - 1], images[count - 2]):
        count -= 1
    return count


def _to_png(image: Pixels) -> str:
    ok, encoded = cv2.imencode(".png", image[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    if not ok:
        raise EncoderError(f"OpenCV cannot write an image of {image.shape} as PNG")
    return base64.b64encode(encoded.tobytes()).decode()


def _describe(settings: Settings) -> Mapping[str, Any]:
    """Return what a run records, and what it is continued with; the key is no part of it."""
    template = settings.template
    own = {"body": template.body, "image": template.image, "answer": template.answer}
    described: dict[str, Any] = {
        "backend": "the service's own, which may change at any time",
        "url": settings.url,
        "template": template.name,
        "model": settings.model,
        "images": "PNG at the image size of the run",
    }
    optional = {"parameters": settings.parameters, "query": settings.query}
    described |= {name: dict(value) for name, value in optional.items() if value}
    return described | (own if template.name == "own" else {})
