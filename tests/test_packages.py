"""Packages have the same bytes wherever they are built, and what belongs in them."""

import hashlib
import importlib.metadata
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

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
    path = ROOT / "packaging" / "backend.py"
    spec = importlib.util.spec_from_file_location("backend", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
