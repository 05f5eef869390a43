"""Float networks: layers against plain loops, graphs, files."""

import contextlib
import copy
import pickle
import zipfile

import numpy as np
import pytest

from bbans import networks as nn
from bbans.errors import BbansError, CorruptError, FormatError, ModelError

RNG = np.random.default_rng(5)


def value_of(node, *inputs, batch=(3,)):
    """A node of inputs at random, and these."""
    arrays = [RNG.normal(size=(*batch, *a.shape)) for a in inputs]
    return nn.Network(inputs, [node])(*arrays), *arrays


def convolved(a, weight, bias, stride, pads):
    """By its definition, over maps of shape (N, height, width, channels)."""
    (top, bottom), (left, right) = pads
    a = np.pad(a, ((0, 0), (top, bottom), (left, right), (0, 0)))
    _, rows, columns, _ = weight.shape
    height = (a.shape[1] - rows) // stride[0] + 1
    width = (a.shape[2] - columns) // stride[1] + 1
    out = np.empty((len(a), height, width, len(weight)))
    for n, y, x, c in np.ndindex(out.shape):
        top, left = y * stride[0], x * stride[1]
        part = a[n, top : top + rows, left : left + columns]
        out[n, y, x, c] = (part * weight[c]).sum() + bias[c]
    return out


def transposed(a, weight, bias, stride, padding, extra):
    """A transposed convolution by what each input adds to."""
    items, height, width, _ = a.shape
    _, rows, columns, channels = weight.shape
    sizes = [
        (n - 1) * stride + k + extra
        for n, k in ((height, rows), (width, columns))
    ]  # fmt: skip
    out = np.zeros((items, *sizes, channels))
    for y, x in np.ndindex(height, width):
        top, left = y * stride, x * stride
        part = np.einsum("ni,ihwo->nhwo", a[:, y, x], weight)
        out[:, top : top + rows, left : left + columns] += part
    inner = slice(padding, -padding or None)
    return out[:, inner, inner] + bias


# ---- layers


def test_dense():
    x = nn.Input((2, 3, 2))
    weight, bias = RNG.normal(size=(5, 12)), RNG.normal(size=5)
    got, a = value_of(nn.Dense(x, weight, bias), x)
    assert got.shape == (3, 5)
    np.testing.assert_allclose(got, a.reshape(3, 12) @ weight.T + bias)
    got, a = value_of(nn.Dense(x, weight), x)
    np.testing.assert_allclose(got, a.reshape(3, 12) @ weight.T)


@pytest.mark.parametrize(
    ("stride", "padding", "pads"),
    [
        (1, 0, ((0, 0), (0, 0))),
        (2, 1, ((1, 1), (1, 1))),
        ((1, 2), (2, (0, 1)), ((2, 2), (0, 1))),
    ],
)
def test_conv2d(stride, padding, pads):
    x = nn.Input((5, 6, 2))
    weight, bias = RNG.normal(size=(4, 3, 2, 2)), RNG.normal(size=4)
    got, a = value_of(nn.Conv2d(x, weight, bias, stride=stride, padding=padding), x)
    strides = stride if isinstance(stride, tuple) else (stride, stride)
    np.testing.assert_allclose(got, convolved(a, weight, bias, strides, pads))


def test_conv1d_that_is_causal():
    x = nn.Input((7, 2))
    weight, bias = RNG.normal(size=(4, 3, 2)), RNG.normal(size=4)
    got, a = value_of(nn.Conv1d(x, weight, bias, padding=(2, 0)), x)
    pads = ((0, 0), (2, 0))
    expected = convolved(a[:, None], weight[:, None], bias, (1, 1), pads)
    np.testing.assert_allclose(got, expected[:, 0])
    assert nn.Conv1d(x, weight, stride=2, padding=1).shape == (4, 4)


