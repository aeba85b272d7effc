"""Runs that are stopped from outside, each a fork of one process that has imported everything already.

`python -m tests.faults.driver FOLDER COUNT SIGNAL SEED COMMAND…` measures once undisturbed in FOLDER/whole.
Then it starts the same command again and again in FOLDER/0, FOLDER/1, … and sends the signal at a random
moment of each start, COUNT times; a folder is left for the next when its run is finished. Prints JSON.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path


def started(arguments: list[str]) -> int:
    """A child in a process group of its own that runs the command; no thread was started before the fork."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)  # the parent's answer alone stands there
    from embshift.cli import main

    code = 70
    try:
        code = main(arguments)
    finally:
        os._exit(code)


def ended(child: int, *, within: float) -> int | None:
    """The exit code, or minus the signal that ended it; None where it still runs after so many seconds."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


def living(group: int) -> bool:
    """Whether a process of the group stays; a worker sees that its parent has gone once it has imported."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.02)
    os.killpg(group, signal.SIGKILL)
    return True


def stopped(arguments: list[str], *, number: int, after: float) -> dict[str, object]:
    child, began = started(arguments), time.monotonic()
    code = ended(child, within=after)
    if code is not None:
        seconds = time.monotonic() - began
        return {"code": code, "seconds": seconds, "sent": False, "orphans": living(child)}
    began = time.monotonic()
    os.kill(child, number)
    code = ended(child, within=60)
    seconds = time.monotonic() - began
    return {"code": code, "seconds": seconds, "sent": True, "orphans": living(child)}


def main(folder: Path, count: int, number: int, seed: int, command: list[str]) -> dict[str, object]:
    rng, began = random.Random(seed), time.monotonic()
    child = started([*command, "--out", str(folder / "whole")])
    whole = ended(child, within=300)
    duration = time.monotonic() - began
    stops, folders, sent = list[dict[str, object]](), [str(folder / "0")], 0
    while sent < count:
        arguments, fresh = [*command, "--out", folders[-1]], not Path(folders[-1]).exists()
        stop = stopped(arguments, number=number, after=rng.uniform(0.02, 0.9) * duration)
        stops.append(stop)
        sent += bool(stop["sent"])
        if (
            fresh and not stop["sent"]
        ):  # the machine is quicker now than it was: aim at its whole length again
            duration = min(duration, float(str(stop["seconds"])))
        if stop["code"] == 0 and sent < count:
            folders.append(str(folder / str(len(folders))))
    last = ended(started([*command, "--out", folders[-1]]), within=300)
    return {"whole": whole, "seconds": duration, "stops": stops, "folders": folders, "last": last}


if __name__ == "__main__":
    # What commands import late; only then is a start as quick as a fork.
    import embshift.encoders.open
    import embshift.measurement.session.carry_out
    import embshift.transforms.albumentations.adapter  # noqa: F401

    place, times, which, start = sys.argv[1:5]
    print(json.dumps(main(Path(place), int(times), int(which), int(start), sys.argv[5:])))
