"""Quantised tables and frozen models: their bounds, their files, what they refuse."""

import itertools
import math
import struct
import tracemalloc
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from shared import random_hmm

from bbans import Alphabet, CorruptError, FormatError, ModelError, SymbolError
from bbans.distributions import Table, quantise
from bbans.distributions.table import edges_of
from bbans.errors import TruncatedError, VersionError
from bbans.frozen import FrozenHMM
from bbans.models import HMM, information_content
from bbans.models.freeze_hmm import frozen_hmm

EXACT = settings(derandomize=True, deadline=None)

# Zeros, equal masses, and masses up to 590 orders of magnitude apart.
MASS = (
    st.sampled_from([0.0, 1.0, 1e-300, 5e-324, 0.5, 1e290])
    | st.floats(0, 1e9, allow_subnormal=True)
    | st.integers(-980, 950).map(lambda e: 2.0**e)
)
MASSES = st.lists(MASS, min_size=1, max_size=40).filter(lambda m: sum(m) > 1e-280)
MANY = st.lists(st.floats(1, 100), min_size=20, max_size=40)


def cost(masses, freq, prec):
    """What coding with the table costs over the ideal, in bits a symbol."""
    p = np.array(masses) / math.fsum(masses)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log2(p / (freq * 2.0**-prec)), 0.0)
    return math.fsum(terms)


# ---- quantise


@EXACT
@given(MASSES, st.integers(1, 28))
@example([1e-300, 1e-300, 1.0], 2)
@example([1.0] * 32, 5)
@example([1.0] * 31, 5)
@example([0.0, 1e-289], 28)
@example([1 / 3, 1 / 3, 1 / 3], 28)  # ties at the quota
def test_quantise_keeps_its_bound(masses, prec):
    K, slots = len(masses), 2**prec
    assume(slots >= K)
    freq = quantise(masses, prec)
    assert freq.dtype == np.uint32
    assert freq.sum() == slots
    assert freq.min() >= 1
    assert (quantise(masses, prec) == freq).all()
    if slots > K:
        bound = -math.log2(1 - K / slots) + 1.09 * K / (slots - K)
        assert cost(masses, freq, prec) <= bound + 1e-12


@EXACT
@given(st.integers(1, 10), st.integers(0, 3), st.data())
def test_quantise_keeps_its_bound_when_slots_are_short(prec, spare, data):
    K = max(1, 2**prec - spare)
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    masses = rng.dirichlet(np.full(K, data.draw(st.sampled_from([0.01, 1.0, 100.0]))))
    freq = quantise(masses, prec)
    assert freq.sum() == 2**prec
    assert freq.min() >= 1
    if 2**prec > K:
        bound = -math.log2(1 - K / 2**prec) + 1.09 * K / (2**prec - K)
        assert cost(masses, freq, prec) <= bound


@EXACT
@given(
    st.lists(st.floats(1e-30, 1e30), min_size=1, max_size=20),
    st.integers(5, 28),
    st.integers(-800, 800),
)
def test_quantise_does_not_see_scale(masses, prec, exponent):
    scaled = [math.ldexp(mass, exponent) for mass in masses]
    assume(2e-290 < sum(scaled) < 5e299)
    assert (quantise(scaled, prec) == quantise(masses, prec)).all()


@EXACT
@given(MASSES | MANY, st.integers(6, 28))
@example(list(range(1, 41)), 7)
@example([1.02**k for k in range(40)], 8)
def test_quantise_is_websters(masses, prec):
    """One quota q rounds every share: p / (f + 1/2) <= q, and q <= p / (f - 1/2) for
    those that have more than the slot they are guaranteed."""
    freq = quantise(masses, prec).tolist()
    least = max(p / (f + 0.5) for p, f in zip(masses, freq, strict=True))
    most = [p / (f - 0.5) for p, f in zip(masses, freq, strict=True) if f > 1]
    assert least <= min(most, default=math.inf) * (1 + 1e-12)


