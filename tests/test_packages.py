"""Packages have the same bytes wherever they are built, and what belongs in them."""

import hashlib
import importlib.metadata
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from shared import program

ROOT = Path(__file__).resolve().parents[1]
LEAST = {"setuptools": 77, "Cython": 3}  # pyproject.toml: what it builds with
BUILD = (
    "import sys; sys.path.insert(0, 'packaging'); import backend; "
    "backend.build_sdist(sys.argv[1])"
)
DATE = 1_700_000_001  # odd, as zip files have even seconds alone


def lacking(name, least):
    try:
        return int(importlib.metadata.version(name).split(".")[0]) < least
    except importlib.metadata.PackageNotFoundError:
        return True


NEEDED = [f"{name} {least}" for name, least in LEAST.items() if lacking(name, least)]
pytestmark = pytest.mark.skipif(bool(NEEDED), reason=f"no {', '.join(NEEDED)}")


@pytest.fixture(scope="module")
def backend():
    return program("packaging/backend.py")


def sdist_of(root, folder, **environment):
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", BUILD, folder],
        cwd=root,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    (made,) = folder.iterdir()
    return made


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def tracked():
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    command = ["git", "-C", ROOT, "ls-files", "-z"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return set(shown.rstrip("\0").split("\0"))


@pytest.fixture(scope="module")
def sdist(tracked, tmp_path_factory):
    """The source distribution of what git knows."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in tracked:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return sdist_of(folder, folder / "out", SOURCE_DATE_EPOCH=str(DATE))


def test_the_source_distribution_has_what_git_has(sdist, tracked):
    with tarfile.open(sdist) as archive:
        files = {m.name.partition("/")[2] for m in archive if m.isfile()}
    assert files == tracked | {"PKG-INFO"}


def test_it_is_the_same_made_of_itself_by_another_user(sdist, tmp_path, monkeypatch):
    """Who knows no commit, and has other rights, another time zone and language."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    for path in root.rglob("*"):
        path.chmod(0o700 if path.is_dir() or os.access(path, os.X_OK) else 0o600)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    before = os.umask(0o077)
    try:
        again = sdist_of(root, tmp_path / "out", TZ="Asia/Kathmandu", LC_ALL="C")
    finally:
        os.umask(before)
    assert digest(again) == digest(sdist)


def tar(path, files, **facts):
    with tarfile.open(path, "w:gz") as archive:
        for name, mode in files:
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(name)
            for fact, value in facts.items():
                setattr(member, fact, value)
            archive.addfile(member, io.BytesIO(name.encode()))


def test_dates_owners_rights_and_order_leave_no_trace_in_a_tar(backend, tmp_path):
    a, b, c = (tmp_path / name for name in ("a.tar.gz", "b.tar.gz", "c.tar.gz"))
    tar(a, [("x/run", 0o700), ("x/a", 0o600)], mtime=1, uid=7, uname="me")
    tar(b, [("x/a", 0o664), ("x/run", 0o775)], mtime=2, gid=8, gname="us")
    tar(c, [("x/a", 0o775), ("x/run", 0o775)])
    made = []
    for path in (a, b, c):
        backend.rewrite_sdist(path, tmp_path / "out", DATE)
        made.append((tmp_path / "out").read_bytes())
    assert made[0] == made[1] != made[2]
    with tarfile.open(fileobj=io.BytesIO(made[0])) as archive:
        found = [(m.name, m.mode, m.mtime, m.uid, m.uname) for m in archive]
        assert archive.extractfile("x/run").read() == b"x/run"
    assert found == [("x/a", 0o644, DATE, 0, ""), ("x/run", 0o755, DATE, 0, "")]


def test_dates_and_rights_leave_no_trace_in_a_wheel(backend, tmp_path):
    made = []
    for mode, year in ((0o600, 1999), (0o664, 2020), (0o755, 2020)):
        with zipfile.ZipFile(tmp_path / "in", "w") as archive:
            folder = zipfile.ZipInfo("folder/")
            folder.external_attr = (0o40000 | mode) << 16
            archive.writestr(folder, b"")
            member = zipfile.ZipInfo("folder/file", (year, 1, 1, 0, 0, 0))
            member.external_attr = mode << 16
            archive.writestr(member, b"content")
        backend.rewrite_wheel(tmp_path / "in", tmp_path / "out", DATE)
        made.append((tmp_path / "out").read_bytes())
    assert made[0] == made[1] != made[2]
    with zipfile.ZipFile(tmp_path / "out") as archive:
        assert archive.read("folder/file") == b"content"
        (member,) = archive.infolist()
    assert member.date_time == (2023, 11, 14, 22, 13, 20)
    assert member.external_attr >> 16 == 0o100755


def test_a_date_is_that_of_the_environment_or_of_the_sources(
    backend, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert backend.source_date() == backend.EARLIEST
    (tmp_path / "PKG-INFO").touch()
    os.utime(tmp_path / "PKG-INFO", (DATE, DATE))
    assert backend.source_date() == DATE
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")  # zip files begin later
    assert backend.source_date() == backend.EARLIEST
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(DATE + 1))
    assert backend.source_date() == DATE + 1


def test_wheels_are_built_for_every_python_that_is_promised():
    toml = pytest.importorskip("tomllib", reason="Python 3.11 has it")
    project = toml.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    promised = re.findall(r"Python :: 3\.(\d+)", str(project["project"]["classifiers"]))
    built = re.findall(r"cp3(\d+)-", project["tool"]["cibuildwheel"]["build"])
    assert built == promised
    assert project["project"]["requires-python"] == f">=3.{promised[0]}"


def pins(name):
    lines = (ROOT / "packaging" / name).read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_the_gate_has_one_version_of_each_tool():
    """All that is named anywhere, and what releases are built with is the same."""
    toml = pytest.importorskip("tomllib", reason="Python 3.11 has it")
    project = toml.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    named = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for extra in ("test", "docs", "wasm", "packages", "dev"):
        named += extras[extra]
    names = {re.match(r"[\w.-]+", need)[0].replace("_", "-").lower() for need in named}
    pinned = {name.replace("_", "-").lower() for name in pins("ci.txt")}
    assert names - {"bbans"} <= pinned
    assert pins("constraints.txt").items() <= pins("ci.txt").items()


@pytest.fixture(scope="module")
def packages():
    return program("tools/packages.py")


@pytest.fixture(scope="module")
def released(sdist, tmp_path_factory):
    """Copies of a source distribution, and a wheel of three files."""
    folder = tmp_path_factory.mktemp("released")
    shutil.copy(sdist, folder)
    wheel = folder / "bbans-0.1.0-cp311-cp311-linux_x86_64.whl"
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    (named,) = re.findall(r"^dependencies = (\[.*\])$", project, re.MULTILINE)
    needs = "".join(f"Requires-Dist: {need}\n" for need in json.loads(named))
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("bbans/_core.so", b"\x7fELF")
        archive.writestr("bbans/data/text.bbm", b"model")
        other = "Requires-Dist: torch>=2.1; extra == 'torch'\n"
        archive.writestr("bbans-0.1.0.dist-info/METADATA", needs + other)
    return folder / sdist.name, wheel


@pytest.fixture
def bills(packages, released, monkeypatch):
    for name in packages.PUT_IN:
        if lacking(name, 0):
            pytest.skip(f"no {name}")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(DATE))
    written = packages.write_bills(*released)
    return {path.name: json.loads(path.read_text("utf-8")) for path in written}


