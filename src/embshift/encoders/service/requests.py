"""Requests to a service, repeated with growing waits until they are answered or it is given up."""

import hashlib
import itertools
import json
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float32

from embshift.core.errors import EncoderError
from embshift.core.remote.faults import PASSING, read_wait
from embshift.encoders.service.answers import WrongAnswerError, read_embeddings
from embshift.encoders.service.exchange import Exchange, NoAnswerError, Reply
from embshift.encoders.service.settings import Settings
from embshift.encoders.service.templates import fill_template

__all__ = ["Requests"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """Why a request gave no embeddings.

    Attributes:
        text: The reason, without the key.
        passing: Whether another try can fare better.
        wait: Seconds that the service asks to wait; 0 for none.
    """

    text: str
    passing: bool
    wait: float = 0.0


@final
class Requests:
    """Asks a service for embeddings.

    Args:
        settings: How it is asked.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, self._exchange = settings, Exchange(settings)

    def ask(
        self, images: Sequence[str], /, *, stop: threading.Event, patient: bool = True
    ) -> Float32[np.ndarray, "images dim"]:
        """Return the embeddings of images, in their order.

        Args:
            images: PNG files in base64.
            stop: Ends the waiting once it is set.
            patient: Whether a service that cannot be reached at all is tried again.

        Raises:
            EncoderError: If the service gives none, also after all repeats.
        """
        settings = self._settings
        content = dict(settings.parameters) | fill_template(settings.template, images, model=settings.model)
        text = json.dumps(content)
        jitter = random.Random(hashlib.sha256(text.encode()).hexdigest())  # alike in every run, unlike others
        body = settings.key.fill_json(text).encode()
        for attempt in itertools.count():
            found = self._try(body, count=len(images), patient=patient)
            if not isinstance(found, _Failure):
                return found
            wait = self._choose_wait(found, attempt, jitter)
            if wait is None or stop.wait(wait):
                raise EncoderError(self._explain(found, count=len(images), tries=attempt + 1))
        raise AssertionError  # itertools.count has no end

    def _try(
        self, body: bytes, *, count: int, patient: bool
    ) -> "Float32[np.ndarray, 'images dim'] | _Failure":
        try:
            reply = self._exchange.post(body)
            if reply.status != 200:
                return self._read_refusal(reply)
            return read_embeddings(reply.content, path=self._settings.template.answer, count=count)
        except NoAnswerError as error:
            passing = not error.final and (patient or error.reached)
            return _Failure(text=str(error), passing=passing)
        except WrongAnswerError as error:
            told = self._settings.key.scrub(str(error))
            return _Failure(text="".join(filter(str.isprintable, told)), passing=True)

    def _read_refusal(self, reply: Reply) -> _Failure:
        said = " ".join(reply.content.decode("utf-8", "replace").split())
        said = "".join(letter for letter in self._settings.key.scrub(said) if letter.isprintable())[:200]
        hint = _HINTS.get(reply.status, "")
        if reply.status in (401, 403):
            hint = "the key is refused" if self._settings.key else "it needs a key: see key_variable"
        text = f"status {reply.status}" + (f" ({hint})" if hint else "") + (f": {said}" if said else "")
        wait = read_wait(reply.headers.get("retry-after", ""))
        return _Failure(text=text, passing=reply.status in PASSING, wait=wait)

    def _choose_wait(self, failure: _Failure, attempt: int, jitter: random.Random) -> float | None:
        """Return the seconds before the next try; None where it is given up."""
        settings = self._settings
        if not failure.passing or attempt == settings.retries or failure.wait > settings.longest_wait:
            return None
        grown = min(settings.first_wait * 2**attempt, settings.longest_wait) * jitter.uniform(0.5, 1.0)
        return max(grown, failure.wait)

    def _explain(self, failure: _Failure, *, count: int, tries: int) -> str:
        images = "1 image" if count == 1 else f"{count:,} images"
        times = "once" if tries == 1 else f"{tries} times"
        long = failure.wait > self._settings.longest_wait
        asked = f"; it asks to wait {failure.wait:,.0f} s, longer than longest_wait" if long else ""
        return (
            f"the service {self._settings.url}, asked {times} for the embeddings of {images}, failed:"
            f" {failure.text}{asked}; what is committed stays, and the same command continues from there"
        )


_HINTS = {
    400: "the request is not as it expects: see template",
    404: "is the path right?",
    405: "it takes no POST there: is the path right?",
    413: "the request is too large: lower batch",
    422: "the request is not as it expects: see template",
    429: "too many requests",
}
