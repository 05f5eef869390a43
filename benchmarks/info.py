"""Peak memory of `bbans info` on big files of each kind.

The files are made (--data has no effect), of one block again and again, as
docs/format.md has it. Blocks of one value over and over are the hardest: their file is
small, and what it decodes to is not. Peak memory is that of the whole process,
interpreter and libraries included.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from clock import peak_bytes
from report import Report, parser

import bbans
from bbans.formats.bytes import encode_bytes
from bbans.formats.container import (
    BYTE_BLOCK,
    BYTES,
    SIGNAL,
    STORED,
    ContainerWriter,
    Header,
    array_header,
)
from bbans.formats.signals import encode_signal

INFO = """
import sys
from bbans.cli.main import main
if main(["info", sys.argv[1]]):
    sys.exit(1)
"""
LIMIT = 60  # MB
BLOCK = 1 << 20


def write(path: Path, header: Header, n: int, block: tuple[int, bytes]) -> None:
    """One part of `n` blocks of BLOCK elements, given by method and data."""
    with path.open("wb") as file:
        writer = ContainerWriter(file, header)
        for _ in range(n):
            writer.write(BLOCK, *block)
        writer.finish((n * BLOCK,))


def stored(path: Path, blocks: int) -> None:
    write(path, Header(BYTES), blocks, (STORED, np.random.default_rng(0).bytes(BLOCK)))


def byte_blocks(path: Path, blocks: int) -> None:
    block = bytes(encode_bytes(np.zeros(BLOCK, np.uint8), 0))
    write(path, Header(BYTES), blocks, (BYTE_BLOCK, block))


def signal(path: Path, blocks: int) -> None:
    """Of int16, one axis, one value."""
    block = encode_signal(np.full((BLOCK, 1), 7, "<i2"), 5)
    assert block is not None
    header = array_header(np.dtype("i2"))
    write(path, header, blocks, (SIGNAL, block))


def model(path: Path, n_states: int) -> None:
    path.write_bytes(bbans.HMM.random(n_states, 256, seed=1).freeze().to_bytes())


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        blocks, states = (100, 512) if rows.quick else (800, 2048)
        kinds = {
            f"stored blocks of {blocks} MiB": (stored, blocks),
            f"blocks of bytes of {blocks} MiB": (byte_blocks, blocks),
            f"signal of {2 * blocks} MiB": (signal, blocks),
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
