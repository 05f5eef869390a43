"""Records: one short message each, whose bytes alone say what it holds."""

import copy
import json
import pickle
import random
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import reference as ref
import shared
from hypothesis import given
from hypothesis import strategies as st
from shared import ISAS, byte_hmm, random_hierarchy, random_tree
from test_arhmm import draw, model_of
from test_arhmm import reference_of as contexts_of

import bbans
from bbans import HMM, Alphabet, RecordCodec
from bbans._lib import lib
from bbans.errors import CorruptError, LimitError, ModelError, SymbolError
from bbans.frozen import FrozenARHMM, FrozenHMM, FrozenModel

WORDS = ["the rain", " in Spain", "", "é", "日本", " stays", "\n", "\0", " mainly"]


def with_alphabet(model, alphabet):
    """The same tables for other symbols."""
    extra = [model.contexts] if isinstance(model, FrozenARHMM) else []
    return type(model)(
        model.initial, model.transition, model.emission, *extra,
        prec=model.prec, start_length=model.start_length, alphabet=alphabet,
    )  # fmt: skip


def alphabet_of(model, kind, ends):
    """An alphabet for the symbols of a model, numbered or listed."""
    n = model.n_symbols - ends
    if kind == "bytes":
        return Alphabet(n, kind="bytes", ends=ends)
    if kind == "listed bytes":
        return Alphabet(bytes(range(250, 250 - n, -1))[::-1], ends=ends)
    return Alphabet("aé日😀klmnop"[:n] if n < 5 else "abcdefghijé日😀"[-n:], ends=ends)


HMMS = {
    "one state": shared.random_hmm(1, 5),
    "17 states": shared.random_hmm(17, 9, prec=24, concentration=0.1, seed=1),
    "two symbols": shared.random_hmm(3, 2, seed=2),
    "sure": FrozenHMM(
        [2**20], [[2**20]], [[1, 2**20 - 3, 1, 1]], prec=20, start_length=1
    ),
    "order 3": model_of(5, 6, 3),
    "order 7": model_of(2, 3, 7, c=40),
    "order 0": model_of(3, 4, 0),
}
KINDS = ["bytes", "listed bytes", "text"]
ALL_KINDS = pytest.mark.parametrize("kind", KINDS)
ENDS = pytest.mark.parametrize("ends", [False, True])


@pytest.fixture(params=HMMS, name="tables")
def fixture_tables(request):
    return HMMS[request.param]


def reference_of(model):
    if isinstance(model, FrozenARHMM):
        return contexts_of(model)
    return shared.reference_of(model)


def bytes_of(alphabet):
    """The bytes of each symbol but the end."""
    values = range(256) if alphabet.values is None else alphabet.values.tolist()
    values = list(values)[: alphabet.size - alphabet.ends]
    if alphabet.kind == "text" and not alphabet.is_utf8:
        return [chr(v).encode("utf-8", "surrogatepass") for v in values]
    return [bytes([v]) for v in values]


def sequences(model, ends):
    """Symbols, of any lengths, some as the model expects them."""
    rng = random.Random(7)
    most = model.n_symbols - ends
    for T in [0, 1, 2, 3, 5, 20, 40]:
        for _ in range(2):
            yield [rng.randrange(most) for _ in range(T)]
        if isinstance(model, FrozenARHMM):
            yield [x for x in draw(model, T, T) if x < most]


# ---- the bytes


@ENDS
@ALL_KINDS
def test_the_reference_writes_and_reads_the_same(tables, kind, ends):
    alphabet = alphabet_of(tables, kind, ends)
    codec, theirs = RecordCodec(with_alphabet(tables, alphabet)), reference_of(tables)
    units = bytes_of(alphabet)
    for xs in sequences(tables, ends):
        data = b"".join(units[x] for x in xs)
        record = data.decode() if kind == "text" else data
        message = codec.encode(record)
        assert message == ref.encode_record(theirs, data, xs, ends)
        assert codec.decode(message) == record
        assert ref.decode_record(theirs, message, units, ends) == data


