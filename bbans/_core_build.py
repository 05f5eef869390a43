"""Build bbans._core from csrc/.  Run by setup.py, never imported."""

import re
from pathlib import Path

from cffi import FFI
from options import LINK_OPTIONS, compile_options

CSRC = Path("csrc")  # builds start at the repository root
# All but device/, which devices compile by itself.
FOLDERS = ["message", "distributions", "models", "bytes", "files", "records"]
FOLDERS += ["signals", "grids", "floats", "mixing", "kernels"]
header = (CSRC / "bbans.h").read_text(encoding="ascii")
header = header[header.index("/* cffi:begin") : header.index("/* cffi:end")]
header = re.sub(r"^#.*\n", "", header, flags=re.MULTILINE)  # nothing is left out

ffibuilder = FFI()
ffibuilder.cdef(header.replace("BBANS_API ", ""))
# The laws of models in Python: bbans/particles/filter.py.
LAW = "size_t t, const int64_t *z, size_t n, void *work, bbans_distribution *law"
for law in ("prior", "likelihood", "lookahead", "proposal"):
    seen = LAW.replace("*z,", "*z, const int64_t *x,") if law == "proposal" else LAW
    ffibuilder.cdef(f'extern "Python" bbans_status python_{law}(void *user, {seen});')
# Private in C: what the formats are checked by, and what decoding a block takes.
PRIVATE = """
uint32_t bbans_crc32(uint32_t crc, const uint8_t *bytes, size_t n);
size_t bbans_float_form_bytes(int element, int form, size_t n);
"""
ffibuilder.cdef(PRIVATE)
ffibuilder.set_source(
    "bbans._core",
    f'#include "bbans.h"\n{PRIVATE}',  # so the compiler checks the text above
    sources=sorted(
        path.as_posix() for folder in FOLDERS for path in (CSRC / folder).glob("*.c")
    ),
    define_macros=[("BBANS_API", "")],  # the module alone is visible
    include_dirs=[CSRC.as_posix()],
    depends=sorted(path.as_posix() for path in CSRC.glob("**/*.h")),
    extra_compile_args=compile_options("-O3", "-fvisibility=hidden"),
    extra_link_args=LINK_OPTIONS,
)
