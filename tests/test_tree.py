"""Frozen latent trees: exact coding, its rate, marginals, files."""

import itertools
import math
import zlib

import numpy as np
import pytest
import reference as ref
from shared import ISAS, in_mode, integer_masses, random_tree

from bbans import (
    CorruptError,
    FormatError,
    Message,
    ModelError,
    SymbolError,
    compress,
    decompress,
)
from bbans._lib import lib
from bbans.codecs import check_model, decode_sequence, encode_sequence
from bbans.frozen import FrozenModel, FrozenTree
from bbans.records import chain, decode_batch, encode_batch, unchain

# Nodes, states, sizes of the alphabets.
CASES = [
    (1, 1, [3]),
    (1, 4, [5]),
    (6, 1, [2, 3, 4]),
    (9, 2, [2] * 9),
    (20, 5, [2, 3, 300] * 4),
    (12, 17, [2] * 10),
    (7, 64, [2, 9]),
]


@pytest.fixture(scope="module")
def trees():
    return {
        i: random_tree(*case, seed=i, start_length=2, start_bits=50)
        for i, case in enumerate(CASES)
    }


def rows_of(tree, n, seed=0):
    return np.random.default_rng(seed).integers(0, tree.sizes, (n, tree.width))


def reference_of(tree):
    return ref.Tree(
        tree.parents.tolist(), tree.variables.tolist(), tree.initial.tolist(),
        tree.transitions.tolist(), [rows.tolist() for rows in tree.emissions],
        tree.prec, tree.start_length, tree.start_bits,
    )  # fmt: skip


@pytest.mark.parametrize("case", range(len(CASES)))
@pytest.mark.parametrize("predictive", [False, True])
def test_the_same_bytes_in_c_step_by_step_and_by_the_reference(trees, case, predictive):
    tree = in_mode(trees[case], predictive)
    plain = reference_of(tree)
    for n in (0, 1, 2, 3, 12):
        x = rows_of(tree, n, seed=n)
        data = tree.encode(x)
        assert data == ref.tree_encode(plain, x.tolist(), predictive)
        assert np.array_equal(tree.decode(data, n).reshape(x.shape), x)
        steps = tree.state_space()
        slow = encode_sequence(list(x), steps, predictive=predictive)
        assert slow.to_bytes() == data
        again = decode_sequence(slow, steps, n, predictive=predictive)
        assert np.array_equal(np.array(again, int).reshape(x.shape), x)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_every_instruction_set_gives_the_same_bytes(trees, case):
    tree = trees[case]
    x = rows_of(tree, 20)
    best = lib.bbans_isa_use(lib.BBANS_ISA_BEST)
    try:
        for predictive in (False, True):
            made = set()
            for isa in ISAS.values():
                lib.bbans_isa_use(isa)
                made.add(in_mode(tree, predictive).encode(x))
            assert len(made) == 1
    finally:
        lib.bbans_isa_use(best)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_push_and_pop_invert_each_other(trees, case):
    tree = trees[case]
    x = rows_of(tree, 15)
    start = Message.from_bytes(np.random.default_rng(1).bytes(400) + b"\1")
    message = start.copy()
    tree.push(message, x)
    assert np.array_equal(tree.pop(message, 15).reshape(x.shape), x)
    assert message == start
    drawn = tree.pop(message, 3)  # a sample: of random bits
    tree.push(message, drawn)
    assert message == start


def test_batches(trees):
    tree = trees[4]
    x = rows_of(tree, 40)
    one = [tree.encode(x[a:b]) for a, b in itertools.pairwise([0, 3, 10, 40])]
    data, offsets = encode_batch([x[0:3], x[3:10], x[10:40]], tree)
    assert [data[a:b] for a, b in itertools.pairwise(offsets)] == one
    again = decode_batch(data, offsets, [3, 7, 30], tree)
    assert np.array_equal(np.concatenate(list(again)), x)


# ---- the rate


def exact_bits(tree, row, columns=None):
    """-log2 P of a row, or of some of its columns, by summing over all states."""
    columns = range(tree.width) if columns is None else columns
    total = 0.0
    for z in itertools.product(range(tree.n_states), repeat=tree.n_nodes):
        p = tree.initial[z[0]] / 2**15
        for i in range(1, tree.n_nodes):
            p *= tree.transitions[i - 1][z[tree.parents[i]], z[i]] / 2**15
        for i, column in enumerate(tree.variables):
            if column in columns:
                p *= tree.emissions[column][z[i], row[column]] / 2**tree.prec
        total += p
    return -math.log2(total)


