"""Plots: one registered figure each."""
