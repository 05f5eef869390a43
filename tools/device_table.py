"""Flash and RAM of the C library's parts on devices, as a Markdown table.

    python tools/device_table.py

Needs Debian's gcc-arm-none-eabi and gcc-riscv64-unknown-elf. Code is what `size` says
at -Os; RAM is the struct that the caller keeps, and the largest stack frame of any
function.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

CSRC = Path(__file__).parent.parent / "csrc"
FLAGS = ["-Os", "-std=c99", "-ffreestanding", "-DBBANS_PORTABLE"]
FLAGS += ["-isystem", str(CSRC / "embedded" / "include")]
FLAGS += ["-DBBANS_TINY_STATES=16"]
DEVICES = {
    "Cortex-M0": ("arm-none-eabi-", "-mthumb -mcpu=cortex-m0"),
    "Cortex-M4": ("arm-none-eabi-", "-mthumb -mcpu=cortex-m4"),
    "RV32IMC": ("riscv64-unknown-elf-", "-march=rv32imc -mabi=ilp32"),
}
FEATURES = {
    "message (one or more lanes), wire format": (
        ["bbans_message.c", "bbans_table.c", "bbans_wire.c"],
        [],
        "bbans_message",
    ),
    "HMM decoder, packets": (
        ["bbans_tiny.c"],
        ["-DBBANS_DECODER_ONLY"],
        "bbans_tiny_decoder",
    ),
    "HMM decoder and encoder, packets": (["bbans_tiny.c"], [], "bbans_tiny_decoder"),
}
# What an object may ask of others: copying, and the compiler's own arithmetic. The
# device's coder asks only for what a Cortex-M0 lacks, products of 64 bits and division.
COPYING = "memcpy|memset|memmove"
TINY_RUNTIME = {"Cortex-M0": f"{COPYING}|__aeabi_(lmul|uidiv|uidivmod)"}
RUNTIME = rf"{COPYING}|__aeabi_\w+|__\w+di3|__clz\w+"


def run(*command: str | Path) -> str:
    done = subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True
    )
    return done.stdout


def measure(
    device: str, sources: list[str], flags: list[str], struct: str, folder: Path
) -> tuple[int, int, int, set[str]]:
    """Bytes of code, of the struct, of the largest frame; and what is undefined."""
    prefix, machine = DEVICES[device]
    compiler = [f"{prefix}gcc", *machine.split(), *FLAGS, *flags, f"-I{CSRC}", "-c"]
    code, frame, undefined, defined = 0, 0, set(), set()
    for source in sources:
        out = folder / "part.o"
        run(*compiler, "-fstack-usage", CSRC / source, "-o", out)
        code += int(run(f"{prefix}size", out).splitlines()[1].split()[0])
        frames = (folder / "part.su").read_text().splitlines()
        frame = max([frame, *(int(line.split()[1]) for line in frames)])
        for line in run(f"{prefix}nm", out).splitlines():
            kind, name = line.split()[-2:]
            (undefined if kind == "U" else defined).add(name)
    probe = folder / "probe.c"
    probe.write_text(f'#include "bbans_tiny.h"\nchar probe[sizeof({struct})];\n')
    run(*compiler, probe, "-o", folder / "probe.o")
    sizes = run(f"{prefix}nm", "-S", folder / "probe.o").split()
    return code, int(sizes[1], 16), frame, undefined - defined


def main() -> None:
    print("| part | device | code | struct | largest frame |")
    print("|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for feature, (sources, flags, struct) in FEATURES.items():
            for device in DEVICES:
                code, ram, frame, missing = measure(
                    device, sources, flags, struct, Path(folder)
                )
                allowed = RUNTIME
                if sources == ["bbans_tiny.c"]:
                    allowed = TINY_RUNTIME.get(device, COPYING)
                strange = {name for name in missing if not re.fullmatch(allowed, name)}
                if strange:
                    raise SystemExit(f"{feature}, {device}: undefined {strange}")
                print(f"| {feature} | {device} | {code} | {ram} | {frame} |")


if __name__ == "__main__":
    main()