def test_the_predictive_mode_is_exact():
    tree = random_tree(5, 3, [2, 3, 2, 4], seed=3)
    for row in rows_of(tree, 20)[:, None]:
        bits = check_model(row, tree, samples=1).information_content
        assert bits == pytest.approx(exact_bits(tree, row[0]), abs=0.01)


def test_the_schedule_has_the_same_rate():
    tree = random_tree(6, 3, [2, 3, 2, 4], seed=5)
    report = check_model(rows_of(tree, 12), tree, samples=30)
    h = sum(exact_bits(tree, row) for row in rows_of(tree, 12))
    assert report.information_content == pytest.approx(h, abs=0.02)
    assert report.elbo == pytest.approx(h, abs=0.05)
    assert 8 * len(tree.encode(rows_of(tree, 12))) < h + 12


def test_evidence_that_disagrees():
    """Two branches that each rule out what the other says, by more than 2^-15: weights
    of 15 bits would choose states that take 20 bits more."""
    sure = integer_masses(np.array([[1.0, 0.0], [0.0, 1.0]]), 1 << 15, 1)
    values = integer_masses(np.array([[1.0, 0.0], [0.0, 1.0]]), 1 << 24, 1 << 12)
    n = 5
    tree = FrozenTree(
        [-1, 0, 1, 2, 0, 4, 5], [-1, -1, 0, 1, -1, 2, 3],
        [1 << 14, 1 << 14], [sure] * 6, [values] * 4, prec=24, start_bits=60,
    )  # fmt: skip
    row = np.array([[0, 0, 1, 1]] * n)
    report = check_model(row, tree, samples=50)
    assert report.information_content == pytest.approx(
        n * exact_bits(tree, row[0]), abs=0.05
    )
    assert report.elbo == pytest.approx(report.information_content, abs=0.3)


# ---- marginals


def test_marginals_are_exact():
    tree = random_tree(7, 3, [2, 3, 2, 4, 2], seed=8)
    for columns in ([0], [3, 1], [4, 0, 2], [0, 1, 2, 3, 4]):
        part = tree.marginal(columns)
        assert part.sizes == tuple(tree.sizes[c] for c in columns)
        assert part.n_nodes <= tree.n_nodes
        rows = rows_of(tree, 6)
        for row in rows:
            few = row[columns]
            assert exact_bits(part, few) == pytest.approx(
                exact_bits(tree, row, columns), abs=1e-9
            )
        assert np.array_equal(
            part.decode(part.encode(rows[:, columns]), 6).reshape(6, -1),
            rows[:, columns],
        )
    assert part.marginal(range(5)) == part


def test_marginals_leave_out_what_observes_nothing():
    tree = random_tree(40, 2, [2] * 40, seed=2)
    part = tree.marginal([int(tree.variables[1])])
    assert part.n_nodes == 2
    assert tree.marginal([int(tree.variables[0])]).n_nodes == 1
    made = tree.marginal([5], start_length=9, start_bits=41)
    assert (made.start_length, made.start_bits) == (9, 41)


@pytest.mark.parametrize("columns", [[], [0, 0], [5], [-1], ["a"]])
def test_marginals_of_no_columns(columns):
    with pytest.raises(ModelError, match="column"):
        random_tree(5, 2, [2] * 5, seed=0).marginal(columns)


# ---- rows and kinds


def test_bytes():
    tree = random_tree(4, 2, [2, 256, 3], seed=1, kind="bytes", start_bits=60)
    x = rows_of(tree, 30).astype(np.uint8)
    data = tree.encode(x.tobytes())
    assert tree.decode(data, 30) == x.tobytes()
    assert decompress(compress(x.tobytes(), tree), tree) == x.tobytes()
    with pytest.raises(SymbolError, match="no rows of 3"):
        tree.encode(b"\0\0")
    with pytest.raises(ModelError, match="no bytes"):
        random_tree(4, 2, [2, 257], seed=1, kind="bytes")


def test_sequences_of_rows_of_bytes():
    tree = random_tree(4, 2, [2, 256, 3], seed=1, kind="bytes", start_bits=60)
    sequences = [rows_of(tree, n).astype(np.uint8).tobytes() for n in (2, 0, 3)]
    assert decode_batch(*encode_batch(sequences, tree), [2, 0, 3], tree) == sequences
    assert unchain(chain(sequences, tree), [2, 0, 3], tree) == sequences


