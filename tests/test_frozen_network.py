"""Networks in integers: batches, types, threads, files that are damaged or lie."""

import copy
import hashlib
import io
import json
import math
import pickle
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import reference as ref

from bbans import FrozenNetwork, load_model
from bbans._lib import lib
from bbans.errors import (
    CorruptError,
    FormatError,
    ModelError,
    SymbolError,
    TruncatedError,
    VersionError,
)
from bbans.formats.info import describe
from bbans.frozen import NetworkNode

VECTORS = Path(__file__).parent / "vectors" / "network_v1.json"
FILES = {
    case["name"]: bytes.fromhex(case["file"])
    for case in json.loads(VECTORS.read_text())["cases"]
}
RNG = np.random.default_rng(3)


def affine(a, shape, kernel, *, low=-(2**31), high=2**31 - 1, stride=1, pad=0, bits=8):
    """Of random weights, on node `a` of this many channels."""
    dtype = {8: np.int8, 16: np.int16}[bits]
    rows, top = shape[2], 2 ** (bits - 1) - 1
    return NetworkNode(
        "affine", (a,), shape, low, high, (stride, stride), (pad, pad),
        RNG.integers(-top, top + 1, (rows, *kernel)).astype(dtype),
        RNG.integers(-9999, 9999, rows).astype(np.int32),
        RNG.integers(2**22, 2**24, rows).astype(np.int32),
        RNG.integers(22, 26, rows).astype(np.uint8),
    )  # fmt: skip


def start(shape, low=-128, high=127):
    return NetworkNode("input", (), shape, low, high)


def convolutional(height, width):
    """With a stride and without, upsampling, and a sum of two ways."""
    half = height // 2, width // 2
    nodes = [
        start((height, width, 2)),
        affine(0, (height, width, 3), (3, 3, 2), pad=1, low=-99, high=999),
        affine(1, (*half, 4), (2, 2, 3), stride=2, low=0, high=255),
        NetworkNode("shuffle", (2,), (height, width, 1), 0, 255, first=2),
        affine(0, (height, width, 1), (1, 1, 2)),
        NetworkNode(
            "sum", (3, 4), (height, width, 1), -(2**31), 2**31 - 1, factor=(3, 1),
            shift=1,
        ),
        NetworkNode("concat", (1, 3), (height, width, 4), -99, 999),
    ]  # fmt: skip
    return FrozenNetwork(nodes, [5, 6])


@pytest.fixture(scope="module")
def network():
    return convolutional(6, 8)


@pytest.fixture(scope="module")
def items():
    return RNG.integers(-128, 128, (100, 6, 8, 2), dtype=np.int8)


# ---- running


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_an_items_outputs_depend_on_nothing_else(network, items, threads):
    whole = network(items, threads=threads)
    for n in (1, 7, 100):
        for k in range(0, 100 - n + 1, 33):
            for part, one in zip(
                network(items[k : k + n], threads=threads), whole, strict=True
            ):
                np.testing.assert_array_equal(part, one[k : k + n])
    for k in (0, 99):
        expected = ref.read_network(network.to_bytes()).run(items[k].ravel().tolist())
        assert [one[k].ravel().tolist() for one in whole] == expected


def test_leading_axes(network, items):
    summed, joined = network(items.reshape(2, 5, 10, 6, 8, 2))
    assert summed.shape == (2, 5, 10, 6, 8, 1)
    assert joined.shape == (2, 5, 10, 6, 8, 4)
    assert summed.dtype == np.int32
    alone, _ = network(items[13])
    np.testing.assert_array_equal(alone, summed[0, 1, 3])
    none, _ = network(items[:0])
    assert none.shape == (0, 6, 8, 1)


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i2", "u2", "i4", "u4", "i8",
                                   "u8", ">i8"])  # fmt: skip
