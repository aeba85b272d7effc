"""``embshift work`` and ``embshift finish``: a run measured in parts."""

import argparse

from embshift.cli.commands.measure import finish as print_finished
from embshift.cli.options.plan_options import plan_options
from embshift.runs.addresses import run_path

__all__ = ["finish", "work"]


def work(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift work``."""
    from embshift.cli.output.progress import reporter
    from embshift.measurement.session.parts import measure_one_part, read_part
    from embshift.measurement.session.trust import Trust

    measure_one_part(
        run_path(parsed.run),
        read_part(parsed.part),
        options=plan_options(parsed),
        trust=Trust(code=parsed.allow_code, remote=parsed.allow_remote),
        reporter=reporter(quiet=parsed.quiet),
    )
    return 0


def finish(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift finish``."""
    from embshift.cli.output.progress import reporter
    from embshift.measurement.session.parts import finish_parts
    from embshift.measurement.session.trust import Trust
    from embshift.show.run import open_run

    folder = run_path(parsed.run)
    trust = Trust(code=parsed.allow_code, remote=parsed.allow_remote)
    finish_parts(folder, trust=trust, reporter=reporter(quiet=parsed.quiet))
    found = open_run(folder)
    return print_finished(found, max_error_rate=found.info["plan"]["max_error_rate"])
