"""Networks from floats to integers: what rounding costs, and what is refused."""

import math

import numpy as np
import pytest

from bbans import networks as nn
from bbans.errors import ModelError
from bbans.frozen import NetworkNode

RNG = np.random.default_rng(8)


def weights(*shape):
    return RNG.normal(size=shape) / math.sqrt(math.prod(shape[1:]))


def dense(a, n):
    return nn.Dense(a, weights(n, a.size), RNG.normal(size=n) / 4)


def conv(a, n, k=3, **options):
    kernel = weights(n, k, k, a.shape[2])
    return nn.Conv2d(a, kernel, RNG.normal(size=n) / 4, **options)


def integers_of(reals, units, shape):
    """By the definition of units."""
    units = units.over(shape[-1])
    exact = reals * np.array(units.factor) + np.array(units.offset)
    return np.clip(np.rint(exact), units.low, units.high)


def check(inputs, output, units, error, grids=None, n=400, **options):
    """The integers of a network are near its floats, on data of the same kind."""
    net = nn.Network(inputs, [output])
    grids = grids or [nn.grid(1 / 64, -400, 400)] * len(inputs)

    def data():
        return [
            np.clip(
                np.rint(RNG.normal(size=(n, *a.shape)) * g.factor[0]), g.low, g.high
            )
            for a, g in zip(inputs, grids, strict=True)
        ]

    def reals(arrays):
        return [a / g.factor[0] for a, g in zip(arrays, grids, strict=True)]

    quantised = net.quantise(reals(data()), inputs=grids, outputs=[units], **options)
    frozen, given = quantised.freeze(), data()
    got = frozen(*(a.astype(np.int16) for a in given))
    exact = integers_of(net(*reals(given)), units, output.shape)
    got = got.reshape(exact.shape)
    assert math.sqrt(np.mean((got - exact) ** 2)) < error * exact.std()
    assert quantised.report[-1].error < 2 * error
    assert frozen.outputs == [output.shape]
    return frozen


# ---- what layers become

FINE = nn.grid(2**-12, -(2**20), 2**20)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, 0.01),
        ({"activations": 8}, 0.015),
        ({"weights": 16, "activations": 15}, 5e-4),
    ],
)
def test_dense_layers(options, error):
    x = nn.Input(30)
    h = nn.Relu(dense(x, 40))
    check([x], dense(nn.Relu(dense(h, 50)), 10), FINE, error, **options)


def test_convolutions():
    x = nn.Input((8, 7, 3))
    h = nn.Relu(conv(x, 6, padding=1))
    h = nn.Relu(conv(h, 8, 2, stride=(2, 1), padding=((0, 1), 0)))
    frozen = check([x], conv(h, 4, 1), FINE, 0.01, n=50)
    assert [node.op for node in frozen.nodes] == ["input"] + ["affine"] * 3
    line = nn.Input((20, 2))
    h = nn.Relu(nn.Conv1d(line, weights(5, 4, 2), padding=(3, 0)))
    check([line], nn.Conv1d(h, weights(3, 2, 5), stride=2), FINE, 0.01, n=50)


def test_transposed_convolutions():
    x = nn.Input((3, 4, 5))
    up = nn.conv_transpose2d(
        nn.Relu(conv(x, 6, 1)), weights(6, 4, 4, 3), [1, 2, 3], stride=2, padding=1
    )
    frozen = check([x], nn.Relu(up), nn.grid(2**-6, 0, 255), 0.02, n=50)
    assert [node.op for node in frozen.nodes[2:]] == ["affine", "shuffle"]
    # Units by channel go through the shuffle.
    check([x], up, nn.mixture(1), 0.02, n=50)


def test_residual_blocks():
    x = nn.Input((6, 6, 4))
    h = conv(x, 8, padding=1)
    for _ in range(3):
        h = h + 0.5 * conv(nn.Relu(conv(nn.Relu(h), 8, padding=1)), 8, padding=1)
    frozen = check([x], conv(nn.Relu(h), 2, 1), FINE, 0.02, n=50)
    ops = [node.op for node in frozen.nodes]
    assert ops.count("affine") == 8  # none is made twice
    check([x], h - 2.0 * h, FINE, 0.02, n=50)


