"""Runs beside each other: values of each image, and intervals of their differences."""
