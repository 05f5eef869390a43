"""Model files of any type, and the one that comes with the package."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from bbans._kinds import MODEL
from bbans.frozen.base import LGSSM_TYPE
from bbans.frozen.hmm import FrozenHMM
from bbans.frozen.lgssm import FrozenLGSSM

__all__ = ["default_model", "load_model", "read_model"]

FrozenModel: TypeAlias = FrozenHMM | FrozenLGSSM


@lru_cache(maxsize=1)
def default_model() -> FrozenHMM:
    """Return the model of English bytes that comes with the package.

    It codes any bytes, and those of English text in fewest bits.
    """
    return FrozenHMM.from_bytes(
        files("bbans").joinpath("data/english.bbm").read_bytes()
    )


def load_model(path: str | os.PathLike[str]) -> FrozenModel:
    """Read a model file of any type.

    Raises
    ------
    TruncatedError, CorruptError, VersionError, FormatError
        If it is not a model file, or damaged.
    """
    return read_model(Path(path).read_bytes())


def read_model(data: bytes) -> FrozenModel:
    """Read a model file's bytes; see `load_model`."""
    if data.startswith(MODEL) and data[5:6] == bytes([LGSSM_TYPE]):
        return FrozenLGSSM.from_bytes(data)
    return FrozenHMM.from_bytes(data)