def test_integers_of_any_type(network, items, dtype):
    values = abs(items.astype(int) // 2)
    expected, _ = network(values)
    np.testing.assert_array_equal(network(values.astype(dtype))[0], expected)


def test_arrays_that_are_not_contiguous(network, items):
    expected, _ = network(items)
    turned = np.asfortranarray(items)
    np.testing.assert_array_equal(network(turned)[0], expected)
    spread = np.zeros((100, 6, 8, 4), np.int16)
    spread[..., ::2] = items
    np.testing.assert_array_equal(network(spread[..., ::2])[0], expected)
    np.testing.assert_array_equal(network(items[:3].tolist())[0], expected[:3])


def test_a_network_without_inputs():
    three = NetworkNode("input", (), (1, 1, 2), 0, 3)
    network = FrozenNetwork([three], [0, 0])
    a, b = network(np.array([1, 3], np.uint8))
    assert a.tolist() == b.tolist() == [1, 3]


# ---- what it says


def test_what_it_is(network):
    assert network.inputs == [(6, 8, 2)]
    assert network.outputs == [(6, 8, 1), (6, 8, 4)]
    assert network.input_ranges == [(-128, 127)]
    assert network.output_ranges == [(-(2**31), 2**31 - 1), (-99, 999)]
    assert network.output_nodes == [5, 6]
    assert network.products == 48 * 3 * 18 + 12 * 4 * 12 + 48 * 2
    assert repr(network) == (
        "FrozenNetwork(6 x 8 x 2 -> 6 x 8 x 1, 6 x 8 x 4; 7 nodes, 3264 products, "
        f"{network.fingerprint.hex()})"
    )


def test_shapes_in_front_are_left_out():
    nodes = [start((1, 1, 5)), start((1, 4, 3)), start((3, 1, 2))]
    network = FrozenNetwork(nodes, [0, 1, 2])
    assert network.inputs == network.outputs == [(5,), (4, 3), (3, 1, 2)]


def test_copies_and_files(network, tmp_path):
    path = tmp_path / "net.bbn"
    network.save(path)
    data = path.read_bytes()
    assert data == network.to_bytes()
    again = FrozenNetwork.load(path)
    assert again == network
    assert hash(again) == hash(network)
    assert again != convolutional(6, 8)
    assert again != data
    assert pickle.loads(pickle.dumps(network)) == network
    assert copy.copy(network) is copy.deepcopy(network) is network
    assert network.fingerprint == hashlib.sha256(data[:-4]).digest()[:8]
    assert FrozenNetwork(network.nodes, network.output_nodes) == network
    body = bytes(network._body())
    made, size = FrozenNetwork._of_body(memoryview(body + b"what follows"))
    assert (made, size) == (network, len(body))


def test_info(network, tmp_path):
    path = tmp_path / "net.bbn"
    network.save(path)
    with open(path, "rb") as file:
        facts = describe(file)
    assert facts == {
        "kind": "network in integers",
        "inputs": "6 x 8 x 2 of -128 .. 127",
        "outputs": "6 x 8 x 1 of -2147483648 .. 2147483647, 6 x 8 x 4 of -99 .. 999",
        "nodes": 7,
        "weights": 3 * 18 + 4 * 12 + 2,
        "products": "3264 an item",
        "fingerprint": network.fingerprint.hex(),
        "bytes": path.stat().st_size,
    }
    with pytest.raises(FormatError, match="this is a bbans network file; Frozen"):
        load_model(path)


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"\x89bbn", TruncatedError, "network file ends early, in its header"),
        (FILES["cell"][:-1], TruncatedError, "ends early, in its nodes"),
        (FILES["cell"][:16] + b"\xff" * 4, TruncatedError, "ends early, in its nodes"),
        (FILES["cell"] + b"\0", CorruptError, "followed by other data"),
        (FILES["cell"][:-1] + b"\0", CorruptError, "network file is damaged"),
        (FILES["cell"][:16] + bytes(4), CorruptError, "network file is damaged"),
    ],
)
def test_info_on_files_that_are_damaged(data, error, text):
    with pytest.raises(error, match=text):
        describe(io.BytesIO(data))


# ---- other sizes


def test_with_shape(network):
    """Away from the edge, windows see the same."""
    large = network.with_shape(10, 14)
    assert large.inputs == [(10, 14, 2)]
    assert large.outputs == [(10, 14, 1), (10, 14, 4)]
    assert large.with_shape(6, 8) == network
    assert network.with_shape(6, 8) == network
    x = RNG.integers(-128, 128, (10, 14, 2))
    whole = large(x)
    assert ref.read_network(large.to_bytes()).run(x.ravel().tolist()) == [
        part.ravel().tolist() for part in whole
    ]
    for part, inner in zip(network(x[2:8, 4:12]), whole, strict=True):
        np.testing.assert_array_equal(part[2:4, 2:6], inner[4:6, 6:10])


