"""Training of context mixers: what it learns, and what it refuses."""

import random

import numpy as np
import pytest

import bbans
from bbans import ContextMixer, ModelError, SymbolError

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "and",
    "looked",
    "at",
    "seven",
    "small",
    "birds",
    "in",
    "the",
    "old",
    "tree",
]


def records(n, seed):
    rng = random.Random(seed)
    return [
        " ".join(rng.choices(WORDS, k=rng.randint(3, 9))).encode() for _ in range(n)
    ]


TRAIN, TEST = records(150, 1), records(40, 2)
MODEL = ContextMixer.fit(TRAIN, max_bytes=None, progress=False)


def mean_bytes(codec, test=TEST):
    messages = [codec.encode(record) for record in test]
    assert [codec.decode(message) for message in messages] == test
    return sum(map(len, messages)) / len(test)


def test_records_like_the_samples_take_far_less_than_without_training():
    plain = sum(len(bbans.compress(record)) for record in TEST) / len(TEST)
    mean = mean_bytes(bbans.RecordCodec(MODEL.freeze()))
    # A word of 15, drawn evenly, has 3.9 bits, the length of the record 2.8.
    assert mean < 0.3 * sum(map(len, TEST)) / len(TEST) < 0.3 * plain


def test_more_samples_make_a_better_model():
    few = ContextMixer.fit(TRAIN[:10], max_bytes=None, progress=False)
    codec = bbans.RecordCodec(few.freeze())
    assert mean_bytes(bbans.RecordCodec(MODEL.freeze())) < mean_bytes(codec)


def test_each_pass_learns():
    bits = [step.information_content for step in MODEL.history]
    assert len(bits) == 3
    assert bits[-1] < bits[0]


def test_the_same_samples_give_the_same_model():
    again = ContextMixer.fit(iter(TRAIN), max_bytes=None, progress=False)
    assert again.freeze() == MODEL.freeze()
    by_function = ContextMixer.fit(lambda: TRAIN, max_bytes=None, progress=False)
    assert by_function.freeze() == MODEL.freeze()


def test_the_file_is_no_larger_than_told_and_uses_its_room():
    whole = len(MODEL.freeze().to_bytes(packed=True))
    limit = whole * 2 // 3
    small = ContextMixer.fit(TRAIN, max_bytes=limit, progress=False)
    size = len(small.freeze().to_bytes(packed=True))
    assert 0.8 * limit < size <= limit
    assert 0 < small.n_contexts < MODEL.n_contexts
    assert len(small.history) == 4  # learned once more after the others went
    assert mean_bytes(bbans.RecordCodec(small.freeze())) < 0.5 * np.mean(
        [len(record) for record in TEST]
    )


def test_contexts_that_stay_are_those_that_save():
    """Half of the samples are noise, which no context can foretell."""
    rng = np.random.default_rng(0)
    noise = [rng.bytes(30) for _ in range(150)]
    both = ContextMixer.fit(
        [x for pair in zip(TRAIN, noise, strict=True) for x in pair],
        max_bytes=20_000,
        progress=False,
    )
    mean = mean_bytes(bbans.RecordCodec(both.freeze()))
    assert mean < 0.5 * np.mean([len(record) for record in TEST])


def test_text_is_coded_by_its_utf8():
    names = [f"Zoë, Nr. {n % 9}" for n in range(60)]
    model = ContextMixer.fit(names, progress=False)
    codec = bbans.RecordCodec(model.freeze())
    assert model.kind == "text"
    for name in ["Zoë, Nr. 3", "", "日本", "a\nb"]:
        assert codec.decode(codec.encode(name)) == name
    assert len(codec.encode("Zoë, Nr. 3")) <= 2


def test_the_end_is_a_byte_that_samples_lack():
    assert MODEL.end == ord("\n")
    lines = [record + b"\n" for record in TRAIN[:20]]
    assert ContextMixer.fit(lines, progress=False).end == 0


def test_any_record_can_be_coded_also_with_the_byte_before_ends():
    codec = bbans.RecordCodec(MODEL.freeze())
    for record in [b"", b"\n", b"\n\n\n", bytes(range(256)), b"the cat\nsat"]:
        assert codec.decode(codec.encode(record)) == record


