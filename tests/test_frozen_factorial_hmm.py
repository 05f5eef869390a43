"""Frozen factorial HMMs: the C engine against the reference and the generic schedule,
rates against exact probabilities, files, damage."""

import contextlib
import io
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from shared import ISAS, in_mode, random_factorial, random_message

import bbans
from bbans import Alphabet, CorruptError, FormatError, ModelError, SymbolError
from bbans._lib import lib
from bbans.codecs import decode_sequence, encode_sequence
from bbans.errors import TruncatedError
from bbans.frozen import FrozenFactorialHMM
from bbans.frozen.model_file import model_facts
from bbans.models import HMM, FactorialHMM, information_content

VECTORS = json.loads(
    (Path(__file__).parent / "vectors/factorial_v1.json").read_text("utf-8")
)

# Sizes of the chains; symbols, precision, concentration. Groups of up to 32 states, and
# rows that are padded.
SHAPES = {
    "one chain": ((3,), 5, 24, 1.0),
    "8 x 8": ((8, 8), 12, 24, 0.5),
    "4 x 3 x 2": ((4, 3, 2), 5, 16, 1.0),
    "one state between": ((3, 1, 5), 3, 28, 0.5),
    "17 x 2": ((17, 2), 4, 20, 1.0),
    "9 x 5, hostile rows": ((9, 5), 4, 28, 0.01),
    "8 chains": ((2,) * 8, 3, 12, 1.0),
    "4 x 1, one symbol": ((4, 1), 1, 10, 1.0),
    "1 bit": ((2, 2), 2, 1, 1.0),
}


@pytest.fixture(scope="module", params=SHAPES)
def model(request):
    sizes, n_symbols, prec, concentration = SHAPES[request.param]
    return random_factorial(sizes, n_symbols, prec=prec, concentration=concentration)


def reference_of(model):
    return ref.Factorial(
        [[mass.tolist()] for mass in model.initial[::-1]],
        [[mass.tolist()] for mass in model.transition[::-1]],
        model.emission.tolist(),
        model.prec,
        model.start_length,
    )


def draw(model, n, seed=0):
    """Half by the model, half anything."""
    rng = np.random.default_rng(seed)
    x = FactorialHMM.from_frozen(model).sample(n, seed=seed)[0]
    return np.where(rng.random(n) < 0.5, x, rng.integers(0, model.n_symbols, n))


# ---- bytes


@pytest.mark.parametrize("predictive", [False, True])
def test_stored_vectors(predictive):
    assert VECTORS["format"] == 1
    assert len(VECTORS["cases"]) == 12
    for case in VECTORS["cases"]:
        file = bytes.fromhex(case["file"])
        model = FrozenFactorialHMM.from_bytes(file)
        assert model.to_bytes() == file
        assert ref.hierarchy_file(reference_of(model)) == file
        model = in_mode(model, predictive)
        assert len(case["sequences"]) == 7
        for sequence in case["sequences"]:
            xs = sequence["xs"]
            data = sequence["encode_predictive" if predictive else "encode"]
            assert model.encode(xs).hex() == data
            assert model.decode(bytes.fromhex(data), len(xs)).tolist() == xs


@pytest.mark.parametrize("predictive", [False, True])
def test_the_reference_and_the_steps_give_the_same_bytes(model, predictive):
    n = model.start_length + (8 if model.n_chains < 8 else 3)
    x = draw(model, n).tolist()
    plain, mode = reference_of(model), in_mode(model, predictive)
    data = ref.hierarchy_encode(plain, x, predictive)
    assert ref.hierarchy_decode(plain, data, n, predictive) == x
    assert mode.encode(x) == data
    assert mode.decode(data, n).tolist() == x
    steps = model.state_space()
    message = encode_sequence(x, steps, predictive=predictive)
    assert message.to_bytes() == data
    assert [*decode_sequence(message, steps, n, predictive=predictive)] == x


