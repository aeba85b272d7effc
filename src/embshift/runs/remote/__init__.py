"""Run folders in the stores of a cloud: a copy on this machine that is read and written in their place."""
