"""Output: text for terminals, pipes and files; messages and progress."""
