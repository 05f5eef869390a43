"""The build backend: setuptools', with archives that depend on the commit alone.

One commit and one set of build tools (constraints.txt) make the same wheel and the same
source distribution, byte for byte, in any folder, at any time, for any user. Dates in
them are SOURCE_DATE_EPOCH; without it, the commit's date; in an unpacked source
distribution, the date that its files have.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
import stat
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  what is not defined below

EARLIEST = 315_532_800  # 1980-01-01: zip files know no date before
GZIP_LEVEL = 9


def source_date() -> int:
    """The date of the sources, in seconds since 1970."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return max(int(os.environ["SOURCE_DATE_EPOCH"]), EARLIEST)
    if Path(".git").exists() and shutil.which("git"):
        command = ["git", "log", "-1", "--format=%ct"]
        # It fails on a checkout that belongs to another user.
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
        if shown.returncode == 0 and shown.stdout.strip():
            return max(int(shown.stdout), EARLIEST)
    if Path("PKG-INFO").exists():  # only source distributions have it
        return max(int(Path("PKG-INFO").stat().st_mtime), EARLIEST)
    return EARLIEST


def permissions(mode: int) -> int:
    """Whether the owner may execute a file counts, and the umask does not."""
    return 0o755 if mode & stat.S_IXUSR else 0o644


def rewrite_sdist(source: Path, target: Path, date: int) -> None:
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(tarfile.open(source))
        raw = stack.enter_context(target.open("wb"))
        packed = stack.enter_context(
            gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=date)
        )
        new = stack.enter_context(
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT)
        )
        for member in sorted(old.getmembers(), key=lambda m: m.name):
            # What setuptools adds besides PKG-INFO it makes again when it builds.
            if re.search(r"/(setup\.cfg$|[^/]+\.egg-info(/|$))", member.name):
                continue
            entry = tarfile.TarInfo(member.name)
            entry.mtime = date
            if member.isdir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                new.addfile(entry)
            else:
                content = old.extractfile(member)
                assert content is not None
                entry.size = content.seek(0, os.SEEK_END)
                entry.mode = permissions(member.mode)
                content.seek(0)
                new.addfile(entry, content)


def rewrite_wheel(source: Path, target: Path, date: int) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():  # sorted by name, and RECORD is the last
            if member.is_dir():
                continue
            entry = zipfile.ZipInfo(member.filename, time.gmtime(date)[:6])
            entry.create_system = 3  # unix: there are permissions
            mode = stat.S_IFREG | permissions(member.external_attr >> 16)
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(member), compresslevel=GZIP_LEVEL)


@contextlib.contextmanager
def dated() -> Iterator[int]:
    """For setuptools, and what it starts, the date as SOURCE_DATE_EPOCH."""
    date, before = source_date(), os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = str(date)
    try:
        yield date
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before


def build_sdist(
    sdist_directory: str, config_settings: dict[str, Any] | None = None
) -> str:
    with dated() as date, tempfile.TemporaryDirectory() as folder:
        name = build_meta.build_sdist(folder, config_settings)
        rewrite_sdist(Path(folder, name), Path(sdist_directory, name), date)
    return name


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    with dated() as date, tempfile.TemporaryDirectory() as folder:
        name = build_meta.build_wheel(folder, config_settings, metadata_directory)
        rewrite_wheel(Path(folder, name), Path(wheel_directory, name), date)
    return name
