"""Lossless compression with latent variable and state space models.

>>> import bbans
>>> bbans.decompress(bbans.compress(b"The same input gives the same bytes."))
b'The same input gives the same bytes.'
"""

import sys
from importlib import import_module

if sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)] in ("bbans", "-mbbans"):
    import _bbans_start as _bbans_start  # as the program: before what takes a while

__version__ = "0.1.0"

# Where the public names are defined. Each is loaded when it is first used, so that
# what decodes does not load what trains; __init__.pyi has the same for type checkers.
_HOMES = {
    "bbans.api": (
        "compress",
        "compress_file",
        "decode",
        "decompress",
        "decompress_file",
        "encode",
        "open",
    ),
    "bbans.codecs.check": (
        "CodecReport",
        "ModelReport",
        "check_codec",
        "check_model",
    ),
    "bbans.codecs.sequence": (
        "decode_sequence",
        "encode_sequence",
    ),
    "bbans.errors": (
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
    ),
    "bbans.frozen.alphabet": ("Alphabet",),
    "bbans.frozen.arhmm": ("FrozenARHMM",),
    "bbans.frozen.hmm": ("FrozenHMM",),
    "bbans.frozen.lgssm": ("FrozenLGSSM",),
    "bbans.frozen.model_file": (
        "default_model",
        "load_model",
    ),
    "bbans.message.message": ("Message",),
    "bbans.message.range_coder": (
        "RangeDecoder",
        "RangeEncoder",
    ),
    "bbans.models": (
        "ARHMM",
        "HMM",
        "LGSSM",
        "Contexts",
        "FactorialHMM",
        "GaussianHMM",
        "Statistics",
        "Topology",
    ),
}
_ROOMS = (
    "codecs",
    "distributions",
    "errors",
    "formats",
    "frozen",
    "message",
    "models",
    "records",
)
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME, *_ROOMS])


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        value: object = import_module(f"bbans.{name}")
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'bbans' has no attribute {name!r}")
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
