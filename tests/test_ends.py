"""Text by its UTF-8, and alphabets with the end of a record, through all that codes."""

import io
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bbans
from bbans import ARHMM, HMM, Alphabet, HierarchicalHMM
from bbans.errors import CorruptError, ModelError, SymbolError
from bbans.formats.coders import ModelCoder
from bbans.frozen.alphabet import as_alphabet
from bbans.frozen.hmm import FrozenHMM
from bbans.records import packets
from bbans.records.batch import chain, decode_batch, encode_batch, unchain

TEXT = "né, 漢字 and 😀\n"
LINES = ["one line\n", "", "né 漢字\n", "😀\n", "a\ud800b"]
RECORDS = ["hello wörld", "", "hello", "日本"]
MODES = pytest.mark.parametrize("mode", ["iconoclasm", "predictive"])
ENDS = pytest.mark.parametrize("ends", [False, True])


def frozen(alphabet, mode="iconoclasm", seed=0):
    """A model whose symbols are not alike."""
    drawn = HMM.random(4, alphabet.size, seed=seed)
    model = HMM(
        drawn.initial, drawn.transition, drawn.emission, alphabet=alphabet
    ).freeze()
    return model.with_mode(mode)


def sure_of_the_end(alphabet):
    """A model that pops the end from nearly any message."""
    M = alphabet.size
    emission = [[1] * (M - 1) + [2**24 - M + 1]]
    return FrozenHMM(
        [2**24], [[2**24]], emission, prec=24, start_length=1, alphabet=alphabet
    )


def lengths(texts):
    return [len(text.encode("utf-8", "surrogatepass")) for text in texts]


# ---- alphabets


@pytest.mark.parametrize(
    ("without", "data"),
    [
        (Alphabet("abc"), "cab"),
        (Alphabet([-5, 7]), [7, -5]),
        (Alphabet(4), [3, 0]),
        (Alphabet(256, kind="bytes"), b"\xff\0"),
        (Alphabet(b"\n\xff"), b"\xff\n"),
        (Alphabet.utf8(), TEXT),
    ],
)
def test_an_end_is_one_more_symbol_that_no_data_has(without, data):
    alphabet = without.with_ends()
    assert alphabet.ends
    assert not without.ends
    assert alphabet != without
    assert (alphabet.size, alphabet.end) == (without.size + 1, without.size)
    assert without.end is None
    assert alphabet.with_ends(False) == without
    assert alphabet.with_ends() is alphabet
    assert as_alphabet(without, ends=True) == alphabet
    assert as_alphabet(alphabet) is alphabet
    assert alphabet.encode(data).tolist() == without.encode(data).tolist()
    decoded = alphabet.decode(alphabet.encode(data))
    assert decoded.tolist() == without.decode(without.encode(data)).tolist()
    assert alphabet.name(alphabet.end) == "the end of a record"
    assert pickle.loads(pickle.dumps(alphabet)) == alphabet
    assert "ends=True" in repr(alphabet)
    assert eval(repr(alphabet)) == alphabet
    with pytest.raises(SymbolError, match=f"index {alphabet.end} at position 1 is the"):
        alphabet.decode([0, alphabet.end])
    with pytest.raises(SymbolError, match=f"indices must be in 0 .. {alphabet.end}"):
        alphabet.decode([0, alphabet.size])


def test_what_stands_where_the_end_is_is_refused():
    with pytest.raises(SymbolError, match=r"symbol 3 at position 1 .* of 3 symbols"):
        Alphabet(3, ends=True).encode([0, 3])
    with pytest.raises(SymbolError, match="symbol 9 at position 0"):
        Alphabet([1, 5], ends=True).encode([9])


def test_sizes_of_alphabets_with_an_end():
    assert Alphabet(65535, ends=True).size == 65536
    for symbols in (0, [], "", 65536):
        with pytest.raises(ModelError, match="1 to 65535 symbols besides its end, not"):
            Alphabet(symbols, ends=True)
    large = Alphabet(range(1, 500), ends=True)
    assert repr(large) == "<Alphabet: 499 integers, 1 to 499 and the end>"


