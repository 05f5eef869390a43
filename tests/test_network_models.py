"""VAEs and deep state space models: C, step by step, and the reference."""

import math
import pickle
import zlib
from contextlib import suppress

import numpy as np
import pytest
import reference as ref
from shared import (
    HEADS,
    convolutional_vae,
    in_mode,
    random_deep_ssm,
    random_message,
    random_network,
    random_observations,
    random_vae,
)

from bbans import (
    VAE,
    CorruptError,
    DeepSSM,
    FormatError,
    FrozenDeepSSM,
    FrozenVAE,
    Message,
    ModelError,
    SymbolError,
    check_model,
    compress,
    decompress,
    load_model,
    records,
)
from bbans.codecs import Iconoclasm, decode_sequence, encode_sequence
from bbans.errors import BbansError, TruncatedError
from bbans.frozen import FrozenModel, Head
from bbans.models._float_heads import observation_bits, units_of

CASES = {
    "one level": lambda head, seed: random_vae(head, [4], seed=seed),
    "Markov": lambda head, seed: random_vae(head, [4, 3, 2], seed=seed),
    "top-down": lambda head, seed: random_vae(head, [4, 3], "top-down", seed=seed),
    "deep": lambda head, seed: random_deep_ssm(head, 3, 5, seed=seed),
}


def frozen_of(name, head, seed=0, **options):
    """A float model, the model in integers, and observations that it was made for."""
    model = CASES[name](head, seed)
    x = random_observations(head, 120, seed=seed)
    return model, model.freeze(x, **options), x


def reference_of(frozen):
    networks = {
        name: ref.read_network(network.to_bytes())
        for name, network in frozen.networks.items()
    }
    numbers = frozen.grid, frozen.start_length, frozen.start_bits, frozen.start_shift
    head = ref.Head(*frozen.head)
    if isinstance(frozen, FrozenVAE):
        return ref.VAE(networks, head, frozen.latents, frozen.order, *numbers)
    return ref.DeepSSM(networks, head, frozen.n_latents, frozen.n_hidden, *numbers)


# ---- the same bytes


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("head", HEADS, ids=lambda head: f"{head.law}-{head.width}")
def test_c_and_steps_and_the_reference_give_the_same_bytes(name, head):
    _, frozen, x = frozen_of(name, head, grid=6)
    plain, steps, c = reference_of(frozen), frozen.state_space(), frozen.start_length
    for n in (0, 1, c, c + 1, c + 9):
        for predictive in (False, True):
            model, part = in_mode(frozen, predictive), x[:n]
            data = model.encode(part)
            assert (model.decode(data, n).reshape(part.shape) == part).all()
            assert ref.network_encode(plain, part.tolist(), predictive) == data
            rows = part[:, 0] if head.width == 1 else part
            slow = encode_sequence(rows, steps, predictive=predictive)
            assert slow.to_bytes() == data
            again = decode_sequence(slow, steps, n, predictive=predictive)
            assert np.array_equal(np.reshape(again, part.shape), part)


@pytest.mark.parametrize("name", CASES)
def test_the_bare_schedule(name):
    _, frozen, x = frozen_of(name, HEADS[0])
    start = random_message(1, seed=3)
    message, slow = start.copy(), start.copy()
    Iconoclasm(frozen, 30).push(message, x[:30])
    Iconoclasm(frozen.state_space(), 30).push(slow, list(x[:30]))
    assert message == slow != start
    assert (Iconoclasm(frozen, 30).pop(message) == x[:30]).all()
    assert message == start


@pytest.mark.parametrize("name", CASES)
def test_many_sequences(name):
    """Batches, chains, threads: one message by itself or with others is the same."""
    _, frozen, x = frozen_of(name, HEADS[0])
    parts = [x[:0], x[:1], x[:60], x[60:100], x[100:]]
    data, offsets = records.encode_batch(parts, frozen, threads=2)
    assert data == b"".join(map(frozen.encode, parts))
    lengths = [len(part) for part in parts]
    chain = records.chain(parts, frozen)
    for again in (
        records.decode_batch(data, offsets, lengths, frozen, threads=2),
        records.unchain(chain, lengths, frozen),
    ):
        for part, decoded in zip(parts, again, strict=True):
            assert np.array_equal(decoded.reshape(part.shape), part)