@pytest.mark.parametrize(
    ("stride", "k", "padding", "extra"),
    [(2, 4, 1, 0), (2, 3, 1, 1), (2, 2, 0, 0), (2, 5, 2, 1), (1, 3, 1, 0), (3, 3, 0, 0),
     (3, 5, 1, 0), (2, 4, 2, 0), (3, 7, 2, 0), (2, 3, 0, 1)],
)  # fmt: skip
def test_transposed_convolutions(stride, k, padding, extra):
    x = nn.Input((3, 4, 2))
    weight, bias = RNG.normal(size=(2, k, k, 3)), RNG.normal(size=3)
    node = nn.conv_transpose2d(
        x, weight, bias, stride=stride, padding=padding, output_padding=extra
    )
    got, a = value_of(node, x)
    np.testing.assert_allclose(
        got, transposed(a, weight, bias, stride, padding, extra), atol=1e-12
    )


def test_elementwise_layers():
    x, y = nn.Input((2, 3)), nn.Input((2, 3))
    for node, expected in [
        (x + y, lambda a, b: a + b),
        (x - y, lambda a, b: a - b),
        (x * y, lambda a, b: a * b),
        (2 * x - y * -0.5, lambda a, b: 2 * a + b / 2),
        (nn.Relu(x - y), lambda a, b: np.maximum(a - b, 0)),
        (nn.Relu(x - y, 0.5), lambda a, b: np.clip(a - b, 0, 0.5)),
        (nn.Clip(x - y, -1, 0.25), lambda a, b: np.clip(a - b, -1, 0.25)),
        (nn.gated_cell(x, nn.Clip(y, 0, 1), y),
         lambda a, b: a + np.clip(b, 0, 1) * (b - a)),
    ]:  # fmt: skip
        got, a, b = value_of(node, x, y)
        np.testing.assert_allclose(got, expected(a, b))


def test_layers_that_move_elements():
    x, y = nn.Input((2, 3, 8)), nn.Input((2, 3, 2))
    got, a, b = value_of(nn.Concat(x, y, x), x, y)
    np.testing.assert_array_equal(got, np.concatenate([a, b, a], -1))
    got, a = value_of(nn.Slice(x, 2, 3), x)
    np.testing.assert_array_equal(got, a[..., 2:5])
    got, a = value_of(nn.Reshape(x, (4, 12)), x)
    np.testing.assert_array_equal(got, a.reshape(3, 4, 12))
    got, a = value_of(nn.flatten(x), x)
    np.testing.assert_array_equal(got, a.reshape(3, 48))
    got, a = value_of(nn.PixelShuffle(x, 2), x)
    assert got.shape == (3, 4, 6, 2)
    for y0, x0, c, i, j in np.ndindex(2, 3, 2, 2, 2):
        np.testing.assert_array_equal(
            got[:, 2 * y0 + i, 2 * x0 + j, c], a[:, y0, x0, (c * 2 + i) * 2 + j]
        )


# ---- networks


def small():
    """A network of two inputs and outputs, of every layer."""
    x, h = nn.Input((4, 4, 2)), nn.Input(6)
    conv = nn.Conv2d(x, RNG.normal(size=(4, 3, 3, 2)), padding=1, stride=(2, 2))
    up = nn.PixelShuffle(nn.Relu(conv, 6.0), 2)
    both = nn.Concat(nn.flatten(up), h)
    gate = nn.Clip(nn.Dense(both, RNG.normal(size=(6, 22)), RNG.normal(size=6)), 0, 1)
    state = nn.gated_cell(h, gate, 0.5 * h)
    rows = nn.Conv1d(nn.Reshape(x, (8, 4)), RNG.normal(size=(3, 3, 4)))
    return nn.Network([x, h], [state, nn.Slice(rows, 1, 2)])


def test_batches():
    """Any leading axes, and none; enough items for several rounds."""
    net = small()
    assert net.inputs == [(4, 4, 2), (6,)]
    assert net.outputs == [(6,), (6, 2)]
    x, h = RNG.normal(size=(2, 9, 4, 4, 2)), RNG.normal(size=(2, 9, 6))
    state, rows = net(x, h)
    assert state.shape == (2, 9, 6)
    assert rows.shape == (2, 9, 6, 2)
    one_state, one_rows = net(x[1, 4], h[1, 4])
    np.testing.assert_allclose(one_state, state[1, 4])
    np.testing.assert_allclose(one_rows, rows[1, 4])
    empty, _ = net(x[:0], h[:0])
    assert empty.shape == (0, 9, 6)


