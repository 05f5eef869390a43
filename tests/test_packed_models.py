"""The packed form of model files: the C library's, and the reference's reader."""

import hashlib
import io

import numpy as np
import pytest
import reference as ref

import bbans
from bbans import Alphabet, CorruptError
from bbans._lib import ffi, lib
from bbans.errors import TruncatedError, VersionError
from bbans.formats.info import describe
from bbans.frozen import FrozenARHMM, FrozenHMM, FrozenModel
from bbans.frozen.base import packed_of, plain_of
from bbans.frozen.contexts import Contexts
from bbans.frozen.model_file import shipped_model

ENGLISH = bbans.default_model()


def rows(rng, n, m, prec):
    """Masses, most of them small."""
    p = rng.dirichlet(np.full(m, 0.2), n)
    masses = np.floor(p * (2**prec - m)).astype(np.int64) + 1
    masses[np.arange(n), masses.argmax(axis=1)] += 2**prec - masses.sum(axis=1)
    return masses


def counted(text, M, order, *, least=1, drop=0.0, seed=0):
    """Contexts of a text, their counts as weights; some entries and contexts that
    others lead to are left out."""
    rng, found, level = np.random.default_rng(seed), {}, [()]
    counts = {}
    for depth in range(1, order + 1):
        for t, x in enumerate(text):
            if t + 1 >= depth:
                key = tuple([M, *text][t + 1 - depth : t + 1])
                counts.setdefault(key, {}).setdefault(x, 0)
                counts[key][x] += 1
    for _ in range(order):
        level = [
            key
            for key in counts
            if key[1:] in level
            and sum(counts[key].values()) >= least
            and rng.random() >= drop
        ]
        for key in level:
            kept = {x: n for x, n in counts[key].items() if rng.random() >= drop}
            found[key] = dict(sorted(kept.items()))
    return tree_of(found, M)


