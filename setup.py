"""What pyproject.toml cannot say: the cffi module and the Cython extensions."""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("BBANS_DEBUG") == "1"
CFLAGS = [] if sys.platform == "win32" else ["-O3"]
FORWARD_SOURCES = [
    "bbans/_forward.pyx",
    *sorted(path.as_posix() for path in Path("csrc").glob("*.c")),
    *sorted(path.as_posix() for path in Path("csrc/kernels").glob("*.c")),
]

setup(
    cffi_modules=["bbans/_core_build.py:ffibuilder"],
    ext_modules=cythonize(
        [
            Extension("bbans._cdf", ["bbans/_cdf.pyx"], extra_compile_args=CFLAGS),
            Extension(
                "bbans._message",
                ["bbans/_message.pyx"],
                include_dirs=["csrc"],
                extra_compile_args=CFLAGS,
            ),
            Extension(
                "bbans._forward",
                FORWARD_SOURCES,
                include_dirs=["csrc"],
                extra_compile_args=CFLAGS,
            ),
        ],
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
