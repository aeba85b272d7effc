"""Session: one run folder's work, from an empty folder to a finished run."""
