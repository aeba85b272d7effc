"""``python -m embshift``."""

from embshift.cli import program

if __name__ == "__main__":
    program()
