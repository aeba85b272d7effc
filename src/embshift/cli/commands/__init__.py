"""One function for each command: results on standard output, messages on standard error.

These modules are light; what a command needs is imported when it is called.
"""
