"""Write the libraries for devices, each a folder for Arduino, PlatformIO and ESP-IDF.

    python tools/device_libraries.py FOLDER

FOLDER/bbans_tiny codes records, sequences and packets; FOLDER/bbans_decoder reads files
of all kinds. The files that those systems look for, and an example each, come from
packaging/devices/, the sources from csrc/. The examples' models are trained here, by
the installed bbans.
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

from amalgamate import CSRC, ROOT, amalgamate

import bbans
from bbans.frozen.c_header import c_header
from bbans.models import HMM

TINY = [
    "bbans.h", "bbans_tiny.h", "device/bbans_tiny.c", "device/bbans_tiny_record.c",
    "device/bbans_tiny_internal.h",
]  # fmt: skip
INCLUDE = re.compile(r'#include "\.\./')
# No operating system, and one kind of processor: nothing is to be chosen at run time.
PORTABLE = "#ifndef BBANS_PORTABLE\n#define BBANS_PORTABLE\n#endif\n"
READINGS = [f"t={20 + k % 7}.{k % 10} ok" for k in range(500)]


def c_array(name: str, data: bytes) -> str:
    lines = [", ".join(map(str, data[i : i + 16])) for i in range(0, len(data), 16)]
    body = ",\n    ".join(lines)
    return f"static const uint8_t {name}[{len(data)}] = {{\n    {body}}};\n"


def write_tiny(folder: Path) -> None:
    for name in TINY:
        text = INCLUDE.sub('#include "', (CSRC / name).read_text("ascii"))
        (folder / "src" / Path(name).name).write_text(text, "ascii", newline="\n")
    example = folder / "examples" / "records"
    codec = bbans.RecordCodec.train(READINGS, n_states=4, max_bytes=4000)
    text = c_header(codec.model, "sensor")
    (example / "sensor.h").write_text(text, "ascii", newline="\n")


def write_decoder(folder: Path) -> None:
    source, header = amalgamate(decoder=True)
    (folder / "src" / "bbans.c").write_text(PORTABLE + source, "ascii", newline="\n")
    (folder / "src" / "bbans.h").write_text(header, "ascii", newline="\n")
    log = "".join(f"{reading}\n" for reading in READINGS[:60]).encode()
    used = bbans.Alphabet(bytes(sorted(set(log))))  # 256 would take 30 KB more
    model = HMM.fit(log, 8, alphabet=used).freeze()
    text = c_array("model", model.to_bytes())
    text += c_array("compressed", bbans.compress(log, model))
    path = folder / "examples" / "container" / "log.h"
    path.write_text(text, "ascii", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    for name, write in (("bbans_tiny", write_tiny), ("bbans_decoder", write_decoder)):
        folder = args.folder / name
        shutil.copytree(ROOT / "packaging" / "devices" / name, folder)
        shutil.copy(ROOT / "LICENSE", folder)
        (folder / "src").mkdir()
        for path in [*folder.glob("library.*"), folder / "idf_component.yml"]:
            text = path.read_text("utf-8").replace("@VERSION@", bbans.__version__)
            path.write_text(text, "utf-8", newline="\n")
        write(folder)


if __name__ == "__main__":
    main()
