"""How much is tried: little with all other tests, the full numbers on `make faults`."""

import os

FULL = os.environ.get("EMBSHIFT_FAULTS") == "full"


def amount(*, full: int, quick: int) -> int:
    return full if FULL else quick