@ENDS
def test_any_bytes_are_a_record_or_refused_as_by_the_reference(tables, ends):
    alphabet = alphabet_of(tables, "bytes", ends)
    codec, theirs = RecordCodec(with_alphabet(tables, alphabet)), reference_of(tables)
    rng, refused = random.Random(3), 0
    for _ in range(150):
        message = rng.randbytes(rng.randrange(5)) + rng.choice([b"", b"\0", b"\x80"])
        try:
            record = codec.decode(message, max_bytes=60)
        except LimitError:
            continue
        except CorruptError:
            refused += 1
            with pytest.raises(ref.Damage):
                ref.decode_record(theirs, message, bytes_of(alphabet), ends)
            continue
        assert ref.decode_record(theirs, message, bytes_of(alphabet), ends) == record
        if not message.startswith(b"\xff"):
            assert codec.encode(record) == message
    assert refused > 10


@ENDS
def test_long_records_see_all_their_contexts(ends):
    """The engine sees a window of the last symbols, which slides."""
    model = model_of(2, 3, 16, c=40, seed=4)
    codec = RecordCodec(with_alphabet(model, Alphabet(3 - ends, "bytes", ends=ends)))
    xs = [x for x in draw(model, 700, 1) if x < 3 - ends]
    message = codec.encode(bytes(xs))
    assert message == ref.encode_record(contexts_of(model), bytes(xs), xs, ends)
    assert codec.decode(message) == bytes(xs)


@pytest.mark.parametrize("isa", ISAS)
def test_every_instruction_set_writes_the_same(isa):
    codec = RecordCodec(byte_hmm(33).freeze())
    records = [random.Random(k).randbytes(k) for k in range(50)]
    expected = [codec.encode(record) for record in records]
    try:
        lib.bbans_isa_use(ISAS[isa])
        assert [codec.encode(record) for record in records] == expected
        assert [codec.decode(message) for message in expected] == records
    finally:
        lib.bbans_isa_use(lib.BBANS_ISA_BEST)


def test_models_of_several_levels_code_records():
    tables = random_hierarchy([3, 2], 256)
    model = type(tables)(
        tables.initial, tables.transition, tables.emission,
        prec=tables.prec, start_length=tables.start_length,
        alphabet=Alphabet(256, kind="bytes"),
    )  # fmt: skip
    codec = RecordCodec(model)
    for record in (b"", b"abc", bytes(range(256)) * 3):
        assert codec.decode(codec.encode(record)) == record


def test_a_record_costs_what_the_model_says():
    """Its length or end, half a byte, and no more; shared over many records."""
    text = "".join(f"{k} green bottles hanging on the wall\n" for k in range(300))
    lines = text.splitlines()
    for ends in (False, True):
        trained = HMM.fit(lines, 8, n_iter=5, ends=ends)
        codec = RecordCodec(trained.freeze())
        bits = sum(trained.information_content(line) for line in lines) / len(lines)
        if not ends:
            bits += 2 * 5 + 1  # the length is 31 to 62
        size = 8 * sum(map(len, codec.encode_many(lines))) / len(lines)
        assert bits - 0.5 < size < bits + (20 if ends else 4.5)


VECTORS = json.loads(
    (Path(__file__).parent / "vectors/records_v1.json").read_text("utf-8")
)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_stored_vectors(case):
    model = FrozenModel.from_bytes(bytes.fromhex(case["file"]))
    theirs, codec = reference_of(model), RecordCodec(model)
    units = [bytes.fromhex(unit) for unit in case["bytes"]]
    assert codec.model.ends == case["ends"]
    assert bytes_of(model.alphabet) == units
    for pair in case["records"]:
        data, message = map(bytes.fromhex, pair)
        assert ref.decode_record(theirs, message, units, case["ends"]) == data
        record = data
        if codec.kind == "text":
            try:
                record = data.decode()
            except UnicodeDecodeError:  # what C takes, and no str is
                with pytest.raises(CorruptError, match="decodes to no text"):
                    codec.decode(message)
                continue
        assert codec.encode(record) == message
        assert codec.decode(message) == record
    for message in map(bytes.fromhex, case["refused"]):
        with pytest.raises(CorruptError):
            codec.decode(message)


