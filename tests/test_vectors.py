"""The stored vectors, which no test writes: tests/vectors/make.py says what they are."""

import json
from pathlib import Path

import numpy as np
import pytest

from bbans import (
    FrozenHMM,
    Message,
    MessageError,
    RangeDecoder,
    RangeEncoder,
    Table,
    decode_sequence,
    encode_sequence,
)

VECTORS = Path(__file__).parent / "vectors"
MESSAGE = json.loads((VECTORS / "message_v1.json").read_text())
HMM = json.loads((VECTORS / "hmm_v1.json").read_text())


def test_the_vectors_are_those_of_this_format():
    assert MESSAGE["format"] == HMM["format"] == 1
    counts = [len(MESSAGE[key]) for key in ("scalar", "array", "range")]
    assert counts == [40, 60, 30]
    assert len(HMM["cases"]) == 790


@pytest.mark.parametrize("case", MESSAGE["scalar"])
def test_single_pushes_and_pops(case):
    message = Message.from_state(case["start"]["heads"], case["start"]["tail"])
    for name, lane, table, symbol, head, n_words in case["ops"]:
        edges = case["tables"][table]
        # The other lanes code the whole interval, which changes nothing.
        starts, freqs = [0] * case["lanes"], [edges[-1]] * case["lanes"]
        k = symbol
        if name != "push":
            slot = message.peek(edges[-1])[lane]
            k = int(np.searchsorted(edges, slot, side="right")) - 1
        starts[lane], freqs[lane] = edges[k], edges[k + 1] - edges[k]
        if name == "push":
            message.push(starts, freqs, edges[-1])
        elif name == "pop":
            assert k == symbol
            message.advance(starts, freqs, edges[-1])
        else:
            with pytest.raises(MessageError):
                message.advance(starts, freqs, edges[-1])
        heads, tail = message.state()
        assert (heads[lane], len(tail)) == (head, n_words)
    assert message.state() == (case["end"]["heads"], case["end"]["tail"])


@pytest.mark.parametrize("case", MESSAGE["array"])
def test_arrays(case):
    data = bytes.fromhex(case["bytes"])
    for only in range(len(case["tables"])):    # tables may differ in their symbols
        if case["rows"] is None and only > 0:
            break
    message = Message(case["lanes"])
    width = max(map(len, case["tables"]))
    if all(len(edges) == width for edges in case["tables"]):
        table = Table(case["tables"], case["prec"])
        message.push_symbols(table, case["symbols"], case["rows"])
        assert message.to_bytes() == data
        message = Message.from_bytes(data, case["lanes"])
        popped = message.pop_symbols(table, len(case["symbols"]), case["rows"])
        assert popped.tolist() == case["symbols"]
        assert message.is_empty