@pytest.mark.parametrize("lanes", [1, 16])
def test_arrays_on_messages_of_several_lanes(lanes):
    _, vae, x = frozen_of("Markov", HEADS[0])
    start = random_message(lanes, seed=1)
    message, codec = start.copy(), vae.codec(7)
    codec.push(message, x[:7])
    assert (codec.pop(message) == x[:7]).all()
    assert message == start
    _, deep, x = frozen_of("deep", HEADS[0])
    sequences = x[:84].reshape(12, 7, -1)
    codec = deep.codec(7, 12)
    codec.push(message, sequences)
    assert np.array_equal(np.array(codec.pop(message)), sequences)
    assert message == start


def test_images_of_two_axes():
    head = Head.bernoulli(12)
    model = random_vae(head, [3], seed=1)
    x = random_observations(head, 60, seed=1)
    images = x.reshape(60, 3, 4)
    frozen = model.freeze(images)
    assert frozen == model.freeze(x)
    assert frozen.encode(images) == frozen.encode(x)
    assert (decompress(compress(images, frozen), frozen) == images).all()
    report = check_model(images[:8], frozen, reference=model, samples=1)
    assert report == check_model(x[:8], frozen, reference=model, samples=1)
    with pytest.raises(SymbolError, match=r"shape \(60, 2, 3\) has no rows of 12"):
        frozen.encode(images[:, :2, :3])


def test_images_of_any_size():
    model, rng = convolutional_vae(seed=0), np.random.default_rng(0)
    frozen = model.freeze(rng.integers(0, 2, (60, 8, 8)), grid=5)
    assert frozen.with_shape(8, 8) == frozen
    other = frozen.with_shape(12, 16)
    assert other.width == 192
    assert other.latents == (2 * 6 * 8, 3 * 4)
    assert other.with_shape(8, 8) == frozen != other
    images = rng.integers(0, 2, (20, 12, 16))
    data = other.encode(images)
    assert (other.decode(data, 20).reshape(images.shape) == images).all()
    slow = encode_sequence(images.reshape(20, -1), other.state_space())
    assert slow.to_bytes() == data
    with pytest.raises(ModelError, match=r"posterior_1: node .* no size for 8 x 9"):
        frozen.with_shape(8, 9)
    with pytest.raises(ModelError, match="posterior_1 takes no map"):
        frozen_of("one level", HEADS[0])[1].with_shape(8, 8)


# ---- what they cost


@pytest.mark.parametrize("name", CASES)
def test_bits_used_are_near_the_elbo_in_floats(name):
    head = Head.bernoulli(24)
    model, frozen, x = frozen_of(name, head)
    x = random_observations(head, 400, seed=5)
    report = check_model(x, frozen, reference=model, samples=2)
    assert report.reference_elbo == model.elbo(x, samples=2)
    spread = 4 * 2 * math.sqrt(len(x))  # of draws of the latents
    assert abs(report.elbo - report.reference_elbo) < 0.003 * report.elbo + spread
    assert report.message == 8 * len(frozen.encode(x))
    assert abs(report.message - report.elbo) < 160 + spread
    assert report.information_content is None
    assert report.far_out == ()
    assert "ELBO in floats" in str(report)
    assert "not tractable" in str(report)


def test_the_start_is_what_costs_least():
    """No start of another length or another grid has shorter messages in the mean."""
    _, frozen, _ = frozen_of("one level", HEADS[0])
    mean = {}
    for length in (1, frozen.start_length, 4 * frozen.start_length):
        for shift in (0, frozen.start_shift):
            other = FrozenVAE(
                frozen.networks["likelihood"], frozen.networks["posterior_1"],
                head=frozen.head, grid=frozen.grid, start_length=length,
                start_shift=shift,
            )  # fmt: skip
            parts = np.split(random_observations(frozen.head, 800, seed=9), 8)
            sizes = [len(other.encode(part)) for part in parts]
            mean[length, shift] = np.mean(sizes)
    assert min(mean.values()) == mean[frozen.start_length, frozen.start_shift]