def test_concatenation_is_multiplied_part_by_part():
    """Parts of very different steps, of which neither loses its precision."""
    x, y, z = nn.Input(30), nn.Input(20), nn.Input(1)
    grids = [nn.grid(1, -3, 3), nn.grid(2**-12, -32767, 32767), nn.grid(1, 0, 1)]
    both = nn.Concat(x, y, z)
    frozen = check([x, y, z], nn.Relu(dense(both, 40)), FINE, 0.01, grids)
    assert [node.op for node in frozen.nodes].count("sum") == 2
    check([x, y], nn.Concat(2.0 * x, y), FINE, 1e-3, grids[:2])
    check([x, y], nn.Concat(x, y), nn.grid(2**-12, -32767, 32767), 1e-3, grids[:2])


def test_gated_cells():
    x, h = nn.Input(12), nn.Input(20)
    grids = [nn.grid(1 / 16, -99, 99), nn.grid(2**-10, -(2**12), 2**12)]
    both = nn.Concat(x, h)
    gate = nn.Clip(0.5 * dense(both, 20), 0, 1)
    candidate = nn.Clip(dense(both, 20), -1, 1)
    state = nn.gated_cell(h, gate, candidate)
    check([x, h], state, nn.grid(2**-10, -(2**12), 2**12), 0.01, grids)


def test_what_moves_elements():
    x = nn.Input((2, 3, 8))
    h = nn.Relu(dense(x, 48))
    check([x], nn.Slice(nn.Reshape(h, (4, 6, 2)), 1, 1), FINE, 0.01)
    check([x], nn.PixelShuffle(nn.Reshape(h, (2, 3, 8)), 2), nn.location(), 0.01)
    check([x], nn.Reshape(dense(x, 48), (4, 2, 6)), nn.mixture(2), 0.01)
    check([x], nn.flatten(conv(x, 6, 1)), nn.mixture(2), 0.01)
    check([x], nn.Reshape(conv(x, 4, 1), (4, 6)), nn.mixture(2), 0.01)
    check([x], nn.Slice(x, 2, 3), nn.scale(), 0.01)
    check([x], -1.0 * x, nn.scale(0.5), 0.01)


def test_an_output_that_is_taken_on_as_well():
    x = nn.Input(10)
    h = nn.Relu(dense(x, 30))
    net = nn.Network([x], [h, dense(h, 4), h])
    data = RNG.normal(size=(300, 10))
    units = [nn.grid(2**-8, 0, 1000), FINE, nn.logit()]
    frozen = net.quantise(data, inputs=[nn.grid(2**-8, -999, 999)], outputs=units)
    state, out, logits = frozen.freeze()(
        np.rint(data * 256).clip(-999, 999).astype(int)
    )
    assert 0 < state.max() <= 1000
    for got, exact, unit in zip((state, out, logits), net(data), units, strict=True):
        expected = integers_of(exact, unit, exact.shape)
        assert abs(got - expected).max() < 0.03 * abs(expected).max()


