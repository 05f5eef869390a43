"""Lossless compression with latent variable and state space models.

>>> import bbans
>>> bbans.decompress(bbans.compress(b"The same input gives the same bytes."))
b'The same input gives the same bytes.'
"""

import sys

if sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)] in ("bbans", "-mbbans"):
    import _bbans_start as _bbans_start  # as the program: before what takes a while

try:
    from bbans import _lib as _lib
except ModuleNotFoundError as error:
    if error.name != "bbans._core":  # of another package, which it names
        raise
    raise ImportError(
        f"bbans is not built here ({__path__[0]}): install it with pip, and run "
        "Python from another folder than that of the sources"
    ) from error
except ImportError as error:  # as in a subinterpreter, which cffi does not support
    raise ImportError(f"bbans cannot be loaded here: {error}") from error

from bbans import codecs, formats
from bbans.api import (
    compress,
    compress_file,
    decode,
    decompress,
    decompress_file,
    encode,
    open,
)
from bbans.codecs.check import CodecReport, ModelReport, check_codec, check_model
from bbans.codecs.sequence import decode_sequence, encode_sequence
from bbans.distributions.family import (
    Shape,
    fixed_locations,
    fixed_probabilities,
    fixed_rates,
    fixed_scales,
)
from bbans.distributions.table import Table, quantise
from bbans.errors import (
    BbansError,
    CorruptError,
    FormatError,
    LimitError,
    MessageError,
    ModelError,
    SymbolError,
    TruncatedError,
    VersionError,
    WrongModelError,
)
from bbans.frozen.alphabet import Alphabet
from bbans.frozen.hmm import FrozenARHMM, FrozenHMM
from bbans.frozen.lgssm import FrozenLGSSM
from bbans.frozen.model_file import default_model, load_model
from bbans.message.message import Message, RangeDecoder, RangeEncoder
from bbans.models import (
    ARHMM,
    HMM,
    LGSSM,
    Contexts,
    FactorialHMM,
    GaussianHMM,
    Statistics,
    Topology,
)
from bbans.records.batch import decode_batch, decode_packed, encode_batch, encode_packed
from bbans.records.packets import decode_packet, encode_packets

__version__ = "0.1.0"

__all__ = [
    "ARHMM",
    "HMM",
    "LGSSM",
    "Alphabet",
    "BbansError",
    "CodecReport",
    "Contexts",
    "CorruptError",
    "FactorialHMM",
    "FormatError",
    "FrozenARHMM",
    "FrozenHMM",
    "FrozenLGSSM",
    "GaussianHMM",
    "LimitError",
    "Message",
    "MessageError",
    "ModelError",
    "ModelReport",
    "RangeDecoder",
    "RangeEncoder",
    "Shape",
    "Statistics",
    "SymbolError",
    "Table",
    "Topology",
    "TruncatedError",
    "VersionError",
    "WrongModelError",
    "check_codec",
    "check_model",
    "codecs",
    "compress",
    "compress_file",
    "decode",
    "decode_batch",
    "decode_packed",
    "decode_packet",
    "decode_sequence",
    "decompress",
    "decompress_file",
    "default_model",
    "encode",
    "encode_batch",
    "encode_packed",
    "encode_packets",
    "encode_sequence",
    "fixed_locations",
    "fixed_probabilities",
    "fixed_rates",
    "fixed_scales",
    "formats",
    "load_model",
    "open",
    "quantise",
]