def test_many_items_are_done_in_parts(monkeypatch):
    net = small()
    x, h = RNG.normal(size=(50, 4, 4, 2)), RNG.normal(size=(50, 6))
    whole = net(x, h)
    monkeypatch.setattr("bbans.networks.graph._WORK", 1000)
    for part, all_at_once in zip(net(x, h), whole, strict=True):
        np.testing.assert_allclose(part, all_at_once)


def test_deep_networks_need_no_recursion():
    x = nn.Input(1)
    node = x
    for _ in range(3000):
        node = node + x
    net = nn.Network([x], [node])
    assert net(np.array([2.0])) == [6002]
    assert pickle.loads(pickle.dumps(net)) == net


def test_an_input_may_be_an_output_and_unused():
    x, y = nn.Input(2), nn.Input(3)
    net = nn.Network([x, y], [x, x])
    a, b = net([1.0, 2.0], [0, 0, 0])
    assert a.tolist() == b.tolist() == [1, 2]


def test_files_and_copies(tmp_path):
    net = small()
    net.save(tmp_path / "net.npz")
    again = nn.Network.load(tmp_path / "net.npz")
    assert again == net
    assert hash(again) == hash(net)
    assert again != small()
    assert pickle.loads(pickle.dumps(net)) == net
    assert copy.deepcopy(net) is net
    assert repr(again) == repr(net)
    assert repr(net) == "Network(4 x 4 x 2, 6 -> 6, 6 x 2; 16 nodes)"
    assert str(again) == str(net)
    assert str(net).splitlines()[-1] == "outputs: 12, 15"
    x, h = RNG.normal(size=(4, 4, 2)), RNG.normal(size=6)
    for a, b in zip(net(x, h), again(x, h), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_are_copied():
    x = nn.Input(2)
    weight = np.eye(2)
    node = nn.Dense(x, weight, [1, 2])
    weight[:] = 0
    assert node.weight.tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match="read-only"):
        node.weight[0, 0] = 3


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "net.npz"
    small().save(path)
    data = path.read_bytes()
    for n in range(0, len(data), 97):
        path.write_bytes(data[:n])
        with pytest.raises(FormatError):
            nn.Network.load(path)
    for at in range(0, len(data), 61):
        path.write_bytes(data[:at] + bytes([data[at] ^ 5]) + data[at + 1 :])
        with contextlib.suppress(FormatError):  # no checksum of zip covers all
            nn.Network.load(path)


