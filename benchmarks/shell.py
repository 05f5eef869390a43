"""bbans as a tool of the shell: how long it takes to start, small files, and a pipe.

Start: whole processes, wall time, least of many, as any of them may have met a busy
core; against 60 ms. Small files: 4 KB to a file and back, against
`python -c 'import numpy'`. Pipe: 1 GB (64 MB with --quick) of dickens of --data, and
a tenth of noise, through `bbans -1 | bbans -d`, and the same through gzip and zstd;
without --data the documentation of Python, which is repeated. Memory is the peak of each process.
"""

from __future__ import annotations

import os
import pydoc_data.topics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from report import Report, first_line, parser

BBANS = str(Path(sysconfig.get_path("scripts")) / "bbans")
GB, QUICK_BYTES, SMALL_BYTES = 10**9, 64 * 10**6, 4096
START_MS, TO_NUMPY, PIPE_MB, PEAK_MB = 60, 1.3, 150, 100


class Piped(NamedTuple):
    """What two processes took, the second of which reads what the first writes."""

    seconds: float
    processor: float
    """Seconds of both."""
    peaks: tuple[float, float]
    """Bytes of each at its most."""


def milliseconds(commands: dict[str, Sequence[str]], repeats: int) -> dict[str, float]:
    """The least wall time of each, run in turns."""
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(repeats):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            least[name] = min(least[name], 1e3 * (time.perf_counter() - start))
    return least


def pipe(first: Sequence[str], second: Sequence[str], source: Path) -> Piped:
    """Run two programs one behind the other, and compare what comes out."""
    start = time.perf_counter()
    with source.open("rb") as data:
        one = subprocess.Popen(first, stdin=data, stdout=subprocess.PIPE)
        two = subprocess.Popen(second, stdin=one.stdout, stdout=subprocess.PIPE)
        assert one.stdout is not None
        assert two.stdout is not None
        one.stdout.close()
        with source.open("rb") as expected:
            while part := two.stdout.read(1 << 20):
                assert part == expected.read(len(part))
            assert expected.read(1) == b""
    peaks, processor = [], 0.0
    for process in (one, two):
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(used.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
        processor += used.ru_utime + used.ru_stime
    seconds = time.perf_counter() - start
    return Piped(seconds, processor, (peaks[0], peaks[1]))


def write_data(path: Path, text: bytes, size: int) -> None:
    """Text over and over, and noise between."""
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(text)
            file.write(os.urandom(len(text) // 9))
        file.truncate(size)


def start_up(rows: Report, folder: Path) -> None:
    small = folder / "small"
    small.write_bytes(
        "\n".join(pydoc_data.topics.topics.values()).encode()[:SMALL_BYTES]
    )
    subprocess.run([BBANS, small], check=True)
    packed = f"{small}.bbz"
    numpy = "python -c 'import numpy'"
    commands: dict[str, Sequence[str]] = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "bbans --version": [BBANS, "--version"],
        "bbans --help": [BBANS, "--help"],
        "bbans -l FILE": [BBANS, "-l", packed],
        numpy: [sys.executable, "-c", "import numpy"],
        f"bbans, {SMALL_BYTES} bytes": [BBANS, "-c", str(small)],
        f"bbans -d, {SMALL_BYTES} bytes": [BBANS, "-dc", packed],
    }
    for tool in ("gzip", "zstd"):
        if found := rows.program(tool, f"{tool}, start"):
            commands[f"{tool}, {SMALL_BYTES} bytes"] = [found, "-qc", str(small)]
    times = milliseconds(commands, 20 if rows.quick else 60)
    for name, value in times.items():
        started = name.startswith(("bbans --", "bbans -l"))
        rows.add(name, value, "ms", at_most=START_MS if started else None)
    for name in list(times)[5:7]:
        ratio = times[name] / times[numpy]
        rows.add(f"{name}, to {numpy}", ratio, "times", at_most=TO_NUMPY)


def pipes(rows: Report, folder: Path) -> None:
    found = rows.files("silesia/dickens", "dickens")
    text = "\n".join(pydoc_data.topics.topics.values()).encode()
    data, size = folder / "data", QUICK_BYTES if rows.quick else GB
    write_data(data, found[0].read_bytes() if found else text, size)
    tools = {"bbans -1": ([BBANS, "-1"], [BBANS, "-d"])}
    for tool in ("gzip", "zstd"):
        if program := rows.program(tool, f"{tool}, pipe"):
            rows.used(first_line(program, "--version"))
            tools[f"{tool} -1"] = [program, "-1qc"], [program, "-dqc"]
    for name, (first, second) in tools.items():
        took = min(pipe(first, second, data) for _ in range(1 if rows.quick else 3))
        ours = name.startswith("bbans")
        what = f"{size / GB:g} GB < {name} | {second[0].rsplit('/')[-1]} -d"
        speed = size / took.seconds / 1e6
        rows.add(what, speed, "MB/s", at_least=PIPE_MB if ours else None)
        rows.add(f"{what}, of processors", took.processor, "s")
        for which, peak in zip(("first", "second"), took.peaks, strict=True):
            at_most = PEAK_MB if ours else None
            rows.add(f"{what}, peak of the {which}", peak / 1e6, "MB", at_most=at_most)


def main() -> None:
    with (
        Report(parser(__doc__).parse_args()) as rows,
        tempfile.TemporaryDirectory() as folder,
    ):
        start_up(rows, Path(folder))
        pipes(rows, Path(folder))


if __name__ == "__main__":
    main()