def bisected(masses, prec):
    """The law in plain Python: the quota by halving, ties in index order."""
    total = 0.0
    for mass in masses:
        total += mass
    share, slots = [mass / total for mass in masses], 1 << prec

    def seats(quota):
        return [max(1, math.floor(p / quota + 0.5)) for p in share]

    low, high = 0.25 / slots, 2.0
    while low < (quota := (low + high) / 2) < high:
        if sum(seats(quota)) > slots:
            low = quota
        else:
            high = quota
    freq = seats(high)
    for k, most in enumerate(seats(low)):
        freq[k] += most > freq[k] and sum(freq) < slots
    return freq


@EXACT
@given(MASSES | MANY, st.integers(6, 28))
@example([1.0, 2.0, 2.0, 1.0], 24)  # no quota gives 2**24: two symbols are tied
@example([0.0, 1e-9, 0.5, 0.5, 1e-9], 20)
@example([1.0] * 63 + [2.0**40], 6)
def test_quantise_is_the_law_however_it_searches(masses, prec):
    assert quantise(masses, prec).tolist() == bisected(masses, prec)


def optimum(masses, prec):
    """The table of least cost: one slot each, the others where they save most."""
    freq = [1] * len(masses)
    for _ in range(2**prec - len(masses)):
        gains = [p * math.log1p(1 / f) for p, f in zip(masses, freq, strict=True)]
        freq[gains.index(max(gains))] += 1
    return np.array(freq)


@EXACT
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(lambda m: sum(m) > 1e-9),
    st.integers(3, 8),
)
def test_quantise_is_nearly_optimal(masses, prec):
    """Webster rounds at 1.5, the optimum at 1 / ln 2 = 1.44 and the like: a random
    search found at most 0.03 K 2^-r bits a symbol between them."""
    best = cost(masses, optimum(masses, prec), prec)
    excess = cost(masses, quantise(masses, prec), prec) - best
    assert -1e-12 <= excess <= 0.05 * len(masses) * 2**-prec


def test_quantise_in_numbers():
    assert quantise([1.0, 0.0, 3.0], 4).tolist() == [4, 1, 11]
    assert quantise([1, 1, 1], 4).tolist() == [6, 5, 5]  # ties in index order
    assert quantise([[1, 3], [0, 1]], 2).tolist() == [[1, 3], [1, 3]]
    assert quantise(np.ones((2, 3, 4)), 2).shape == (2, 3, 4)
    assert quantise([7.0], 28).tolist() == [2**28]


@pytest.mark.parametrize(
    ("masses", "prec", "text"),
    [
        ([[1.0, 1.0], [1.0, -1e-9]], 8, "row 1"),
        ([[1.0, 1.0], [0.0, 0.0]], 8, "row 1"),
        ([1.0, math.nan], 8, "row 0"),
        ([1.0, math.inf], 8, "row 0"),
        ([1e-300, 0.0], 8, "row 0"),
        ([1e299] * 11, 8, "row 0"),
        ([1.0] * 3, 1, "3 symbols"),
        ([1.0], 0, "1 to 28, not 0"),
        ([1.0], 29, "1 to 28, not 29"),
        ([], 8, "shape"),
    ],
)
def test_quantise_refuses(masses, prec, text):
    with pytest.raises(ModelError, match=text):
        quantise(masses, prec)


# ---- Table


def test_a_table_holds_its_edges():
    table = Table([[0, 1, 16], [0, 15, 16]], 4)
    assert (table.n_rows, table.n_symbols, table.prec) == (2, 2, 4)
    assert Table.from_masses([1.0, 0.0, 3.0], 4).cdf.tolist() == [[0, 4, 5, 16]]
    assert Table.from_masses([1.0, 3.0]).prec == 24


@pytest.mark.parametrize("dtype", ["d", "f", ">d", "i4"])
@pytest.mark.parametrize("shape", [(6,), (1, 6), (3, 6), (2, 3, 6)])
def test_tables_of_masses_are_quantised_rows(dtype, shape):
    masses = (np.arange(math.prod(shape)).reshape(shape) * 7 % 5 + 1).astype(dtype)
    for rows in (masses, masses[..., ::-1], masses.tolist()):
        edges = Table.from_masses(rows, 12).cdf
        assert (np.diff(edges) == quantise(rows, 12).reshape(-1, 6)).all()
        assert (Table(edges, 12).cdf == edges).all()


