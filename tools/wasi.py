"""Run a WebAssembly program of WASI as one of this machine: wasi.py FILE [ARGUMENT ..].

It sees the folders of this machine under their own names, and its exit code is this
one's. By wasmtime (pip install '.[wasm]').
"""

import sys

from wasmtime import Engine, ExitTrap, Linker, Module, Store, WasiConfig


def main() -> int:
    engine = Engine()
    store, linker = Store(engine), Linker(engine)
    linker.define_wasi()
    wasi = WasiConfig()
    wasi.argv = sys.argv[1:]
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    wasi.inherit_env()
    wasi.preopen_dir("/", "/")
    store.set_wasi(wasi)
    instance = linker.instantiate(store, Module.from_file(engine, sys.argv[1]))
    try:
        instance.exports(store)["_start"](store)
    except ExitTrap as end:
        return end.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
