"""What pyproject.toml cannot say: the cffi module and the Cython extensions."""

import os
import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("BBANS_DEBUG") == "1"
LINUX = sys.platform.startswith("linux")


def extension(
    name: str, level: str, suffix: str = "pyx", **options: object
) -> Extension:
    """A Cython module, without debug information: that is most of its size, and a
    quarter of the time to build it."""
    return Extension(
        f"bbans.{name}",
        [f"bbans/{name.replace('.', '/')}.{suffix}"],
        extra_compile_args=[] if sys.platform == "win32" else [level, "-g0"],
        extra_link_args=["-Wl,-s"] if LINUX else [],
        **options,
    )


setup(
    cffi_modules=["bbans/_core_build.py:ffibuilder"],
    ext_modules=cythonize(
        [
            extension("_cyutility", "-O2", suffix="c"),
            extension("_sink", "-O2"),
            extension("_lists", "-O2"),
            extension("distributions._cdf", "-O2"),
            extension(
                "message._message",
                "-O2",
                include_dirs=["csrc"],
                depends=["csrc/bbans.h"],
            ),
            extension(
                "records._calls",
                "-O2",
                include_dirs=["csrc"],
                depends=["csrc/bbans.h"],
            ),
            extension(
                "records._find",
                "-O2",
                include_dirs=["csrc"],
                depends=["csrc/bbans.h"],
            ),
            extension("models._classes", "-O2"),
            extension(
                "models._forward",
                "-O3",  # its kernels have loops for the compiler to vectorise
                include_dirs=["csrc"],
                depends=[
                    "bbans/models/_forward_kernels.h",
                    "bbans/models/_forward_recursion.h",
                    "bbans/models/_viterbi_recursion.h",
                    "csrc/bbans.h",
                ],
            ),
        ],
        # What Cython adds for memory views, once; it writes _cyutility.c.
        shared_utility_qualified_name="bbans._cyutility",
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "wraparound": False,
            "initializedcheck": DEBUG,
            "cdivision": True,
            "freethreading_compatible": True,
        },
    ),
)
