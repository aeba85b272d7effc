"""Names of everything that can be chosen, read without importing what registers them."""
