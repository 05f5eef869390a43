"""What pyproject.toml cannot say: the cffi module and the Cython extensions."""

import sys
from pathlib import Path

from setuptools import Extension, setup

sys.path.insert(0, str(Path(__file__).parent / "packaging"))
from options import COVERAGE, DEBUG, LINK_OPTIONS, compile_options


def extension(
    name: str, level: str, suffix: str = "pyx", **options: object
) -> Extension:
    """A Cython module; setuptools calls Cython, with the attributes as options."""
    made = Extension(
        f"bbans.{name}",
        [f"bbans/{name.replace('.', '/')}.{suffix}"],
        extra_compile_args=compile_options(level),
        extra_link_args=LINK_OPTIONS,
        **options,
    )
    made.cython_line_directives = COVERAGE  # lines are those of the .pyx
    # What Cython adds for memory views, once; it writes _cyutility.c.
    made.shared_utility_qualified_name = "bbans._cyutility"
    made.cython_directives = {
        "language_level": 3,
        "boundscheck": DEBUG,
        "wraparound": False,
        "initializedcheck": DEBUG,
        "cdivision": True,
        "freethreading_compatible": True,
    }
    return made


setup(
    cffi_modules=["bbans/_core_build.py:ffibuilder"],
    ext_modules=[
        extension("_cyutility", "-O2", suffix="c"),
        extension("_sink", "-O2"),
        extension("_lists", "-O2"),
        *[
            extension(
                f"distributions.{name}",
                "-O2",
                include_dirs=["csrc"],
                depends=["csrc/bbans.h"],
            )
            for name in ("_cdf", "_law")
        ],
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
        extension("models._kalman", "-O3"),  # loops for the compiler to vectorise
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
)