def test_bills_have_each_file_with_its_digest(packages, released, bills):
    for path in released:
        content = packages.content_of(path)
        components = bills[f"{path.name}.cdx.json"]["components"]
        files = {
            c["name"]: c["hashes"][0]["content"] for c in components if "hashes" in c
        }
        assert files == {n: hashlib.sha256(b).hexdigest() for n, b in content.items()}
        assert all(c["licenses"] for c in components if "hashes" in c)


def test_the_bill_of_a_wheel_has_what_is_compiled_in_and_what_it_needs(released, bills):
    bom = bills[f"{released[1].name}.cdx.json"]
    others = [c for c in bom["components"] if "hashes" not in c]
    assert [c["purl"].partition("@")[0] for c in others] == [
        f"pkg:pypi/{name}" for name in ("cython", "cffi", "cffi", "numpy", "tqdm")
    ]
    assert bom["dependencies"][0]["dependsOn"] == [c["bom-ref"] for c in others]
    subject = bom["metadata"]["component"]
    assert subject["purl"] == bom["dependencies"][0]["ref"] == "pkg:pypi/bbans@0.1.0"
    assert subject["hashes"][0]["content"] == digest(released[1])


def test_the_bill_of_the_c_library_has_its_sources_alone(released, bills, tracked):
    bom = bills["libbbans-0.1.0.tar.gz.cdx.json"]
    files = {c["name"] for c in bom["components"]}
    makefile = (ROOT / "csrc/Makefile").read_text("utf-8")
    folders = re.search(r"^FOLDERS = (.*)$", makefile, re.MULTILINE)[1].split()
    sources = {n for n in tracked if re.match(f"csrc/({'|'.join(folders)})/", n)}
    assert sources < files < tracked
    assert {"csrc/bbans.h", "csrc/tools/bbans.c", "LICENSE"} <= files
    assert not any(re.match("csrc/(tests|fuzz|examples|embedded)/", n) for n in files)
    assert bom["metadata"]["component"]["purl"] == "pkg:generic/libbbans@0.1.0"


def test_bills_are_the_same_made_again_and_others_of_other_bytes(
    packages, released, bills
):
    assert bills == {
        path.name: json.loads(path.read_text("utf-8"))
        for path in packages.write_bills(*released)
    }
    (a, b) = (packages.bill("bbans-0.tar.gz", {}, name, DATE) for name in "ab")
    assert a["serialNumber"] != b["serialNumber"]
    assert a["metadata"]["timestamp"] == "2023-11-14T22:13:21Z"
