"""Programs that serve on the loopback interface, and what they answer."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

SCRIPTS = Path(sys.executable).parent


def free_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


@contextlib.contextmanager
def serving(program, *arguments, port, ready, folder):
    """Start a program, wait until an address answers, and stop it in the end."""
    address = f"http://127.0.0.1:{port}"
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [SCRIPTS / program, *map(str, arguments)],
            stdout=log,
            stderr=log,
            env={**os.environ, "NO_COLOR": "1"},
        )
        try:
            for _ in range(600):
                assert process.poll() is None, (folder / "log").read_text()
                with contextlib.suppress(OSError):
                    fetch(address + ready)
                    break
                time.sleep(0.2)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)


def fetch(address, body=None):
    headers = {"Content-Type": "application/json"} if body else {}
    with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=60) as answer:
        return answer.read()
