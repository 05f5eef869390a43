"""Files: the container, and what its blocks are coded by."""

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
from bbans.formats.mixing_coder import MixingCoder
from bbans.formats.random_access import ContainerFile

if TYPE_CHECKING:
    from bbans.formats.base_coder import BaseCoder

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


def __getattr__(name: str) -> Any:
    if name == "BaseCoder":  # what other containers do without
        from bbans.formats.base_coder import BaseCoder

        return BaseCoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
