"""bbans as a tool of the shell: how long it takes to start, small files, and a pipe.

Start: whole processes, the least wall time of runs in turns, since any of them may meet
a busy core, against 60 ms. Small files: 4 KB there and back, against
`python -c 'import numpy'`. Pipe: 1 GB (64 MB with --quick) of dickens of --data, over
and over, and a tenth of noise, through `bbans -1 | bbans -d`, gzip and zstd; without
--data the help of pydoc. Memory is the peak of each process, where there is /proc.
"""

from __future__ import annotations

import os
import pydoc_data.topics
import re
import resource
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
    peaks: list[float]
    """Bytes of each at its most; none if they are not known."""


def milliseconds(commands: dict[str, Sequence[str]], repeats: int) -> dict[str, float]:
    """The least wall time of each, run in turns."""
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(repeats):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            least[name] = min(least[name], 1e3 * (time.perf_counter() - start))
    return least


def peak_of(process: subprocess.Popen[bytes]) -> float:
    """Bytes at its most so far. What the system says at its end counts Python too, of
    which each process is a copy before it is a program."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return 1024 * int(found[1]) if found else 0  # none: it has ended


def pipe(first: Sequence[str], second: Sequence[str], source: Path) -> Piped:
    """Run two programs one behind the other, and compare what comes out."""
    start, peaks = time.perf_counter(), [0.0, 0.0]
    with source.open("rb") as data:
        one = subprocess.Popen(first, stdin=data, stdout=subprocess.PIPE)
        two = subprocess.Popen(second, stdin=one.stdout, stdout=subprocess.PIPE)
        assert one.stdout is not None
        assert two.stdout is not None
        one.stdout.close()
        with source.open("rb") as expected:
            while part := two.stdout.read(1 << 20):
                assert part == expected.read(len(part))
                peaks = [max(peaks[0], peak_of(one)), max(peaks[1], peak_of(two))]
            assert expected.read(1) == b""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert one.wait() == two.wait() == 0
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Piped(seconds, processor, peaks if all(peaks) else [])


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
        for which, peak in zip(("first", "second"), took.peaks, strict=False):
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
