"""Frozen hierarchical HMMs: the C engine against the reference and the generic
schedule, rates against exact probabilities, files, damage."""

import contextlib
import io
import itertools
import json
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from shared import ISAS, in_mode, random_hierarchy, random_message

import bbans
from bbans import Alphabet, CorruptError, FormatError, ModelError, SymbolError
from bbans._lib import lib
from bbans.codecs import decode_sequence, encode_sequence
from bbans.distributions.table import edges_of
from bbans.errors import TruncatedError
from bbans.frozen import FrozenHierarchicalHMM
from bbans.frozen.model_file import model_facts
from bbans.models import HMM

VECTORS = json.loads(
    (Path(__file__).parent / "vectors/hierarchy_v1.json").read_text("utf-8")
)

# Sizes of the levels, the lowest first; symbols, precision, concentration.
SHAPES = {
    "one level": ((3,), 5, 24, 1.0),
    "8 x 8": ((8, 8), 12, 24, 0.5),
    "2 x 3 x 4": ((2, 3, 4), 5, 16, 1.0),
    "one state between": ((5, 1, 3), 3, 28, 0.5),
    "9 x 2, hostile rows": ((9, 2), 4, 28, 0.01),
    "8 levels": ((2,) * 8, 3, 12, 1.0),
    "1 x 4, one symbol": ((1, 4), 1, 10, 1.0),
    "1 bit": ((2, 2), 2, 1, 1.0),
}


@pytest.fixture(scope="module", params=SHAPES)
def model(request):
    sizes, n_symbols, prec, concentration = SHAPES[request.param]
    return random_hierarchy(sizes, n_symbols, prec=prec, concentration=concentration)


def reference_of(model):
    initial = [np.atleast_2d(mass).tolist() for mass in model.initial]
    transition = [
        mass.reshape(-1, *mass.shape[-2:]).tolist() for mass in model.transition
    ]
    emission = model.emission.tolist()
    return ref.Hierarchy(initial, transition, emission, model.prec, model.start_length)


def joint(model):
    """The HMM of all states together, in floats."""
    z = np.indices(model.n_states[::-1]).reshape(model.n_levels, -1)[::-1]
    unit = 2.0**-model.prec
    initial = transition = np.ones(())
    for level, own in enumerate(z):
        above = z[level + 1 : level + 2]
        initial = initial * model.initial[level][(*above, own)] * unit
        rows = model.transition[level][(*above, own[:, None], own)]
        transition = transition * rows * unit
    return HMM(initial, transition, model.emission[z[0]] * unit)


def draw(model, n, seed=0):
    """Half by the model, half anything."""
    rng = np.random.default_rng(seed)
    x = joint(model).sample(n, seed=seed)[0]
    return np.where(rng.random(n) < 0.5, x, rng.integers(0, model.n_symbols, n))


# ---- bytes


@pytest.mark.parametrize("predictive", [False, True])
def test_stored_vectors(predictive):
    assert VECTORS["format"] == 1
    assert len(VECTORS["cases"]) == 14
    for case in VECTORS["cases"]:
        file = bytes.fromhex(case["file"])
        model = FrozenHierarchicalHMM.from_bytes(file)
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
    n = model.start_length + (8 if model.n_levels < 8 else 3)
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


def test_checkpoints_give_the_same_bytes(model, monkeypatch):
    """However little memory the records have."""
    x = draw(model, 500)
    data, full = model.encode(x), FrozenHierarchicalHMM._workspace
    for length in (500, 40):

        def workspace(self, n, copies=1, limit=0):
            return full(self, n, copies, limit)

        monkeypatch.setattr(FrozenHierarchicalHMM, "_workspace", workspace)
        assert model.encode(x) == data, length
        assert np.array_equal(model.decode(data, len(x)), x)


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
    with pytest.raises(ModelError, match="shape"):
        model.filter(x, predicted[:0])


# ---- rates


