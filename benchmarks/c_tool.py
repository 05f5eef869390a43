"""The bbans in C: how long whole processes take for small files, and a pipe.

The program is built in a temporary folder by `make tool`, as it is installed; with
--quick, which has no minute for that, without vectors and with little optimisation, so
that only a full run tells its speed. Small files: the median wall time of 50 processes
in turns (10 with --quick), 1 and 10 KB of the help of pydoc (or dickens of --data), to
the null device and back, with a model and without one, against 5 ms; and to a file
beside it, which is synced. Pipe: as in shell.py.
"""

from __future__ import annotations

import os
import pydoc_data.topics
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from report import Report, first_line, parser
from shell import GB, PEAK_MB, PIPE_MB, QUICK_BYTES, pipe, write_data

CSRC = Path(__file__).resolve().parents[1] / "csrc"
SMALL_MS, RUNS, QUICK_RUNS = 5, 50, 10
#: Those that are to be done within `SMALL_MS`.
FAST = "-m english", "-1", "-5"
OPTIONS = *FAST, "-9", "-m text"


def build(folder: Path, quick: bool) -> Path:
    """Build the program."""
    command = ["make", "-s", f"-j{os.cpu_count()}", "-C", str(CSRC), "tool"]
    command += [f"BUILD={folder}"]
    command += ["CFLAGS=-O1 -DBBANS_PORTABLE"] * quick
    subprocess.run(command, check=True)
    return folder / "bbans"


def medians(commands: dict[str, Sequence[str]], runs: int) -> dict[str, float]:
    """The median wall time of each in milliseconds, run in turns."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(found) for name, found in times.items()}


def small_files(rows: Report, bbans: str, text: bytes, folder: Path) -> None:
    commands: dict[str, Sequence[str]] = {"bbans --version": [bbans, "--version"]}
    for size in (1000, 10_000):
        plain = folder / f"plain{size}"
        plain.write_bytes(text[:size])
        for option in OPTIONS:
            words = option.split()
            packed = folder / f"packed{size}{option}"
            subprocess.run([bbans, *words, plain, "-o", packed], check=True)
            what = f"{option}, {size // 1000} KB"
            commands[f"bbans {what}"] = [bbans, *words, "-c", str(plain)]
            commands[f"bbans -d {what}"] = [bbans, "-d", *words, "-c", str(packed)]
    commands["bbans -f -1 FILE, 10 KB, synced"] = [bbans, "-f", "-1", str(plain)]
    for tool in ("gzip", "zstd"):
        if found := rows.program(tool, f"{tool}, small files"):
            rows.used(first_line(found, "--version"))
            commands[f"{tool}, 10 KB"] = [found, "-qc", str(plain)]
    for name, value in medians(commands, QUICK_RUNS if rows.quick else RUNS).items():
        words = name.removeprefix("bbans ").removeprefix("-d ")
        fast = words.startswith(tuple(f"{option}," for option in FAST))
        rows.add(name, value, "ms", at_most=SMALL_MS if fast else None)


def pipes(rows: Report, bbans: str, text: bytes, folder: Path) -> None:
    data, size = folder / "data", QUICK_BYTES if rows.quick else GB
    write_data(data, text, size)
    runs = range(1 if rows.quick else 3)
    took = min(pipe([bbans, "-1"], [bbans, "-d"], data) for _ in runs)
    what = f"{size / GB:g} GB < bbans -1 | bbans -d"
    rows.add(what, size / took.seconds / 1e6, "MB/s", at_least=PIPE_MB)
    rows.add(f"{what}, of processors", took.processor, "s")
    for which, peak in zip(("first", "second"), took.peaks, strict=False):
        name = f"{what}, peak of the {which}"
        rows.add(name, peak / 1e6, "MB", at_most=PEAK_MB)


def main() -> None:
    with (
        Report(parser(__doc__).parse_args()) as rows,
        tempfile.TemporaryDirectory() as name,
    ):
        if not (rows.program("cc", "all") and rows.program("make", "all")):
            return
        folder = Path(name)
        bbans = str(build(folder, rows.quick))
        found = rows.files("silesia/dickens", "dickens")
        text = "\n".join(pydoc_data.topics.topics.values()).encode()
        text = found[0].read_bytes() if found else text
        small_files(rows, bbans, text, folder)
        pipes(rows, bbans, text, folder)


if __name__ == "__main__":
    main()
