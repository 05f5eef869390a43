"""Files: the container, and what its blocks are coded by."""

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

__all__ = [
    "ByteCoder",
    "CodecCoder",
    "Coder",
    "ContainerFile",
    "GridCoder",
    "ModelCoder",
    "SignalCoder",
    "describe",
]
