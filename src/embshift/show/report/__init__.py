"""Report: one HTML file made from a run folder alone, for reading without a network."""