@pytest.mark.parametrize(
    "graph",
    [
        b"", b"[]", b"{}", b'{"nodes":[],"inputs":[],"outputs":[]}', b"[" * 100000,
        b'{"nodes":[{"layer":"Input","inputs":[],"shape":[2]}],"inputs":[0],'
        b'"outputs":[1]}',
        b'{"nodes":[{"layer":"Input","inputs":[],"shape":[2]}],"inputs":[0],'
        b'"outputs":[-1]}',
        b'{"nodes":[{"layer":"Affine","inputs":[]}],"inputs":[],"outputs":[0]}',
        b'{"nodes":[{"layer":"Relu","inputs":[0]}],"inputs":[],"outputs":[0]}',
        b'{"nodes":[3],"inputs":[],"outputs":[0]}',
    ],
)  # fmt: skip
def test_graphs_that_are_none(tmp_path, graph):
    path = tmp_path / "net.npz"
    small().save(path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    arrays = {"graph": np.array(graph), "model": np.array(b"Network"),
              "format_version": np.array(2)}  # fmt: skip
    assert "graph.npy" in entries
    np.savez(path, **arrays)
    with pytest.raises(CorruptError, match="damaged file"):
        nn.Network.load(path)


def test_other_files_say_what_they_are(tmp_path):
    from bbans.models import HMM

    path = tmp_path / "hmm.npz"
    HMM.random(2, 3, seed=0).save(path)
    with pytest.raises(FormatError, match="holds a saved HMM"):
        nn.Network.load(path)


# ---- mistakes


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x: nn.Input((1, 2, 3, 4)), r"a shape is n, \(width, channels\)"),
        (lambda x: nn.Input(0), "a size must be an integer, at least 1, not 0"),
        (lambda x: nn.Dense(x, np.ones((3, 5))), r"weight has 5 columns, and its input "
         r"4 x 4 x 2 elements: it needs shape \(out, 32\)"),
        (lambda x: nn.Dense(x, np.ones((3, 32)), [1, 2]), "bias has 2 numbers, and "
         "weight 3 rows"),
        (lambda x: nn.Dense(x, np.full((3, 32), np.nan)), "weight must be finite"),
        (lambda x: nn.Dense(x, np.ones(3)), "weight must have 2 axes"),
        (lambda x: nn.Dense("x", np.ones((3, 5))), "must be a node"),
        (lambda x: nn.Conv2d(x, np.ones((3, 3, 3, 1))), "a kernel of 1 channels takes"),
        (lambda x: nn.Conv2d(x, np.ones((3, 5, 3, 2))), "a kernel of 5 x 3 does not fit"
         " into a map of 4 x 4"),
        (lambda x: nn.Conv2d(x, np.ones((3, 3, 3, 2)), stride=(1, 2, 3)), "stride is "
         "one, or"),
        (lambda x: nn.Conv2d(x, np.ones((3, 3, 3, 2)), padding=-1), "padding must be"),
        (lambda x: nn.conv_transpose2d(x, np.ones((2, 3, 3, 1)), stride=2), "set "
         "padding and output_padding so that 8 result"),
        (lambda x: nn.Clip(x, 1, 2), "an interval is finite and holds 0"),
        (lambda x: nn.Relu(x, 0), "an interval is finite and holds 0"),
        (lambda x: x + nn.Input(3), r"Add takes two tensors of the same shape, not "
         r"\(4, 4, 2\) and \(3,\)"),
        (lambda x: 0 * x, "factor must be finite, and not 0"),
        (lambda x: nn.Concat(), "Concat needs at least one node"),
        (lambda x: nn.Concat(x, nn.Input((4, 2))), "differ in channels alone"),
        (lambda x: nn.Slice(x, 1, 2), "channels must be an integer, 1 to 1"),
        (lambda x: nn.PixelShuffle(x, 2), "channels a multiple of 4"),
        (lambda x: nn.Reshape(x, 31), r"\(4, 4, 2\) has no shape \(31,\): 32 elements"),
        (lambda x: nn.Network([x], []), "at least one output"),
        (lambda x: nn.Network([x, x], [x]), "an input is listed twice"),
        (lambda x: nn.Network([], [x]), r"depend on Input\(4 x 4 x 2\), which is not"),
        (lambda x: nn.Network([x + x], [x]), "must be an Input"),
        (lambda x: nn.Network([x], [x])(), "takes 1 inputs, not 0"),
        (lambda x: nn.Network([x], [x])(np.ones((4, 4))), r"input 0 must have shape "
         r"\(..., 4, 4, 2\), not \(4, 4\)"),
        (lambda x: nn.Network([x], [x])(np.ones((4, 4, 2), bool)), "must be real"),
        (lambda x: nn.grid(0, 0, 1), "step must be above 0"),
        (lambda x: nn.grid(1, 2, 1), "high must be an integer"),
        (lambda x: nn.latents(3, 1.0).over(8), "units for 6 channels do not divide 8 "),
    ],
)  # fmt: skip
def test_mistakes_are_named(make, text):
    with pytest.raises(ModelError, match=text):
        make(nn.Input((4, 4, 2)))


def test_leading_axes_must_agree():
    x, y = nn.Input(2), nn.Input(2)
    with pytest.raises(BbansError, match=r"leading axes \(4,\), and input 0 \(3,\)"):
        nn.Network([x, y], [x + y])(np.ones((3, 2)), np.ones((4, 2)))


def test_only_nodes_and_numbers_are_combined():
    with pytest.raises(TypeError):
        nn.Input(2) + 1
    with pytest.raises(TypeError):
        nn.Input(2) * "a"