# ---- observations


def test_observations_out_of_range():
    head = Head.mixture(2, 1, -3, 9)
    _, frozen, x = frozen_of("one level", head)
    x = x.astype(np.int64)
    x[7, 1] = 10
    text = r"integer 10 at position 15 \(row 7, place 1\) .* range -3 \.\. 9"
    with pytest.raises(SymbolError, match=text):
        frozen.encode(x)
    with pytest.raises(SymbolError, match="range -3"):
        frozen.push(random_message(1, 0), x)
    with pytest.raises(SymbolError, match="no rows of 2"):
        frozen.encode([1, 2, 3])
    with pytest.raises(SymbolError, match="integers"):
        frozen.encode([[0.5, 1.0]])


def test_bytes():
    head = Head.categorical(4, 200)
    model = random_vae(head, [3], seed=2)
    x = random_observations(head, 50, seed=2)
    frozen = model.freeze(x, kind="bytes")
    plain = x.astype(np.uint8).tobytes()
    data = frozen.encode(plain)
    assert frozen.decode(data, 50) == plain
    assert decompress(compress(plain, frozen), frozen) == plain
    assert load_and_save(frozen).kind == "bytes"
    with pytest.raises(SymbolError, match="no rows of 4"):
        frozen.encode(plain[:-1])
    with pytest.raises(SymbolError, match="200 at position 3"):
        frozen.encode(b"abc\xc8")
    other = random_vae(Head.mixture(4, 1, 0, 300), [3], seed=2)
    with pytest.raises(ModelError, match="0 to 300 are no bytes"):
        other.freeze(random_observations(other.head, 50, seed=2), kind="bytes")


def load_and_save(frozen):
    return FrozenModel.from_bytes(frozen.to_bytes())


# ---- heads


def test_probabilities_and_weights_and_rates():
    """What C makes of logits is what the reference does."""
    logits = np.array([*range(-3200, 3200), 2**31 - 1, -(2**31) + 1], np.int32)
    law = Head.bernoulli(len(logits)).distribution(logits)
    one = np.array([ref.probability(v) >> 4 for v in logits.tolist()])
    assert (law._parameters[0].array == one).all()
    rng = np.random.default_rng(0)
    rows = rng.integers(-3000, 3000, (300, 7)).astype(np.int32)
    law = Head.categorical(300, 7).distribution(rows.ravel())
    assert law._parameters[0].array.tolist() == [
        ref.weights_of(row) for row in rows.tolist()
    ]
    law = Head.beta_binomial(300, 9).distribution(rows[:, :2].ravel())
    for k in (0, 1):
        rates = [ref.rate(v) for v in rows[:, k].tolist()]
        assert law._parameters[1 + k].array.tolist() == rates


@pytest.mark.parametrize("head", HEADS, ids=lambda head: f"{head.law}-{head.width}")
def test_heads_code_as_the_reference(head):
    rng = np.random.default_rng(4)
    for _ in range(20):
        outputs = rng.integers(-700, 700, head.outputs).astype(np.int32)
        x = random_observations(head, 1, seed=5)[0]
        message, plain = random_message(1, 6), ref.Message(1)
        plain.heads, plain.tail = message.state()
        message.push(head.distribution(outputs), x if head.width > 1 else int(x[0]))
        ref.push_each(plain, head_of(head).intervals(outputs.tolist(), x.tolist()))
        assert message.state() == (plain.heads, plain.tail)


