"""Layout: the parts of a plot, such as panels, labels, scales and colours."""
