"""Verify: check a run folder, its inputs and its encoder, and drop what is damaged."""

from embshift.measurement.verify.check import verify_run
from embshift.measurement.verify.verdict import Fault, Verdict

__all__ = ["Fault", "Verdict", "verify_run"]
