"""Record: chunks of results are committed whole or not at all."""
