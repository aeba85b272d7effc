"""Python that is not let out: every look-up and connection beyond loopback is written down and refused.

Processes that it starts are watched, too: the hook stands in a `sitecustomize` that all of them import.
"""

import os
import subprocess
import sys
from pathlib import Path

HOOK = """
import ipaddress, os, sys

def _beyond(host):
    try:
        return not ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return str(host) not in ("localhost", "")

def _watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.bind"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    else:
        return
    if host is not None and _beyond(host):
        with open(os.environ["EMBSHIFT_WATCH"], "a") as log:
            log.write(f"{event} {host}\\n")
        raise OSError(f"{event} to {host} is not allowed here")

sys.addaudithook(_watch)
"""


def watched(
    code: str, folder: Path, **environment: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run code in a process that is not let out; returns what it said, and where it wanted to go."""
    place = folder / "hook"
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(HOOK)
    log = folder / "watched.log"
    log.write_text("")
    usual = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "NO_ALBUMENTATIONS_UPDATE")}
    path = os.pathsep.join([str(place), *filter(None, [os.environ.get("PYTHONPATH")])])
    more = {"EMBSHIFT_WATCH": str(log), "PYTHONPATH": path, **environment}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=usual | more,
        timeout=300,
        check=False,
    )
    return done, log.read_text().splitlines()
