"""What a file of ours holds: its lengths and checksums, without the memory of it."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO, cast

from bbans._files import Resumed, read_full
from bbans._kinds import CONTAINER, MODEL, SIGNAL, START_BYTES, STREAM, wrong_kind
from bbans._records import RecordReader
from bbans.errors import CorruptError, ModelError, TruncatedError
from bbans.formats.byte_stream import stream_blocks
from bbans.formats.container import ELEMENTS, METHODS, ContainerReader
from bbans.formats.signals import METHODS as SIGNAL_METHODS
from bbans.formats.signals import SignalReader
from bbans.frozen import arhmm, contexts, hmm, lgssm
from bbans.frozen.base import DAMAGED, check_length

__all__ = ["describe"]


def describe(file: BinaryIO) -> dict[str, Any]:
    """Say what a container, a signal, a byte stream or a model file holds.

    Every length and checksum is checked; blocks are not decoded, and a model's numbers
    are not: `load_model` does that.

    Parameters
    ----------
    file : binary file
        Is read once, front to back.

    Returns
    -------
    dict
        Names of facts, and the facts.

    Raises
    ------
    FormatError, VersionError, TruncatedError, CorruptError
        If it is none of these, or not whole.
    """
    start = read_full(file, START_BYTES)
    whole = cast(BinaryIO, Resumed(start, file))
    magic = start[: len(MODEL)]
    for known, facts in (
        (CONTAINER, _container),
        (SIGNAL, _signal),
        (STREAM, _stream),
        (MODEL, _model),
    ):
        if magic == known:
            return facts(whole)
    if CONTAINER.startswith(magic):
        raise TruncatedError("file ends early, in its magic")
    raise wrong_kind(start, "a bbans container, signal, byte stream or model file")


def _container(file: BinaryIO) -> dict[str, Any]:
    reader = ContainerReader(file)
    methods, n_blocks, n_symbols = set(), 0, 0
    for block in reader.blocks(data=False):
        methods.add(METHODS[block.method])
        n_blocks += 1
        n_symbols += block.n_symbols
    return {
        "kind": f"bbans container of {ELEMENTS[reader.header.element]}",
        "method": ", ".join(sorted(methods)) or "-",
        "model": reader.header.fingerprint.hex(),
        "shape": _shape(reader.shape or ()),
        "blocks": n_blocks,
        "bytes": reader.n_read,
        "overhead": f"{reader.n_read - reader.n_data} bytes",
        "rate": _rate(reader.n_read, n_symbols, "symbol"),
    }


def _signal(file: BinaryIO) -> dict[str, Any]:
    reader = SignalReader(file)
    methods, n_blocks = set(), 0
    for method in reader.methods():
        methods.add(SIGNAL_METHODS[method])
        n_blocks += 1
    return {
        "kind": f"bbans signal of {reader.dtype}",
        "method": ", ".join(sorted(methods)) or "-",
        "shape": _shape(reader.shape),
        "blocks": n_blocks,
        "bytes": reader.n_read,
        "rate": _rate(reader.n_read, math.prod(reader.shape), "value"),
    }


def _stream(file: BinaryIO) -> dict[str, Any]:
    reader = RecordReader(file, "byte stream")
    n_blocks, n_bytes = 0, 0
    for *_, n in stream_blocks(reader, check=True):
        n_blocks += 1
        n_bytes += n
    return {
        "kind": "bbans byte stream",
        "holds": f"{n_bytes} bytes",
        "blocks": n_blocks,
        "bytes": reader.at,
        "rate": _rate(reader.at, n_bytes, "byte"),
    }


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "scalar"


def _rate(n_bytes: int, n: int, what: str) -> str:
    return f"{8 * n_bytes / n:.4f} bits/{what}" if n else "-"


# ---- models


def _model(file: BinaryIO) -> dict[str, Any]:
    reader, digest = RecordReader(file, "model file"), hashlib.sha256(MODEL)
    reader.magic(MODEL)

    def upto(end: int) -> Iterator[bytes]:
        """What comes before byte `end`, in parts."""
        try:
            for part in reader.parts(end - reader.at, "its header"):
                digest.update(part)
                yield part
        except TruncatedError:
            if end > lgssm.HEADER.size:
                check_length(reader.at, end)
            raise

    head = MODEL + b"".join(upto(hmm.HEADER.size))
    fault: ModelError | None = None
    facts: dict[str, Any]
    if head[5] == lgssm.FrozenLGSSM.TYPE:
        head += b"".join(upto(lgssm.HEADER.size))
        linear = lgssm.read_head(head)
        size, start_length = linear.offsets()[1], linear.start_length
        facts = {
            "kind": "frozen linear Gaussian state space model",
            "latents": linear.n_latents,
            "observed": linear.n_observed,
            "noise": linear.noise,
            "steps": linear.n_steps,
        }
    else:
        hidden = hmm.read_head(head)
        size, start_length = hidden.offsets()[1], hidden.start_length
        autoregressive = hidden.start.model_type == arhmm.FrozenARHMM.TYPE
        facts = {
            "kind": "frozen hidden Markov model" + ", autoregressive" * autoregressive,
            "states": hidden.n_states,
            "symbols": f"{hidden.n_symbols} ({hidden.alphabet})",
        }
        if autoregressive:
            deque(upto(size), 0)
            counts = b"".join(upto(size + arhmm.COUNTS.size))
            n_contexts, n_entries, n_bytes = arhmm.COUNTS.unpack(counts)
            size += arhmm.COUNTS.size + n_bytes
            rest = chain.from_iterable(upto(size))
            try:
                order = _order(contexts.walk_contexts(rest, n_contexts, n_entries))
                facts["contexts"] = (
                    f"{n_contexts} of up to {order} symbols, {n_entries} entries"
                )
            except ModelError as error:
                fault = error
        facts["precision"] = f"{hidden.start.detail} bits"
    deque(upto(size), 0)
    facts |= {"start length": start_length, "fingerprint": digest.hexdigest()[:16]}
    try:
        good = reader.matches("its checksum")
    except TruncatedError:
        check_length(reader.at, size)
        raise
    if not good:
        raise CorruptError(DAMAGED)
    reader.end()
    if fault is not None:
        raise CorruptError(f"model file is inconsistent: {fault}")
    return facts | {"bytes": reader.at}


def _order(contexts: Iterable[tuple[int, list[int], list[int], list[int]]]) -> int:
    """Symbols of the longest context: the levels of the tree below its root."""
    order, left, below = 0, 1, 0
    for *_, labels in contexts:
        left, below = left - 1, below + len(labels)
        if left == 0 and below > 0:
            order, left, below = order + 1, below, 0
    return order
