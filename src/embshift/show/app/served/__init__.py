"""A run as the app sees it: read once, live where something makes it so, else as it was recorded."""