@pytest.mark.parametrize(
    ("cdf", "prec"),
    [
        ([0, 5, 5, 16], 4),  # an empty interval
        ([0, 6, 5, 16], 4),
        ([1, 6, 16], 4),
        ([0, 6, 15], 4),
        ([0, 6, 17], 4),
        ([[0, 6, 16], [0, 16, 16]], 4),
        ([0, 16], 0),
        ([0, 2**29], 29),
        ([0], 4),
        (0, 4),
        ([[[0, 16]]], 4),
        (np.zeros((0, 3), np.uint32), 4),
        ([0.0, 16.0], 4),
        ([0, -6, 16], 4),
    ],
)
def test_tables_that_cannot_be(cdf, prec):
    with pytest.raises(ModelError):
        Table(cdf, prec)


def test_a_table_cannot_be_changed():
    """The C library trusts a table that it has checked."""
    edges = np.array([[0, 4, 16]], np.uint32)
    table = Table(edges, 4)
    edges[0, 1] = 16
    assert table.cdf.tolist() == [[0, 4, 16]]
    with pytest.raises(ValueError, match="read-only"):
        table.cdf[0, 1] = 16


# ---- FrozenHMM: what it is

FIELDS = {
    "initial": [10, 6],
    "transition": [[12, 4], [1, 15]],
    "emission": [[1, 5, 10], [14, 1, 1]],
    "prec": 4,
    "start_length": 7,
}
SMALL = FrozenHMM(**FIELDS)


def test_a_frozen_model_holds_its_tables():
    assert (SMALL.n_states, SMALL.n_symbols) == (2, 3)
    assert (SMALL.prec, SMALL.start_length) == (4, 7)
    assert SMALL.alphabet == Alphabet(3)
    assert edges_of(SMALL.initial).tolist() == [0, 10, 16]
    assert edges_of(SMALL.transition).tolist() == [[0, 12, 16], [0, 1, 16]]
    assert edges_of(SMALL.emission).tolist() == [[0, 1, 6, 16], [0, 14, 15, 16]]
    again = FrozenHMM(**FIELDS)
    assert again == SMALL
    assert hash(again) == hash(SMALL)
    assert SMALL != FIELDS


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"initial": [10, 7]}, "initial row 0 does not sum"),
        ({"initial": [16, 0]}, "initial row 0 has a mass of 0"),
        ({"initial": [16]}, "initial must have shape"),
        ({"transition": [[12, 4], [1, 14]]}, "transition row 1 does not sum"),
        ({"transition": [[12, 4], [0, 16]]}, "transition row 1 has a mass of 0"),
        ({"transition": [[2**32 - 1, 17], [1, 15]]}, "row 0 does not sum"),
        ({"transition": [[12, 4]]}, "transition must have shape"),
        ({"emission": [[1, 5, 10], [14, 2, 0]]}, "emission row 1 has a mass of 0"),
        ({"emission": [[1, 5, 11], [14, 1, 1]]}, "emission row 0 does not sum"),
        ({"emission": [16, 16]}, "emission must have shape"),
        ({"emission": [[], []]}, ""),
        ({"emission": [[1, 5, 10], [14, -1, 3]]}, "-1"),
        ({"emission": [[1.0, 5.0, 10.0], [14.0, 1.0, 1.0]]}, "integers"),
        ({"prec": 0}, "1 to 28, not 0"),
        ({"prec": 29}, "1 to 28, not 29"),
        ({"prec": 5}, "initial row 0"),
        ({"start_length": 0}, "start_length must"),
        ({"start_length": 65536}, "start_length must"),
        ({"alphabet": Alphabet("ab")}, "alphabet has 2 symbols"),
    ],
)
def test_models_that_cannot_be(change, text):
    with pytest.raises(ModelError) as caught:
        FrozenHMM(**{**FIELDS, **change})
    assert text in str(caught.value)


def test_models_of_too_many_states_or_symbols():
    ones = np.ones((4097, 1), np.uint32)
    with pytest.raises(ModelError, match="4097 states"):
        FrozenHMM(ones[:, 0], ones @ ones.T, ones, prec=12, start_length=1)
    with pytest.raises(ModelError, match="65537"):
        FrozenHMM([1], [[1]], np.ones((1, 65537), np.uint32), prec=17, start_length=1)