def test_utf8_codes_every_str_by_its_bytes():
    alphabet = Alphabet.utf8()
    assert (alphabet.kind, alphabet.size, alphabet.values) == ("text", 256, None)
    assert alphabet.is_utf8
    assert not Alphabet("ab").is_utf8
    assert alphabet.units == Alphabet(256, kind="bytes")
    assert alphabet == Alphabet(256, kind="text") != Alphabet(256, kind="bytes")
    for text in [TEXT, *LINES, "".join(map(chr, range(0, 0x110000, 97)))]:
        indices = alphabet.encode(text)
        assert indices.dtype == np.int32
        assert bytes(indices.tolist()) == text.encode("utf-8", "surrogatepass")
        points = [ord(character) for character in text]
        assert alphabet.decode(indices).tolist() == points
        assert alphabet.encode(points).tolist() == indices.tolist()
    for data, fault in (
        (b"ab", "decode them to str first"),
        ([97, 0x110000], "symbol 1114112 at position 1 is no code point"),
        ([-1], "symbol -1 at position 0 is no code point"),
    ):
        with pytest.raises(SymbolError, match=fault):
            alphabet.encode(data)
    for indices, at in (([195], 0), ([97, 169], 1), ([97, 255], 1), ([0xF4, 0x90], 0)):
        with pytest.raises(SymbolError, match=f"at position {at} is no UTF-8"):
            alphabet.decode(indices)
    for size in (255, 257, 7):
        with pytest.raises(ModelError, match=r"not 'text': .* take Alphabet.utf8\(\)"):
            Alphabet(size, kind="text")


@given(st.text(st.characters(exclude_categories=[])))
def test_any_str_comes_back(text):
    model, n = frozen(Alphabet.utf8(ends=True)), lengths([text])[0]
    assert bbans.decode(bbans.encode(text, model), model, n) == text


def test_a_length_in_characters_is_explained():
    model = frozen(Alphabet.utf8())
    data = bbans.encode("漢字" * 50, model)
    with pytest.raises(CorruptError, match=r"\(the length counts bytes of UTF-8, not"):
        bbans.decode(data, model, 100)


# ---- one message, many, packets


@MODES
@ENDS
def test_text_comes_back_by_its_bytes(mode, ends):
    model = frozen(Alphabet.utf8(ends), mode)
    assert (model.kind, model.ends) == ("text", ends)
    for text, n in zip([TEXT, *LINES], lengths([TEXT, *LINES]), strict=True):
        data = bbans.encode(text, model)
        assert bbans.decode(data, model, n) == text
        assert bbans.decode(data, model, n, max_bytes=n) == text
    with pytest.raises(SymbolError, match="a model of text codes text, not bytes"):
        bbans.encode(b"ab", model)
    with pytest.raises(ModelError, match="number of symbols, bytes of UTF-8, or"):
        bbans.decode(data, model)


@MODES
@ENDS
def test_batches_chains_and_packets_of_text(mode, ends):
    model = frozen(Alphabet.utf8(ends), mode)
    texts = [*LINES, TEXT * 30]
    data, offsets = encode_batch(texts, model)
    assert decode_batch(data, offsets, lengths(texts), model) == texts
    some = decode_batch(data, offsets[2:5], lengths(texts)[2:4], model, max_bytes=99)
    assert some == texts[2:4]
    assert unchain(chain(texts, model), lengths(texts), model) == texts
    for size in (8, 32, 64):
        parts = [
            packets.decode(packet, model)
            for packet in packets.encode(TEXT * 30, model, size)
        ]
        assert "".join(parts) == TEXT * 30
        assert len(parts) > 1


def test_a_character_that_fits_no_packet_is_refused():
    alphabet = Alphabet.utf8()
    emission = np.full((1, 256), 1)
    emission[0, 0] = 2**24 - 255
    model = FrozenHMM(
        [2**24], [[2**24]], emission, prec=24, start_length=1, alphabet=alphabet
    )
    with pytest.raises(SymbolError, match="at position 2 does not fit 8 bytes"):
        packets.encode("\0\0😀", model, 8)