def test_the_vectors_are_whole():
    assert VECTORS["format"] == 1
    assert [len(case["records"]) for case in VECTORS["cases"]].count(15) == 14
    assert len(VECTORS["cases"]) == 16
    assert all(len(case["refused"]) == 8 for case in VECTORS["cases"])


# ---- whatever the record is


CODECS = {
    "bytes": RecordCodec(byte_hmm(3).freeze()),
    "sure": RecordCodec(
        with_alphabet(HMMS["sure"], Alphabet(b"abc", ends=True)),
    ),
    "utf-8": RecordCodec(
        HMM.fit(WORDS, 2, n_iter=2, alphabet=Alphabet.utf8(ends=True)).freeze()
    ),
    "characters": RecordCodec(HMM.fit(["".join(WORDS)], 3, n_iter=2).freeze()),
}


@given(st.binary(max_size=300))
def test_any_bytes_survive(record):
    for name in ("bytes", "sure"):
        message = CODECS[name].encode(record)
        assert CODECS[name].decode(message) == record
        assert len(message) <= len(record) + 1


@given(st.one_of(st.text(max_size=100), st.lists(st.sampled_from(WORDS)).map("".join)))
def test_any_text_survives(text):
    """With surrogates, which have no UTF-8 of their own."""
    record = text + random.Random(text).choice(["", "\ud800", "\udfff"])
    for name in ("utf-8", "characters"):
        message = CODECS[name].encode(record)
        assert CODECS[name].decode(message) == record
        assert len(message) <= len(record.encode("utf-8", "surrogatepass")) + 1


@pytest.mark.parametrize("name", CODECS)
@given(st.binary(max_size=12))
def test_any_message_is_a_record_or_refused(name, message):
    """What is a record, and is not stored, is what its encoder writes."""
    codec = CODECS[name]
    try:
        record = codec.decode(message, max_bytes=500)
    except (CorruptError, LimitError):
        return
    if not message.startswith(b"\xff"):
        assert codec.encode(record) == message


@pytest.mark.parametrize("n", [0, 1, 254, 255, 256, 1000, 70000])
def test_what_no_model_expects_is_stored(n):
    for unit in (b"\xff", bytes([200, 1, 77])):
        codec, record = CODECS["sure"], unit * n
        assert codec.encode(record) == b"\xff" + record or n == 0
        assert codec.decode(codec.encode(record)) == record


def test_a_few_bytes_may_stand_for_many_and_a_limit_says_how_many():
    codec = CODECS["sure"]
    record = b"b" * 50000
    message = codec.encode(record)
    assert len(message) < 5
    assert codec.decode(message) == record
    assert codec.decode(message, max_bytes=50000) == record
    assert codec.decode(message, max_bytes=None) == record
    for decode in (codec.decode, lambda m, **o: codec.decode_many([b"\xff", m], **o)):
        with pytest.raises(LimitError, match="longer than max_bytes=49999"):
            decode(message, max_bytes=49999)
    with pytest.raises(LimitError, match="record 1: "):
        codec.decode_many([b"\xff", message], max_bytes=49999)
    stored = b"\xff" + b"z" * 100
    assert codec.decode(stored, max_bytes=100) == b"z" * 100
    with pytest.raises(LimitError):
        codec.decode(stored, max_bytes=99)


def test_the_limit_is_of_bytes_whatever_is_decoded():
    text = "日" * 10
    codec = RecordCodec(HMM.fit(["日本"], 1, n_iter=1).freeze())
    message = codec.encode(text)
    assert codec.decode(message, max_bytes=30) == text
    with pytest.raises(LimitError):
        codec.decode(message, max_bytes=29)


def test_nothing_is_a_record():
    for name, empty in (("bytes", b""), ("utf-8", ""), ("characters", "")):
        message = CODECS[name].encode(empty)
        assert len(message) <= 1
        assert CODECS[name].decode(message, max_bytes=0) == empty
        assert CODECS[name].decode_many([message], max_bytes=0) == [empty]
        with pytest.raises(LimitError):
            CODECS[name].decode(CODECS[name].encode("x"), max_bytes=0)


def test_by_default_a_record_has_at_most_a_mebibyte():
    codec = CODECS["sure"]
    message = codec.encode(bytes(2**20))
    assert codec.decode(message) == bytes(2**20)
    message = codec.encode(bytes(2**20 + 1))
    with pytest.raises(LimitError):
        codec.decode(message)
    assert codec.decode(message, max_bytes=None) == bytes(2**20 + 1)


