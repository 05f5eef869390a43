"""Put the page that runs the library in a browser together, in one folder.

    python js/page/build.py FOLDER

The folder is for any server of files. It gets the page, the library in JavaScript, its
WebAssembly, which is compiled unless `python js/build.py` has done so, and the model of
English.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parent
WASM = LIBRARY / "bbans.wasm"
ENGLISH = LIBRARY.parent / "bbans" / "data" / "english.bbm"


def can_build() -> bool:
    """Whether there is the WebAssembly, or a compiler for it."""
    return WASM.exists() or importlib.util.find_spec("ziglang") is not None


def build(folder: Path) -> None:
    """Write all files of the page to a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    page = [
        path
        for path in HERE.iterdir()
        if path.suffix in (".html", ".css", ".js", ".svg")
    ]
    for path in [*page, *LIBRARY.glob("*.js"), ENGLISH]:
        shutil.copyfile(path, folder / path.name)
    if WASM.exists():
        shutil.copyfile(WASM, folder / WASM.name)
    else:
        _compiler().build(folder, ["bbans"])


def _compiler():  # js/build.py, which is no package's
    spec = importlib.util.spec_from_file_location("build_wasm", LIBRARY / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    build(parser.parse_args().folder)


if __name__ == "__main__":
    main()
