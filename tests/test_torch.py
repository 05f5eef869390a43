"""Networks of PyTorch: from stored arrays, without it, and from modules, with it."""

import contextlib
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from bbans import ModelError
from bbans import networks as nn
from bbans.networks.torch import from_torch

HERE = Path(__file__).parent
EXPORT = np.load(HERE / "vectors/torch_v1.npz")


def stored(name):
    """The state, inputs and outputs of a module, channels last."""
    arrays = {
        key.partition("/")[2]: EXPORT[key].astype(np.float64)
        for key in EXPORT
        if key.startswith(f"{name}/")
    }
    ends = [
        [np.moveaxis(arrays.pop(f"{kind} {i}"), 1, -1) for i in range(n)]
        for kind in ("input", "output")
        if (n := sum(key.startswith(kind) for key in arrays))
    ]
    return arrays, *ends


def encoder(layers, x):
    h = nn.Relu(layers("conv1", x, stride=2, padding=1, norm="bn1"))
    h = nn.Clip(layers("conv2", h, padding=(1, 0), groups=2), -1, 1)
    residual = nn.Relu(layers("conv3", h, padding="same", dilation=2), 6)
    h = layers("fc", nn.Slice(h, 0, 4) + residual)
    return nn.Slice(h, 0, 3), nn.Slice(h, 3, 3)


def decoder(layers, z):
    h = nn.Relu(layers("fc", z, shape=(6, 2, 3)))
    h = layers("up1", h, transposed=True, stride=2, padding=1, norm="bn1")
    return layers(
        "up2", nn.Relu(h), transposed=True, stride=2, padding=1, output_padding=1
    )


@pytest.mark.parametrize(
    ("name", "forward", "shapes"),
    [("encoder", encoder, [(2, 8, 7)]), ("decoder", decoder, [3])],
)
def test_stored_arrays_give_what_pytorch_gives(name, forward, shapes):
    state, given, expected = stored(name)
    net = nn.from_state_dict(state, forward, *shapes)
    found = net(*given)
    found = found if isinstance(found, tuple) else (found,)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-6)


def test_arrays_of_a_convolution_over_a_signal():
    state, given, expected = stored("wave")
    half = state["fc.weight"][:, :15]

    def forward(layers, x):
        return layers("fc", nn.Relu(layers("conv", x, stride=2, padding=1, norm="bn")))

    net = nn.from_state_dict(state | {"fc.weight": half}, forward, (2, 10))
    rest = given[1] @ state["fc.weight"][:, 15:].T
    assert net(given[0]) + rest == pytest.approx(expected[0], rel=1e-6, abs=1e-6)


def test_an_import_becomes_integers():
    """What the importer makes is what quantise takes."""
    state, (x,), _ = stored("encoder")
    net = nn.from_state_dict(state, encoder, (2, 8, 7))
    x = np.rint(np.random.default_rng(0).normal(size=(50, 8, 7, 2)) * 16) / 16
    quantised = net.quantise(
        x,
        inputs=[nn.grid(1 / 16, -200, 200)],
        outputs=[nn.grid(1 / 256, -32767, 32767)] * 2,
        weights=16,
        activations=15,
    )
    found = quantised.freeze()(np.rint(x * 16).astype(np.int16))
    for ours, theirs in zip(found, net(x), strict=True):
        assert np.abs(ours / 256 - theirs).max() < 0.05 * np.abs(theirs).max()


