"""Networks in integers: what 8 bits cost, how short codes are, and how fast.

The public VAE of 40 latents for binary MNIST in 8 bits (craystack's weights), over 5000
test images of --data: its expected rate beside that of the floats, from the same draws
of the latents and the exact masses; and whole messages, every byte counted, of one lane
and of 64. The models of --models, by default those that ship with bbans, are measured
on the same images. Without --data the models are random ones of the same shapes, and
only times are measured.

Times are medians of process time, one thread. An image is 784 bits and 40 latents, its
networks included. The peak of vpmaddwd is that of a loop that does nothing else.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import vae
from clock import compiled, seconds
from engine import Engine
from numpy.typing import NDArray
from report import Report, first_line, parser, use_isa
from signals import flac
from vae import LATENTS, PIXELS, digits, given_weights

import bbans
from bbans import Message
from bbans import networks as nn
from bbans._lib import ffi, lib, pointer
from bbans.formats import SignalCoder
from bbans.frozen import FrozenDeepSSM, FrozenModel, FrozenVAE, Head
from bbans.frozen.network import FrozenNetwork, NetworkNode
from bbans.frozen.vae import VAESteps
from bbans.models import VAE

LANES, CALL, ROW = 64, 100, 28
TRAIN_SET = "images/mnist_train-images-idx3-ubyte.gz"
SHIPPED = Path(bbans.__file__).parent / "data"
RATES = {"thresholded": 0.1751, "stochastic": 0.1949}
WIDTHS = [256, 512, 1024]
TRAINED = 12_000  # steps of the inertial sensor, as examples/train_imu.py has them

# 12 sums that do not wait for each other: more than latency times throughput anywhere.
PEAK = """
#include <immintrin.h>
#include <stddef.h>
#define FOUR(DO, i) DO(i##0) DO(i##1) DO(i##2) DO(i##3)
#define EACH(DO) FOUR(DO, 1) FOUR(DO, 2) FOUR(DO, 3)
#define START(i) __m256i sum##i = _mm256_set1_epi32(i);
#define STEP(i) \\
    sum##i = _mm256_madd_epi16(sum##i, one); \\
    __asm__ volatile("" : "+x"(sum##i)); /* keep each step */
__attribute__((target("avx2"))) void multiply_adds(size_t n)
{
    const __m256i one = _mm256_set1_epi16(1);
    EACH(START)
    for (; n > 0; n--) {
        EACH(STEP)
    }
}
"""
PEAK_STEP = 12 * 16  # multiply-adds


def binarised(pixels: NDArray[np.uint8], how: str, seed: int = 0) -> NDArray[np.uint8]:
    if how == "thresholded":
        return (pixels >= 128).astype(np.uint8)
    drawn = np.random.default_rng(seed).random(pixels.shape)
    return (drawn < pixels / 255.0).astype(np.uint8)


# ---- rates


def given_vae(weights: dict[str, Any]) -> VAE:
    """The VAE of these weights, by their names in PyTorch."""

    def dense(node: nn.Node, name: str) -> nn.Node:
        return nn.Dense(node, weights[f"{name}.weight"], weights[f"{name}.bias"])

    x, z = nn.Input(PIXELS), nn.Input(LATENTS)
    hidden = nn.Relu(dense(x, "fc1"))
    encoder = nn.Network([x], [dense(hidden, "fc21"), dense(hidden, "fc22")])
    decoder = nn.Network([z], [dense(nn.Relu(dense(z, "fc3")), "fc4")])
    return VAE(decoder, encoder, head=Head.bernoulli(PIXELS))


def expected(frozen: FrozenVAE, images: NDArray[Any], draws: int) -> float:
    """Bits per pixel in the mean: exact masses, at latents that are drawn as those of
    `VAE.elbo` with seed 0."""
    steps, rng = VAESteps(frozen, (len(images),)), np.random.default_rng(0)
    known = steps.update(None, images)
    posterior = steps.posterior(known, None)
    location, scale = frozen.networks["posterior_1"](known)
    bits = 0.0
    for _ in range(draws):
        noise = rng.standard_normal(location.shape)
        z = np.rint(location / 2**16 + np.exp2(scale / 256) * noise).astype(np.int64)
        paid, returned = Message(), Message()
        steps.prior(None).push(paid, z)
        steps.likelihood(z).push(paid, images)
        posterior.push(returned, z)
        bits += paid.bits - returned.bits
    return bits / (draws * images.size)


def whole(frozen: FrozenModel, images: NDArray[Any]) -> float:
    """Bits per pixel of one message, every byte counted."""
    data = bbans.encode(images, frozen)
    assert (bbans.decode(data, frozen, len(images)) == images).all()
    return 8 * len(data) / images.size


def in_lanes(frozen: FrozenVAE, images: NDArray[Any]) -> float:
    """The same of LANES lanes, with what they start from: calls of few images at first,
    for which little suffices, and of CALL in the end."""
    sizes = [min(CALL, 4 + 2 * k) for k in range(len(images))]
    ends = np.cumsum(sizes)
    calls = np.split(images, ends[ends < len(images)])
    start = np.random.default_rng(0).bytes(10 * LANES)
    message = Message.seeded(start, LANES)
    for call in calls:
        frozen.codec(len(call)).push(message, call)
    data = message.to_bytes()
    message = Message.from_bytes(data, LANES)
    for call in calls[::-1]:
        assert (frozen.codec(len(call)).pop(message) == call).all()
    assert message.unseed() == start
    return 8 * len(data) / images.size


def add_given(rows: Report, model: VAE, pixels: NDArray[np.uint8]) -> None:
    """The given weights: the cost of 8 bits, and messages of all images."""
    train = digits(rows, "calibration of the given VAE", TRAIN_SET)[:2000]
    if not len(train):
        return
    draws, orders = (1, 2) if rows.quick else (8, 5)
    for how, target in RATES.items():
        images = binarised(pixels, how)
        ideal = model.elbo(images, samples=draws) / images.size
        rows.add(f"given VAE, {how}: float ELBO", ideal, "bits/dim")
        for grid, most in ((8, 0.05), (4, 0.1)):
            frozen = model.freeze(binarised(train, how, 1), grid=grid)
            name = f"given VAE, {how}, int8, grid 2^-{grid}"
            rate = expected(frozen, images, draws)
            rows.add(f"{name}: expected", rate, "bits/dim")
            rows.add(f"{name}: over the floats", 100 * (rate / ideal - 1), "%",
                     at_most=most)  # fmt: skip
            mixed = [
                images[np.random.default_rng(seed).permutation(len(images))]
                for seed in range(orders)
            ]
            rates = [whole(frozen, x) for x in mixed]
            rows.add(f"{name}: messages, mean of {orders} orders", np.mean(rates),
                     "bits/dim", at_most=target if grid == 8 else None)  # fmt: skip
            rows.add(f"{name}: messages, worst", max(rates), "bits/dim")
            rows.add(f"{name}: {LANES} lanes", in_lanes(frozen, mixed[0]), "bits/dim")
            data = bbans.compress(images, frozen)
            assert (bbans.decompress(data, frozen) == images).all()
            rows.add(f"{name}: container", 8 * len(data) / images.size, "bits/dim")
            rows.add(f"{name}: model file", len(frozen.to_bytes()), "bytes")


def net(frozen: FrozenModel, sequences: NDArray[Any]) -> float:
    """Bits of sequences one after another on a message, beside what it held."""
    message = Message.from_bytes(np.random.default_rng(0).bytes(1 << 16) + b"\1")
    start = message.bits
    for x in sequences:
        frozen.push(message, x)
    bits = message.bits - start
    for x in sequences[::-1]:
        assert (frozen.pop(message, len(x)) == x).all()
    return bits


def add_start(rows: Report, name: str, frozen: FrozenDeepSSM, x: NDArray[Any]) -> None:
    """What a message of one sequence takes beside its net bits."""
    data = [bbans.encode(one, frozen) for one in x]
    assert (bbans.decode(data[0], frozen, x.shape[1]) == x[0]).all()
    start = (8 * sum(map(len, data)) - net(frozen, x)) / len(x)
    rows.add(f"{name}: start-up, T={x.shape[1]}, mean of {len(x)}", start, "bits",
             at_most=160)  # fmt: skip


def trained(rows: Report, folder: Path, name: str) -> Any:
    """The model of this name, or None; if absent, says so."""
    for place in (folder, SHIPPED):
        if (place / f"{name}.bbm").is_file():
            return bbans.load_model(place / f"{name}.bbm")
    return rows.skip(name, f"no {name}.bbm in {folder}")


def add_digits(rows: Report, folder: Path, images: NDArray[Any]) -> None:
    """Models that examples/ trains on thresholded digits."""
    one = trained(rows, folder, "digits")
    if one is not None:
        rate = whole(one, images)
        rows.add("one level: message", rate, "bits/dim")
    two = trained(rows, folder, "two")
    if two is not None:
        most = whole(two, images)
        rows.add("two levels: message", most, "bits/dim", at_most=0.176)
        rows.add("two levels: message, stretch", most, "bits/dim", at_most=0.172)
        if one is not None:
            rows.add("two levels, to one level", most / rate, "times", at_most=0.97)
    deep = trained(rows, folder, "digit_rows")
    if deep is not None:
        x = images.reshape(-1, ROW, ROW)
        rate = net(deep, x) / x.size
        rows.add("deep SSM, 28 rows: net", rate, "bits/dim", at_most=0.173)
        few = x[:200]
        add_start(rows, "deep SSM", deep, few)
        add_start(rows, "deep SSM", deep, few.reshape(-1, 10 * ROW, ROW))


def add_sensor(rows: Report, folder: Path) -> None:
    """The part of a series that its deep model was not trained on, by differences; by
    linear prediction; and by FLAC."""
    deep = trained(rows, folder, "imu")
    files = rows.files("sensors/imu_sample_17070x6_i32.npy", "inertial sensor")
    if deep is None or not files:
        return
    series = np.load(files[0])
    x = np.diff(series, axis=0)[TRAINED - 1 :]
    rows.add("inertial sensor, deep SSM", whole(deep, x), "bits/value")
    series = series[TRAINED:].astype(np.int16)
    data = bbans.compress(series, SignalCoder())
    assert (bbans.decompress(data) == series).all()
    rate = 8 * len(data) / series.size
    rows.add("inertial sensor, SignalCoder", rate, "bits/value")
    if program := rows.program("flac", "FLAC"):
        rows.used(first_line(program, "--version"))
        rate = 8 * flac(program, series) / series.size
        rows.add("inertial sensor, FLAC", rate, "bits/value")


# ---- times


def pushed_and_popped(codec: Any, images: NDArray[Any]) -> list[Callable[[], Any]]:
    """Runs that push images, a call's worth at a time, and pop them."""
    start = Message.seeded(np.random.default_rng(0).bytes(1 << 16), LANES)

    def push() -> Message:
        message = start.copy()
        for group in images:
            codec.push(message, group)
        return message

    full = push()

    def pop() -> Message:
        message = full.copy()
        for _ in images:
            codec.pop(message)
        return message

    assert pop() == start
    return [push, pop]


def add_times(
    rows: Report, weights: dict[str, Any], images: NDArray[Any], repeats: int
) -> None:
    """Microseconds per image under a VAE, both ways."""
    frozen = given_vae(weights).freeze(images[:1000])
    calls = images.reshape(-1, CALL, PIXELS)

    def add(name: str, times: list[float], target: float | None) -> None:
        for verb, time in zip(("encode", "decode"), times, strict=True):
            rows.add(f"{name}: {verb}", 1e6 * time, "us/image", at_most=target)

    for isa in dict.fromkeys(("avx2", use_isa())):
        if use_isa(isa) is None:
            rows.skip(f"times, {isa}", "this machine lacks it")
            continue
        times = Engine(frozen, images).timed(seconds, repeats)
        add(f"C, one message, {isa}", times, 20.0)
        data = bbans.encode(images, frozen)
        runs = [
            partial(bbans.encode, images, frozen),
            partial(bbans.decode, data, frozen, len(images)),
            *pushed_and_popped(frozen.codec(CALL), calls),
            *pushed_and_popped(vae.VAE(weights, 8).codec(leak=False), calls),
        ]
        times = [time / len(images) for time in seconds(*runs, repeats=repeats)]
        add(f"Python, one message, {isa}", times[:2], 30.0)
        add(f"Python, {CALL} a call, {LANES} lanes, {isa}", times[2:4], 30.0)
        add(f"Python, floats by numpy, {CALL} a call, {isa}", times[4:], None)
    use_isa()


class Dense:
    """Three dense layers of one width, int8, by the C function."""

    LAYERS, ITEMS = 3, 128

    def __init__(self, width: int) -> None:
        rng, shape = np.random.default_rng(0), (1, 1, width)
        nodes = [NetworkNode("input", (), shape, 0, 255)]
        for i in range(self.LAYERS):
            nodes.append(
                NetworkNode(
                    "affine", (i,), shape, 0, 255, (1, 1), (0, 0),
                    rng.integers(-127, 128, (width, 1, 1, width), np.int8),
                    np.zeros(width, np.int32),
                    np.full(width, 1 << 20, np.int32),
                    np.full(width, 32, np.uint8),
                )
            )  # fmt: skip
        self._network = FrozenNetwork(nodes, [self.LAYERS])
        self.multiply_adds = self.ITEMS * self._network.products
        self._x = rng.integers(0, 256, (self.ITEMS, width), np.int16)
        self._out = np.empty((self.ITEMS, width), np.int32)
        bytes_ = lib.bbans_network_work_bytes(self._network.c, self.ITEMS)
        self._work = np.empty(bytes_ // 8 + 1, np.uint64)
        self._input = ffi.new(
            "bbans_array *", [pointer(self._x, "char[]"), lib.BBANS_I16]
        )
        self._output = ffi.new("int32_t *[]", [pointer(self._out, "int32_t[]")])

    def __call__(self) -> None:
        status = lib.bbans_network_run(
            self._network.c, self._input, self.ITEMS, pointer(self._work, "char[]"),
            self._work.nbytes, self._output,
        )  # fmt: skip
        assert status == 0


def add_multiply_adds(rows: Report, repeats: int) -> None:
    """The engine beside the peak of vpmaddwd, measured in turns."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not use_isa("avx2"):
        rows.skip("multiply-adds", "this machine has no AVX2")
        return
    peak, steps = compiled("void multiply_adds(size_t n);", PEAK), 2_000_000
    for isa in dict.fromkeys(("avx2", use_isa())):
        use_isa(isa)
        for width in WIDTHS:
            layers = Dense(width)
            calls = max(1, 2 * 10**9 // layers.multiply_adds)

            def run(layers: Dense = layers, calls: int = calls) -> None:
                for _ in range(calls):
                    layers()

            most, time = seconds(
                partial(peak.multiply_adds, steps), run, repeats=repeats
            )
            fastest = PEAK_STEP * steps / most
            rate = calls * layers.multiply_adds / time
            name = f"dense {width}, int8, {isa}"
            rows.add(f"{name}: multiply-adds", rate / 1e9, "G/s")
            rows.add(f"{name}: to the peak of vpmaddwd", rate / fastest, "times",
                     at_least=0.5 if isa == "avx2" else None)  # fmt: skip
    use_isa()


# ---- all


def random_weights() -> dict[str, Any]:
    """Of a VAE of the given one's shape."""
    rng, hidden = np.random.default_rng(0), 100
    shapes = {
        "fc1": (hidden, PIXELS), "fc21": (LATENTS, hidden), "fc22": (LATENTS, hidden),
        "fc3": (hidden, LATENTS), "fc4": (PIXELS, hidden),
    }  # fmt: skip
    weights: dict[str, Any] = {}
    for name, (outputs, inputs) in shapes.items():
        weights[f"{name}.weight"] = rng.normal(size=(outputs, inputs)) / inputs**0.5
        weights[f"{name}.bias"] = np.zeros(outputs)
    weights["fc22.bias"] -= 1.0
    return weights


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument(
        "--models", metavar="DIR", type=Path, default=SHIPPED,
        help="folder of two.bbm and imu.bbm, as examples/ trains them; models of the "
        "names of those that ship are taken from there too",
    )  # fmt: skip
    given: argparse.Namespace = options.parse_args()
    with Report(given) as rows:
        repeats = 3 if rows.quick else 9
        weights, pixels = given_weights(rows, "given VAE"), digits(rows, "images")
        if len(pixels):
            add_digits(rows, given.models, binarised(pixels, "thresholded"))
        add_sensor(rows, given.models)
        if weights and len(pixels):
            add_given(rows, given_vae(weights), pixels)
            images = binarised(pixels, "thresholded")
        else:
            weights = random_weights()
            images = np.random.default_rng(0).integers(0, 2, (5000, PIXELS), np.uint8)
        images = images[: 1000 if rows.quick else 5000]
        add_times(rows, weights, images, repeats)
        add_multiply_adds(rows, repeats)


if __name__ == "__main__":
    main()
