"""``python -m embshift``."""

import sys

from embshift.cli import main

if __name__ == "__main__":
    sys.exit(main())
