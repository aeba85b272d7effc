"""Explain: where in the network of an encoder the shifts of a run arise, as a study of its folder."""

from embshift.measurement.studies.explain.study import explain_run
from embshift.measurement.studies.explain.texts import TextRequest

__all__ = ["TextRequest", "explain_run"]
