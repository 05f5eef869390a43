"""The C library as WebAssembly: sizes of the npm package's modules, and speeds.

wasm.c is compiled by -O3, for this machine, and for WebAssembly with its vectors and
without, in a temporary folder; with --quick by -O1, and not without vectors, so that
only a full run tells speeds. It codes 2 MB of the help of pydoc (or dickens of --data)
by the byte coder, and 256 KB of it by the mixing coder and under HMMs, under node,
wasmtime and natively; its rates are those of the fastest of five runs, per second of
processor time. Modules are what js/build.py makes (--quick: what it has made).
"""

from __future__ import annotations

import os
import pydoc_data.topics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from report import Report, first_line, parser

import bbans

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"
SIZES = {"bbans.wasm": None, "bbans-decoder.wasm": 400e3, "bbans-hmm.wasm": 60e3}
BYTES_PER_S, SYMBOLS_PER_S = 40e6, 0.3e6
ZIG = (sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-fno-PIC")
# What the program needs of a system; node's own WASI crashes (20.20).
NODE = """
import { readFileSync, readSync, writeSync } from "node:fs";
const words = process.argv.slice(2).map((word) => Buffer.from(word + "\\0"));
const view = () => new DataView(exports.memory.buffer);
const bytes = (at, n) => new Uint8Array(exports.memory.buffer, at, n);
const put = (at, value) => (view().setUint32(at, value, true), 0);
const each = (run) => (file, list, n, done) => {
  let all = 0;
  for (let i = 0; i < n; i++) {
    const at = view().getUint32(list + 8 * i, true);
    all += run(file, bytes(at, view().getUint32(list + 8 * i + 4, true)));
  }
  return put(done, all);
};
const system = {
  args_sizes_get: (n, size) =>
    put(n, words.length) + put(size, Buffer.concat(words).length),
  args_get(list, at) {
    for (const word of words) {
      put(list, at);
      bytes(at, word.length).set(word);
      list += 4;
      at += word.length;
    }
    return 0;
  },
  environ_sizes_get: (n, size) => put(n, 0) + put(size, 0),
  fd_read: each((file, to) => readSync(file, to)),
  fd_write: each((file, from) => writeSync(file, from)),
  proc_exit: (code) => process.exit(code),
};
const module = await WebAssembly.compile(readFileSync(process.argv[2]));
for (const { name } of WebAssembly.Module.imports(module))
  system[name] ??= () => 8; // no such file
const host = { seconds: () => process.cpuUsage().user / 1e6 };
const imports = { wasi_snapshot_preview1: system, host };
const { exports } = await WebAssembly.instantiate(module, imports);
exports._start();
"""


def build(program: Path, command: tuple[str, ...], quick: bool) -> Path:
    """Compile wasm.c with the library."""
    folders = (path for path in CSRC.iterdir() if path.name not in ("tests", "tools"))
    sources = [str(path) for folder in folders for path in folder.glob("bbans_*.c")]
    sources += map(str, (CSRC / "kernels").glob("*.c"))
    flags = ["-std=c99", "-O1" if quick else "-O3", f"-I{CSRC}", "-o", str(program)]
    subprocess.run([*command, *flags, str(ROOT / "benchmarks" / "wasm.c"), *sources],
                   check=True)  # fmt: skip
    return program


def rates(text: str) -> dict[str, float]:
    """What the program says: bytes or symbols per second."""
    lines = (line.split("\t") for line in text.splitlines())
    return {what: float(rate) for what, rate in lines}


def run(command: list[str], data: Path, **variables: str) -> dict[str, float]:
    """Run a program of this machine."""
    with data.open("rb") as file:
        done = subprocess.run(
            command, stdin=file, check=True, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **variables},
        )  # fmt: skip
    return rates(done.stdout)


def under_wasmtime(
    wasmtime: Any, program: Path, n: int, data: Path
) -> dict[str, float]:
    """Run a program of WebAssembly in this process."""
    engine = wasmtime.Engine()
    store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
    linker.define_wasi()
    clock = wasmtime.FuncType([], [wasmtime.ValType.f64()])
    linker.define_func("host", "seconds", clock, time.process_time)
    wasi, said = wasmtime.WasiConfig(), data.with_name("said")
    wasi.argv = [str(program), str(n)]
    wasi.stdin_file, wasi.stdout_file = str(data), str(said)
    store.set_wasi(wasi)
    module = wasmtime.Module.from_file(engine, str(program))
    linker.instantiate(store, module).exports(store)["_start"](store)
    return rates(said.read_text())


def sizes(rows: Report, folder: Path) -> None:
    made = ROOT / "js"
    if not rows.quick:
        made = folder
        subprocess.run([sys.executable, ROOT / "js" / "build.py", folder], check=True)
    for name, most in SIZES.items():
        if (made / name).exists():
            size = (made / name).stat().st_size
            rows.add(f"{name}, stripped", size, "bytes", at_most=most)
        else:
            rows.skip(name, "python js/build.py has not made it")


def main() -> None:
    with (
        Report(parser(__doc__).parse_args()) as rows,
        tempfile.TemporaryDirectory() as name,
    ):
        if not rows.peer("ziglang", "all") or not rows.program("cc", "all"):
            return
        folder = Path(name)
        sizes(rows, folder)
        found = rows.files("silesia/dickens", "dickens")
        text = "\n".join(pydoc_data.topics.topics.values()).encode() * 4
        text = (found[0].read_bytes() if found else text)[:2_000_000]
        model = Path(bbans.__file__).parent / "data" / "english.bbm"
        data, n = folder / "data", len(text)
        data.write_bytes(text + model.read_bytes())

        commands = {"native": ("cc",), "vectors.wasm": (*ZIG, "-msimd128")}
        if not rows.quick:
            commands["plain.wasm"] = ZIG
        with ThreadPoolExecutor(2) as pool:
            made = pool.map(
                lambda item: build(folder / item[0], item[1], rows.quick),
                commands.items(),
            )
        native, vectors, *plain = made
        runs: dict[str, dict[str, float]] = {}
        if program := rows.program("node", "node"):
            rows.used(f"node {first_line(program, '--version')}")
            node = folder / "node.mjs"
            node.write_text(NODE)
            for where, module in zip(
                ("", ", no vectors"), [vectors, *plain], strict=False
            ):
                command = [program, str(node), str(module), str(n)]
                runs[f"node{where}"] = run(command, data)
        if wasmtime := rows.peer("wasmtime", "wasmtime"):
            runs["wasmtime"] = under_wasmtime(wasmtime, vectors, n, data)
        command = [str(native), str(n)]
        runs["native, portable"] = run(command, data, BBANS_CPU="portable")
        runs["native, best"] = run(command, data)
        for where, found_rates in runs.items():
            target = where in ("node", "wasmtime")
            for what, rate in found_rates.items():
                is_bytes = "coder" in what
                least = BYTES_PER_S if is_bytes else SYMBOLS_PER_S
                if not target or what.startswith("mixing"):
                    least = None
                rows.add(
                    f"{what}, {where}", rate / 1e6,
                    "MB/s" if is_bytes else "M symbols/s",
                    at_least=least and least / 1e6,
                )  # fmt: skip


if __name__ == "__main__":
    main()
