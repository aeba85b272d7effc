"""Decodes every file of a list in a process of its own, where what pytest holds costs nothing, and says how.

`python -m tests.faults.decode_all LIST` prints JSON: rows, statuses, seconds, slowest, peak and growth in MB.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path

from embshift.images import Limits, decode, list_sources


def peak_mb() -> float:
    # Not getrusage: what it tells begins with the peak of the process that started this one.
    told = Path("/proc/self/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def main(listed: Path) -> None:
    records = list_sources([listed])
    statuses, uncaught = Counter[str](), list[str]()
    slowest, before, started = 0.0, peak_mb(), time.perf_counter()
    for record in records:
        began = time.process_time()  # what one picture costs, however busy the machine is
        try:
            found = decode(record, limits=Limits())
            statuses[found.status] += 1
            if (found.status == "ok") != (found.pixels is not None) or (found.error is None) != (
                found.status == "ok"
            ):
                uncaught.append(f"{record.member}: {found.status} without what belongs to it")
            del found
        except BaseException as error:  # noqa: BLE001 - whatever comes through is what is looked for
            uncaught.append(f"{record.member}: {error!r}")
        slowest = max(slowest, time.process_time() - began)
    answer = {
        "rows": len(records),
        "statuses": statuses,
        "uncaught": uncaught,
        "seconds": time.perf_counter() - started,
        "slowest": slowest,
        "peak_mb": peak_mb(),
        "growth_mb": peak_mb() - before,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
