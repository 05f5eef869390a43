"""Files: the container, and what its blocks are coded by."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bbans.formats.coders import (
    ByteCoder,
    CodecCoder,
    Coder,
    ModelCoder,
    SignalCoder,
)
from bbans.formats.grid_coder import GridCoder
from bbans.formats.info import describe
from bbans.formats.random_access import ContainerFile

if TYPE_CHECKING:
    from bbans.formats.base_coder import BaseCoder
    from bbans.formats.mixing_coder import MixingCoder

__all__ = [
    "BaseCoder",
    "ByteCoder",
    "CodecCoder",
    "Coder",
    "ContainerFile",
    "GridCoder",
    "MixingCoder",
    "ModelCoder",
    "SignalCoder",
    "describe",
]


# What decodes containers does without: loaded when they are used.
_HOMES = {
    "BaseCoder": "bbans.formats.base_coder",
    "MixingCoder": "bbans.formats.mixing_coder",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
