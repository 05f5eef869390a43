"""Compile the C library to the WebAssembly modules of the npm package.

    python js/build.py [FOLDER]

The compiler is clang as `ziglang` brings it, a package of PyPI (the extra `wasm` of
pyproject.toml): no other tool is needed. FOLDER is this one by default.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent / "csrc"
#: The folders of csrc/ that the library is made of, but for devices.
FOLDERS = (
    "message", "distributions", "models", "bytes", "files", "records", "signals",
    "grids", "floats", "mixing", "kernels",
)  # fmt: skip

COMPILER = (
    "-target", "wasm32-wasi", "-msimd128", "-mbulk-memory", "-std=c99", "-fno-PIC",
    "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", f"-I{SOURCES}",
)  # fmt: skip
LINKER = (
    "-mexec-model=reactor", "-Wl,--no-entry", "-Wl,--gc-sections", "-Wl,--strip-all",
    "-Wl,--export=__heap_base", "-Wl,--export=__stack_pointer",
    "-Wl,-z,stack-size=262144",
)  # fmt: skip

# What JavaScript calls, without `bbans_`; core.js loads the rest of shim.c.
SEQUENCES = (
    "js_layout", "isa_use", "status_text",
    "model_parse", "model_unpack", "model_bytes", "model_build", "model_name",
    "model_value", "message_read", "sequence_work_bytes", "sequence_decode",
    "sequence_decode_until", "packed_decode", "record_work_bytes", "record_decode",
)  # fmt: skip
CONTAINERS = (
    "reader_begin", "reader_next", "reader_work_bytes", "reader_decode", "utf8_encode",
    "records_open", "records_scan", "records_group", "records_get", "bytes_size",
    "bytes_work_bytes", "bytes_decompress", "signal_decoder_bytes",
    "signal_decompress", "float_decoder_bytes", "float_decompress",
)  # fmt: skip
ENCODERS = (
    "message_init", "message_size", "message_write", "sequence_tail_words",
    "sequence_encode", "record_bound", "record_encode", "content_set_line",
    "writer_begin", "writer_work_bytes", "writer_block", "writer_end",
    "signal_encoder_bytes", "signal_bound", "signal_compress", "grid_encoder_bytes",
    "grid_bound", "grid_compress", "float_encoder_bytes", "float_bound",
    "float_compress", "sequence_costs_bytes", "sequence_costs",
    "mixing_encoder_bytes", "mixing_costs", "hmm_filter", "model_pack",
    "packed_encode", "records_header_bytes", "records_put_header",
    "records_group_bytes", "records_put_group",
)  # fmt: skip


class Module(NamedTuple):
    """A WebAssembly module.

    Attributes
    ----------
    exports : tuple of str
        Its functions.
    fast : tuple of str
        Sources that are compiled for speed whatever the others are, as patterns.
    options : tuple of str
        Of the compiler, for the others.
    defines : tuple of str
        Macros, for all.
    """

    exports: tuple[str, ...]
    fast: tuple[str, ...]
    options: tuple[str, ...]
    defines: tuple[str, ...] = ()


MODULES = {
    "bbans": Module(SEQUENCES + CONTAINERS + ENCODERS, (), ("-O3",)),
    "bbans-decoder": Module(
        SEQUENCES + CONTAINERS,
        ("kernels/*_portable.c", "kernels/*_wasm.c", "bytes/*.c", "mixing/*.c"),
        ("-Os",),
        ("-DBBANS_DECODER_ONLY",),
    ),
    # HMMs and autoregressive ones: bits 1 and 2 of bbans_model_type. Without the table
    # of all kernels the linker drops those of other models.
    "bbans-hmm": Module(
        SEQUENCES,
        ("kernels/hmm_portable.c",),
        ("-Oz", "-fno-vectorize", "-fno-slp-vectorize"),
        (
            "-DBBANS_DECODER_ONLY", "-DBBANS_PORTABLE", "-DBBANS_JS_HMM",
            "-DBBANS_MODEL_TYPES=6",
        ),
    ),
}  # fmt: skip


def build(folder: Path, names: list[str] | None = None) -> list[Path]:
    """Compile the modules of these names, all by default, to files in a folder."""
    if importlib.util.find_spec("ziglang") is None:
        raise SystemExit("this Python has no ziglang: pip install '.[wasm]' here")
    made = []
    for name in names or MODULES:
        made.append(folder / f"{name}.wasm")
        _build(MODULES[name], made[-1])
    return made


def _build(module: Module, path: Path) -> None:
    sources = {path for name in FOLDERS for path in (SOURCES / name).glob("*.c")}
    fast = sources & {path for each in module.fast for path in SOURCES.glob(each)}
    options = [*COMPILER, *module.defines]
    exports = [f"-Wl,--export=bbans_{function}" for function in module.exports]
    with tempfile.TemporaryDirectory() as objects:

        def compile_fast(source: Path) -> Path:
            to = Path(objects) / f"{source.stem}.o"
            _run(path, *options, "-O3", "-c", source, "-o", to)
            return to

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            inputs = [*pool.map(compile_fast, sorted(fast)), HERE / "shim.c"]
        inputs += sorted(sources - fast)
        _run(path, *options, *module.options, *LINKER, *exports, *inputs, "-o", path)


def _run(path: Path, *arguments: str | Path) -> None:
    """Call the compiler, which says itself what is wrong."""
    command = [sys.executable, "-m", "ziglang", "cc", *map(str, arguments)]
    if subprocess.run(command, check=False).returncode != 0:
        raise SystemExit(f"{path.name} was not built: the errors are above")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE)
    parser.add_argument(
        "--module", action="append", choices=MODULES, help="these alone"
    )
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for path in build(folder, arguments.module):
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
