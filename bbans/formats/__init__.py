"""Files: the container, and what its blocks are coded by."""

from bbans.formats.coders import (
    ByteCoder,
    CodecCoder,
    Coder,
    ModelCoder,
    SignalCoder,
)
from bbans.formats.info import describe
from bbans.formats.random_access import ContainerFile

__all__ = [
    "ByteCoder",
    "CodecCoder",
    "Coder",
    "ContainerFile",
    "ModelCoder",
    "SignalCoder",
    "describe",
]
