"""Runs measured by the actors of a Ray cluster: chunk numbers are handed out, and small answers come back."""
