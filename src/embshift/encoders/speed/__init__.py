"""Speed: runtimes, half precision and faster modules."""