@pytest.mark.parametrize(
    ("forward", "shapes", "text"),
    [
        (lambda layers, x: layers("conv9", x), [(2, 8, 7)], r"no conv9\.weight.*conv1"),
        (lambda layers, x: layers("conv1", x, norm="bn7"), [(2, 8, 7)], "no bn7.runn"),
        (lambda layers, x: layers("conv1", x), [9], "Conv2d takes no tensor of shape"),
        (lambda layers, x: layers("fc", x), [9], "takes no vector of 9"),
        (lambda layers, x: layers("fc", nn.flatten(x)), [(4, 4, 3)], "give it the map"),
        (
            lambda layers, x: layers("fc", nn.Relu(nn.flatten(x))),
            [(4, 4, 3)],
            "give it the map",
        ),
        (
            lambda layers, x: layers("conv1", x, transposed=True, stride=(1, 2)),
            [(4, 8, 7)],
            "stride of ConvTranspose2d must be one number",
        ),
        (
            lambda layers, x: layers("conv1", x, shape=(7, 8, 2)),
            [(2, 8, 7)],
            "elements of a Conv2d would have to change places",
        ),
    ],
)
def test_states_and_layers_that_do_not_fit(forward, shapes, text):
    state, *_ = stored("encoder")
    with pytest.raises(ModelError, match=text):
        nn.from_state_dict(state, forward, *shapes)


def test_without_pytorch_the_other_way_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match=r"bbans\[torch\].*from_state_dict"):
        from_torch(None, 3)


# ---- with PyTorch


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def modules(torch):
    return pytest.importorskip("torch_modules")


def compared(torch, module, *shapes):
    """Import a module, and compare the network with it on other inputs."""
    module.eval()
    net = from_torch(module, *shapes)
    sizes = [(shape,) if isinstance(shape, int) else shape for shape in shapes]
    given = [torch.randn((4, *size)) for size in sizes]
    with torch.no_grad():
        expected = module(*given)
    found = net(*(np.moveaxis(x.numpy(), 1, -1) for x in given))
    if not isinstance(found, tuple):
        found, expected = (found,), (expected,)
    for ours, theirs in zip(found, expected, strict=True):
        theirs = np.moveaxis(theirs.numpy(), 1, -1)
        assert ours.shape == theirs.shape
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-4)
    return net


@pytest.mark.parametrize("name", ["encoder", "decoder", "wave"])
def test_modules_give_what_they_give(torch, modules, name):
    module, shapes = modules.STORED[name]
    net = compared(torch, modules.trained(module(), len(name)), *shapes)
    _, given, expected = stored(name)
    found = net(*given)
    found = found if isinstance(found, tuple) else (found,)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-4)


def test_the_stored_arrays_are_what_the_script_writes(torch, modules, tmp_path):
    script = runpy.run_path(str(HERE / "vectors/make_torch.py"))
    script["main"].__globals__["PATH"] = tmp_path / "again.npz"
    script["main"]()
    again = np.load(tmp_path / "again.npz")
    assert {*again} == {*EXPORT}
    for name in again:
        assert again[name] == pytest.approx(EXPORT[name], rel=1e-3, abs=1e-3)


