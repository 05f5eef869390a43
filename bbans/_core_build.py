"""Build bbans._core from csrc/.  Run by setup.py, never imported."""

import re
import sys
from pathlib import Path

from cffi import FFI

CSRC = Path("csrc")  # builds start at the repository root
# All but device/, which devices compile by itself.
FOLDERS = ("message", "distributions", "models", "bytes", "files", "signals", "kernels")
header = (CSRC / "bbans.h").read_text(encoding="ascii")
header = header[header.index("/* cffi:begin") : header.index("/* cffi:end")]
header = re.sub(r"^#.*\n", "", header, flags=re.MULTILINE)  # nothing is left out

ffibuilder = FFI()
ffibuilder.cdef(header.replace("BBANS_API ", ""))
ffibuilder.set_source(
    "bbans._core",
    '#include "bbans.h"',  # so the compiler checks the text above
    sources=sorted(
        path.as_posix() for folder in FOLDERS for path in (CSRC / folder).glob("*.c")
    ),
    define_macros=[("BBANS_API", "")],  # the module alone is visible
    include_dirs=[CSRC.as_posix()],
    depends=sorted(path.as_posix() for path in CSRC.glob("**/*.h")),
    extra_compile_args=[]
    if sys.platform == "win32"
    else ["-O3", "-g0", "-fvisibility=hidden"],
    extra_link_args=["-Wl,-s"] if sys.platform.startswith("linux") else [],
)
