"""Files by what they are: bytes of arrays, sound and tables, against other programs.

The files sensors/*.npy, sensors/*.csv, sensors/nab/*.csv and audio/*.wav of --data, or
made ones, as `bbans compress` writes them at levels 1, 5 and 9, everything counted;
each is restored and compared. Peers: the byte coder alone (`--as bytes`), xz, zstd (the
package zstandard) and, for sound, the program flac, at their best. Speeds are those of
level 5, in MB of the file for a second of the process. --quick takes the start of each
file.
"""

from __future__ import annotations

import io
import lzma
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made
import numpy as np
from report import Report, parser

import bbans

LEVELS = (1, 5, 9)
QUICK_BYTES = 100_000
PATTERNS = ("sensors/*.npy", "sensors/*.csv", "sensors/nab/*.csv", "audio/*.wav")
# What version 3 of signals is to reach at level 5.
TARGETS = {
    "ecg_100_650000x2_i16.npy": 545_000,
    "jfk.wav": 199_000,
    "beijing_pm25_hourly.csv": 240_000,
}


def inputs(rows: Report) -> Iterator[tuple[str, bytes]]:
    """The files, by their names."""
    found = {p.name: p for pattern in PATTERNS for p in rows.files(pattern, pattern)}
    for name, path in found.items():
        data = path.read_bytes()
        yield name, data[:QUICK_BYTES] if rows.quick else data
    if not found:
        series = made.series(5000, 2)
        file = io.BytesIO()
        np.save(file, series)
        yield "made.npy", file.getvalue()
        lines = (f"{i},{a / 100},{b}\n" for i, (a, b) in enumerate(series.tolist()))
        yield "made.csv", "".join(["step,a,b\n", *lines]).encode()


def pack(data: bytes, **options: Any) -> bytes:
    """What `bbans compress` writes."""
    file = io.BytesIO()
    bbans.compress_file(io.BytesIO(data), file, **options)
    return file.getvalue()


def flac(program: str, data: bytes) -> int:
    """Bytes of the file that the program makes; 0 if it does not take it."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "x.wav"), Path(folder, "x.flac")
        source.write_bytes(data)
        command = [program, "-s", "-8", "--no-padding", "-o", target, source]
        done = subprocess.run(command, check=False)
        return target.stat().st_size if done.returncode == 0 else 0


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        zstd = rows.peer("zstandard", "zstd's rows")
        program = rows.program("flac", "FLAC")
        for name, data in inputs(rows):
            for level in LEVELS:
                start = time.process_time()
                packed = pack(data, level=level)
                middle = time.process_time()
                assert bbans.decompress(packed) == data
                end = time.process_time()
                target = None if rows.quick or level != 5 else TARGETS.get(name)
                rows.add(f"{name}, level {level}", len(packed), "B", at_most=target)
                if level == 5:
                    ours = len(packed)
                    mb = len(data) / 1e6
                    rows.add(f"{name}, there", mb / (middle - start), "MB/s")
                    rows.add(f"{name}, back", mb / (end - middle), "MB/s")
            rows.add(f"{name}, as bytes", len(pack(data, kind="bytes")), "B")
            rows.add(
                f"{name}, xz -9e", len(lzma.compress(data, preset=9 | 1 << 31)), "B"
            )
            if zstd is not None:
                size = len(zstd.ZstdCompressor(19).compress(data))
                rows.add(f"{name}, zstd -19", size, "B")
            if program and name.endswith(".wav") and (size := flac(program, data)):
                rows.add(f"{name}, flac -8", size, "B")
                rows.add(f"{name}, to flac's", ours / size, "times", at_most=1)


if __name__ == "__main__":
    main()