FORWARDS = {
    "numbers": ("return 2 * x - 1 + (3 - x) / 4 - -x", [(2, 4, 4)]),
    "numbers before weights": ("return self.conv(1 - 0.5 * x)", [(2, 4, 4)]),
    "numbers of channels": (
        "return self.conv(x * self.factor + self.factor)", [(2, 4, 4)]
    ),
    "a number of the module": ("return x * self.one", [3]),
    "alpha": ("return torch.add(x, y, alpha=2) - torch.sub(x, y, alpha=0.5)", [3, 3]),
    "products": ("return x * y + x", [(2, 4, 4), (2, 4, 4)]),
    "a gate": ("return x + F.hardsigmoid(self.linear(y)) * (y - x)", [6, 6]),
    "in place": ("x = self.linear(x)\n x += y\n x *= y\n return F.relu_(x)", [6, 6]),
    "clamps": ("return x.clamp(min=0), x.clamp(-1, 2), torch.clamp(x, 0, 3)", [3]),
    "hardtanh": ("return F.hardtanh(x), F.hardtanh(x, 0, 6), F.relu6(x)", [3]),
    "split": ("return x.split(2, 1) + torch.split(x, [1, 5], dim=1)", [6]),
    "chunks": (
        "a, b, c = x.chunk(3, 1)\n return a + b, c, x[:, 1:], x[:, :-2]", [(6, 2, 2)]
    ),
    "cat": (
        "return torch.cat([x, y, x], dim=1), torch.cat((y, x), 1)",
        [(1, 3, 2), (2, 3, 2)],
    ),
    "cat of flattened maps": (
        "return self.linear(torch.cat([torch.flatten(x, 1), y], 1))", [(2, 2, 1), 2]
    ),
    "a sum of a flattened map": (
        "return self.long(x.flatten(1) + self.wide(y)), "
        "self.long(self.wide(y) - x.flatten(1))", [(2, 3, 3), 6]
    ),
    "shapes": (
        "return self.linear(x.reshape(x.shape[0], -1)), x.view(-1, 6, 1)", [(6, 1, 1)]
    ),
    "views of a Linear": (
        "return F.relu(self.wide(x)).view(x.size()[0], 2, 3, 3), "
        "self.wide(x).reshape((-1, 2, 9))", [6]
    ),
    "views that are permuted": (
        "return self.wide(x).view(-1, 3, 3, 2).permute(0, 3, 1, 2), "
        "self.wide(x).view(-1, 9, 2).transpose(1, 2), "
        "self.wide(x).view(-1, 3, 2, 3).permute(0, 2, 3, 1)", [6]
    ),
    "chunks that do not divide": ("a, b, c = x.chunk(4, 1)\n return a, b, c", [6]),
    "an axis more": (
        "return self.conv(x.unsqueeze(2).unflatten(3, (4, 4)).flatten(2, 3))", [(2, 16)]
    ),
    "two axes as one": ("return self.norm1(x.flatten(2))", [(2, 3, 3)]),
    "one channel": ("return self.linear(x.unsqueeze(1).flatten(1))", [6]),
    "an unflattened norm": (
        "return self.norm(self.wide(x).unflatten(1, (2, 3, 3)))", [6]
    ),
    "a norm of what no weights make": ("return self.norm(F.relu(x))", [(2, 3, 3)]),
    "a norm of a signal": ("return self.norm1(F.relu(x))", [(2, 5)]),
    "a norm of a vector": ("return self.norm1(F.relu(x))", [2]),
    "a norm of a shuffled map": (
        "return self.norm(self.shuffle(self.eight(x)))", [(2, 3, 3)]
    ),
    "functions with weights": (
        "return F.conv2d(x, self.eight.weight, None, 1, 1), "
        "F.linear(x.flatten(1), self.long.weight)", [(2, 3, 3)]
    ),
    "nothing in evaluation": (
        "return F.dropout(self.drop(x), training=self.training).contiguous().detach()",
        [3],
    ),
    "sizes that are computed": (
        "return x.view(-1, x.size(1) // 2 * x.shape[2] * 2)", [(6, 1, 1)]
    ),
}  # fmt: skip


def module_of(torch, code):
    names = {"torch": torch, "F": torch.nn.functional}
    arguments = "self, x, y" if re.search(r"\by\b", code) else "self, x"
    exec(f"def forward({arguments}):\n {code}", names)
    m = torch.nn

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.eight = m.Conv2d(2, 3, 3), m.Conv2d(2, 8, 3, padding=1)
            self.linear, self.wide, self.long = (
                m.Linear(6, 6),
                m.Linear(6, 18),
                m.Linear(18, 4),
            )
            self.norm, self.norm1 = m.BatchNorm2d(2), m.BatchNorm1d(2)
            self.shuffle, self.drop = m.PixelShuffle(2), m.Dropout(0.5)
            self.factor = m.Parameter(torch.randn(1, 2, 1, 1))
            self.register_buffer("one", torch.tensor(1.5))
            for norm in (self.norm, self.norm1):
                for tensor in (norm.weight, norm.bias, norm.running_mean):
                    tensor.data.normal_()
                norm.running_var.uniform_(0.5, 2)

        forward = names["forward"]

    return Module()


@pytest.mark.parametrize("name", FORWARDS)
def test_functions_and_views(torch, name):
    torch.manual_seed(1)
    code, shapes = FORWARDS[name]
    compared(torch, module_of(torch, code), *shapes)


