"""Files: the container, and what its blocks are coded by."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bbans.formats.base_coder import BaseCoder
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


# Loaded when they are used: `bbans --list` reads containers without numpy, and what
# decodes does without what only encodes.
_HOMES = {
    "base_coder": ("BaseCoder",),
    "coders": ("ByteCoder", "CodecCoder", "Coder", "ModelCoder", "SignalCoder"),
    "grid_coder": ("GridCoder",),
    "info": ("describe",),
    "mixing_coder": ("MixingCoder",),
    "random_access": ("ContainerFile",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"bbans.formats.{_HOME[name]}"), name)
    globals()[name] = value  # found without this function from now on
    return value
