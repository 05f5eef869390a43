"""Model files of any type, and the model that comes with the package."""

from __future__ import annotations

import hashlib
import os
import struct
from collections import deque
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any, BinaryIO

from bbans._kinds import MODEL
from bbans._records import RecordReader
from bbans.errors import CorruptError, ModelError, TruncatedError
from bbans.frozen import (
    arhmm,
    context_mixer,
    contexts,
    deep_ssm,
    factorial_hmm,
    gaussian_hmm,
    hierarchical_hmm,
    hmm,
    levels,
    lgssm,
    network_model,
    tree,
    vae,
)
from bbans.frozen.base import (
    DAMAGED,
    KINDS,
    MODES,
    FrozenModel,
    check_length,
    plain_of,
    read_header,
)

__all__ = [
    "SHIPPED",
    "default_model",
    "load_model",
    "model_facts",
    "shipped_model",
    "text_model",
]

LEVELS: dict[int, type[levels.LevelModel]] = {
    model.TYPE: model
    for model in (
        hierarchical_hmm.FrozenHierarchicalHMM,
        factorial_hmm.FrozenFactorialHMM,
    )
}

SHIPPED = ("english", "text", "digits", "digit_rows")
"""The models that come with the package."""


def load_model(path: str | os.PathLike[str]) -> FrozenModel:
    """Read a model file of any type.

    Raises
    ------
    TruncatedError, CorruptError, VersionError, FormatError
        If it is not a model file, or damaged.
    """
    return FrozenModel.load(path)


def default_model() -> FrozenModel:
    """Return the model of English bytes that comes with the package.

    It codes any bytes, and those of English text in fewest bits.
    """
    return shipped_model("english")


def text_model() -> FrozenModel:
    """Return the context mixer of short texts that comes with the package.

    It codes records of any bytes with their ends, those of English text, and of text
    about programs above all, in fewest bits, and adapts to each. It takes 256 KB as a
    file, and some megabytes of memory.
    """
    return shipped_model("text")


@cache
def shipped_model(name: str) -> FrozenModel:
    """Return a model that comes with the package.

    Parameters
    ----------
    name : {"english", "text", "digits", "digit_rows"}
        The default model; the context mixer of `text_model`; a VAE of images of 28 x
        28 bits, handwritten digits; a deep state space model of the rows of such
        images.

    Raises
    ------
    ModelError
        If there is none of this name.
    """
    if name not in SHIPPED:
        raise ModelError(f"name must be one of {', '.join(SHIPPED)}, not {name!r}")
    return FrozenModel.from_bytes(
        files("bbans").joinpath(f"data/{name}.bbm").read_bytes()
    )


def packed_facts(data: bytes) -> dict[str, Any]:
    """The same of a packed file, which is unpacked for that."""
    plain = plain_of(data)
    facts = model_facts(BytesIO(plain))
    return facts | {"bytes": len(data), "packed from": f"{len(plain)} bytes"}


def model_facts(file: BinaryIO) -> dict[str, Any]:
    """Say what a model file holds, and check its lengths and checksum.

    The file is read once, in little memory: its numbers are not checked.

    Raises
    ------
    FormatError, VersionError, TruncatedError, CorruptError
        If it is none, or not whole.
    """
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
    if start.form:
        return packed_facts(head + file.read())
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
    elif start.model_type in (vae.FrozenVAE.TYPE, deep_ssm.FrozenDeepSSM.TYPE):
        head += b"".join(upto(network_model.HEADER_BYTES))
        networks = network_model.read_head(head)
        size, start_length = network_model.HEADER_BYTES, networks.start_length
        for _ in range(networks.n_networks):
            body = b"".join(upto(size + network_model.BODY.size))
            size += max(network_model.BODY.unpack(body)[2], len(body))
            deque(upto(size), 0)
        facts = networks.facts()
    elif start.model_type in LEVELS:
        kind = LEVELS[start.model_type]
        count = levels.n_levels(head)
        head += b"".join(upto(len(head) + 4 * count))
        chains = levels.read_head(head)
        size, start_length = chains.offsets(kind.shapes)[1], chains.start_length
        facts = {
            "kind": kind.NAME.replace("a ", "frozen ", 1),
            "states": " x ".join(map(str, chains.n_states[:: kind.ORDER])),
            "symbols": chains.n_symbols,
            "precision": f"{chains.start.detail} bits",
        }
    elif start.model_type == tree.FrozenTree.TYPE:
        head += b"".join(upto(tree.HEADER_BYTES))
        latent = tree.read_head(head)
        sizes = b"".join(upto(latent.sizes_end()))
        symbols = sum(size for (size,) in struct.iter_unpack("<I", sizes))
        size, start_length = latent.end(symbols), latent.start_length
        facts = latent.facts()
    elif start.model_type == gaussian_hmm.FrozenGaussianHMM.TYPE:
        head += b"".join(upto(gaussian_hmm.HEADER_BYTES))
        vectors = gaussian_hmm.read_head(head)
        size, start_length = vectors.end(), vectors.start_length
        facts = vectors.facts()
    elif start.model_type == context_mixer.FrozenContextMixer.TYPE:
        head += b"".join(upto(context_mixer.HEADER_BYTES))
        mixer = context_mixer.read_head(head)
        size, start_length = mixer.size, 0
        facts = mixer.facts()
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
            n_contexts, n_entries = arhmm.COUNTS.unpack(counts)
            size += arhmm.COUNTS.size
            rest = b"".join(upto(size + contexts.contexts_bytes(n_contexts, n_entries)))
            size += contexts.contexts_bytes(n_contexts, n_entries)
            zeros = -size % 4
            if any(b"".join(upto(size + zeros))):
                fault = ModelError("contexts are followed by bytes that are not 0")
            size += zeros
            try:
                tree_ = contexts.read_contexts(rest, n_contexts, n_entries)
                facts["contexts"] = (
                    f"{n_contexts} of up to {tree_.order} symbols, {n_entries} entries"
                )
            except ModelError as error:
                fault = fault or error
        facts["precision"] = f"{hidden.start.detail} bits"
    deque(upto(size), 0)
    utf8 = KINDS[start.kind] == "text" and not start.listed
    if start.ends:
        facts["ends"] = "the last symbol is the end of a record"
    facts |= {
        "data": "text in UTF-8" if utf8 else KINDS[start.kind],
        "mode": MODES[start.mode],
    }
    if start_length:
        facts["start length"] = start_length
    facts["fingerprint"] = digest.hexdigest()[:16]
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
