"""`python -m tests.fuzz decode|presets [options of libFuzzer]`; it needs `pip install atheris`."""

import sys
from pathlib import Path


def main(name: str, options: list[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["embshift", "PIL", "tomllib"]):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], str(Path(__file__).parent / "corpus" / name), *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