def test_every_set_of_kernels_gives_the_same_bytes(model):
    x, found = draw(model, 300), set()
    best = lib.bbans_isa_use(lib.BBANS_ISA_BEST)
    try:
        for isa in ISAS.values():
            assert lib.bbans_isa_use(isa) == isa
            data = model.encode(x)
            assert np.array_equal(model.decode(data, len(x)), x)
            found.add(data)
    finally:
        lib.bbans_isa_use(best)
    assert len(found) == 1


def test_the_filter_is_that_of_the_reference(model):
    x, plain = draw(model, 6), reference_of(model)
    filtered, predicted = model.filter(x)
    p = ref.hierarchy_first(plain)
    assert model.filter([])[1].tolist() == [*p.values()]
    for t, symbol in enumerate(x.tolist()):
        f, p = ref.hierarchy_filter(plain, p, symbol)
        assert filtered[t].tolist() == [*f.values()]
    assert predicted.tolist() == [*p.values()]
    again, _ = model.filter(x[4:], model.filter(x[:4])[1])
    assert np.array_equal(again, filtered[4:])


def test_batches_and_containers(model):
    x = draw(model, 3000)
    data = bbans.compress(x, model, block_size=1000)
    assert np.array_equal(bbans.decompress(data, model), x)
    with bbans.open(io.BytesIO(data), model) as container:
        assert np.array_equal(container[990:1010], x[990:1010])


# ---- rates


@pytest.mark.parametrize("sizes", [(8, 8), (2, 3, 4), (2,) * 6, (16, 16)])
def test_bits_used_are_the_information_content(sizes):
    """Over a full message: what is pushed, less what is popped."""
    model = random_factorial(sizes, 20, seed=7, prec=24)
    x = FactorialHMM.from_frozen(model).sample(3000, seed=1)[0]
    exact = information_content(x, model)
    message = random_message(1, seed=2, words=20)
    before = message.bits
    model.push(message, x)
    assert abs(message.bits - before - exact) < 1
    for mode in ("iconoclasm", "predictive"):
        n_bits = 8 * len(model.with_mode(mode).encode(x))
        assert -3 < n_bits - exact < 12


def test_freezing_keeps_the_chains():
    model = FactorialHMM.random([3, 1, 4], 5, seed=1)
    frozen = model.freeze(prec=20, predictive=True)
    assert isinstance(frozen, FrozenFactorialHMM)
    assert (frozen.n_states, frozen.mode, frozen.prec) == ((3, 1, 4), "predictive", 20)
    for (initial, transition), *masses in zip(
        model.chains, frozen.initial, frozen.transition, strict=True
    ):
        assert np.allclose(masses[0] / 2**20, initial, atol=2**-18)
        assert np.allclose(masses[1] / 2**20, transition, atol=2**-18)
    x = model.sample(500, seed=2)[0]
    again = FactorialHMM.from_frozen(frozen)
    assert again.freeze(prec=20).encode(x) == model.freeze(prec=20).encode(x)
    exact = model.information_content(x)
    assert information_content(x, frozen) == pytest.approx(exact, rel=1e-4)
    assert again.information_content(x) == information_content(x, frozen)
    with pytest.raises(ModelError, match="FrozenFactorialHMM"):
        FactorialHMM.from_frozen(HMM.random(2, 2, seed=0).freeze())


def test_more_than_eight_chains_are_joined():
    model = FactorialHMM.random([2] * 9, 3, seed=1)
    frozen = model.freeze()
    assert frozen.n_states == (2, 2, 2, 2, 2, 2, 2, 4)
    x = model.sample(200, seed=2)[0]
    assert np.array_equal(frozen.decode(frozen.encode(x), 200), x)
    exact = model.information_content(x)
    assert information_content(x, frozen) == pytest.approx(exact, rel=1e-4)


# ---- files


def resealed(data):
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little")


