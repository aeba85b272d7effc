"""Images at addresses: listed, read, and read ahead of where they are needed."""
