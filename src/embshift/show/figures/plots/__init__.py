"""Plots: the registered figures."""