@pytest.mark.parametrize(
    "alphabet",
    [None, Alphabet([-5, 0, 2, 2**63 - 1]), Alphabet("abπ😀"), Alphabet(b"acgt")],
    ids=str,
)
def test_files_with_any_alphabet(alphabet, tmp_path):
    given = random_factorial((3, 2), 4)
    model = FrozenFactorialHMM(
        given.initial, given.transition, given.emission,
        prec=given.prec, start_length=9, alphabet=alphabet, mode="predictive",
    )  # fmt: skip
    path = tmp_path / "m.bbm"
    model.save(path)
    again = bbans.load_model(path)
    assert again == model
    assert again.mode == "predictive"
    assert again.n_states == (3, 2)
    assert again.alphabet == model.alphabet
    facts = model_facts(io.BytesIO(model.to_bytes()))
    assert facts["kind"] == "frozen factorial hidden Markov model"
    assert facts["states"] == "3 x 2"
    assert (facts["symbols"], facts["start length"]) == (4, 9)
    assert facts["bytes"] == len(model.to_bytes())


def test_cut_and_damaged_files():
    data = random_factorial((3, 2), 4).to_bytes()
    for n in range(len(data)):
        with pytest.raises((TruncatedError, FormatError)):
            FrozenFactorialHMM.from_bytes(data[:n])
        with pytest.raises((TruncatedError, FormatError)):
            model_facts(io.BytesIO(data[:n]))
    with pytest.raises(CorruptError):
        FrozenFactorialHMM.from_bytes(data + b"\0")
    for at, value in [
        (12, 0), (12, 9), (12, 2**32 - 1), (16, 0), (16, 65537), (20, 0), (20, 65536),
        (24, 0), (24, 2**32 - 1), (28, 0), (28, 4096),
    ]:  # fmt: skip
        bad = bytearray(data)
        bad[at : at + 4] = value.to_bytes(4, "little")
        with pytest.raises(FormatError):
            FrozenFactorialHMM.from_bytes(resealed(bytes(bad)))


def test_damaged_messages(model):
    """Refused, or other data."""
    x = draw(model, 200)
    data = model.encode(x)
    rng = np.random.default_rng(1)
    for _ in range(40):
        bad = bytearray(data)
        bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
        with contextlib.suppress(CorruptError):
            assert not np.array_equal(model.decode(bytes(bad), len(x)), x)


# ---- what is refused


def arguments(**changes):
    model = random_factorial((3, 2), 4, prec=12)
    return {
        "initial": model.initial, "transition": model.transition,
        "emission": model.emission, "prec": 12, "start_length": 5,
    } | changes  # fmt: skip


def changed(name, chain, at, value):
    """One mass is another."""
    tables = [table.copy() for table in arguments()[name]]
    tables[chain][at] = value
    return {name: tables}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"initial": []}, "of 0 and 2"),
        ({"transition": arguments()["transition"][:1]}, "of 2 and 1"),
        ({"initial": arguments()["initial"][::-1]}, r"transition\[0\] must have"),
        ({"initial": [[[4096]], arguments()["initial"][1]]}, r"initial\[0\] must have"),
        ({"emission": [4096]}, "emission must have shape"),
        ({"emission": [[4096]]}, r"emission must have shape \(6, 1\)"),
        (changed("initial", 1, 0, 0), r"initial\[1\] row 0 has a mass of 0"),
        (changed("transition", 0, (1, 2), 4096), r"transition\[0\] row 1 .* 2\*\*12"),
        ({"prec": 0}, "precision"),
        ({"start_length": 0}, "start_length"),
        ({"alphabet": Alphabet(5)}, "5 symbols, emission 4"),
        ({"mode": "both"}, "mode must be"),
    ],
)
def test_what_is_no_model(changes, text):
    with pytest.raises(ModelError, match=text):
        FrozenFactorialHMM(**arguments(**changes))


def test_symbols_outside(model):
    for x in ([0, model.n_symbols], [-1]):
        with pytest.raises(SymbolError):
            model.encode(x)


def test_what_it_says_of_itself():
    model = random_factorial((3, 2), 4)
    assert repr(model).endswith("3 x 2 states, 4 symbols, 16 bits>")
    assert (model.n_chains, model.n_states, model.start_bits) == (2, (3, 2), 40)
    assert random_factorial((2,) * 8, 3).start_bits == 44
    assert not model.initial[0].flags.writeable
    assert [mass.shape for mass in model.transition] == [(3, 3), (2, 2)]
    assert [*model.tables()][-2:] == ["transition[1]", "emission"]
