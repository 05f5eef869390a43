"""Peak memory of `bbans info` on big files of each kind.

The files are made (--data has no effect), of one block again and again, as
docs/format.md has it. A signal of one value over and over is the hardest: its file is
small, and what it decodes to is not. Peak memory is that of the whole process,
interpreter and libraries included.
"""

from __future__ import annotations

import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np
from clock import peak_bytes
from report import Report, parser

import bbans
from bbans._records import CRC, checked, uvarint
from bbans.formats.container import ContainerWriter, Header

INFO = """
import sys
from bbans.cli.main import main
if main(["info", sys.argv[1]]):
    sys.exit(1)
"""
LIMIT = 60  # MB
BLOCK = 1 << 20


def container(path: Path, blocks: int) -> None:
    """Of bytes that are stored (method 2, element 0)."""
    data = np.random.default_rng(0).bytes(BLOCK)
    with path.open("wb") as file:
        writer = ContainerWriter(file, Header(0, bytes(8)))
        for _ in range(blocks):
            writer.write(BLOCK, 2, data)
        writer.finish((blocks * BLOCK,))


def signal(path: Path, blocks: int) -> None:
    """Of int16 (element 19), one axis, one value."""

    def head(n: int) -> bytes:
        start = b"\x89bbs\x01\x13\x01" + uvarint(n) + uvarint(BLOCK)
        return start + CRC.pack(zlib.crc32(start))

    one = bbans.signal_compress(np.full(BLOCK, 7, np.int16), block_size=BLOCK)
    assert one.startswith(head(BLOCK))
    record = one[len(head(BLOCK)) : -CRC.size]
    with path.open("wb") as file:
        file.write(head(blocks * BLOCK))
        for index in range(blocks):
            file.write(checked(index, record))


def byte_stream(path: Path, blocks: int) -> None:
    """Of bytes that are stored (method 0)."""
    block = b"\0" + uvarint(BLOCK) + np.random.default_rng(0).bytes(BLOCK)
    with path.open("wb") as file:
        file.write(b"\x89bby\x01")
        for index in range(blocks):
            file.write(checked(index, uvarint(len(block)) + block))
        file.write(checked(blocks, b"\0" + uvarint(blocks * BLOCK)))


def model(path: Path, n_states: int) -> None:
    path.write_bytes(bbans.HMM.random(n_states, 256, seed=1).freeze().to_bytes())


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        blocks, states = (100, 512) if rows.quick else (800, 2048)
        kinds = {
            f"container of {blocks} MiB": (container, blocks),
            f"signal of {2 * blocks} MiB": (signal, blocks),
            f"byte stream of {blocks} MiB": (byte_stream, blocks),
            f"model of {states} states": (model, states),
        }
        with tempfile.TemporaryDirectory() as folder:
            for name, (make, size) in kinds.items():
                path = Path(folder, "file")
                make(path, size)
                try:
                    peak, _ = peak_bytes(INFO, str(path))
                except subprocess.CalledProcessError:
                    rows.skip(name, "bbans info refuses the file")
                    continue
                rows.add(f"{name}: its file", path.stat().st_size / 1e6, "MB")
                rows.add(f"{name}: peak of bbans info", peak / 1e6, "MB", at_most=LIMIT)


if __name__ == "__main__":
    main()
