"""A hub on this machine that holds data sets: what huggingface_hub asks of one, and files by ranges."""

import json
import re
import threading
from contextlib import contextmanager
from hashlib import sha1
from urllib.parse import parse_qs, quote, unquote

from tests.fault_server import FaultServer, Handler

COMMIT, OTHER = "a" * 40, "b" * 40


class HubHandler(Handler):
    def do_GET(self):
        path = unquote(self.path.partition("?")[0])
        if found := re.fullmatch(r"/api/datasets/o/n(?:/revision/(.+))?", path):
            self._tell_revision(found[1] or "main")
        elif found := re.fullmatch(rf"/api/datasets/o/n/tree/{COMMIT}(?:/(.*))?", path):
            self._tell_tree(found[1] or "")
        elif path.startswith("/api/"):
            self._send(404, {"X-Error-Code": "RepoNotFound"}, b"{}")
        else:
            super().do_GET()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = parse_qs(body).get("paths", [])
        found = [self._describe(path) for path in asked if path in self.server.files]
        self._send_json(found)

    def _tell_revision(self, revision):
        self.server.revisions.append(revision)
        if revision not in ("main", COMMIT, "refs/convert/parquet"):
            self._send(404, {"X-Error-Code": "RevisionNotFound"}, b"{}")
            return
        self._send_json({"id": "o/n", "sha": COMMIT, "private": False, "tags": [], "downloads": 0})

    def _tell_tree(self, folder):
        below = [path for path in self.server.files if path.startswith(f"{folder}/" if folder else "")]
        self._send_json([self._describe(path) for path in below])

    def _describe(self, path):
        data = self.server.files[path]
        return {"type": "file", "path": path, "size": len(data), "oid": sha1(data).hexdigest()}

    def _send_json(self, content):
        self._send(200, {"Content-Type": "application/json"}, json.dumps(content).encode())


@contextmanager
def serve_hub(files):
    """Serve the data set o/n while the context is open."""
    server = FaultServer()
    server.RequestHandlerClass = HubHandler
    server.files, server.revisions = dict(files), []
    below = f"/datasets/o/n/resolve/{COMMIT}"
    server.objects.update({f"{below}/{quote(path)}": data for path, data in files.items()})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