def test_containers(trees):
    tree = trees[4]
    x = rows_of(tree, 50)
    assert np.array_equal(decompress(compress(x, tree), tree), x)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ([0, 3, 0], "integer 3 in column 1 of row 1 is not below 3"),
        ([-1, 0, 0], "-1"),
        ([0, 0, 4], "4"),
        ([0, 0], "rows"),
        ([0.5, 0, 0], "integers"),
    ],
)
def test_rows_that_are_none(row, text):
    tree = random_tree(5, 2, [2, 3, 4], seed=0)
    first = [0] * len(row)
    for code in (tree.encode, lambda x: tree.push(Message(), x)):
        with pytest.raises(SymbolError, match=text):
            code(np.array([first, row]))


# ---- what is no tree


def arguments(**changed):
    half = [[1 << 14] * 2] * 2
    given = {
        "parents": [-1, 0, 1, 0], "variables": [0, -1, 1, 2], "initial": half[0],
        "transitions": [half] * 3, "emissions": [[[1 << 15] * 2] * 2] * 3, "prec": 16,
    }  # fmt: skip
    return given | changed


MISTAKES = [
    ({"parents": [-1, 0, 1, 2, 0]}, "one tree"),
    ({"parents": [0, 0, 1, 0]}, "root"),
    ({"parents": [-1, 0, 0, 1]}, "preorder.*node 3 .*not 1"),
    ({"parents": [-1, -1, 1, 0]}, "preorder"),
    ({"parents": [-1, 1, 0, 0]}, "preorder"),
    ({"parents": [-1, 0, 2.0, 0]}, "integers"),
    ({"variables": [0, -1, 1, 1]}, "each of the columns"),
    ({"variables": [0, -1, 1, 3]}, "each of the columns"),
    ({"variables": [-1] * 4}, "each of the columns"),
    ({"variables": [0, -2, 1, 2]}, "each of the columns"),
    ({"initial": [1, 1]}, r"initial: row 0 does not sum to 2\*\*15"),
    ({"initial": [1 << 15, 0]}, "at most one less"),
    ({"initial": []}, "initial"),
    ({"transitions": [[[1 << 14] * 2] * 2] * 2}, "transitions must have shape"),
    ({"transitions": [[[1 << 15, 0]] * 2] * 3}, "at most one less"),
    ({"transitions": [[[1, 1 << 15]] * 2] * 3}, "does not sum"),
    ({"emissions": [[[1 << 15] * 2] * 2] * 2}, "of 3 columns, not 2"),
    ({"emissions": [[[1 << 16, 0]] * 2] * 3}, "a mass of 0"),
    ({"emissions": [[[1 << 15] * 2] * 3] * 3}, r"shape \(2, M\)"),
    ({"emissions": [[[1 << 14] * 2] * 2] * 3}, r"does not sum to 2\*\*16"),
    ({"prec": 29}, "prec"),
    ({"start_length": 0}, "start_length"),
    ({"start_bits": -1}, "start_bits"),
    ({"kind": "text"}, "kind"),
    ({"mode": "both"}, "mode"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "text"), MISTAKES)
def test_mistakes(changed, text):
    FrozenTree(**arguments())
    with pytest.raises((ModelError, SymbolError), match=text):
        FrozenTree(**arguments(**changed))


# ---- files


def test_files(trees):
    for tree in trees.values():
        for predictive in (False, True):
            model = in_mode(tree, predictive)
            file = model.to_bytes()
            assert file == ref.tree_model_file(
                reference_of(model), predictive=predictive
            )
            again = FrozenModel.from_bytes(file)
            assert type(again) is FrozenTree
            assert again == model
            assert again.mode == model.mode
            assert again.fingerprint == model.fingerprint


def with_crc(file):
    return file[:-4] + zlib.crc32(file[:-4]).to_bytes(4, "little")


def test_damaged_files():
    """Whatever numbers a file has: it is refused, or is a tree that codes."""
    tree = random_tree(5, 3, [2, 3, 2], seed=0, start_bits=60)
    file, refused = tree.to_bytes(), 0
    for at in range(5, len(file) - 4):
        for value in (0, 1, 2, 127, 128, 255):
            damaged = bytearray(file)
            damaged[at] = value
            try:
                model = FrozenModel.from_bytes(with_crc(bytes(damaged)))
            except (CorruptError, FormatError):
                refused += 1
                continue
            x = rows_of(model, 5)
            if model.kind == "integers":
                assert np.array_equal(model.decode(model.encode(x), 5), x)
            else:
                x = x.astype(np.uint8).tobytes()
                assert model.decode(model.encode(x), 5) == x
    assert refused > 1000
    for end in range(len(file)):
        with pytest.raises((CorruptError, FormatError)):
            FrozenModel.from_bytes(file[:end])