def test_maps_of_several_inputs_grow_alike():
    nodes = [start((4, 4, 1)), start((2, 2, 4))]
    nodes.append(NetworkNode("shuffle", (1,), (4, 4, 1), -128, 127, first=2))
    nodes.append(
        NetworkNode("product", (0, 2), (4, 4, 1), -99, 99, factor=(1,), shift=3)
    )
    large = FrozenNetwork(nodes, [3]).with_shape(8, 12)
    assert large.inputs == [(8, 12, 1), (4, 6, 4)]
    assert large.outputs == [(8, 12, 1)]
    with pytest.raises(ModelError, match=r"node 1 \(input\) has no size for 5 x 12"):
        large.with_shape(5, 12)


def test_sizes_that_there_are_not(network):
    with pytest.raises(ModelError, match=r"node 2 \(affine\) has no size for 7 x 8"):
        network.with_shape(7, 8)
    with pytest.raises(ModelError, match="height must be an integer, at least 1"):
        network.with_shape(0, 8)
    whole = FrozenNetwork([start((4, 4, 1)), affine(0, (1, 1, 3), (4, 4, 1))], [1])
    with pytest.raises(ModelError, match=r"node 1 \(affine\) takes a whole map"):
        whole.with_shape(8, 8)
    assert whole.with_shape(4, 4) == whole
    flat = NetworkNode("reshape", (0,), (1, 1, 16), -128, 127)
    with pytest.raises(ModelError, match=r"node 1 \(reshape\) takes a whole map"):
        FrozenNetwork([start((4, 4, 1)), flat], [1]).with_shape(8, 8)


# ---- proof


@pytest.mark.parametrize("bits", [8, 16])
def test_the_greatest_sums_that_are_proved(bits):
    """Computed at both ends by every set of kernels, in 32 bits."""
    n, top = 9, 2 ** (bits - 1)
    weight = np.full((2, 1, 1, n), top - 1, {8: np.int8, 16: np.int16}[bits])
    weight[1] = -top
    bounds = [
        2**31 - 1 - n * (top - 1) * 2**15,
        -(2**31 - 1 - n * top * 2**15),
    ]
    wide = (-(2**31), 2**31 - 1)
    if min(bounds[0], -bounds[1]) < 0:  # too many weights: fewer of them
        weight[..., 1:] = 0
        bounds = [2**31 - 1 - (top - 1) * 2**15, -(2**31 - 1 - top * 2**15)]
    layer = NetworkNode(
        "affine", (0,), (1, 1, 2), *wide, (1, 1), (0, 0), weight,
        np.array(bounds, np.int32), np.full(2, 2**23, np.int32),
        np.full(2, 23, np.uint8),
    )  # fmt: skip
    nodes = [start((1, 1, n), -(2**15), 2**15 - 1), layer]
    network = FrozenNetwork(nodes, [1])
    values = np.array([[-(2**15)] * n, [2**15 - 1] * n])
    expected = [
        [
            int(b + w.astype(int).ravel() @ v)
            for w, b in zip(weight, bounds, strict=True)
        ]
        for v in values
    ]
    assert abs(np.array(expected)).max() > 2**30
    best = lib.bbans_isa_use(lib.BBANS_ISA_BEST)
    try:
        for isa in range(lib.BBANS_ISA_BEST):
            if lib.bbans_isa_use(isa) == isa:
                assert network(values).tolist() == expected
    finally:
        lib.bbans_isa_use(best)
    over = layer.bias + np.array([1, -1], np.int32)
    with pytest.raises(ModelError, match=r"node 1 \(affine\): row 0: a sum can reach "
                       r"2147483648"):  # fmt: skip
        FrozenNetwork([nodes[0], layer._replace(bias=over)], [1])
    over[0] -= 1
    with pytest.raises(ModelError, match=r"node 1 \(affine\): row 1: a sum can reach"):
        FrozenNetwork([nodes[0], layer._replace(bias=over)], [1])


# ---- mistakes


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (np.full((3, 6, 8, 2), 128), SymbolError, "input 0 has 128 at position 0, "
         "outside -128 to 127: clip it"),
        (np.full((6, 8, 2), 2**64 - 1, np.uint64), SymbolError, "has 1844674407370955"),
        (np.zeros((6, 8, 2)), SymbolError, "must be integers of at most 64 bits, not "
         "of dtype float64: round them"),
        (np.zeros((6, 8, 2), bool), SymbolError, "convert them with"),
        (np.zeros((6, 8), int), ModelError, r"must have shape \(..., 6, 8, 2\), not "
         r"\(6, 8\)"),
        ([[1, 2], [3]], SymbolError, "must form an array"),
        (np.ma.masked_array(np.zeros((6, 8, 2), int)), SymbolError, "masked"),
    ],
)  # fmt: skip
def test_inputs_that_are_refused(network, value, error, text):
    with pytest.raises(error, match=text):
        network(value)


