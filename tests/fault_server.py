"""A web server on this machine that holds objects, and can be told to misbehave."""

import re
import socket
import struct
import threading
import time
from collections import deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FaultServer(ThreadingHTTPServer):
    """Serves ``objects`` by path; each behaviour in ``faults`` is used up by one request for a body."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects, self.etags, self.redirects = {}, {}, {}
        self.asked, self.headers, self.faults = [], [], deque()
        self.ranges = True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Say nothing where a client ends a connection."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        fault = self.server.faults.popleft() if self.server.faults else None
        if fault is None:
            self._answer()
        else:
            fault(self)

    def _answer(self, *, body=True, content_range=None, cut=None, slow=False):
        path = self.path
        self.server.asked.append((self.command, path, self.headers.get("Range")))
        self.server.headers.append(dict(self.headers))
        if path in self.server.redirects:
            self._send(302, {"Location": self.server.redirects[path]}, b"")
            return
        data = self.server.objects.get(path)
        if data is None:
            self._send(404, {}, b"nothing here")
            return
        told, status = {"ETag": self.server.etags[path]} if path in self.server.etags else {}, 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked and self.server.ranges:
            total, first = len(data), int(asked[1])
            if first >= total:
                self._send(416, {"Content-Range": f"bytes */{total}"}, b"")
                return
            last = min(int(asked[2] or total), total - 1)
            data, status = data[first : last + 1], 206
            told["Content-Range"] = content_range or f"bytes {first}-{last}/{total}"
        self._send(status, told, data, body=body, cut=cut, slow=slow)

    def _send(self, status, headers, data, *, body=True, cut=None, slow=False):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if not body or self.command == "HEAD":
            return
        if slow:
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(0.02)
            return
        self.wfile.write(data if cut is None else data[:cut])
        self.close_connection = self.close_connection or cut is not None


def busy(status=503, **headers):
    """Refuse for now."""
    return lambda handler: handler._send(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, b"later"
    )


def cut(after):
    """Send fewer bytes than were announced, and close."""
    return lambda handler: handler._answer(cut=after)


def slow(handler):
    """Send a byte at a time."""
    handler._answer(slow=True)


def wrong_range(text):
    """State another range than was asked for."""
    return lambda handler: handler._answer(content_range=text)


def reset(handler):
    """Reset the connection."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


@contextmanager
def serve_objects(objects=None):
    """Serve objects by path while the context is open."""
    server = FaultServer()
    server.objects.update(objects or {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