def test_a_frozen_model_cannot_be_changed():
    arrays = {
        name: np.array(FIELDS[name], np.uint32)
        for name in ("initial", "transition", "emission")
    }
    model = FrozenHMM(**{**FIELDS, **arrays})
    for name, array in arrays.items():
        array.flat[0] = 77  # the caller's own, still writeable
        assert getattr(model, name).tolist() == FIELDS[name]
        with pytest.raises(ValueError, match="read-only"):
            getattr(model, name).flat[0] = 3
        with pytest.raises(AttributeError):
            setattr(model, name, array)
    for name in ("prec", "start_length", "n_states", "n_symbols", "alphabet"):
        with pytest.raises(AttributeError):
            setattr(model, name, 3)
    assert model == SMALL


def test_the_fingerprint_changes_with_every_field():
    changes = [
        {},
        {"initial": [11, 5]},
        {"initial": [6, 10]},
        {"transition": [[12, 4], [15, 1]]},
        {"emission": [[1, 5, 10], [1, 14, 1]]},
        {"start_length": 8},
        {"alphabet": Alphabet([0, 1, 2])},
        {"alphabet": Alphabet([0, 1, 3])},
        {"alphabet": Alphabet("\0\1\2")},
        {"alphabet": Alphabet("abc")},
        {"alphabet": Alphabet([97, 98, 99])},
        {
            "prec": 5,
            **{
                name: (2 * np.array(FIELDS[name])).tolist()
                for name in ("initial", "transition", "emission")
            },
        },
        {"emission": [[6, 10], [15, 1]]},
    ]
    models = [FrozenHMM(**{**FIELDS, **change}) for change in changes]
    assert len({model.fingerprint for model in models}) == len(changes)
    assert {len(model.fingerprint) for model in models} == {8}
    for one, other in itertools.combinations(models, 2):
        assert one != other


@pytest.mark.parametrize("weights", [[0, 0], [1], [[1, 1]], [-1, 2], [0.5, 1.5]])
def test_weights_that_cannot_be(weights):
    """Of sum 0, not of shape (K,), negative, no integers: C would divide by 0."""
    with pytest.raises(ModelError):
        SMALL.filter([0], weights)
    with pytest.raises(ModelError):
        SMALL.posterior(weights, 0)
    with pytest.raises(ModelError):
        SMALL.predictive_cdf(weights)


@pytest.mark.parametrize("state", [2, -1, 2**64])
def test_posterior_refuses_states_out_of_range(state):
    with pytest.raises(SymbolError, match=str(state)):
        SMALL.posterior(SMALL.initial, state)


# ---- FrozenHMM: from probabilities


def test_tiny_parameters_become_slots_of_1():
    initial = [1.0, 1e-300]
    frozen = frozen_hmm(initial, [initial, initial], [[1.0, 1e-300, 0.0]] * 2)
    assert frozen.initial.tolist() == [2**24 - 1, 1]
    assert frozen.transition.tolist() == [[2**24 - 1, 1]] * 2
    assert frozen.emission.tolist() == [[2**24 - 2, 1, 1]] * 2
    assert frozen.start_length == 65535


def test_one_state_of_one_symbol():
    frozen = frozen_hmm([1.0], [[1.0]], [[1.0]])
    assert frozen.start_length == 1
    assert information_content([0, 0, 0], frozen) == 0


def test_as_many_symbols_as_there_can_be():
    M = 65536
    rng = np.random.default_rng(0)
    frozen = frozen_hmm(
        [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], rng.dirichlet(np.ones(M), 2), prec=24
    )
    assert frozen.n_symbols == M
    assert FrozenHMM.from_bytes(frozen.to_bytes()) == frozen
    edges = frozen.predictive_cdf()
    assert edges[-1] == 2**24
    assert (np.diff(edges) > 0).all()


