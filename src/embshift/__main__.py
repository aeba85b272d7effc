"""The command ``python -m embshift``."""
# PYTHON_ARGCOMPLETE_OK

from embshift.cli import program

if __name__ == "__main__":
    program()
