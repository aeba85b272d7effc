"""`python -m tests.faults [options of pytest]`: everything with the full numbers, and a table of it."""

import os
import sys
from collections import defaultdict

import pytest

F, U = "tests/faults/", "tests/unit/"

ROWS: dict[str, tuple[str, ...]] = {
    "zero bytes, HTML, wrong suffix": (f"{F}test_input.py::test_good_and_bad",),
    "truncated file": (f"{F}test_input.py::test_no_cut", f"{U}test_decode.py::TestTruncation"),
    "bit rot of an input": (f"{F}test_verify.py::test_the_one_input",),
    "bit rot of a result": (f"{F}test_verify.py::test_one_flipped_bit",),
    "anything else changed in a run folder": (f"{F}test_verify.py",),
    "bombs, extreme aspect": (f"{F}test_input.py::test_bombs", f"{U}test_decode.py::TestBombs"),
    "formats: Pillow's own test images": (f"{F}test_input.py::test_other_peoples_broken_pictures[pillow",),
    "formats: JPEG XL's test data": (f"{F}test_input.py::test_other_peoples_broken_pictures[libjxl",),
    "formats: each": (f"{U}test_decode.py::TestFormats", f"{U}test_decode.py::TestNoPicture"),
    "mutated pictures": (f"{F}test_input.py::test_mutated",),
    "16 bits, float": (f"{U}test_decode.py::TestDepth",),
    "alpha, CMYK, palette, profile": (f"{U}test_decode.py::TestColour",),
    "orientation": (f"{U}test_decode.py::TestOrientation",),
    "names: equal, no text, control characters": (f"{F}test_input.py::test_any_name",),
    "loops, devices, sockets, vanished files": (
        f"{F}test_input.py::test_a_tree",
        f"{F}test_input.py::test_a_file_that_vanishes",
        f"{U}test_listing.py::test_a_tree",
        f"{U}test_listing.py::test_an_unreadable",
        f"{U}test_listing.py::test_a_vanished",
    ),
    "kill -9": (f"{F}test_stops.py::test_killed",),
    "a picture that ends, holds or fills its worker": (
        f"{F}test_processes.py::test_seven",
        f"{F}test_processes.py",
        f"{U}test_workers.py",
    ),
    "accelerator out of memory": (f"{F}test_batches.py::test_out_of_memory",),
    "embeddings that are not finite": (f"{F}test_batches.py::test_not_finite",),
    "Ctrl-C": (f"{F}test_stops.py::test_signals_end_it_within_ten_seconds[2",),
    "SIGTERM": (f"{F}test_stops.py::test_signals_end_it_within_ten_seconds[15",),
    "same bits: workers, chunks, order": (f"{F}test_same_bits.py::test_workers",),
    "changed plan, encoder or code": (
        f"{F}test_same_bits.py::test_a_changed",
        f"{F}test_same_bits.py::test_another_encoder",
        "tests/integration/test_continuing.py",
    ),
    "library drift": (
        f"{F}test_same_bits.py::test_another_version",
        f"{U}transforms/test_golden_views.py",
    ),
    "input changed under a run": (f"{F}test_same_bits.py::test_a_picture",),
    "disk full": (f"{F}test_disk.py",),
    "very many pictures": (f"{F}test_many.py",),
    "two writers": (f"{U}test_sinks.py::TestLock", "tests/integration/test_interruption.py::test_two"),
    "randomness": (f"{U}test_seeding.py", "tests/properties/test_seeds.py"),
    "what must hold for any input (hypothesis)": ("tests/properties",),
    "connections beyond loopback": (
        f"{F}test_network.py::test_the_watch",
        f"{F}test_network.py::test_importing",
        f"{F}test_network.py::test_albumentations",
        f"{F}test_network.py::test_the_whole_job",
        f"{F}test_network.py::test_nor",
    ),
    "pickles, code beside a checkpoint": (
        f"{F}test_network.py::test_a_canary",
        f"{F}test_network.py::test_code",
        f"{U}encoders/test_checkpoints.py",
    ),
    "hostile run folders": (f"{F}test_hostile_folders.py",),
    "damage, and one repair for it": (f"{F}test_damaged_runs.py",),
    "modules planted in the working folder": (f"{F}test_working_folder.py",),
    "terminal escapes": (f"{F}test_escapes.py::test_no_command", f"{F}test_escapes.py::test_a_strangers"),
    "CSV formulas": (f"{F}test_escapes.py::test_no_cell",),
}
"""Faults, and the tests that try them; a test counts in the first row that names it."""

HEADER = ("fault", "tried", "survived", "lost", "measured")


class Table:
    """Hears every test's report, and adds it up by row."""

    def __init__(self) -> None:
        self.tried, self.lost = defaultdict[str, int](int), defaultdict[str, int](int)
        self.measured, self.skipped = defaultdict[str, list[str]](list), defaultdict[str, int](int)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown" or (report.when == "setup" and report.passed):
            return
        row = next((row for row, ids in ROWS.items() if report.nodeid.startswith(ids)), None)
        if row is None:
            return
        told = dict(report.user_properties)
        if report.skipped:
            self.skipped[row] += 1
            return
        self.tried[row] += int(told.get("tried", 1))
        self.lost[row] += int(told.get("lost", 0)) or int(report.failed)
        if told.get("measured"):
            self.measured[row].append(str(told["measured"]))

    def lines(self) -> list[tuple[str, ...]]:
        return [self.line(row) for row in ROWS]

    def line(self, row: str) -> tuple[str, ...]:
        tried, lost = self.tried[row], self.lost[row]
        notes = list(dict.fromkeys(self.measured[row]))
        more = [f"and {len(notes) - 2} more"] * (len(notes) > 2)
        said = "; ".join(
            [*notes[:2], *more, *([f"{self.skipped[row]} skipped"] if self.skipped[row] else [])]
        )
        if not tried:
            return (row, "not run", "", "", said)
        return (row, f"{tried:,}", f"{tried - lost:,}", f"{lost:,}", said)


def main(arguments: list[str]) -> int:
    os.environ["EMBSHIFT_FAULTS"] = "full"
    table = Table()
    paths = dict.fromkeys(one.partition("::")[0] for ids in ROWS.values() for one in ids)
    chosen = [one for one in paths if os.path.exists(one)]
    code = pytest.main(["-q", "--no-header", "--tb=short", *chosen, *arguments], plugins=[table])
    lines = [HEADER, *table.lines()]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEADER))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
