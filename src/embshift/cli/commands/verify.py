"""``embshift verify``."""

import argparse

from embshift.cli.output.terminal import print_text

__all__ = ["verify"]

_UNSOUND = 1


def verify(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift verify``."""
    from embshift.measurement.verify import verify_run

    verdict = verify_run(
        parsed.run,
        repair=parsed.repair,
        inputs=not parsed.folder_only,
        allow_code=parsed.allow_code,
        allow_remote=parsed.allow_remote,
    )
    lines = str(verdict).splitlines()
    print_text("\n".join(lines[-1:] if parsed.quiet and verdict.sound else lines))
    return 0 if verdict.sound else _UNSOUND