def head_of(head):
    return ref.Head(*head)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Head.bernoulli(0), "width"),
        (lambda: Head.categorical(3, 1), "categories"),
        (lambda: Head.categorical(3, 257), "categories"),
        (lambda: Head.mixture(3, 65, 0, 9), "components"),
        (lambda: Head.mixture(3, 1, 9, 9), "high"),
        (lambda: Head.mixture(3, 1, 0, 2**31), "high"),
        (lambda: Head.mixture(3, 1, 0, 9, "cauchy"), "cauchy"),
        (lambda: Head.beta_binomial(3, 0), "trials"),
    ],
)
def test_heads_that_are_none(make, text):
    with pytest.raises(ModelError, match=text):
        make()


# ---- networks that do not fit


def parts_of(frozen):
    networks = frozen.networks
    options = {
        "head": frozen.head, "grid": frozen.grid, "start_length": frozen.start_length,
    }  # fmt: skip
    return networks, options


def test_networks_that_do_not_fit():
    _, vae, _ = frozen_of("Markov", HEADS[0])
    networks, options = parts_of(vae)
    q = [networks[f"posterior_{i}"] for i in (1, 2, 3)]
    p = [networks[f"prior_{i}"] for i in (1, 2)]
    likelihood = networks["likelihood"]
    assert FrozenVAE(likelihood, q, p, **options).networks == networks
    for make, text in [
        (lambda: FrozenVAE(likelihood, q, p[:1], **options), "3 and 1"),
        (lambda: FrozenVAE(likelihood, [], [], **options), "0 and 0"),
        (lambda: FrozenVAE(likelihood, q[::-1], p, **options), "posterior_1"),
        (lambda: FrozenVAE(likelihood, q, p[::-1], **options), "prior_1"),
        (lambda: FrozenVAE(q[0], q, p, **options), "likelihood"),
        (lambda: FrozenVAE(likelihood, q, p, order="up", **options), "markov, top"),
        (lambda: FrozenVAE(likelihood, q, p, order="top-down", **options), "posterior"),
        (lambda: FrozenVAE(likelihood, [1], **options), "a FrozenNetwork"),
        (lambda: FrozenVAE(likelihood, q, p, **options | {"head": 3}), "a Head"),
        (lambda: FrozenVAE(likelihood, q, p, **options | {"grid": 16}), "grid"),
        (lambda: FrozenVAE(likelihood, q, p, **options, start_shift=-1), "start_shift"),
        (
            lambda: FrozenVAE(likelihood, q, p, **options | {"start_length": 0}),
            "start_length",
        ),
        (
            lambda: FrozenVAE(
                likelihood, q, p, **options | {"head": Head("bernoulli", 6, 0, 2)}
            ),
            "other numbers",
        ),
    ]:
        with pytest.raises(ModelError, match=text):
            make()
    _, deep, _ = frozen_of("deep", HEADS[0])
    networks, options = parts_of(deep)
    update, prior, likelihood, posterior = networks.values()
    for make, text in [
        (lambda: FrozenDeepSSM(prior, prior, likelihood, posterior, **options), "upd"),
        (lambda: FrozenDeepSSM(update, update, likelihood, posterior, **options), "pr"),
        (lambda: FrozenDeepSSM(update, prior, prior, posterior, **options), "likel"),
        (
            lambda: FrozenDeepSSM(update, prior, likelihood, None, **options),
            "posterior",
        ),
    ]:
        with pytest.raises(ModelError, match=text):
            make()


