"""Context mixers as models: records, sequences and files, whatever the prior knows."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared import random_mixer

import bbans
from bbans import (
    CorruptError,
    FrozenContextMixer,
    LimitError,
    Message,
    ModelError,
    RecordCodec,
    SymbolError,
    records,
)
from bbans.codecs import Iconoclasm
from bbans.formats import ModelCoder
from bbans.frozen import FrozenModel, c_header
from bbans.frozen.model_file import model_facts

TEXT = "to be or not to be, that is the question: " * 9
LINES = [line.encode() for line in TEXT.split(" ")] + [
    b"",
    b"\n",
    b"a\nb\n\n",
    TEXT.encode(),
]
NEWLINE = ord("\n")


def mixer(kind="bytes", end=NEWLINE, **options):
    return random_mixer(kind=kind, end=end, **options)


@pytest.fixture(
    scope="module", params=[("bytes", None), ("bytes", NEWLINE), ("text", 0)], ids=str
)
def model(request):
    return mixer(*request.param)


def of_kind(model, data):
    return data.decode() if model.kind == "text" else data


# ---- records


@given(st.binary(max_size=300), st.sampled_from([None, 0, 97]))
def test_any_record_is_coded(record, end):
    codec = RecordCodec(mixer(end=end))
    message = codec.encode(record)
    assert len(message) <= len(record) + 1
    assert codec.decode(message) == record


@given(st.text(max_size=100))
def test_any_text_is_coded(record):
    codec = RecordCodec(mixer("text"))
    assert codec.decode(codec.encode(record)) == record


def test_records_that_have_the_byte_of_the_end():
    codec = RecordCodec(mixer())
    for n in (1, 5, 300):
        record = b"\n" * n + b"x"
        assert codec.decode(codec.encode(record)) == record


def test_a_record_is_learned_from_as_it_goes():
    codec = RecordCodec(mixer())
    once, often = (len(codec.encode(TEXT[:84].encode() * n)) for n in (1, 20))
    assert often < 2 * once


def test_many_records_in_threads_are_as_one_by_one(model):
    codec = RecordCodec(model)
    lines = [of_kind(model, line) for line in LINES] * 40
    one_by_one = [codec.encode(line) for line in lines]
    assert codec.encode_many(lines, threads=3) == one_by_one
    assert codec.decode_many(one_by_one, threads=3) == lines


def test_a_limit_on_records():
    codec = RecordCodec(mixer())
    message = codec.encode(b"ab" * 5000)
    assert len(message) < 100
    with pytest.raises(LimitError, match="max_bytes=9999"):
        codec.decode(message, max_bytes=9999)
    assert len(codec.decode(message, max_bytes=10_000)) == 10_000


@given(st.binary(max_size=30))
def test_any_bytes_are_refused_or_the_message_of_a_record(data):
    codec = RecordCodec(mixer())
    try:
        record = codec.decode(data, max_bytes=1000)
    except (CorruptError, LimitError):
        return
    assert codec.encode(record) == data or data[0] == 0xFF


def test_a_file_of_records(tmp_path, model):
    lines = [of_kind(model, line) for line in LINES] * 30
    path = tmp_path / "lines.bbr"
    records.Records.write(path, lines, RecordCodec(model))
    with records.Records(path) as file:
        assert file.model == model
        assert [*file] == lines
        assert file[17] == lines[17]
        file.extend(lines[:3])
        assert file[-3:] == lines[:3]


# ---- sequences


def test_what_is_encoded_is_decoded(model):
    for n in (0, 1, 2, len(TEXT)):
        x = of_kind(model, TEXT[:n].encode())
        assert model.decode(model.encode(x), n) == x


def test_every_byte_is_coded():
    model = mixer()
    x = bytes(range(256)) * 3 + b"\n" * 9
    assert model.decode(model.encode(x), len(x)) == x


def test_a_message_of_unknown_length():
    model = mixer(end=None)
    x = TEXT.encode() + b"."
    assert model.decode(model.encode(x), until=b".") == x


def test_the_history_may_be_shorter_than_the_data():
    model = mixer(row_bits=6, match_bits=6, history_bits=6)
    x = np.random.default_rng(1).integers(0, 5, 5000).astype(np.uint8).tobytes()
    assert model.decode(model.encode(x), len(x)) == x


def test_memory_does_not_grow_with_the_length():
    model = mixer(history_bits=22, row_bits=18, match_bits=18)
    assert model._workspace(10**7).nbytes < model.memory_bytes + 1000 < 2**24


def test_many_sequences(model):
    sequences = [of_kind(model, line) for line in LINES]
    lengths = [len(line) for line in LINES]
    data, offsets = records.encode_batch(sequences, model, threads=2)
    assert data == b"".join(model.encode(x) for x in sequences)
    assert records.decode_batch(data, offsets, lengths, model) == sequences
    chained = records.chain(sequences, model)
    assert records.unchain(chained, lengths, model) == sequences
    sent = records.packets.encode(sequences[0], model, size=40)
    assert [records.packets.decode(packet, model) for packet in sent] == sequences[:1]


@pytest.mark.parametrize("block", [100, 1 << 20])
def test_containers(tmp_path, model, block):
    x = of_kind(model, TEXT.encode() * 20)
    data = bbans.compress(x, ModelCoder(model), block_size=block)
    assert bbans.decompress(data, model) == x
    assert len(bbans.compress(x, model)) < len(x) // 10
    path = tmp_path / "x.bbm"
    model.save(path)
    assert bbans.decompress(data, FrozenModel.load(path)) == x


def test_what_takes_latents_is_refused():
    model = mixer()
    for call in (
        lambda: model.push(Message(), [1]),
        lambda: model.pop(Message(), 1),
        model.state_space,
        lambda: Iconoclasm(model, 3).push(Message(), [1, 2, 3]),
        lambda: model.with_mode("iconoclasm"),
        lambda: bbans.check_model(b"abc", model),
    ):
        with pytest.raises(ModelError, match="no latent state"):
            call()
    assert model.mode == "predictive"
    assert model.with_mode("predictive") is model
    with pytest.raises(ModelError, match="a context mixer"):
        c_header(model)
    with pytest.raises(SymbolError, match="symbol 257 at position 1 is not below 257"):
        model.encode_message([3, 257])


# ---- files


def test_both_forms_of_a_file(tmp_path, model):
    plain, packed = model.to_bytes(), model.to_bytes(packed=True)
    assert len(packed) < len(plain)
    for data in (plain, packed):
        again = FrozenModel.from_bytes(data)
        assert type(again) is FrozenContextMixer
        assert again == model
        assert again.fingerprint == model.fingerprint
        assert again.to_bytes() == plain
        assert again.to_bytes(packed=True) == packed
        for name in ("row", "weight", "match"):
            assert np.array_equal(getattr(again, name), getattr(model, name))
            assert not getattr(again, name).flags.writeable
        for name in ("end", "kind", "rate", "row_bits", "match_bits", "history_bits"):
            assert getattr(again, name) == getattr(model, name)
    model.save(tmp_path / "x.bbm")
    assert (tmp_path / "x.bbm").read_bytes() == packed
    model.save(tmp_path / "y.bbm", packed=False)
    assert (tmp_path / "y.bbm").read_bytes() == plain


def test_models_that_differ_in_anything_differ():
    model = mixer()
    tables = model.row, model.weight, model.match
    changed = [table.astype(np.int64) for table in tables]
    for table in changed:
        table.flat[table.size // 2] ^= 1
    models = [
        model,
        mixer(end=None),
        mixer("text"),
        *(mixer(**{name: 9}) for name in ("row_bits", "match_bits", "history_bits")),
        mixer(rate=1),
        mixer(end=9),
        *(
            FrozenContextMixer(*tables[:i], changed[i], *tables[i + 1 :], end=NEWLINE)
            for i in range(3)
        ),
    ]
    assert len({m.fingerprint for m in models}) == len(models)
    assert all(a != b for a in models for b in models if a is not b)


def test_a_slot_below_none_has_no_packed_form():
    model = mixer()
    row = model.row.copy()
    row[np.flatnonzero(row[:, 0])[0], 1:4] = 2048 << 4, 77, 78
    odd = FrozenContextMixer(row, model.weight, model.match)
    assert odd.to_bytes(packed=True) == odd.to_bytes()
    assert FrozenModel.from_bytes(odd.to_bytes()) == odd


def test_what_info_says(model):
    for packed in (False, True):
        data = model.to_bytes(packed)
        facts = model_facts(io.BytesIO(data))
        assert facts["kind"] == "frozen context mixer"
        assert facts["contexts"] == f"{model.n_contexts} in 2^6 places"
        assert facts["remembers"] == "2^11 contexts, 2^12 bytes"
        assert facts["mode"] == "predictive"
        assert "start length" not in facts
        assert facts["fingerprint"] == model.fingerprint.hex()
        assert facts["bytes"] == len(data)
        assert ("end" in facts) == model.ends


def test_damaged_files(model):
    rng = np.random.default_rng(3)
    for packed in (False, True):
        data = bytearray(model.to_bytes(packed))
        for at in rng.integers(0, len(data), 60):
            damaged = data.copy()
            damaged[at] ^= 1 << int(rng.integers(8))
            try:
                again = FrozenModel.from_bytes(bytes(damaged))
            except bbans.BbansError:
                continue
            assert packed
            assert again == model  # bits that fill a byte


def test_tables_of_other_shapes():
    row, weight, match = (
        getattr(mixer(), name).astype(np.int64) for name in ("row", "weight", "match")
    )
    for tables, text in (
        ((row[:, :15], weight, match), r"\(2\*\*b, 16\)"),
        ((row[:63], weight, match), r"\(2\*\*b, 16\)"),
        ((row.ravel(), weight, match), r"\(2\*\*b, 16\)"),
        ((row, weight[1:], match), r"\(688, 16\)"),
        ((row, weight, match.T), r"\(2, 40\)"),
        ((row - 1, weight, match), "row must be integers of 0 to 65535"),
        ((row, weight + 2**15, match), "weight must be integers of -32768 to 32767"),
        ((row, weight, match + 2**16), "match must be integers of 0 to 65535"),
    ):
        with pytest.raises(ModelError, match=text):
            FrozenContextMixer(*tables)
    with pytest.raises(ModelError, match="row must be integers, not float64"):
        FrozenContextMixer(row / 1, weight, match)