@pytest.mark.parametrize("concentration", [0.02, 0.1, 1.0, 10.0])
@pytest.mark.parametrize(("K", "M"), [(1, 2), (3, 50), (20, 7)])
def test_the_tail_is_the_shortest_that_holds_46_bits(K, M, concentration):
    """c H - 3 sqrt(c V) >= 46: docs/maths.md, "A sequence as one message"."""
    frozen = random_hmm(K, M, concentration=concentration, seed=1, prec=24)
    initial, A, B = (
        mass / 2**24 for mass in (frozen.initial, frozen.transition, frozen.emission)
    )
    states, mean = initial, np.zeros(K)
    for _ in range(256):
        mean, states = mean + states / 256, states @ A
    p = A @ B  # P(x_t | z_t-1)
    H = mean @ (p * -np.log2(p)).sum(1)
    V = mean @ (p * np.log2(p) ** 2).sum(1) - H**2

    def margin(c):
        return c * H - 3 * math.sqrt(c * V) - 46

    c = frozen.start_length
    assert c == 65535 or margin(c) >= -1e-6
    assert c == 1 or margin(c - 1) < 1e-6


def test_information_content_is_that_of_the_frozen_tables():
    """Against the sum over all paths, in fractions."""
    unit = Fraction(1, 2**SMALL.prec)
    a, A, B = (np.array(FIELDS[name]) for name in ("initial", "transition", "emission"))
    for T in range(5):
        for x in itertools.product(range(3), repeat=T):
            p = Fraction(0)
            for z in itertools.product(range(2), repeat=T):
                path = Fraction(1)
                for t in range(T):
                    path *= int(A[z[t - 1], z[t]] if t else a[z[0]]) * unit
                    path *= int(B[z[t], x[t]]) * unit
                p += path
            p = p if T else Fraction(1)
            bits = -math.log2(p)
            assert information_content(list(x), SMALL) == pytest.approx(bits, abs=1e-9)


def test_to_hmm_has_exactly_the_tables_probabilities():
    model = HMM.from_frozen(SMALL)
    assert (model.transition * 16 == SMALL.transition).all()
    assert (model.emission * 16 == SMALL.emission).all()
    frozen = frozen_hmm(model.initial, model.transition, model.emission, prec=4)
    assert (frozen.emission == SMALL.emission).all()
    assert HMM([1], [[1]], [[0.25, 0.75]]).freeze().emission[0, 0] == 2**22


# ---- files

MODELS = [
    SMALL,
    FrozenHMM(**FIELDS, alphabet=Alphabet("xyz")),
    FrozenHMM(**FIELDS, alphabet=Alphabet([-(2**63), 0, 2**63 - 1])),
    random_hmm(17, 33, prec=28),
    FrozenHMM([2], [[2]], [[1, 1]], prec=1, start_length=65535),
]


def with_checksum(payload):
    return payload + struct.pack("<I", zlib.crc32(payload))


@pytest.mark.parametrize("model", MODELS)
def test_bytes_and_files_restore_the_model(model, tmp_path):
    data = model.to_bytes()
    again = FrozenHMM.from_bytes(data)
    assert again == model
    assert again.alphabet == model.alphabet
    assert again.to_bytes() == data
    assert again.fingerprint == model.fingerprint
    path = tmp_path / "model.bbm"
    model.save(path)
    assert path.read_bytes() == data
    assert FrozenHMM.load(path) == model
    assert [p.name for p in tmp_path.iterdir()] == ["model.bbm"]


@pytest.mark.parametrize("model", MODELS[:3])
def test_every_cut_is_noticed(model):
    data = model.to_bytes()
    for n in range(len(data)):
        with pytest.raises(TruncatedError):
            FrozenHMM.from_bytes(data[:n])
    with pytest.raises(CorruptError, match="checksum"):
        FrozenHMM.from_bytes(data + b"\0")


