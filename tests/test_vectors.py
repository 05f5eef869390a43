"""The stored vectors; tests/vectors/make.py says what they are. No test writes them."""

import json
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from shared import ISAS, in_mode

from bbans import FrozenNetwork, Message
from bbans._lib import lib
from bbans.codecs import decode_sequence, encode_sequence
from bbans.distributions import Categorical, Table
from bbans.errors import MessageError
from bbans.frozen import FrozenHMM, FrozenLGSSM, FrozenModel
from bbans.message import RangeDecoder, RangeEncoder

VECTORS = Path(__file__).parent / "vectors"
MESSAGE = json.loads((VECTORS / "message_v1.json").read_text())
HMM = json.loads((VECTORS / "hmm_v1.json").read_text())
STREAM = json.loads((VECTORS / "stream_v1.json").read_text())
LGSSM = json.loads((VECTORS / "lgssm_v1.json").read_text())
NETWORK = json.loads((VECTORS / "network_v1.json").read_text())


def test_the_vectors_are_whole():
    assert MESSAGE["format"] == HMM["format"] == STREAM["format"] == 1
    assert [len(MESSAGE[key]) for key in ("scalar", "array", "range")] == [40, 60, 30]
    assert [len(HMM[key]) for key in ("models", "cases")] == [55, 790]
    assert LGSSM["format"] == 1
    assert [len(LGSSM[key]) for key in ("models", "cases")] == [9, 89]
    assert NETWORK["format"] == 1
    assert len(NETWORK["cases"]) == 5


def interval(edges, symbol):
    return edges[symbol], edges[symbol + 1] - edges[symbol], edges[-1]


def intervals(edges, symbol, lane, lanes):
    """What one lane pushes, while the others push [0, total): that changes nothing."""
    starts, freqs = [0] * lanes, [edges[-1]] * lanes
    starts[lane], freqs[lane], total = interval(edges, symbol)
    return starts, freqs, total


def found(message, edges, lane):
    """The symbol that a lane would pop."""
    slot = message.peek(edges[-1])[lane]
    return int(np.searchsorted(edges, slot, side="right")) - 1


@pytest.mark.parametrize("case", MESSAGE["scalar"])
def test_single_pushes_and_pops(case):
    message, lanes = Message.from_state(**case["start"]), case["lanes"]
    for name, lane, table, symbol, head, n_words in case["ops"]:
        edges = case["tables"][table]
        if name == "push":
            message.push_interval(*intervals(edges, symbol, lane, lanes))
        else:
            popped = intervals(edges, found(message, edges, lane), lane, lanes)
            if name == "pop":
                assert found(message, edges, lane) == symbol
                message.advance(*popped)
            else:
                with pytest.raises(MessageError):
                    message.advance(*popped)
        heads, tail = message.state()
        assert (heads[lane], len(tail)) == (head, n_words)
    assert message.state() == (case["end"]["heads"], case["end"]["tail"])


@pytest.mark.parametrize("case", MESSAGE["array"])
def test_arrays(case):
    lanes, symbols, data = case["lanes"], case["symbols"], bytes.fromhex(case["bytes"])
    tables = [case["tables"][row] for row in case["rows"] or [0] * len(symbols)]
    message = Message(lanes)
    for i in reversed(range(len(symbols))):
        message.push_interval(*intervals(tables[i], symbols[i], i % lanes, lanes))
    assert message.to_bytes() == data
    if len({len(edges) for edges in case["tables"]}) == 1:  # else no Table holds them
        table = Table(case["tables"], case["prec"])
        message = Message(lanes)
        message.push(Categorical(table, case["rows"] or 0), symbols)
        assert message.to_bytes() == data
        message = Message.from_bytes(data, lanes)
        popped = message.pop(Categorical(table, case["rows"] or 0), len(symbols))
        assert popped.tolist() == symbols
        assert message.is_empty