def test_containers_and_layouts(torch):
    torch.manual_seed(2)
    m = torch.nn
    compared(
        torch,
        m.Sequential(
            m.Conv2d(1, 4, (3, 4), padding="same"), m.BatchNorm2d(4), m.ReLU6(),
            m.Sequential(m.Conv2d(4, 4, 3, 2, padding="valid"), m.Hardtanh()),
            m.Flatten(), m.Dropout(), m.Identity(), m.Linear(36, 36), m.Hardsigmoid(),
            m.Unflatten(1, (4, 3, 3)), m.ConvTranspose2d(4, 4, 2, 2, groups=2),
            m.ConvTranspose2d(4, 1, 3, 1, padding=1, dilation=1), m.PixelShuffle(1),
        ),
        (1, 8, 8),
    )  # fmt: skip


def test_the_module_stays_as_it_is(torch):
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    before = {name: x.clone() for name, x in module.state_dict().items()}
    from_torch(module.train(), 3)
    assert module.training
    assert all(torch.equal(x, before[k]) for k, x in module.state_dict().items())


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        ("Sigmoid()", r"0 \(Sigmoid\) is a curve.*Hardsigmoid"),
        ("Tanh()", "Hardtanh"),
        ("Softmax(1)", "at the output"),
        ("Softplus()", "natural logarithms"),
        ("GELU()", "use ReLU"),
        ("LeakyReLU()", "use ReLU"),
        ("GRU(3, 3)", r"0 \(GRU\) has gates by sigmoid.*gated_cell"),
        ("LSTMCell(3, 3)", "gated_cell"),
        ("LayerNorm(3)", "use BatchNorm"),
        ("BatchNorm1d(3, track_running_stats=False)", "needs running statistics"),
        ("MultiheadAttention(3, 1)", "use convolutions"),
        (
            "Sequential(Linear(3, 3), Sequential(Threshold(0, 1)))",
            r"1\.0 \(Threshold\) is",
        ),
        ("Linear(4, 3)", r"0 \(Linear\): a weight of shape \(3, 4\) takes no"),
        ("Conv1d(3, 3, 3)", "Conv1d takes no tensor"),
        ("Conv1d(3, 3, 3, padding_mode='circular')", "must be zeros, not circular"),
        ("Sequential(Unflatten(1, (3, 1, 1)), MaxPool2d(1))", "change places|stride"),
    ],
)
def test_layers_that_are_refused(torch, layer, text):
    module = eval(layer, vars(torch.nn) | {})
    with pytest.raises(ModelError, match=text):
        from_torch(module, 3)