def test_calls_that_are_refused(network, items):
    with pytest.raises(ModelError, match="takes 1 inputs, not 2"):
        network(items, items)
    with pytest.raises(ModelError, match="threads must be an integer, at least 1"):
        network(items, threads=0)
    last = items.astype(int)
    last[-1, -1, -1, -1] = -129
    for threads in (1, 3):
        with pytest.raises(SymbolError, match="has -129 at position 9599"):
            network(last, threads=threads)
    two = FrozenNetwork([start((1, 1, 2)), start((1, 1, 2))], [0, 1])
    with pytest.raises(ModelError, match=r"input 1 has leading axes \(4,\), and input"):
        two(np.zeros((3, 2), int), np.zeros((4, 2), int))


GOOD = affine(0, (1, 1, 3), (1, 1, 2))


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (GOOD._replace(op="dense"), r"node 1 \(dense\): .*not in"),
        (GOOD._replace(inputs=(1,)), r"node 1 \(affine\): "),
        (GOOD._replace(weight=GOOD.weight.astype(float)), "weights are int8 or int16"),
        (GOOD._replace(weight=GOOD.weight[:, 0]), "weights are int8 or int16, of 4"),
        (GOOD._replace(weight=GOOD.weight[:2]), "bias is of int32, one a row"),
        (GOOD._replace(weight=GOOD.weight[..., :1]), "do not make 3 channels of 2"),
        (GOOD._replace(bias=None), "bias is of int32, one a row"),
        (GOOD._replace(row_shift=np.zeros(3, np.uint8)), "shifts are out of range"),
        (GOOD._replace(multiplier=np.full(3, 2**24, np.int32)), "multipliers or"),
        (GOOD._replace(stride=(0, 1)), "its kernel, padding"),
        (GOOD._replace(low=2**31), r"node 1 \(affine\)"),
        (NetworkNode("sum", (0, 0), (1, 1, 3), 0, 9, factor=(1, 1), shift=1), "do not "
         "fit those of its inputs"),
        (NetworkNode("scale", (0,), (1, 1, 2), 0, 9, factor=(1,), shift=63), r"node 1 "
         r"\(scale\): its shape, range or numbers"),
        (NetworkNode("scale", (0,), (1, 1, 2), 9, 0, factor=(1,), shift=6), "scale"),
        (NetworkNode("slice", (0,), (1, 1, 2), -128, 127, first=1), "slice"),
        (NetworkNode("input", (), (0, 1, 2), 0, 1), "input"),
        (NetworkNode("input", (), (2**12, 2**12, 2), 0, 1), "input"),
    ],
)  # fmt: skip
def test_nodes_that_are_none(node, text):
    with pytest.raises(ModelError, match=text):
        FrozenNetwork([start((1, 1, 2)), node], [1])


def test_networks_that_are_none():
    with pytest.raises(ModelError, match="an output is not among the 1 nodes"):
        FrozenNetwork([start((1, 1, 2))], [1])
    for nodes, outputs in (([], [0]), ([start((1, 1, 2))], [])):
        with pytest.raises(
            ModelError, match="a network has 1 to 1024 nodes, of them at"
        ):
            FrozenNetwork(nodes, outputs)
    wide = start((1, 1, 2), -(2**15), 2**15)
    with pytest.raises(ModelError, match="its input is within -32768 to 32768, not"):
        FrozenNetwork([wide, GOOD], [1])
    many = [start((1, 1, 1))] * 17
    with pytest.raises(ModelError, match="a network has 1 to 1024 nodes, of them at"):
        FrozenNetwork(many, [0])


# ---- files


@pytest.mark.parametrize("name", FILES)
def test_files_that_end_early(name):
    data = FILES[name]
    for n in range(len(data)):
        with pytest.raises(TruncatedError):
            FrozenNetwork.from_bytes(data[:n])
    with pytest.raises(CorruptError):
        FrozenNetwork.from_bytes(data + b"\0")