def test_until_is_one_byte_of_utf8():
    model = frozen(Alphabet.utf8(ends=True), "predictive")
    data = bbans.encode("né 漢字\n", model)
    assert bbans.decode(data, model, until="\n") == "né 漢字\n"
    assert bbans.decode(data, model, until="\n", max_bytes=11) == "né 漢字\n"
    with pytest.raises(SymbolError, match="one symbol, not '字', of 3 bytes of UTF-8"):
        bbans.decode(data, model, until="字")


@ENDS
def test_particle_filters_code_text(ends):
    model = frozen(Alphabet.utf8(ends))
    particles = bbans.particles.ParticleFilter(model, 20)
    assert particles.ends == ends
    data, n = bbans.encode(TEXT, particles), len(TEXT.encode())
    assert bbans.decode(data, particles, n) == TEXT
    data, offsets = encode_batch(LINES, particles)
    assert decode_batch(data, offsets, lengths(LINES), particles) == LINES


# ---- what no encoder writes


@pytest.mark.parametrize(
    "alphabet",
    [Alphabet.utf8(True), Alphabet([2, 5], ends=True), Alphabet("ab", ends=True)],
)
def test_the_end_among_data_is_damage(alphabet):
    model = sure_of_the_end(alphabet)
    twin = sure_of_the_end(Alphabet(alphabet.size))  # of numbers
    ends = [alphabet.end] * 9
    end = bbans.encode(ends, twin)
    with pytest.raises(CorruptError, match=r"is the end of a record.* data is damaged"):
        bbans.decode(end, model, 9)
    data, offsets = end * 2, [0, len(end), 2 * len(end)]
    with pytest.raises(CorruptError, match=r"sequence 0: index .* the end of a record"):
        decode_batch(data, offsets, [9, 9], model)
    with pytest.raises(CorruptError, match=r"sequence 0: index .* the end of a record"):
        unchain(chain([ends], twin), [9], model)
    packet = packets.encode(ends, twin)[0]
    with pytest.raises(CorruptError, match="is the end of a record"):
        packets.decode(packet, model)


def test_text_that_is_no_utf8_is_damage():
    model = frozen(Alphabet.utf8())
    data = model.encode_message([97, 195]).to_bytes()
    with pytest.raises(CorruptError, match=r"0xc3 at position 1 is no UTF-8.* counts"):
        bbans.decode(data, model, 2)
    good = model.encode_message([97]).to_bytes()
    offsets = [0, len(good), len(good + data)]
    with pytest.raises(CorruptError, match="sequence 1: byte 0xc3 at position 1"):
        decode_batch(good + data, offsets, [1, 2], model)


# ---- containers


@MODES
@ENDS
def test_containers_of_text(mode, ends):
    model = frozen(Alphabet.utf8(ends), mode)
    for text in (TEXT, "", "plain", TEXT * 50):
        for block_size in (None, 5):  # which cuts characters
            data = bbans.compress(text, model, block_size=block_size)
            assert bbans.decompress(data, model) == text
            opened = bbans.open(io.BytesIO(data), model)
            assert opened[:] == text.encode()
    assert bbans.decompress(data + bbans.compress("é", model), model) == TEXT * 50 + "é"
    source, sink = io.BytesIO((TEXT * 50).encode()), io.BytesIO()
    bbans.compress_file(source, sink, model, block_size=7)
    assert bbans.decompress(sink.getvalue(), model) == TEXT * 50
    back = io.BytesIO()
    bbans.decompress_file(io.BytesIO(sink.getvalue()), back, model)
    assert back.getvalue() == (TEXT * 50).encode()
    with pytest.raises(SymbolError, match="cannot code bytes: decode them to str"):
        bbans.compress(b"ab", model)
    with pytest.raises(SymbolError, match=r"U\+D800\) at position 1 has no UTF-8"):
        bbans.compress("a\ud800", model)