def test_whole_files_have_no_end():
    text = b"\n".join(TRAIN)
    model = ContextMixer.fit(text, ends=False, progress=False)
    frozen = model.freeze()
    assert model.end is None
    assert frozen.history_bits > 12
    data = b"\n".join(TEST)
    packed = bbans.compress(data, frozen)
    assert bbans.decompress(packed, frozen) == data
    assert len(packed) < len(bbans.compress(data))


def test_samples_of_any_length_are_learned_from():
    long = b" ".join(TRAIN * 3)
    assert len(long) > 2 * 4096
    model = ContextMixer.fit([long, b"", b"x"], progress=False)
    assert mean_bytes(bbans.RecordCodec(model.freeze())) < 20


def test_of_more_data_a_sample_is_learned_from():
    model = ContextMixer.fit(TRAIN, max_symbols=1000, progress=False)
    assert 0 < model.n_contexts < 0.7 * MODEL.n_contexts


def test_memory_is_chosen_when_frozen():
    small = MODEL.freeze(row_bits=8, match_bits=6, history_bits=6, rate=1)
    assert (small.row_bits, small.match_bits, small.history_bits) == (8, 6, 6)
    assert small.rate == 1
    assert small.memory_bytes < MODEL.freeze().memory_bytes
    mean_bytes(bbans.RecordCodec(small))  # which compares what comes back
    with pytest.raises(ModelError, match="row_bits"):
        MODEL.freeze(row_bits=5)


def test_longer_records_have_more_memory():
    long = [b" ".join(TRAIN[n : n + 40]) for n in range(0, 120, 40)]
    frozen = ContextMixer.fit(long, progress=False).freeze()
    usual = MODEL.freeze()
    assert (usual.row_bits, usual.match_bits, usual.history_bits) == (12, 10, 12)
    for name in ("row_bits", "match_bits", "history_bits"):
        assert getattr(frozen, name) > getattr(usual, name)


def test_information_content_is_that_of_the_message():
    assert MODEL.information_content(TEST[0]) == 8 * len(MODEL.freeze().encode(TEST[0]))


def test_a_saved_model_is_the_same(tmp_path):
    MODEL.save(tmp_path / "model.npz")
    again = ContextMixer.load(tmp_path / "model.npz")
    assert again.freeze() == MODEL.freeze()
    assert repr(again) == repr(MODEL)


def test_record_codecs_train_mixers():
    codec = bbans.RecordCodec.train(TRAIN, model="mixing", progress=False)
    assert (
        codec.model
        == ContextMixer.fit(TRAIN, max_bytes=256_000, progress=False).freeze()
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_bytes": 0}, "max_bytes"),
        ({"max_bytes": 100}, "max_bytes must be more than 100"),
        ({"n_iter": 0}, "n_iter"),
        ({"max_symbols": 0}, "max_symbols"),
    ],
)
def test_arguments_out_of_range_are_named(options, text):
    with pytest.raises(ModelError, match=text):
        ContextMixer.fit(TRAIN[:20], progress=False, **options)


@pytest.mark.parametrize("samples", [[], [b""], ""])
def test_no_data_is_an_error(samples):
    with pytest.raises(ModelError, match="no data"):
        ContextMixer.fit(samples, ends=False, progress=False)


@pytest.mark.parametrize("samples", [[1, 2, 3], [np.array([1, 300])]])
def test_integers_are_refused(samples):
    with pytest.raises(SymbolError, match="bytes or text"):
        ContextMixer.fit(samples, progress=False)


def test_text_among_bytes_is_refused():
    with pytest.raises(ModelError, match="all text, all bytes"):
        ContextMixer.fit([b"a", "b"], progress=False)


def test_codecs_say_what_does_not_go_with_mixers():
    with pytest.raises(ModelError, match="n_states does not go with"):
        bbans.RecordCodec.train(TRAIN, model="mixing", n_states=4)
    with pytest.raises(ModelError, match="model must be"):
        bbans.RecordCodec.train(TRAIN, model="hmm")


def test_the_model_of_short_texts_that_comes_with_bbans():
    model = bbans.text_model()
    assert model is bbans.text_model()
    assert len(model.to_bytes(packed=True)) <= 1 << 18
    text = b"Returns the number of items, or raises an error if there are none."
    codec = bbans.RecordCodec(model)
    assert codec.decode(codec.encode(text)) == text
    assert len(codec.encode(text)) < 0.5 * len(text)
    assert len(codec.encode(text)) < len(bbans.encode(text, bbans.default_model()))
