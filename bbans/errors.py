"""The errors that bbans raises on purpose: one family, one base class."""

from __future__ import annotations

__all__ = [
    "BbansError",
    "CorruptError",
    "FormatError",
    "LimitError",
    "MessageError",
    "ModelError",
    "SymbolError",
    "TruncatedError",
    "VersionError",
    "WrongModelError",
]


class BbansError(Exception):
    """Base of all errors raised on purpose.

    Attributes
    ----------
    status : int or None
        The code that the C library returned, where it found the fault.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class ModelError(BbansError, ValueError):
    """Parameters, masses, tables or settings that no code can be built from."""


class SymbolError(ModelError):
    """Data that the model cannot code: a symbol outside its alphabet."""


class MessageError(BbansError):
    """Too few bits in the message for a pop, or no room for a push."""


class LimitError(BbansError):
    """Data that would decode to more bytes than the caller allows (`max_bytes`)."""


class FormatError(BbansError, ValueError):
    """Bytes that are not what they should be; the subclasses say how."""


class VersionError(FormatError):
    """A format version, or a reserved field, that this release cannot read."""


class WrongModelError(FormatError):
    """Data that another model wrote."""


class TruncatedError(FormatError):
    """Data that ends too early."""


class CorruptError(FormatError):
    """Data that no encoder wrote: damaged, or decoded with another length, mode, model
    or number of lanes than it was encoded with.

    Containers and model files have checksums, which find
    damage. Bare messages and packets have none: most that are damaged decode, to
    other symbols (docs/maths.md, "A sequence as one message")."""