def tree_of(found, M):
    order = [()]
    label, children, first, symbol, weight, back_off = [0], [1], [0], [], [], [256]
    for key in order:
        if key:
            symbol += found[key]
            weight += found[key].values()
            total = sum(found[key].values())
            back_off.append(min(1 + 255 * len(found[key]) // (total + 1), 255))
            if not found[key]:
                back_off[-1] = 256
        below = sorted(k for k in found if k[1:] == key)
        order += below
        label += [k[0] for k in below]
        children.append(len(order))
        first.append(len(symbol))
    return Contexts(children, first, label, back_off, symbol, weight)


def autoregressive(contexts, M, *, K=3, prec=24, seed=0, **how):
    rng = np.random.default_rng(seed)
    tables = [rows(rng, n, m, prec) for n, m in ((1, K), (K, K), (K, M))]
    return FrozenARHMM(
        tables[0][0], *tables[1:], contexts, prec=prec, start_length=5, **how
    )


def text_of(n, M, seed):
    """Of a chain with a few likely successors, so that contexts repeat."""
    rng, x, out = np.random.default_rng(seed), 0, []
    following = rng.integers(0, M, (M, 3))
    for _ in range(n):
        x = int(following[x, min(rng.integers(0, 6), 2)])
        if rng.random() < 0.1:
            x = int(rng.integers(0, M))
        out.append(x)
    return out


LETTERS = text_of(3000, 30, 1)
CASES = {
    "english": ENGLISH,
    "one state": FrozenHMM(
        [256], [[256]], rows(np.random.default_rng(0), 1, 200, 8), prec=8,
        start_length=1,
    ),
    "listed integers": FrozenHMM(
        [2**27, 2**27], [[2**27, 2**27]] * 2,
        rows(np.random.default_rng(5), 2, 60, 28), prec=28, start_length=9,
        alphabet=Alphabet([-(2**63), -1, *range(7, 64), 2**63 - 1]), mode="predictive",
    ),
    "text with an end": autoregressive(
        counted(LETTERS, 30, 4, least=2), 30, mode="predictive",
        alphabet=Alphabet("".join(map(chr, range(97, 126))), ends=True),
    ),
    "all contexts": autoregressive(counted(LETTERS, 30, 5), 30, prec=20),
    "left out": autoregressive(counted(LETTERS, 30, 5, drop=0.2), 30, K=1),
    "long contexts": autoregressive(counted([0, 1, 1, 0] * 60, 2, 16), 2, K=2),
    "the empty one alone": autoregressive(Contexts.empty(), 300),
    "contexts without entries": autoregressive(
        Contexts([1, 3, 3, 3], [0] * 4, [0, 0, 300], [256] * 3, [], []), 300
    ),
    "many symbols": autoregressive(
        counted([x * 37 % 2000 for x in LETTERS], 2000, 3), 2000, K=1
    ),
    "great weights": autoregressive(
        Contexts(
            [1, 31, *[31] * 30], [0, *range(0, 31)], [0, *range(30)],
            [256, *[1 + 8 * k for k in range(30)]], [(7 * k) % 30 for k in range(30)],
            [1 + 2184 * k for k in range(30)],
        ), 30,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_packed_files_are_the_model(name):
    """C's reader and the reference's give the bytes that C packed."""
    model = CASES[name]
    plain, packed = model.to_bytes(), model.to_bytes(packed=True)
    assert len(packed) < len(plain)
    assert packed[10] == 1
    assert (packed[:10], packed[11:24]) == (plain[:10], plain[11:24])
    assert packed[24:28] == len(plain).to_bytes(4, "little")
    assert packed[-4:] == plain[-4:]
    assert plain_of(packed) == plain == ref.unpack_model(packed)
    again = FrozenModel.from_bytes(packed)
    assert again == model
    assert again.fingerprint == model.fingerprint
    facts = describe(io.BytesIO(packed))
    assert facts["fingerprint"] == model.fingerprint.hex()
    assert facts["bytes"] == len(packed)
    assert str(len(plain)) in facts["packed from"]
    assert (
        describe(io.BytesIO(plain)).items() <= (facts | {"bytes": len(plain)}).items()
    )


def test_packed_bytes_are_the_same_everywhere():
    digest = hashlib.sha256()
    for model in CASES.values():
        digest.update(model.to_bytes(packed=True))
    assert digest.hexdigest()[:16] == "8e9f623c0f53b388"


def test_counts_of_a_text_take_little():
    model = CASES["all contexts"]
    tree = model.contexts
    bits = 8 * len(packed_of(model.to_bytes()))
    assert bits < 6 * (tree.n_contexts + tree.n_entries)


def test_other_models_stay_plain():
    digits = shipped_model("digits")
    assert digits.to_bytes(packed=True) == digits.to_bytes()


def test_what_repeats_too_much_stays_plain():
    """A packed file says at most 256 bytes for each of its own."""
    model = FrozenHMM(
        [2**20] * 256, [[2**20] * 256] * 256, [[2**27] * 2] * 256, prec=28,
        start_length=1,
    )  # fmt: skip
    assert model.to_bytes(packed=True) == model.to_bytes()


def test_save_packs_autoregressive_models(tmp_path):
    model = CASES["all contexts"]
    path = tmp_path / "m.bbm"
    for packed, expected in ((None, True), (False, False), (True, True)):
        model.save(path, packed)
        assert path.read_bytes() == model.to_bytes(packed=expected)
        assert bbans.load_model(path) == model
    ENGLISH.save(path)
    assert path.read_bytes() == ENGLISH.to_bytes()
    ENGLISH.save(path, packed=True)
    assert bbans.load_model(path) == ENGLISH


def test_damage_is_found():
    packed = CASES["text with an end"].to_bytes(packed=True)
    for n in (0, 3, 11, 23, 27, 36, 39, len(packed) // 2, len(packed) - 1):
        with pytest.raises((TruncatedError, CorruptError)):
            FrozenModel.from_bytes(packed[:n])
        with pytest.raises((TruncatedError, CorruptError)):
            describe(io.BytesIO(packed[:n]))
    for at in range(5, len(packed) - 8, 3):
        data = bytearray(packed)
        data[at] ^= 0x10
        with pytest.raises((TruncatedError, CorruptError, VersionError)):
            FrozenModel.from_bytes(bytes(data))
    with pytest.raises(CorruptError):
        FrozenModel.from_bytes(packed[:-4] + bytes(range(1, 17)) + packed[-4:])


def test_other_types_have_no_packed_form():
    data = bytearray(shipped_model("digits").to_bytes())
    data[10] = 1
    with pytest.raises(VersionError):
        FrozenModel.from_bytes(bytes(data))
    n = ffi.new("size_t *")
    status = lib.bbans_model_unpack(bytes(data), len(data), ffi.NULL, 0, n)
    assert status == lib.BBANS_ERR_VERSION
    data[10] = 0
    status = lib.bbans_model_pack(bytes(data), len(data), ffi.NULL, 0, n)
    assert status == lib.BBANS_ERR_SIZE
