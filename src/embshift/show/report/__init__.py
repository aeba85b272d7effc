"""The report: one file made from a run folder alone, for reading without a network. Never imports torch."""

from embshift.show.report.page import write_report

__all__ = ["write_report"]
