"""What pyproject.toml cannot say: the cffi module and the Cython extensions."""

import os
import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("BBANS_DEBUG") == "1"
CFLAGS = [] if sys.platform == "win32" else ["-O3"]

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
                ["bbans/_forward.pyx"],
                include_dirs=["csrc"],
                depends=["bbans/_forward_kernels.h", "bbans/_forward_recursion.h"],
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