# ---- many


def made(n):
    rng = random.Random(n)
    return ["".join(rng.choices(WORDS, k=rng.randrange(12))) for _ in range(n)]


@pytest.mark.parametrize("threads", [None, 1, 3])
@pytest.mark.parametrize("n", [0, 1, 2, 5000])
def test_many_are_as_one_by_one(n, threads):
    for name in ("utf-8", "characters"):
        codec, records = CODECS[name], made(n)
        messages = codec.encode_many(records, threads=threads)
        assert messages == [codec.encode(record) for record in records]
        assert codec.decode_many(messages, threads=threads) == records


def test_many_of_any_sizes():
    codec = CODECS["bytes"]
    records = [random.Random(n).randbytes(n) for n in (0, 200_000, 1, 70_000, 3)]
    messages = codec.encode_many(iter(records))
    assert codec.decode_many(iter(messages)) == records


def test_records_may_be_any_buffer():
    codec = CODECS["bytes"]
    record = b"abc\xff"
    for given_as in (
        bytearray(record),
        memoryview(record),
        memoryview(b"a.b.c.\xff.")[::2],
    ):
        assert codec.encode(given_as) == codec.encode(record)
        assert codec.encode_many([given_as]) == [codec.encode(record)]
    message = codec.encode(record)
    assert codec.decode(memoryview(message)) == record
    assert codec.decode_many([bytearray(message)]) == [record]


def test_a_model_of_bytes_takes_text_by_its_utf8():
    codec = CODECS["bytes"]
    assert codec.decode(codec.encode("né")) == "né".encode()
    assert codec.encode_many(["né", b"x"]) == [codec.encode("né"), codec.encode(b"x")]


def test_threads_may_share_a_codec():
    codec = CODECS["utf-8"]
    records = [*made(300), "a long one " * 500]
    expected = [codec.encode(record) for record in records]
    start = threading.Barrier(4)

    def work(seed):
        rng = random.Random(seed)
        start.wait()
        for k in rng.sample(range(len(records)), len(records)):
            assert codec.encode(records[k]) == expected[k]
            assert codec.decode(expected[k]) == records[k]
        assert codec.encode_many(records, threads=2) == expected
        assert codec.decode_many(expected, threads=2) == records

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


# ---- the object


def test_codecs_are_known_by_their_model(tmp_path):
    model = byte_hmm(3).freeze()
    codec = RecordCodec(model)
    assert codec.model is model
    assert codec.kind == "bytes"
    assert codec == RecordCodec(model) != RecordCodec(byte_hmm(2).freeze())
    assert codec != model
    for other in (pickle.loads(pickle.dumps(codec)), copy.copy(codec)):
        assert other == codec
        assert hash(other) == hash(codec)
        assert other.encode(b"abc") == codec.encode(b"abc")
    codec.save(tmp_path / "model.bbm")
    assert bbans.load_model(tmp_path / "model.bbm") == model
    loaded = RecordCodec.load(tmp_path / "model.bbm")
    assert loaded.decode(codec.encode(b"abc")) == b"abc"


def test_the_mode_makes_no_difference():
    model = byte_hmm(3).freeze()
    messages = {
        RecordCodec(model.with_mode(mode)).encode(b"abc")
        for mode in ("iconoclasm", "predictive")
    }
    assert len(messages) == 1


@pytest.mark.parametrize(
    "records", [["né 1", "né 2"] * 20, [b"\xff 1", b"\xff 2"] * 20]
)
def test_a_codec_is_trained(records):
    codec = RecordCodec.train(records, n_states=2, order=2, max_bytes=20_000, seed=1)
    assert codec.model.ends
    assert len(codec.encode(records[0])) < len(records[0])
    other = type(records[0])() + records[0][:1] * 5
    assert codec.decode(codec.encode(other)) == other
    assert len(codec.model.to_bytes(packed=True)) <= 20_000


