"""What a file of ours holds: its lengths and checksums, without the memory of it."""

from __future__ import annotations

from collections import Counter
from typing import Any, BinaryIO, cast

from bbans._arguments import check_file
from bbans._files import Resumed, read_full
from bbans._kinds import (
    CONTAINER,
    MODEL,
    NETWORK,
    START_BYTES,
    kind_name,
    wrong_kind,
)
from bbans.errors import TruncatedError
from bbans.formats.coders import named
from bbans.formats.container import METHODS, PIECES, ContainerReader

__all__ = ["describe"]


def describe(file: BinaryIO) -> dict[str, Any]:
    """Say what a container, a model file or a network file holds.

    Every length and checksum is checked; blocks are not decoded, and a model's numbers
    are not: `load_model` does that. Of a network file everything is.

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
    TypeError
        If `file` is no binary file.
    """
    check_file(file, "file", "read")
    start = read_full(file, START_BYTES)
    whole = cast(BinaryIO, Resumed(start, file))
    magic = start[: len(MODEL)]
    if magic == MODEL:
        from bbans.frozen.model_file import model_facts  # when a model is read

        return model_facts(whole)
    if magic == NETWORK:
        from bbans.frozen.network import network_facts

        return network_facts(whole)
    if magic == CONTAINER:
        return _container(whole)
    if CONTAINER.startswith(magic):
        raise TruncatedError("file ends early, in its magic")
    raise wrong_kind(start, "a bbans container, model file or network file")


def _container(file: BinaryIO) -> dict[str, Any]:
    reader, methods = ContainerReader(file), Counter[str]()
    coders: dict[str, None] = {}
    n_parts, n_elements, n_data = 0, 0, 0
    pieces, start = Counter[str](), b""
    for part in reader.parts():
        header = part.header
        if header.fingerprint:
            coders[named(header.name, header.fingerprint)] = None
        for block in part.blocks(keep=(PIECES,)):
            block.check()
            if block.method == PIECES:
                from bbans.formats.pieces import pieces_of, start_of  # when needed

                if n_parts == block.start == 0:
                    start = start_of(block.data)
                for piece in pieces_of(block.data):
                    pieces[piece.name] += piece.n_bytes
            methods[METHODS[block.method]] += 1
            n_data += block.n_bytes
        n_parts += 1
        n_elements += part.n_elements
    shape = (n_elements,) if reader.shape is None else reader.shape
    shape = reader.header.shape_of(shape)
    kind = f"bbans container of {reader.kind}"
    holds = {}
    if pieces:
        kind += f": {kind_name(start) or 'a table of text'}"
        other = pieces.pop("bytes", 0)
        texts = [f"{n} bytes of {name}" for name, n in pieces.items()]
        texts += [f"{other} other bytes"] * (other > 0)
        holds = {"holds": ", ".join(texts)}
    return {
        "kind": kind,
        **holds,
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