@pytest.mark.parametrize("case", MESSAGE["range"])
def test_range_codes(case):
    encoder = RangeEncoder()
    for table, symbol in case["symbols"]:
        encoder.encode_interval(*interval(case["tables"][table], symbol))
    message, integer = encoder.finish(), int(case["integer"], 16)
    data = integer.to_bytes((integer.bit_length() + 7) // 8, "little")
    assert message.to_bytes() == data
    decoder = RangeDecoder(Message.from_bytes(data))
    for table, symbol in case["symbols"]:
        edges = case["tables"][table]
        assert edges[symbol] <= decoder.peek(edges[-1]) < edges[symbol + 1]
        decoder.advance(*interval(edges, symbol))
    decoder.check()


@pytest.mark.parametrize("vectors", [HMM, STREAM], ids=["short", "stream"])
@pytest.mark.parametrize("predictive", [False, True])
def test_sequences(vectors, predictive):
    models = [
        FrozenHMM(
            model["initial"],
            model["transition"],
            model["emission"],
            prec=model["prec"],
            start_length=model["tail_length"],
        )
        for model in vectors["models"]
    ]
    for number, case in enumerate(vectors["cases"]):
        model, xs = models[case["model"]], case["xs"]
        data = bytes.fromhex(case["encode_predictive" if predictive else "encode"])
        encoded = encode_sequence(xs, in_mode(model, predictive)).to_bytes()
        assert encoded == data, number
        message = Message.from_bytes(data)
        decoded = decode_sequence(message, in_mode(model, predictive), len(xs))
        assert decoded.tolist() == xs, number


@pytest.mark.parametrize("predictive", [False, True])
def test_sequences_of_linear_gaussian_models(predictive):
    models = [
        FrozenLGSSM(
            model["n"],
            model["p"],
            model["offsets"],
            model["words"],
            noise=model["noise"],
            start_length=model["tail_length"],
            start_bits=model["start_bits"],
        )
        for model in LGSSM["models"]
    ]
    for number, case in enumerate(LGSSM["cases"]):
        model = models[case["model"]]
        xs = np.array(case["xs"], np.int64).reshape(-1, model.n_observed)
        data = bytes.fromhex(case["encode_predictive" if predictive else "encode"])
        encoded = encode_sequence(xs, in_mode(model, predictive)).to_bytes()
        assert encoded == data, number
        message = Message.from_bytes(data)
        decoded = decode_sequence(message, in_mode(model, predictive), len(xs))
        assert (decoded.reshape(xs.shape) == xs).all(), number


@pytest.mark.parametrize("case", NETWORK["cases"], ids=lambda case: case["name"])
def test_networks(case):
    """All items at once, and one by one, by each set of kernels and by the reference;
    the file is written again."""
    file = bytes.fromhex(case["file"])
    network, reference = FrozenNetwork.from_bytes(file), ref.read_network(file)
    assert network.to_bytes() == ref.network_file(reference) == file
    assert FrozenNetwork(network.nodes, network.output_nodes) == network
    for inputs, outputs in zip(case["inputs"], case["outputs"], strict=True):
        assert reference.run(*inputs) == outputs

    def run(k):
        arrays = [
            np.reshape(values, (-1, *shape))
            for values, shape in zip(
                zip(*case["inputs"][k], strict=True), network.inputs, strict=True
            )
        ]
        results = network(*arrays)
        tensors = results if isinstance(results, tuple) else (results,)
        return [[t[i].ravel().tolist() for t in tensors] for i in range(len(arrays[0]))]

    best = lib.bbans_isa_use(lib.BBANS_ISA_BEST)
    try:
        for isa in ISAS.values():
            assert lib.bbans_isa_use(isa) == isa
            assert run(slice(None)) == case["outputs"]
            for k in range(len(case["inputs"])):
                assert run(slice(k, k + 1)) == case["outputs"][k : k + 1]
    finally:
        lib.bbans_isa_use(best)


@pytest.mark.parametrize("kind", ["vae", "deep_ssm", "tree", "gaussian_hmm"])
@pytest.mark.parametrize("predictive", [False, True])
def test_sequences_of_rows(kind, predictive):
    vectors = json.loads((VECTORS / f"{kind}_v1.json").read_text())
    assert vectors["format"] == 1
    sizes = {"vae": 20, "deep_ssm": 10, "tree": 7, "gaussian_hmm": 8}
    assert len(vectors["cases"]) == sizes[kind]
    for case in vectors["cases"]:
        file = bytes.fromhex(case["file"])
        model = FrozenModel.from_bytes(file)
        assert model.to_bytes() == file
        steps, mode = model.state_space(), in_mode(model, predictive)
        assert len(case["sequences"]) == 6
        for sequence in case["sequences"]:
            x = np.array(sequence["xs"], np.int64).reshape(-1, model.width)
            data = bytes.fromhex(
                sequence["encode_predictive" if predictive else "encode"]
            )
            assert mode.encode(x) == data, case["name"]
            decoded = mode.decode(data, len(x)).reshape(x.shape)
            assert (decoded == x).all(), case["name"]
            slow = encode_sequence(x, steps, predictive=predictive)
            assert slow.to_bytes() == data, case["name"]
            again = decode_sequence(slow, steps, len(x), predictive=predictive)
            assert np.array_equal(np.reshape(again, x.shape), x), case["name"]
