"""The part of a hub that a download needs, on this machine: one repository's listing and its files."""

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def hash_file(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    name = ""
    folder = None
    asked = []

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        self.asked.append(path)
        if path in (f"/api/models/{self.name}", f"/api/models/{self.name}/revision/main"):
            return self.answer(json.dumps(self.listing()).encode(), {})
        prefix = f"/{self.name}/resolve/"
        if path.startswith(prefix) and (self.folder / path.rsplit("/", 1)[1]).is_file():
            content = (self.folder / path.rsplit("/", 1)[1]).read_bytes()
            etag = hashlib.sha256(content).hexdigest()
            return self.answer(content, {"X-Repo-Commit": "c" * 40, "ETag": f'"{etag}"'})
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        return self.end_headers()

    def listing(self):
        files = [
            {"rfilename": file.name, "lfs": {"sha256": hash_file(file), "size": 1, "pointerSize": 1}}
            for file in sorted(self.folder.iterdir())
        ]
        stated = {"id": self.name, "modelId": self.name, "sha": "c" * 40, "tags": [], "downloads": 0}
        return {**stated, "siblings": files}

    def answer(self, content, headers):
        self.send_response(200)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@contextlib.contextmanager
def serve_folder(folder, *, name):
    """Serve a folder as a repository; yields the hub's address and the list of requested paths."""
    handler = type("Served", (Handler,), {"name": name, "folder": folder, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
