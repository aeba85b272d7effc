"""What a comparison of runs looks like: its figures, and its page."""
