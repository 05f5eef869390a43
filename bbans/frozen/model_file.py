"""Model files of any type, and the model that comes with the package."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.resources import files

from bbans.frozen.base import (
    FrozenModel,
)

__all__ = ["default_model", "load_model"]


def load_model(path: str | os.PathLike[str]) -> FrozenModel:
    """Read a model file of any type.

    Raises
    ------
    TruncatedError, CorruptError, VersionError, FormatError
        If it is not a model file, or damaged.
    """
    return FrozenModel.load(path)


@lru_cache(maxsize=1)
def default_model() -> FrozenModel:
    """Return the model of English bytes that comes with the package.

    It codes any bytes, and those of English text in fewest bits.
    """
    return FrozenModel.from_bytes(
        files("bbans").joinpath("data/english.bbm").read_bytes()
    )
