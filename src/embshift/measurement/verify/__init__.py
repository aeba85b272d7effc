"""A run folder held against itself, its inputs and its encoder; and what is broken dropped."""

from embshift.measurement.verify.check import verify_run
from embshift.measurement.verify.verdict import Fault, Verdict

__all__ = ["Fault", "Verdict", "verify_run"]