@pytest.mark.parametrize("model", [Alphabet.utf8(), Alphabet("\nab")])
@pytest.mark.parametrize("block_size", [None, 1, 2])
@pytest.mark.parametrize(
    ("data", "at"),
    [(b"ab\xff", 2), (b"abab\xc3", 4), (b"a\xe6\xbc", 1), (b"\xe6\xbc\n", 0)],
)
def test_files_that_are_no_utf8_are_refused(model, block_size, data, at):
    sink = io.BytesIO()
    fault = f"needs UTF-8, and byte {data[at]:#04x} at position {at} is none: take a"
    with pytest.raises(SymbolError, match=fault):
        bbans.compress_file(
            io.BytesIO(data), sink, frozen(model), block_size=block_size
        )


def test_the_end_in_a_block_is_damage():
    """By a writer that codes symbols itself."""
    for alphabet, data in (
        (Alphabet.utf8(ends=True), "x" * 99),
        (Alphabet(200, ends=True), np.full(99, 7, np.int16)),
        (Alphabet([2, 7, 9], ends=True), np.full(99, 7, np.int16)),
    ):
        model = sure_of_the_end(alphabet)

        class Wrong(ModelCoder):
            def encode(self, steps):
                x = [self.model.alphabet.end] * len(steps)
                return self.model.encode_message(x).to_bytes()

        bad = bbans.compress(data, Wrong(model))
        with pytest.raises(CorruptError, match=r"block 0 is damaged: index .* the end"):
            bbans.decompress(bad, model)


# ---- model files


@ENDS
@pytest.mark.parametrize(
    "alphabet",
    [
        Alphabet.utf8(),
        Alphabet("abc"),
        Alphabet([-5, 7]),
        Alphabet(4),
        Alphabet(256, kind="bytes"),
        Alphabet(b"\n\xff"),
    ],
)
def test_model_files_keep_alphabets(alphabet, ends, tmp_path):
    alphabet = alphabet.with_ends(ends)
    drawn = HMM.random(2, alphabet.size, seed=1)
    hmm = HMM(drawn.initial, drawn.transition, drawn.emission, alphabet=alphabet)
    levels = HierarchicalHMM.random([2, 2], alphabet.size, seed=1)
    levels = HierarchicalHMM(
        levels.initial, levels.transition, levels.emission, alphabet=alphabet
    )
    contexts = ARHMM.fit([[0, 1, 0, 1]], 2, n_iter=1).contexts
    for model in (hmm, levels, ARHMM(hmm, contexts)):
        frozen = model.freeze()
        data = frozen.to_bytes()
        again = type(frozen).from_bytes(data)
        assert again == frozen
        assert again.alphabet == alphabet
        assert again.ends == ends
        assert data[11] == ends
        model.save(tmp_path / "model.npz")
        assert type(model).load(tmp_path / "model.npz").alphabet == alphabet
        assert pickle.loads(pickle.dumps(model)).alphabet == alphabet
        assert type(model).from_frozen(frozen).alphabet == alphabet


# ---- training


@pytest.mark.parametrize(
    ("records", "known"),
    [
        (RECORDS, " dehlorwö日本"),
        ([r.encode() for r in RECORDS], 256),
        ([[2, 0], []], 3),
    ],
)
def test_fit_ends_sequences(records, known):
    for fit, size in ((HMM.fit, 2), (HierarchicalHMM.fit, (2, 2)), (ARHMM.fit, 2)):
        model = fit(records, size, ends=True, n_iter=3)
        plain = fit(records, size, n_iter=3)
        assert model.alphabet == plain.alphabet.with_ends()
        if fit != ARHMM.fit or known != RECORDS:
            assert model.n_symbols == plain.n_symbols + 1
    model = HMM.fit(records, 2, ends=True, n_iter=3)
    assert model.alphabet.with_ends(False)._count == (
        len(known) if isinstance(known, str) else known
    )
    # One state that emits each symbol as often as it occurs, and an end each.
    model = HMM.fit(records, 1, ends=True, pseudo_count=0, n_iter=2)
    n = sum(map(len, records))
    assert model.emission[0, -1] == pytest.approx(len(records) / (n + len(records)))
    assert model.expect(records).n_symbols == n + len(records)