def test_float_models_that_do_not_fit():
    head = HEADS[0]
    model, _, x = frozen_of("one level", head)
    likelihood = model.networks["likelihood"]
    one = random_network([head.width], 8, np.random.default_rng(0))
    with pytest.raises(ModelError, match=r"posterior_1 takes inputs of \[4\] elements"):
        VAE(one, likelihood, head=head)
    with pytest.raises(ModelError, match="likelihood has 8 outputs, where 6 are"):
        VAE(random_network([4], 8, np.random.default_rng(0)), one, head=head)
    with pytest.raises(ModelError, match="update takes inputs"):
        DeepSSM(one, one, one, one, head=head)
    with pytest.raises(ModelError, match="L - 1 priors"):
        VAE(likelihood, model.networks["posterior_1"], [one], head=head)
    with pytest.raises(ModelError, match="step"):
        VAE(likelihood, one, head=head, step=0)
    with pytest.raises(ModelError, match="posterior_1 must be a Network, not None"):
        VAE(likelihood, [None], head=head)
    with pytest.raises(ModelError, match="calibration"):
        model.freeze(x[:0])
    with pytest.raises(ModelError, match="grid"):
        model.freeze(x, grid=16)
    with pytest.raises(ModelError, match="not tractable"):
        model.information_content(x)
    with pytest.raises(ModelError, match="this VAE is in floating point"):
        encode_sequence(x, model)
    with pytest.raises(SymbolError, match="shape"):
        random_deep_ssm(head, 3, 5, seed=0).elbo(x[0])


# ---- files


@pytest.mark.parametrize("name", CASES)
def test_files(name, tmp_path):
    model, frozen, x = frozen_of(name, HEADS[3])
    frozen.save(tmp_path / "model.bbm")
    again = load_model(tmp_path / "model.bbm")
    assert type(again) is type(frozen)
    assert again == frozen == pickle.loads(pickle.dumps(frozen))
    assert again.fingerprint == frozen.fingerprint
    assert frozen.to_bytes() == ref.network_model_file(reference_of(frozen))
    predictive = frozen.with_mode("predictive")
    assert predictive != frozen
    assert load_and_save(predictive).mode == "predictive"
    assert again.encode(x) == frozen.encode(x)
    model.save(tmp_path / "model.npz")
    floats = type(model).load(tmp_path / "model.npz")
    assert floats.elbo(x) == model.elbo(x)
    assert floats.freeze(x) == model.freeze(x)


@pytest.mark.parametrize("name", ["Markov", "deep"])
def test_damaged_model_files(name):
    _, frozen, _ = frozen_of(name, HEADS[0])
    data = frozen.to_bytes()
    for n in [*range(0, 200, 7), *range(200, len(data), len(data) // 40)]:
        with pytest.raises((TruncatedError, FormatError)):
            FrozenModel.from_bytes(data[:n])
    with pytest.raises(CorruptError, match="too many"):
        FrozenModel.from_bytes(data + b"\0")
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(data), 60):
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(8))
        with pytest.raises(FormatError):
            FrozenModel.from_bytes(bytes(changed))


@pytest.mark.parametrize("name", ["Markov", "top-down", "deep"])
def test_hostile_model_files(name):
    """With a checksum that is right: refused by name, or a model that codes."""
    _, frozen, x = frozen_of(name, HEADS[0])
    data = frozen.to_bytes()[:-4]
    rng = np.random.default_rng(1)
    refused = 0
    for at in [*range(5, 56), *rng.integers(56, len(data), 150).tolist()]:
        changed = bytearray(data)
        changed[at] = int(rng.integers(256))
        whole = bytes(changed) + zlib.crc32(changed).to_bytes(4, "little")
        try:
            model = FrozenModel.from_bytes(whole)
        except FormatError:
            refused += 1
            continue
        if model.head == frozen.head and model.start_length < 100:
            part = x[:20]
            assert (model.decode(model.encode(part), 20) == part).all()
    assert refused > 30


def test_wrong_types_and_orders_in_files():
    _, vae, _ = frozen_of("one level", HEADS[0])
    _, deep, _ = frozen_of("deep", HEADS[0])
    with pytest.raises(FormatError, match="holds a deep state space model"):
        FrozenVAE.from_bytes(deep.to_bytes())
    for model, at, value in [(vae, 52, 2), (deep, 52, 1), (vae, 8, 0), (deep, 8, 2)]:
        data = bytearray(model.to_bytes()[:-4])
        data[at] = value
        with pytest.raises(FormatError):
            FrozenModel.from_bytes(bytes(data) + zlib.crc32(data).to_bytes(4, "little"))