@pytest.mark.parametrize(
    ("code", "shapes", "text"),
    [
        ("return torch.sigmoid(x)", [3], r"sigmoid \(sigmoid\) is a curve"),
        ("return x.tanh()", [3], r"tanh \(tanh\) is a curve"),
        ("return F.max_pool2d(x, 2)", [(2, 4, 4)], "with a stride"),
        ("return x.mean(1)", [3], "with a stride"),
        ("return F.interpolate(x, scale_factor=2)", [(2, 4, 4)], "ConvTranspose2d"),
        ("return x if x.sum() > 0 else -x", [3], r"torch\.fx cannot trace"),
        ("return 1 / x", [3], "quotient"),
        ("return x @ self.linear.weight", [6], r"matmul \(matmul\) is a product"),
        ("return x[:, 0]", [3], r"x\[:, 3:7\]"),
        ("return x[0]", [3], r"x\[:, 3:7\]"),
        ("return x[:, ::2]", [3], r"x\[:, 3:7\]"),
        ("return x[:, 1:, 1:]", [(2, 4, 4)], r"x\[:, 3:7\]"),
        ("return x.view(1, -1)", [(2, 4, 4)], r"x\.shape\[0\] or -1"),
        ("return x.view(-1, 5)", [3], "has no shape"),
        ("return x.flatten()", [3], "axis of the batch"),
        ("return torch.cat([x, x])", [3], "axis of the batch"),
        ("return torch.cat([x, x], 2)", [(2, 4, 4)], "takes the channels"),
        ("return x + self.one.view(1)[:1] * x[:, :1]", [3], "do not fit|not supported"),
        ("return x.flatten(1)", [(2, 4, 4)], "output 0 .* have to change places"),
        (
            "return F.conv2d(x.view(-1, 2, 3, 3), self.eight.weight)",
            [18],
            "change places",
        ),
        ("return self.long(x.unsqueeze(1))", [18], "Linear takes vectors"),
        ("return x.clamp(max=1)", [3], "clamp needs both ends"),
        ("return x.clamp(1, 2)", [3], "holds 0"),
        ("return x * torch.ones(3)", [(2, 3, 3)], "not supported|no number for each"),
        ("return x, 3", [3], "output 1 of forward is no tensor"),
        ("return x + y", [3], "takes 2 inputs"),
        ("return x + y", [3, 4], "do not fit"),
        ("return x * x.size(0)", [3], "the length of the batch"),
        ("return x.T", [3], "attribute T"),
        ("return F.pad(x, (1, 1))", [(2, 4, 4)], r"pad \(pad\) is not supported"),
        ("return self.norm(x) if self.training else -self.norm(x)", [(2, 3, 3)], None),
    ],
)
def test_forwards_that_are_refused(torch, code, shapes, text):
    module = module_of(torch, code)
    if text is None:
        compared(torch, module, *shapes)
    else:
        with pytest.raises(ModelError, match=text):
            from_torch(module, *shapes)


def test_an_import_that_gives_other_numbers_is_refused(torch):
    """Steps that are traced wrong, as those that change from call to call."""

    class Alternating(torch.nn.Module):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return x * self.calls

    with pytest.raises(ModelError, match=r"output 0 differs by .*depend on values"):
        from_torch(Alternating(), 3)


def test_layers_whose_weights_are_computed(torch):
    torch.manual_seed(3)
    normed = torch.nn.utils.parametrizations.weight_norm
    compared(torch, torch.nn.Sequential(normed(torch.nn.Linear(3, 4))), 3)
    compared(torch, normed(torch.nn.Conv1d(2, 3, 3)), [2, 5])


def test_modules_of_other_types(torch):
    """Of half precision they are imported as they are stored."""
    module = torch.nn.Linear(3, 2)
    assert from_torch(module.double(), 3)(np.zeros(3)).shape == (2,)
    net = from_torch(module.bfloat16(), (3,))
    rows = module.weight.detach().float().numpy()
    assert net(np.eye(3)) - net(np.zeros(3)) == pytest.approx(rows.T)


def test_what_is_no_module(torch):
    with pytest.raises(ModelError, match=r"must be a torch\.nn\.Module"):
        from_torch(3, 3)


def test_the_guide_trains_what_it_stores(torch, tmp_path, monkeypatch):
    """Its blocks in PyTorch, for a few steps."""
    monkeypatch.chdir(tmp_path)
    guide = HERE.parent / "docs/guide/networks.md"
    code = re.findall(r"^```py(thon)?\n(.*?)^```$", guide.read_text(), re.M | re.S)
    assert [kind for kind, _ in code[:4]] == ["thon", "", "", "thon"]
    names = {"__name__": "__main__"}
    for _, block in code[:3]:
        exec(block.replace("steps = Model(), 4000", "steps = Model(), 20"), names)
    made, kept = np.load("networks.npz"), np.load(guide.with_suffix(".npz"))
    assert {name: made[name].shape for name in made} == {
        name: kept[name].shape for name in kept
    }
    # The other way gives the same networks.
    networks = [names["encoder"], names["decoder"]]
    with contextlib.redirect_stdout(None):
        exec(code[3][1], names)
    for first, second in zip(
        networks, [names["encoder"], names["decoder"]], strict=True
    ):
        x = np.random.default_rng(0).normal(size=(4, *first.inputs[0]))
        assert first(x) == pytest.approx(second(x), abs=1e-2)  # of half precision
