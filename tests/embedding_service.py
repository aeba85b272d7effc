"""A service on this machine that returns embeddings, and that can be told to misbehave."""

import base64
import io
import json
import threading
from collections import deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

DIM = 7


def embed(pixels):
    """The embedding of one image, by the library of the service: moments of the pixels."""
    values = pixels.astype(np.float64) / 255
    height, width = values.shape[:2]
    ramp = np.linspace(-1, 1, width)[None, :, None]
    return [
        *values.mean(axis=(0, 1)),
        *values.std(axis=(0, 1)),
        float((values * ramp).mean()) + height / width,
    ]


def read_image(text):
    data = text.partition("base64,")[2] or text
    with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def find_images(content):
    """Every image of a request, wherever its template puts it."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        return [image for each in content for image in find_images(each)]
    if isinstance(content, str) and (content.startswith("data:image/png;base64,") or len(content) > 60):
        return [read_image(content)]
    return []


def embeddings_form(vectors):
    return {"data": [{"index": at, "embedding": one} for at, one in enumerate(vectors)]}


class Service(ThreadingHTTPServer):
    """Embeds what it is sent; each behaviour in ``faults`` is used up by one request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.images, self.faults = [], [], deque()
        self.always = None
        self.answer, self.change = embeddings_form, lambda vectors: vectors
        self.guard = threading.Lock()
        self.running = self.most = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1/embeddings"

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is no news


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        service = self.server
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        images = find_images(content)
        with service.guard:
            service.running += 1
            service.most = max(service.most, service.running)
            service.requests.append((self.path, dict(self.headers), content))
            service.images += images
            fault = service.faults.popleft() if service.faults else service.always
        vectors = service.change([embed(one) for one in images])
        try:
            (fault or answer)(self, service.answer(vectors))
        finally:
            with service.guard:
                service.running -= 1


def send(handler, body, *, status=200, length=None, **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def answer(handler, content):
    send(handler, json.dumps(content).encode())


# Faults ----------------------------------------------------------------------------------------------------


def refuse(status, body=b"", **headers):
    return lambda handler, _: send(handler, body, status=status, **headers)


def say(body):
    return lambda handler, _: send(handler, body)


def cut_off(handler, content):
    body = json.dumps(content).encode()
    send(handler, body[: len(body) // 2], length=len(body))


def cut_quietly(handler, content):
    body = json.dumps(content).encode()
    send(handler, body[: len(body) // 2])


def hang_up(handler, _):
    handler.connection.close()


def lose_one(handler, content):
    answer(handler, {"data": content["data"][1:]})


def shuffle(handler, content):
    answer(handler, {"data": content["data"][::-1]})


def echo_headers(handler, _):
    send(handler, json.dumps({"error": dict(handler.headers)}).encode(), status=500)


@contextmanager
def serve():
    """Run a service in a thread of this process."""
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()
