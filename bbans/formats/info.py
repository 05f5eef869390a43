"""What a file of ours holds: its lengths and checksums, without the memory of it."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO, cast

from bbans._files import Resumed, read_full
from bbans._kinds import CONTAINER, MODEL, START_BYTES, wrong_kind
from bbans._records import RecordReader
from bbans.errors import CorruptError, ModelError, TruncatedError
from bbans.formats.coders import named
from bbans.formats.container import METHODS, ContainerReader
from bbans.frozen import arhmm, contexts, hmm, lgssm
from bbans.frozen.base import DAMAGED, KINDS, MODES, check_length, read_header

__all__ = ["describe"]


def describe(file: BinaryIO) -> dict[str, Any]:
    """Say what a container or a model file holds.

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
    if magic == MODEL:
        return _model(whole)
    if magic == CONTAINER:
        return _container(whole)
    if CONTAINER.startswith(magic):
        raise TruncatedError("file ends early, in its magic")
    raise wrong_kind(start, "a bbans container or model file")


def _container(file: BinaryIO) -> dict[str, Any]:
    reader, methods = ContainerReader(file), Counter[str]()
    coders: dict[str, None] = {}
    n_parts, n_elements, n_data = 0, 0, 0
    for part in reader.parts():
        header = part.header
        if header.fingerprint:
            coders[named(header.name, header.fingerprint)] = None
        for block in part.blocks(keep=False):
            block.check()
            methods[METHODS[block.method]] += 1
            n_data += block.n_bytes
        n_parts += 1
        n_elements += part.n_elements
    shape = (n_elements,) if reader.shape is None else reader.shape
    return {
        "kind": f"bbans container of {reader.header.kind}",
        "coder": ", ".join(coders) or "-",
        "shape": " x ".join(map(str, shape)) or "scalar",
        "parts": n_parts,
        "blocks": ", ".join(f"{n} {name}" for name, n in methods.items()) or "-",
        "bytes": reader.n_read,
        "overhead": f"{reader.n_read - n_data} bytes",
        "rate": (
            f"{8 * reader.n_read / n_elements:.4f} bits/element" if n_elements else "-"
        ),
    }


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
            if end > lgssm.HEADER_BYTES:
                check_length(reader.at, end)
            raise

    head = MODEL + b"".join(upto(hmm.HEADER_BYTES))
    fault: ModelError | None = None
    facts: dict[str, Any]
    start, _ = read_header(head, 0)
    if start.model_type == lgssm.FrozenLGSSM.TYPE:
        head += b"".join(upto(lgssm.HEADER_BYTES))
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
        autoregressive = start.model_type == arhmm.FrozenARHMM.TYPE
        facts = {
            "kind": "frozen hidden Markov model" + ", autoregressive" * autoregressive,
            "states": hidden.n_states,
            "symbols": hidden.n_symbols,
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
    facts |= {
        "data": KINDS[start.kind],
        "mode": MODES[start.mode],
        "start length": start_length,
        "fingerprint": digest.hexdigest()[:16],
    }
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