@pytest.mark.parametrize("name", FILES)
def test_every_damaged_byte_is_found(name):
    for at in range(len(FILES[name])):
        for change in (1, 128):
            data = bytearray(FILES[name])
            data[at] ^= change
            with pytest.raises(FormatError):
                FrozenNetwork.from_bytes(data)


def lies(data):
    """The file with each of its words, and with each of its last bytes, changed; with
    a checksum that is right."""
    end = len(data) - 4
    n, outputs = struct.unpack_from("<2I", data, 8)
    words = 20 + 80 * n + 4 * outputs
    for at in range(0, words, 4):
        (old,) = struct.unpack_from("<I", data, at)
        for new in {0, 1, 2, 9, 255, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1,
                    (old + 1) % 2**32, (old - 1) % 2**32} - {old}:  # fmt: skip
            yield data[:at] + struct.pack("<I", new) + data[at + 4 : end]
    for at in range(words, end):
        for new in {0, 127, 128, 255} - {data[at]}:
            yield data[:at] + bytes([new]) + data[at + 1 : end]


@pytest.mark.parametrize("name", FILES)
def test_files_that_lie(name):
    """They are refused, or are networks that run."""
    read = 0
    for content in lies(FILES[name]):
        try:
            network = FrozenNetwork.from_bytes(
                content + struct.pack("<I", zlib.crc32(content))
            )
        except FormatError:
            continue
        read += 1
        assert network.to_bytes()[:-4] == content
        if sum(math.prod(node.shape) for node in network.nodes) < 10**6:
            ends = zip(network.inputs, network.input_ranges, strict=True)
            network(*(np.full(shape, low) for shape, (low, _) in ends))
    assert read > 10


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"", TruncatedError, "network file: data ends early"),
        (b"\x89bbm" + bytes(40), FormatError, "this is a bbans model file; load_model"),
        (b"PK\3\4" + bytes(40), FormatError, r"a zip archive \(.npz\)"),
        (b"hello, world", FormatError, "not a network file"),
        (b"\x89bbn\2\0\0\0" + bytes(40), VersionError, "format version"),
        (b"\x89bbn\1\0\0\1" + bytes(40), CorruptError, "its nodes are no network"),
    ],
)
def test_other_files(data, error, text):
    with pytest.raises(error, match=text):
        FrozenNetwork.from_bytes(data)


def test_a_small_file_of_great_tensors():
    """Reading takes memory of the order of the file; a call says what there is not."""
    nodes = [start((4096, 4096, 1))]
    nodes += [
        NetworkNode("scale", (i,), (4096, 4096, 1), -(2**31), 2**31 - 1, factor=(1,),
                    shift=1)
        for i in range(900)
    ]  # fmt: skip
    data = FrozenNetwork(nodes, [900]).to_bytes()
    assert len(data) < 100_000
    tracemalloc.start()
    network = FrozenNetwork.from_bytes(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * len(data)
    with pytest.raises(ModelError, match="no memory for 1073741824 items"):
        network(np.broadcast_to(np.int8(0), (2**30, 4096, 4096, 1)))


def test_networks_that_take_too_much():
    """By limits of their own: 2**28 bytes of tensors at a time, 2**36 products."""
    side = 4096
    first, wide = start((side, side, 1)), (side, side, 1)
    copies = [
        NetworkNode("scale", (0,), wide, -(2**31), 2**31 - 1, factor=(1,), shift=1)
        for _ in range(4)
    ]

    def total(n):  # of as many copies, all of which are needed up to here
        sums = [
            NetworkNode(
                "sum", (n + k if k else 1, k + 2), wide, 0, 9, factor=(1, 1), shift=1
            )
            for k in range(n - 1)
        ]
        return [first, *copies[:n], *sums]

    FrozenNetwork(total(2), [3])
    with pytest.raises(ModelError, match="tensors of 268435456 bytes at a time"):
        FrozenNetwork(total(4), [7])
    kernel = np.zeros((1, 64, 64, 1), np.int8)
    rows = [np.zeros(1, np.int32), np.zeros(1, np.int32), np.ones(1, np.uint8)]
    windows = (side - 63, side - 63, 1)
    blur = NetworkNode("affine", (0,), windows, 0, 9, (1, 1), (0, 0), kernel, *rows)
    FrozenNetwork([first, blur], [1])
    with pytest.raises(ModelError, match=r"2\*\*36 multiplications"):
        FrozenNetwork([first, blur, blur], [1, 2])