def test_what_ends_goes_on_ending():
    first = HMM.fit(RECORDS, 2, ends=True, n_iter=1)
    again = HMM.fit(RECORDS, 2, init=first, n_iter=1)
    assert again.alphabet == first.alphabet
    given = HMM.fit(RECORDS, 2, alphabet=Alphabet.utf8(ends=True), n_iter=1)
    assert given.alphabet == Alphabet.utf8(ends=True)
    given = HMM.fit(RECORDS, 2, alphabet=Alphabet.utf8(), ends=True, n_iter=1)
    assert given.alphabet == Alphabet.utf8(ends=True)
    online = HMM.fit_online([RECORDS], 2, ends=True)
    assert online.alphabet == first.alphabet
    plain = HMM.fit(RECORDS, 2, n_iter=1)
    with pytest.raises(ModelError, match="init has no end of a record: train it with"):
        HMM.fit(RECORDS, 2, init=plain, ends=True)


def test_samples_stop_at_the_end():
    model = HMM([1.0], [[1.0]], [[0.5, 0.25, 0.25]], alphabet=Alphabet("ab", ends=True))
    found = [len(model.sample(100, seed=seed)[0]) for seed in range(200)]
    assert np.mean(found) == pytest.approx(3, abs=0.6)
    assert min(found) == 0
    x, z = model.sample(1, seed=1)
    assert len(x) == len(z) <= 1
    for fit, size in ((HMM.fit, 2), (ARHMM.fit, 2), (HierarchicalHMM.fit, [2, 2])):
        trained = fit(["né"], size, alphabet=Alphabet.utf8(), n_iter=1)
        x, z = trained.sample(9, seed=0)
        assert x.dtype == np.uint8
        assert len(x) == len(z) == 9


def test_an_arhmm_codes_characters_that_it_has_not_seen():
    model = ARHMM.fit(RECORDS, 2, n_iter=2)
    assert model.alphabet == Alphabet.utf8()
    frozen = model.freeze()
    assert frozen.decode(frozen.encode("ñ😀"), 6) == "ñ😀"
    listed = ARHMM.fit(RECORDS, 2, n_iter=2, alphabet=" dehlorwö日本")
    assert listed.alphabet == Alphabet(" dehlorwö日本")
    assert ARHMM.fit([""], 1, ends=True, n_iter=1).alphabet == Alphabet.utf8(True)


@pytest.mark.parametrize("fit", [HMM.fit, ARHMM.fit])
def test_kinds_that_are_mixed_are_named(fit):
    for data, one, other in (
        (["a", "b", b"c"], "sequence 0 is of text, sequence 2 of bytes", ModelError),
        ([b"c", "a"], "sequence 0 is of bytes, sequence 1 of text", ModelError),
        (["a", [1, 2]], "sequence 0 is of text, sequence 1 of integers", ModelError),
    ):
        with pytest.raises(other, match=re.escape(one)):
            fit(iter(data), 2)
    for data, fault in (
        ([[1], [[1, 2], [3, 4]]], r"sequence 1: a sequence has one axis, .*\(2, 2\)"),
        (np.array(3), "a number has none: pass"),
        ([[1], np.array(3)], "sequence 1: a sequence has one axis, and a number"),
        (["a", None], "sequence 1: symbols must be integers"),
        (np.array(["ab", "c"]), "an array of dtype <U2 is no sequence: pass x.tolist"),
        (np.array([b"ab", b"c"]), r"dtype \|S2 is no sequence"),
    ):
        with pytest.raises(SymbolError, match=fault):
            fit(data, 2)
    several = np.array(["ab", "c"], object)
    assert fit(several, 2, n_iter=1).alphabet == fit(["ab", "c"], 2, n_iter=1).alphabet
    for nothing in ([], [""], iter([]), lambda: iter([])):
        with pytest.raises(ModelError, match="no data to train on"):
            fit(nothing, 2)
    assert fit((r for r in RECORDS), 2, n_iter=1).kind == "text"