@pytest.mark.parametrize(
    "records", [["né 1", "né 2"] * 20, [b"\xff 1", b"\xff 2"] * 20]
)
def test_a_codec_is_trained_on_what_a_function_gives(records):
    options = {"n_states": 2, "order": 2, "seed": 1}
    codec = RecordCodec.train(lambda: iter(records), **options)
    assert codec == RecordCodec.train(records, **options)


@pytest.mark.parametrize(
    ("records", "kind"),
    [
        ([np.frombuffer(b"ab", np.uint8)] * 20, "bytes"),
        ([bytearray(b"ab")] * 20, "bytes"),
        ([np.bytes_(b"ab")] * 20, "bytes"),
        ([np.str_("ab")] * 20, "text"),
        (np.array(["ab"] * 20), "text"),
    ],
    ids=["uint8", "bytearray", "bytes_", "str_", "array of str"],
)
def test_a_codec_is_trained_on_what_it_codes(records, kind):
    codec = RecordCodec.train(records, n_states=2, order=2)
    assert codec.kind == kind
    assert codec == RecordCodec.train(
        ["ab" if kind == "text" else b"ab"] * 20, n_states=2, order=2
    )
    assert codec.decode(codec.encode(records[0])) == ("ab" if kind == "text" else b"ab")


def test_training_says_what_is_wrong():
    for numbers in ([1, 2], [[1, 2], [3]], [None]):
        with pytest.raises(SymbolError, match="record 0 must be bytes"):
            RecordCodec.train(numbers)
    with pytest.raises(SymbolError, match="list"):
        RecordCodec.train("one record")
    with pytest.raises(ModelError):
        RecordCodec.train([])
    with pytest.raises(SymbolError):
        RecordCodec.train(["text", b"bytes"])
    with pytest.raises(SymbolError):
        RecordCodec.train([b"bytes", "text"])


# ---- mistakes


def test_models_that_code_no_records_are_refused():
    with pytest.raises(ModelError, match="codes integers: train one of bytes"):
        RecordCodec(HMM.random(2, 3, seed=0).freeze())
    with pytest.raises(ModelError, match="codes bytes in rows"):
        RecordCodec(random_tree(4, 2, [2, 256], seed=1, kind="bytes"))
    for thing in (None, b"model", HMM.random(2, 3, seed=0)):
        with pytest.raises(ModelError, match="model"):
            RecordCodec(thing)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda c: c.encode(b"bytes"), SymbolError, "text codes str, not bytes"),
        (lambda c: c.encode(7), SymbolError, "text codes str, not int"),
        (lambda c: c.encode_many(["a", 7]), SymbolError, "record 1: .* not int"),
        (lambda c: c.encode_many("text"), SymbolError, "list of them, not 'text'"),
        (lambda c: c.encode_many(7), SymbolError, "list of them, not 7"),
        (lambda c: c.encode_many(["a"], threads=0), ModelError, "threads must be"),
        (lambda c: c.decode("a"), TypeError, "message must be bytes"),
        (lambda c: c.decode(b"", max_bytes=-1), ModelError, "max_bytes must be"),
        (lambda c: c.decode(b"", max_bytes=0.5), ModelError, "max_bytes must be"),
        (lambda c: c.decode(b"\0"), CorruptError, "damaged, or coded with another"),
        (lambda c: c.decode_many([b"\xff", b"\0"]), CorruptError, "record 1: "),
        (lambda c: c.decode_many(b"\xff"), SymbolError, "list of them"),
        (lambda c: c.decode_many([7]), TypeError, "message must be bytes"),
        (lambda c: c.decode(b"\xff\x80"), CorruptError, "decodes to no text"),
        (lambda c: c.decode_many([b"\xff\x80"]), CorruptError, "record 0: .* no text"),
    ],
)
def test_mistakes_are_named(call, error, text):
    for name in ("utf-8", "characters"):
        codec = CODECS[name]
        with pytest.raises(error, match=text):
            call(codec)
        assert codec.decode(codec.encode("after it")) == "after it"


def test_numbers_are_no_records():
    with pytest.raises(SymbolError, match="record must be bytes, not int"):
        CODECS["bytes"].encode(7)
    assert re.fullmatch(r"RecordCodec\(<FrozenHMM .*>\)", repr(CODECS["bytes"]))
