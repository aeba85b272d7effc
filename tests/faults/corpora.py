"""Pictures that others have collected to break decoders: fetched from package registries, kept under build/.

`python -m tests.faults.corpora` fetches what is not there; nothing else in the tests needs a connection.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "build" / "corpora"


def _pillow(into: Path, work: Path) -> None:
    """The test images in Pillow's source archive, of the version that is installed."""
    import PIL

    wanted = ["--no-deps", "--no-binary", ":all:", "--dest", str(work), f"pillow=={PIL.__version__}"]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *wanted], check=True)
    with tarfile.open(next(work.glob("pillow-*.tar.gz"))) as archive:
        for member in archive:
            inside = member.name.partition("/Tests/images/")[2]
            if member.isfile() and inside:
                target = into / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.extractfile(member) as source, target.open("wb") as file:  # type: ignore[union-attr]
                    shutil.copyfileobj(source, file)


def _debian(package: str, folder: str) -> Callable[[Path, Path], None]:
    def fetch(into: Path, work: Path) -> None:
        subprocess.run(["apt-get", "download", "-qq", package], cwd=work, check=True)
        subprocess.run(["dpkg-deb", "-x", str(next(work.glob("*.deb"))), str(work / "x")], check=True)
        shutil.copytree(work / "x" / folder, into, dirs_exist_ok=True)

    return fetch


CORPORA: dict[str, Callable[[Path, Path], None]] = {
    "pillow": _pillow,
    "libjxl": _debian("libjxl-testdata", "usr/share/libjxl-testdata"),
    "afl": _debian("afl++-doc", "usr/share/doc/afl++-doc/afl/testcases/images"),
}


def corpus(name: str) -> list[Path]:
    """Every file of a corpus, sorted; the test is skipped where it was not fetched."""
    folder = ROOT / name
    if not folder.is_dir():
        pytest.skip(f"corpus {name} is not there; fetch it with: python -m tests.faults.corpora")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def fetch(name: str) -> None:
    """Whole or not at all."""
    if (ROOT / name).is_dir():
        return
    ROOT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        work, into = Path(folder) / "work", Path(folder) / name
        work.mkdir()
        into.mkdir()
        CORPORA[name](into, work)
        into.rename(ROOT / name)


if __name__ == "__main__":
    for name in CORPORA:
        try:
            fetch(name)
            print(f"{name}: {len(corpus(name)):,} files")
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{name}: not fetched ({error}); its tests are skipped", file=sys.stderr)