# ---- damaged messages


@pytest.mark.parametrize("name", CASES)
def test_damaged_messages(name):
    """Other data, or an error with a name; what decodes is what encodes to this."""
    _, frozen, x = frozen_of(name, HEADS[1])
    data = frozen.encode(x[:40])
    rng, decoded = np.random.default_rng(2), 0
    for _ in range(60):
        changed = bytearray(data)
        changed[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        changed = bytes(changed)
        try:
            again = frozen.decode(changed, 40)
        except CorruptError:
            continue
        decoded += 1
        assert frozen.encode(again) == changed.rstrip(b"\0")
    for n in (0, 1, 39, 41, 500):
        try:
            again = frozen.decode(data, n)
        except CorruptError:
            continue
        assert frozen.encode(again) == data
    steps = frozen.state_space()
    for n in (39, 41):
        with suppress(BbansError):
            decode_sequence(Message.from_bytes(data), steps, n)


def test_modes_that_are_others():
    """A start whose latents are not the modes of what follows is damage."""
    _, frozen, x = frozen_of("one level", HEADS[0])
    steps = frozen.state_space()
    plain = steps.predictive(None)
    modes = steps._modes(x[0])
    message = random_message(1, 0)
    z = tuple(mode + 1 for mode in modes)
    plain._likelihood(z).push(message, x[0])
    plain._latents.push(message, z)
    with pytest.raises(CorruptError, match="modes"):
        plain.pop(message)


# ---- drawing


@pytest.mark.parametrize("name", ["one level", "Markov", "top-down"])
def test_samples(name):
    """Images drawn in integers are like those that the model draws in floats."""
    model, frozen, _ = frozen_of(name, HEADS[0])
    n, rng = 4000, np.random.default_rng(3)
    drawn = frozen.sample(random_message(1, 8, words=20_000), n)
    assert drawn.shape == (n, 6)
    again = frozen.sample(random_message(1, 8, words=20_000), n)
    assert (drawn == again).all()
    z = {frozen.levels: rng.normal(size=(n, frozen.latents[-1]))}
    for level in range(frozen.levels - 1, 0, -1):
        mean, deviation = np.split(
            model._run(f"prior_{level}", *model._above(z, level)), 2, axis=1
        )
        z[level] = mean + np.exp(deviation) * rng.normal(size=mean.shape)
    one = 1 / (1 + np.exp(-model._run("likelihood", *model._above(z, 0))))
    assert np.abs(drawn.mean(axis=0) - one.mean(axis=0)).max() < 5 * 0.5 / n**0.5
    assert np.ptp(one.mean(axis=0)) > 0.05


# ---- heads in floats


@pytest.mark.parametrize("head", HEADS, ids=lambda head: f"{head.law}-{head.width}")
@pytest.mark.parametrize("step", [1.0, 1 / 64])
def test_bits_in_floats_are_those_that_are_coded(head, step):
    """Of the same outputs, but for their rounding."""
    rng = np.random.default_rng(6)
    units = units_of(head, step)
    channels = len(units.factor)
    message, bits = random_message(1, 8), 0.0
    before = message.bits
    for seed in range(50):
        reals = rng.normal(size=head.outputs // channels * channels)
        if head.law == "mixture":  # locations among the values, scales of some
            kinds = reals.reshape(head.width, 3, -1)
            kinds[:, 1] = rng.uniform(head.low, head.high, kinds[:, 1].shape) * step
            kinds[:, 2] += math.log(60 * step)
        factor, offset, low, high = units.over(reals.size)
        outputs = np.clip(np.rint(factor * reals + offset), low, high).astype(np.int32)
        x = random_observations(head, 1, seed=seed)[0]
        message.push(head.distribution(outputs), x if head.width > 1 else int(x[0]))
        bits += observation_bits(head, reals[None], x[None], step)[0]
    # A small head of a message makes single values uneven, by 1/16 of a bit.
    assert message.bits - before == pytest.approx(bits, abs=0.5, rel=1e-3)
