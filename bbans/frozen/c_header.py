"""Frozen models as C constants for devices: what csrc/bbans_tiny.h reads."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.table import edges_of
from bbans.errors import ModelError
from bbans.frozen.arhmm import FrozenARHMM
from bbans.frozen.base import FrozenModel, as_model
from bbans.frozen.hmm import FrozenHMM

__all__ = ["c_header"]

PREC_MAX = 15
SYMBOLS_MAX = 256
COLUMNS = 80
# C99, what C++ adds, and the types in the header.
RESERVED = """
auto break case char const continue default do double else enum extern float for goto
if inline int long register restrict return short signed sizeof static struct switch
typedef union unsigned void volatile while class new delete this template NULL size_t
int64_t uint8_t uint16_t uint32_t uint64_t bbans_tiny_hmm bbans_tiny_model
"""


ALPHABET_TYPES = {"integers": "int64_t", "bytes": "uint8_t", "text": "uint32_t"}


def c_header(model: FrozenModel, name: str = "model") -> str:
    """Return a C header that holds a model as constants for flash.

    Parameters
    ----------
    model : FrozenHMM or FrozenARHMM
        A hidden Markov model of at most 15 bits and 256 symbols; or an
        autoregressive one of bytes, or of text by its UTF-8, for records.
    name : str
        A C identifier. Of a hidden Markov model the header defines
        ``const bbans_tiny_hmm NAME``; if symbols are listed, their values
        ``NAME_alphabet``; and of a model that ends, the symbol that ends a record,
        ``NAME_end``, which has no value. Of an autoregressive one it defines
        ``const uint8_t NAME[]``, its model file.

    Raises
    ------
    ModelError
        If the model is too large or too fine for devices, or `name` is no C name.

    Notes
    -----
    Tables take 2 (K + 1) (K + 1) + 2 K (M + 1) bytes of flash, a model file as many
    as ``len(model.to_bytes())``.
    """
    if not isinstance(model, FrozenHMM | FrozenARHMM):
        name = as_model(model).NAME
        raise ModelError(f"devices code hidden Markov models, not {name}")
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or name in RESERVED.split():
        raise ModelError(f"{name!r} is no C name that is free")
    body = (
        _file(model, name) if isinstance(model, FrozenARHMM) else _tables(model, name)
    )
    guard = f"BBANS_MODEL_{name.upper()}_H"
    parts = [
        f"/* Frozen model {model.fingerprint.hex()}, written by bbans export:\n"
        f" * {model.n_states} states, {model.n_symbols} symbols, {model.prec} bits. */",
        f"#ifndef {guard}\n#define {guard}\n",
        '#include "bbans_tiny.h"\n',
        f"#if BBANS_TINY_STATES < {model.n_states}",
        f'#error "define BBANS_TINY_STATES as {model.n_states} or more"\n#endif\n',
        *body,
        "\n#endif\n",
    ]
    return "\n".join(parts)


def _file(model: FrozenARHMM, name: str) -> list[str]:
    if not (model.kind == "bytes" or model.alphabet.is_utf8):
        raise ModelError(
            "records on devices are bytes: train the model on bytes, or on text "
            "without an alphabet"
        )
    return [_array(f"uint8_t {name}", np.frombuffer(model.to_bytes(), np.uint8))]


def _tables(model: FrozenHMM, name: str) -> list[str]:
    if model.prec > PREC_MAX:
        raise ModelError(
            f"tables for devices have at most {PREC_MAX} bits, this model has "
            f"{model.prec}: freeze it, or train it, with that precision"
        )
    if model.n_symbols > SYMBOLS_MAX:
        ends = ", with the end of a record: train it without" * model.ends
        raise ModelError(
            f"devices code up to {SYMBOLS_MAX} symbols, this model has "
            f"{model.n_symbols}{ends}"
        )
    parts = [
        _array(f"uint16_t {name}_initial", edges_of(model.initial)),
        _array(f"uint16_t {name}_transition", edges_of(model.transition)),
        _array(f"uint16_t {name}_emission", edges_of(model.emission)),
    ]
    if model.alphabet.values is not None:
        ctype = ALPHABET_TYPES[model.kind]
        parts.append(_array(f"{ctype} {name}_alphabet", model.alphabet.values))
    if model.ends:
        parts.append(
            "/* The symbol that ends a record: it has no value. */\n"
            f"enum {{ {name}_end = {model.alphabet.end} }};\n"
        )
    return [
        *parts,
        f"static const bbans_tiny_hmm {name} = {{",
        f"    {name}_initial, {name}_transition, {name}_emission,",
        f"    {model.n_states}, {model.n_symbols},",
        f"    {model.start_length}, {model.prec}}};",
    ]


def _array(declaration: str, values: NDArray[Any]) -> str:
    lines, line = [], "   "
    for value in values.ravel().tolist():
        # C has no literal for the least 64-bit integer.
        item = f" {value}," if value > -(1 << 63) else f" {value + 1} - 1,"
        if len(line) + len(item) > COLUMNS:
            lines.append(line)
            line = "   "
        line += item
    lines.append(line.rstrip(","))
    return f"static const {declaration}[] = {{\n" + "\n".join(lines) + "};\n"