def random_graph(rng):
    """Inputs, and layers at random over them and over each other."""
    nodes = [nn.Input((2, 3, 4)), nn.Input((2, 3, 4)), nn.Input(24)]

    def some(rank=None):
        found = [a for a in nodes if rank in (None, len(a.shape))]
        return found[rng.integers(len(found))]

    def like(a):
        found = [b for b in nodes if b.shape == a.shape]
        return found[rng.integers(len(found))]

    def kernel(rows, *shape):
        return rng.normal(size=(rows, *shape)) / math.sqrt(math.prod(shape))

    makers = [
        lambda a, m: nn.Dense(a, kernel(24, a.size), rng.normal(size=24)),
        lambda a, m: nn.Conv2d(m, kernel(4, 2, 2, m.shape[2]), padding=(0, (1, 0))),
        lambda a, m: nn.Relu(a),
        lambda a, m: nn.Clip(a, -1, 1),
        lambda a, m: a + like(a),
        lambda a, m: a - like(a),
        lambda a, m: nn.Clip(a, -2, 2) * nn.Clip(like(a), 0, 1),
        lambda a, m: float(rng.normal()) * a,
        lambda a, m: nn.Concat(m, like(m), m),
        lambda a, m: nn.Slice(a, a.shape[-1] // 3, a.shape[-1] // 2),
        lambda a, m: nn.flatten(m),
        lambda a, m: nn.Reshape(a, (1, 2, a.size // 2)),
        lambda a, m: nn.PixelShuffle(nn.Concat(m, m, m, m), 2),
    ]
    inputs = nodes[:]
    for _ in range(rng.integers(1, 15)):
        node = makers[rng.integers(len(makers))](some(), some(3))
        if node.size <= 200 and node.size % 2 == 0 and min(node.shape) > 1:
            nodes.append(node)
    return inputs, [nodes[-1], some(), some()]


@pytest.mark.parametrize("seed", range(60))
def test_any_graph(seed):
    """Layers in any order, taken any number of times, under any units."""
    rng = np.random.default_rng(seed)
    inputs, outputs = random_graph(rng)
    net = nn.Network(inputs, outputs)
    data = [rng.integers(-500, 501, (100, *a.shape)) for a in inputs]
    reals = [a / 256 for a in data]
    units = [
        [nn.grid(2**-14, -(2**31), 2**31 - 1), nn.location(), nn.scale(0.5),
         nn.latents(node.shape[-1] // 2, 2) if node.shape[-1] % 2 == 0 else nn.logit(),
         ][rng.integers(4)] for node in outputs
    ]  # fmt: skip
    quantised = net.quantise(
        reals, inputs=[nn.grid(2**-8, -500, 500)] * 3, outputs=units, weights=16,
        activations=15,
    )  # fmt: skip
    results = quantised.freeze()(*data)
    for got, exact, unit in zip(results, net(*reals), units, strict=True):
        factors = np.array(unit.over(exact.shape[-1]).factor)
        expected = integers_of(exact, unit, exact.shape)
        error = abs(got.reshape(expected.shape) - expected) - 1
        assert (error <= 0.005 * factors * max(0.1, abs(exact).max())).all()


# ---- units


def test_units_are_what_they_say():
    """One weight of 1: what is left is the units, to half a step of the input."""
    x = nn.Input(1)
    step = 2.0**-10
    z = np.arange(-6000, 6001, 7)
    for units, exact in [
        (nn.location(2**-8), z * step * 2**8 * 2**16),
        (nn.scale(2**-8), 256 * (z * step / math.log(2) + 8)),
        (nn.logit(), np.clip(128 * z * step / math.log(2), -3071, 3071)),
        (nn.log_weight(), 128 * z * step / math.log(2)),
        (nn.log_rate(), np.clip(128 * z * step / math.log(2), -1792, 1792)),
        (nn.grid(0.25, -3, 20), np.clip(z * step / 0.25, -3, 20)),
    ]:
        net = nn.Network([x], [nn.Dense(x, [[1.0]])])
        quantised = net.quantise(
            z[:, None] * step, inputs=[nn.grid(step, -6000, 6000)], outputs=[units]
        )
        got = quantised.freeze()(z[:, None])[:, 0]
        assert abs(got - exact).max() < 0.51 + units.factor[0] * step


def test_patterns_of_units():
    latents = nn.latents(2, 0.5).over(4)
    assert latents.factor == (2**17, 2**17, 256 / math.log(2), 256 / math.log(2))
    assert latents.offset == (0, 0, 256, 256)
    mixture = nn.mixture(2, 1.0).over(12)
    assert mixture.factor[:6] == mixture.factor[6:]
    assert mixture.factor[:2] == nn.log_weight().over(2).factor
    assert mixture.factor[2:4] == nn.location().over(2).factor
    assert mixture.factor[4:6] == nn.scale().over(2).factor


def test_the_same_data_give_the_same_network():
    x = nn.Input(8)
    net = nn.Network([x], [dense(nn.Relu(dense(x, 9)), 3)])
    data = RNG.normal(size=(50, 8))
    made = [
        net.quantise(given, inputs=[nn.grid(0.1, -90, 90)], outputs=[FINE]).freeze()
        for given in (data, [data])
    ]
    assert made[0] == made[1]


# ---- proof


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("bias", [0.0, 1e-9, 1e9])
def test_no_sum_overflows_whatever_the_weights(bits, bias):
    """Rows that 16 bits of input and all bits of weights would take beyond 2^31."""
    x = nn.Input(5000)
    rows = np.stack([np.ones(5000), -1e6 * np.ones(5000), np.zeros(5000)])
    net = nn.Network([x], [nn.Dense(x, rows, np.full(3, bias))])
    data = np.clip(RNG.normal(size=(20, 5000)), -3, 3)
    frozen = net.quantise(
        data, inputs=[nn.grid(1e-4, -32768, 32767)], weights=bits,
        outputs=[nn.grid(1.0, -(2**31), 2**31 - 1)],
    ).freeze()  # fmt: skip
    for value in (-32768, 32767):
        got = frozen(np.full(5000, value))
        exact = value * 1e-4 * rows.sum(1) + bias
        expected = np.clip(exact, -(2**31), 2**31 - 1)
        assert abs(got - expected).max() <= 1 + 0.01 * abs(expected).max()


def test_freezing_refuses_sums_that_could_overflow():
    start = NetworkNode("input", (), (1, 1, 2), -(2**15), 2**15 - 1)
    layer = NetworkNode(
        "affine", (0,), (1, 1, 2), 0, 255, (1, 1), (0, 0),
        np.array([[1, 1], [32767, 32767]], np.int16)[:, None, None],
        np.array([7, 65535], np.int32), np.ones(2, np.int32), np.ones(2, np.uint8),
    )  # fmt: skip
    assert (
        nn.QuantisedNetwork([start, layer], [1], ()).freeze().nodes[1].bias[1] == 65535
    )
    layer = layer._replace(bias=np.array([7, 65536], np.int32))
    with pytest.raises(ModelError, match=r"node 1 \(affine\): row 1: a sum can reach "
                       r"2147483648, and must stay below 2\*\*31"):  # fmt: skip
        nn.QuantisedNetwork([start, layer], [1], ()).freeze()


# ---- mistakes


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"weights": 7}, "weights have 8 or 16 bits, not 7"),
        ({"activations": 16}, "activations must be an integer, 2 to 15"),
        ({"inputs": []}, "inputs has 0 units, and the network 1 inputs"),
        ({"outputs": [FINE, FINE]}, "outputs has 2 units, and the network 1 outputs"),
        ({"outputs": [0.5]}, r"must be units, as grid\(\)"),
        ({"inputs": [nn.scale(2)]}, "one unit for all channels"),
        ({"outputs": [nn.latents(2, 1)]}, "units for 4 channels do not divide 3"),
        ({"inputs": [nn.grid(1, 0, 2**15)]}, r"Input\(8\) has integers from 0 to "
         "32768, and layers multiply 16 bits"),
        ({"outputs": [nn.grid(1e-30, 0, 9)]}, "the units are too fine"),
        ({"calibration": np.ones((0, 8))}, "needs calibration data"),
        ({"calibration": np.ones((3, 7))}, r"input 0 must have shape \(..., 8\)"),
        ({"calibration": np.full((3, 8), np.inf)}, "must be finite"),
        ({"calibration": [np.ones((3, 8))] * 2}, "takes 1 inputs, not 2"),
    ],
)  # fmt: skip
def test_mistakes_are_named(change, text):
    x = nn.Input(8)
    net = nn.Network([x], [dense(nn.Relu(dense(x, 9)), 3)])
    arguments = {"calibration": np.ones((3, 8)), "inputs": [nn.grid(1, 0, 9)],
                 "outputs": [FINE]} | change  # fmt: skip
    with pytest.raises(ModelError, match=text):
        net.quantise(arguments.pop("calibration"), **arguments)


def test_the_report_shows_where_rounding_costs():
    x = nn.Input(20)
    net = nn.Network([x], [dense(nn.Relu(dense(x, 30)), 5)])
    data = RNG.normal(size=(500, 20))
    grids = {"inputs": [nn.grid(0.01, -500, 500)], "outputs": [nn.grid(0.01, -9, 9)]}
    coarse = net.quantise(data, activations=3, **grids)
    fine = net.quantise(data, weights=16, activations=12, **grids)
    assert coarse.report[0].error > 10 * fine.report[0].error
    assert fine.report[-1].clipped > 0.5
    first = str(fine).splitlines()[0]
    assert first.startswith("error   0.")
    assert first.endswith("0 .. 4095       Relu(30, ceiling=None)")
    assert repr(fine) == "QuantisedNetwork of 3 nodes"


def test_a_layer_that_is_never_active():
    x = nn.Input(3)
    net = nn.Network([x], [dense(nn.Relu(nn.Dense(x, -np.eye(3))), 2)])
    quantised = net.quantise(np.ones((4, 3)), inputs=[nn.grid(1, 0, 1)], outputs=[FINE])
    assert quantised.freeze()(np.ones(3, np.uint8)).shape == (2,)