@pytest.mark.parametrize("model", MODELS[:3])
def test_every_flipped_bit_is_noticed(model):
    data = bytearray(model.to_bytes())
    for i in range(8 * len(data)):
        data[i // 8] ^= 1 << i % 8
        with pytest.raises(FormatError) as caught:
            FrozenHMM.from_bytes(bytes(data))
        if i // 8 >= 24:
            assert type(caught.value) is CorruptError
        elif i // 8 == 4:
            assert type(caught.value) is VersionError
        data[i // 8] ^= 1 << i % 8


def test_other_files_are_no_models():
    for data in (b"\x89bbz" + bytes(40), b"hello, world, this is no model", bytes(64)):
        with pytest.raises(FormatError) as caught:
            FrozenHMM.from_bytes(data)
        assert type(caught.value) is FormatError


HEADER = struct.Struct("<4s8BIII")


def file_of(
    masses, *, version=3, model_type=1, mode=0, kind=0, r=4, listed=0, form=0,
    ends=0, K=2, M=3, c=7, values=b"",
):  # fmt: skip
    codes = model_type, mode, kind, r, listed, form, ends
    header = HEADER.pack(b"\x89bbm", version, *codes, K, M, c)
    return with_checksum(header + values + np.array(masses, "<u4").tobytes())


MASS_LIST = [10, 6, 12, 4, 1, 15, 1, 5, 10, 14, 1, 1]


def changed(at, *masses):
    return [*MASS_LIST[:at], *masses, *MASS_LIST[at + len(masses) :]]


def test_file_of_writes_what_the_library_writes():
    assert file_of(MASS_LIST) == SMALL.to_bytes()


@pytest.mark.parametrize(
    "data",
    [
        file_of(changed(0, 9)),
        file_of(changed(0, 16, 0)),
        file_of(changed(4, 0, 16)),
        file_of(changed(5, 14)),
        file_of(changed(11, 2)),
        file_of(changed(10, 2, 0)),
        file_of(changed(10, 2**32 - 1, 3)),
        file_of(MASS_LIST, r=0),
        file_of(MASS_LIST, r=5),
        file_of(MASS_LIST, r=29),
        file_of(MASS_LIST, r=255),
        file_of(MASS_LIST, c=0),
        file_of(MASS_LIST, c=65536),
        file_of(MASS_LIST, listed=1, values=struct.pack("<3q", 1, 3, 2)),
        file_of(MASS_LIST, listed=1, values=struct.pack("<3q", 1, 1, 2)),
        file_of(MASS_LIST, kind=2, listed=1, values=struct.pack("<3I", 1, 2, 0x110000)),
        file_of(MASS_LIST, kind=2, listed=1, values=struct.pack("<3I", 2, 1, 3)),
        file_of(MASS_LIST, kind=1, listed=1, values=struct.pack("<3q", -1, 1, 2)),
        file_of(MASS_LIST, kind=1, listed=1, values=struct.pack("<3q", 1, 2, 256)),
        file_of(MASS_LIST, kind=2),
        file_of([], K=0),
        file_of([], K=0, M=0),
        file_of([], K=0, M=2**32 - 1),
        file_of([16, 16], K=1, M=0),
    ],
    ids=itertools.count(),
)
def test_a_right_checksum_over_wrong_tables(data):
    with pytest.raises(CorruptError):
        FrozenHMM.from_bytes(data)


@pytest.mark.parametrize(
    "code",
    [
        {"model_type": 0},
        {"model_type": 11},
        {"mode": 2},
        {"kind": 3},
        {"listed": 2},
        {"form": 2},
        {"ends": 2},
    ],
)
def test_codes_that_this_release_does_not_know(code):
    with pytest.raises(VersionError):
        FrozenHMM.from_bytes(file_of(MASS_LIST, **code))


@pytest.mark.parametrize(("kind", "listed"), [(0, 0), (0, 1), (2, 1)])
@pytest.mark.parametrize(
    ("K", "M"), [(4096, 65536), (2**32 - 1, 2**32 - 1), (1, 2**32 - 1), (2**31, 1)]
)
def test_a_hostile_header_allocates_nothing(K, M, kind, listed):
    data = file_of(MASS_LIST, K=K, M=M, kind=kind, listed=listed)
    tracemalloc.start()
    try:
        within = K <= 4096 and M <= 65536
        with pytest.raises(TruncatedError if within else CorruptError):
            FrozenHMM.from_bytes(data)
        assert tracemalloc.get_traced_memory()[1] < 10**5
    finally:
        tracemalloc.stop()
