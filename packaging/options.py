"""How modules are compiled and linked, by setup.py and bbans/_core_build.py.

Without debug information: that is most of a module's size, and a quarter of the time to
build it.
"""

import os
import sys
import sysconfig

# Bounds checks in Cython, and the assertions of C.
DEBUG = os.environ.get("BBANS_DEBUG") == "1"
# Lines and branches count how often they are reached: tools/coverage.py.
COVERAGE = os.environ.get("BBANS_COVERAGE") == "1"

# setuptools calls MSVC with /O2; it knows none of the options below.
MSVC = sysconfig.get_platform().startswith("win")


def compile_options(*options: str) -> list[str]:
    """Those of gcc and clang: the level of optimisation, and others."""
    # CFLAGS of the environment take the place of Python's own, and of its -DNDEBUG.
    if COVERAGE:
        options = ("-O1", "--coverage", *options[1:])
    return [] if MSVC else [*options, "-g0", "-UNDEBUG" if DEBUG else "-DNDEBUG"]


# No table of symbols but those that are exported: none of the others is asked for.
LINK_OPTIONS = {"linux": ["-Wl,-s"], "darwin": ["-Wl,-x"]}.get(sys.platform, [])
if COVERAGE:
    LINK_OPTIONS = ["--coverage"]