@pytest.mark.parametrize("sizes", [(3, 2), (2, 2, 2), (4,)])
def test_the_conditionals_are_those_of_the_model(sizes):
    """P of a state and of what follows, and Q by exact sums over all states."""
    model = random_hierarchy(sizes, 3, seed=4)
    plain, unit = reference_of(model), Fraction(1, 2**model.prec)
    states = plain.states

    def move(before, z):
        rows = [
            plain.transition_row(level, before, z)[z[level]] * unit
            for level in range(len(sizes))
        ]
        return np.prod([float(row) for row in rows])

    filtered, _ = model.filter([0, 2, 1])
    weights = dict(zip(states, filtered[-1].tolist(), strict=True))
    for z_next in [None, *states[::3]]:
        exact = {
            z: w * (1.0 if z_next is None else move(z, z_next))
            for z, w in weights.items()
        }
        row = ref.hierarchy_rows(plain, weights, z_next)
        total = sum(exact.values())
        for z in states:
            q = 1.0
            for level in range(len(sizes)):
                masses = row(level, z[:level])
                q *= masses[z[level]] / sum(masses)
            assert q == pytest.approx(exact[z] / total, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("sizes", [(8, 8), (2, 3, 4), (2,) * 6])
def test_bits_used_are_the_information_content(sizes):
    """Over a full message: what is pushed, less what is popped."""
    model = random_hierarchy(sizes, 20, seed=7, prec=24)
    x = joint(model).sample(3000, seed=1)[0]
    exact = joint(model).information_content(x)
    message = random_message(1, seed=2, words=20)
    before = message.bits
    model.push(message, x)
    assert abs(message.bits - before - exact) < 0.5
    for mode in ("iconoclasm", "predictive"):
        n_bits = 8 * len(model.with_mode(mode).encode(x))
        assert -1 < n_bits - exact < 12


# ---- files


def resealed(data):
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little")


@pytest.mark.parametrize(
    "alphabet",
    [
        None,
        Alphabet([-5, 0, 2, 2**63 - 1]),
        Alphabet("abπ😀"),
        Alphabet(b"acgt"),
        Alphabet(4, kind="bytes"),
    ],
    ids=str,
)
def test_files_with_any_alphabet(alphabet, tmp_path):
    given = random_hierarchy((3, 2), 4)
    model = FrozenHierarchicalHMM(
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
    assert facts["kind"] == "frozen hierarchical hidden Markov model"
    assert facts["states"] == "3 x 2"
    assert (facts["symbols"], facts["start length"]) == (4, 9)
    assert facts["fingerprint"] == model.fingerprint.hex()
    assert facts["bytes"] == len(model.to_bytes())
    x = model.alphabet.decode(np.array([0, 3, 1, 2] * 30, np.uint32))
    x = "".join(map(chr, x)) if model.kind == "text" else x
    x = bytes(x.astype(np.uint8)) if model.kind == "bytes" else x
    assert np.array_equal(again.decode(model.encode(x), 120), x)


def test_cut_and_damaged_files():
    data = random_hierarchy((3, 2), 4).to_bytes()
    for n in range(len(data)):
        with pytest.raises((TruncatedError, FormatError)):
            FrozenHierarchicalHMM.from_bytes(data[:n])
        with pytest.raises((TruncatedError, FormatError)):
            model_facts(io.BytesIO(data[:n]))
    for i in range(0, len(data), 3):
        bad = bytearray(data)
        bad[i] ^= 0x10
        with pytest.raises(FormatError):
            FrozenHierarchicalHMM.from_bytes(bytes(bad))
    with pytest.raises(CorruptError):
        FrozenHierarchicalHMM.from_bytes(data + b"\0")


def test_hostile_files():
    """With a checksum that fits, whatever the numbers: refused, or it codes."""
    model = random_hierarchy((3, 2), 4)
    data, x = model.to_bytes(), np.array([0, 3, 1] * 8)
    rng, outcomes = np.random.default_rng(5), [0, 0]
    for i in range(600):
        bad = bytearray(data)
        for at in (
            range(i % 32, i % 32 + 1) if i < 300 else rng.integers(20, len(bad) - 4, 2)
        ):
            bad[at] = rng.integers(256)
        try:
            found = FrozenHierarchicalHMM.from_bytes(resealed(bytes(bad)))
        except FormatError:
            outcomes[0] += 1
            continue
        outcomes[1] += 1
        if found.kind == "integers" and found.n_symbols == 4:
            assert np.array_equal(found.decode(found.encode(x), len(x)), x)
    assert min(outcomes) > 5
    for at, value in [
        (12, 0), (12, 9), (12, 2**32 - 1), (16, 0), (16, 65537), (20, 0), (20, 65536),
        (24, 0), (24, 2**32 - 1), (28, 0), (28, 4096),
    ]:  # fmt: skip
        bad = bytearray(data)
        bad[at : at + 4] = value.to_bytes(4, "little")
        with pytest.raises(FormatError):
            FrozenHierarchicalHMM.from_bytes(resealed(bytes(bad)))


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


def test_containers_and_random_access(model):
    x = draw(model, 5000)
    data = bbans.compress(x, model, block_size=1000)
    assert np.array_equal(bbans.decompress(data, model), x)
    with bbans.open(io.BytesIO(data), model) as container:
        assert np.array_equal(container[1990:2010], x[1990:2010])


# ---- what is refused


def arguments(**changes):
    model = random_hierarchy((3, 2), 4, prec=12)
    return {
        "initial": model.initial, "transition": model.transition,
        "emission": model.emission, "prec": 12, "start_length": 5,
    } | changes  # fmt: skip


def changed(name, level, at, value):
    """One mass is another."""
    tables = [table.copy() for table in arguments()[name]]
    tables[level][at] = value
    return {name: tables}


TOO_MANY = {
    "initial": [np.full((65, 64), 2**6), np.full(65, 1)],
    "transition": [np.full((65, 64, 64), 2**6), np.full((65, 65), 1)],
    "emission": np.full((64, 1), 2**12),
}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"initial": []}, "of 0 and 2"),
        ({"transition": arguments()["transition"][:1]}, "of 2 and 1"),
        ({"initial": [[4096], arguments()["initial"][1]]}, "two dimensions"),
        ({"initial": [arguments()["initial"][0], [1, 2, 3]]}, r"initial\[1\] .*\(2,\)"),
        ({"transition": arguments()["transition"][::-1]}, r"transition\[0\] must have"),
        ({"emission": [4096]}, "emission must have shape"),
        ({"emission": [[4096]]}, r"initial\[0\] must have shape \(2, 1\)"),
        (changed("initial", 1, 0, 0), r"initial\[1\] row 0 has a mass of 0"),
        (
            changed("transition", 0, (1, 2, 0), 4096),
            r"transition\[0\] row 5 .* 2\*\*12",
        ),
        ({"prec": 0}, "precision"),
        ({"start_length": 0}, "start_length"),
        ({"alphabet": Alphabet(5)}, "5 symbols, emission 4"),
        ({"mode": "both"}, "mode must be"),
        (TOO_MANY, "too many: 8 levels, 4096"),
    ],
)
def test_what_is_no_model(changes, text):
    with pytest.raises(ModelError, match=text):
        FrozenHierarchicalHMM(**arguments(**changes))


def test_symbols_outside(model):
    for x in ([0, model.n_symbols], [-1]):
        with pytest.raises(SymbolError):
            model.encode(x)


def test_what_it_says_of_itself():
    model = random_hierarchy((3, 2), 4)
    assert repr(model).endswith("3 x 2 states, 4 symbols, 16 bits>")
    assert (model.n_levels, model.n_states, model.start_bits) == (2, (3, 2), 40)
    assert random_hierarchy((2,) * 8, 3).start_bits == 44
    assert not model.initial[0].flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        model.transition[1][0] = 1
    assert [mass.shape for mass in model.transition] == [(2, 3, 3), (2, 2)]
    for table in itertools.chain(model.initial, model.transition):
        assert (edges_of(table)[..., -1] == 2**16).all()
