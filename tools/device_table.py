"""Flash and RAM of the C library's parts on devices, as a Markdown table.

    python tools/device_table.py

Needs Debian's gcc-arm-none-eabi and gcc-riscv64-unknown-elf. Code is all that a program
needs that calls the part's functions, linked at -Os without what they do not call; the
compiler's own arithmetic is part of it. RAM is what the caller keeps, and the largest
stack frame of any function.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

CSRC = Path(__file__).parent.parent / "csrc"
FLAGS = ["-Os", "-std=c99", "-ffreestanding", "-ffunction-sections", "-fdata-sections"]
FLAGS += ["-DBBANS_PORTABLE", "-DBBANS_TINY_STATES=16", f"-I{CSRC}"]
FLAGS += ["-isystem", str(CSRC / "embedded" / "include")]
DEVICES = {
    "Cortex-M0": ("arm-none-eabi-", ["-mthumb", "-mcpu=cortex-m0"]),
    "Cortex-M4": ("arm-none-eabi-", ["-mthumb", "-mcpu=cortex-m4"]),
    "RV32IMC": ("riscv64-unknown-elf-", ["-march=rv32imc", "-mabi=ilp32"]),
}


class Part(NamedTuple):
    """What a program calls, and what the caller keeps for it."""

    flags: list[str]
    functions: str
    kept: str
    """A C expression of bytes."""


PARTS = {
    "message of any lanes, as bytes": Part(
        [],
        "message_init message_push_intervals message_peek message_advance "
        "message_write "
        "message_read",
        "sizeof(bbans_message)",
    ),
    "byte decoder": Part(["-DBBANS_DECODER_ONLY"], "bytes_size bytes_decompress", "0"),
    "files under any model: VAEs, ..": Part(
        ["-DBBANS_DECODER_ONLY"],
        "model_parse model_bytes model_build container_check reader_work_bytes "
        "decompress",
        "sizeof(bbans_model) + sizeof(bbans_reader)",
    ),
    "HMM decoder, packets": Part(
        ["-DBBANS_DECODER_ONLY"],
        "tiny_decoder_init tiny_decode tiny_packet_decode",
        "sizeof(bbans_tiny_decoder)",
    ),
    "HMM decoder and encoder, packets": Part(
        [],
        "tiny_decoder_init tiny_decode tiny_packet_decode tiny_encode "
        "tiny_packet_encode",
        "sizeof(bbans_tiny_decoder)",
    ),
    "record decoder, AR-HMM": Part(
        ["-DBBANS_DECODER_ONLY"],
        "tiny_model_init tiny_record_decode",
        "sizeof(bbans_tiny_model)",
    ),
    "record decoder and encoder, AR-HMM": Part(
        [],
        "tiny_model_init tiny_record_decode tiny_record_encode",
        "sizeof(bbans_tiny_model)",
    ),
}
# What the device's coders may ask of others: copying, and on a Cortex-M0 the products
# and quotients that it lacks.
COPYING = "memcpy|memset|memmove"
TINY_RUNTIME = {"Cortex-M0": f"{COPYING}|__aeabi_(lmul|u?idiv|uidivmod)"}
PROBE = """
#include "bbans_tiny.h"
#include <string.h>
char kept[1 + {kept}];
void probe(void);
void (*const volatile calls[])(void) = {{{calls}}};
void probe(void) {{ (void)calls[0]; (void)kept[0]; }}
void *memcpy(void *to, const void *from, size_t n) {{ return to; }}
void *memmove(void *to, const void *from, size_t n) {{ return to; }}
void *memset(void *to, int byte, size_t n) {{ return to; }}
int memcmp(const void *a, const void *b, size_t n) {{ return 0; }}
"""


def run(*command: str | Path) -> str:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return done.stdout


@cache
def compiled(
    device: str, flags: tuple[str, ...], folder: Path
) -> tuple[list[Path], dict[str, int]]:
    """The library's objects, and the stack frames of its functions."""
    prefix, machine = DEVICES[device]
    place = folder / "-".join((device, *flags))
    place.mkdir()

    def compile(source: Path) -> Path:
        out = place / f"{source.stem}.o"
        run(f"{prefix}gcc", *machine, *FLAGS, *flags, "-fstack-usage", "-c", source,
            "-o", out)  # fmt: skip
        return out

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sources = [*CSRC.glob("*/bbans_*.c"), *CSRC.glob("kernels/*.c")]
        objects = list(pool.map(compile, sources))
    frames = {}
    for out in objects:
        for line in out.with_suffix(".su").read_text().splitlines():
            where, size, _ = line.split("\t")
            frames[where.rsplit(":", 1)[1]] = int(size)
    return objects, frames


def measure(part: Part, device: str, folder: Path) -> tuple[int, int, int]:
    """Bytes of code, of what is kept, and of the largest frame."""
    prefix, machine = DEVICES[device]
    compiler = [f"{prefix}gcc", *machine, *FLAGS, *part.flags]
    objects, frames = compiled(device, tuple(part.flags), folder)
    calls = ", ".join(
        f"(void (*)(void))bbans_{name}" for name in part.functions.split()
    )
    probe = folder / "probe.c"

    def linked(calls: str) -> Path:
        probe.write_text(PROBE.format(kept=part.kept, calls=calls))
        run(*compiler, "-c", probe, "-o", folder / "probe.o")
        program = folder / "program"
        run(f"{prefix}gcc", *machine, "-nostdlib", "-Wl,--gc-sections", "-Wl,-e,probe",
            "-Wl,-u,calls", "-Wl,-u,kept", folder / "probe.o", *objects, "-lgcc",
            "-o", program)  # fmt: skip
        return program

    empty = int(run(f"{prefix}size", linked("probe")).splitlines()[1].split()[0])
    program = linked(calls)
    code = int(run(f"{prefix}size", program).splitlines()[1].split()[0]) - empty
    code -= 4 * (len(part.functions.split()) - 1)  # the probe's own table
    names = {line.split()[-1] for line in run(f"{prefix}nm", program).splitlines()}
    frame = max(size for name, size in frames.items() if name in names)
    sizes = run(f"{prefix}nm", "-S", folder / "probe.o")
    kept = int(re.search(r"\w+ (\w+) \w kept", sizes)[1], 16) - 1
    return code, kept, frame


def check_tiny(device: str, folder: Path) -> None:
    """The device's coders ask for nothing but copying."""
    prefix, machine = DEVICES[device]
    allowed = TINY_RUNTIME.get(device, COPYING)
    for source in CSRC.glob("device/*.c"):
        out = folder / f"{source.stem}.o"
        run(f"{prefix}gcc", *machine, *FLAGS, "-c", source, "-o", out)
        for name in re.findall(r"U (\w+)", run(f"{prefix}nm", out)):
            if not re.fullmatch(allowed, name):
                raise SystemExit(f"{source.name} asks for {name} on {device}")


def main() -> None:
    print("| part | device | code | kept | largest frame |")
    print("|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        for device in DEVICES:
            check_tiny(device, Path(name))
        for title, part in PARTS.items():
            for device in DEVICES:
                code, kept, frame = measure(part, device, Path(name))
                print(f"| {title} | {device} | {code} | {kept} | {frame} |")


if __name__ == "__main__":
    main()
