"""What every frozen model promises, whichever it is: one interface, tested once."""

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
from shared import (
    ALL_BYTES,
    random_factorial,
    random_hierarchy,
    random_hmm,
    random_lgssm,
    random_message,
    random_tree,
    random_vectors,
)

from bbans import (
    CorruptError,
    FormatError,
    LimitError,
    Message,
    ModelError,
    SymbolError,
    check_model,
)
from bbans.codecs import Iconoclasm, decode_sequence, encode_sequence
from bbans.errors import MessageError
from bbans.frozen.base import FrozenModel, as_model
from bbans.frozen.hmm import FrozenHMM
from bbans.message import RangeDecoder, RangeEncoder
from bbans.models import ARHMM
from bbans.records import batch, packets

TEXT = "to be or not to be, that is the question: " * 6


def text_model():
    return random_hmm(3, "".join(sorted(set(TEXT))))


def integers(end):
    return np.random.default_rng(5).integers(0, end, 200)


def autoregressive():
    x = integers(5)
    return ARHMM.fit(x, n_states=2, order=2, n_iter=2).freeze()


# A model, and a sequence of what it codes.
CASES = {
    "integers": (lambda: random_hmm(5, 7), integers(7)),
    "listed": (lambda: random_hmm(3, [-7, 0, 9]), np.array([-7, 9, 0, 0] * 50)),
    "text": (text_model, TEXT),
    "bytes": (lambda: random_hmm(4, ALL_BYTES), TEXT.encode()),
    "some bytes": (
        lambda: random_hmm(3, bytes(sorted(set(TEXT.encode())))),
        TEXT.encode(),
    ),
    "autoregressive": (autoregressive, integers(5)),
    "hierarchical": (lambda: random_hierarchy((3, 2), 5), integers(5)),
    "factorial": (lambda: random_factorial((3, 2), 5), integers(5)),
    "linear Gaussian": (
        lambda: random_lgssm(2, 1, seed=4).freeze(),
        random_lgssm(2, 1, seed=4).sample(200, seed=1)[0],
    ),
    "tree": (
        lambda: random_tree(5, 3, [2, 4, 3], seed=4, start_length=20),
        np.random.default_rng(5).integers(0, [2, 4, 3], (200, 3)),
    ),
    "rows": (
        lambda: random_lgssm(2, 3, seed=4).freeze(),
        random_lgssm(2, 3, seed=4).sample(200, seed=1)[0],
    ),
    "vectors": (
        lambda: random_vectors(3, 2, seed=4).freeze(),
        random_vectors(3, 2, seed=4).sample(200, seed=1)[0],
    ),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    make, x = CASES[request.param]
    return make(), x


def same(a, b):
    assert type(a) is type(b)
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


# ---- coding


@pytest.mark.parametrize("mode", ["iconoclasm", "predictive"])
def test_what_is_encoded_is_decoded_to_the_same_kind(case, mode):
    model, x = case
    model = model.with_mode(mode)
    for n in (0, 1, model.start_length, len(x)):
        back = model.decode(model.encode(x[:n]), n)
        assert same(back, x[:n])


def test_the_kind_is_checked(case):
    model, x = case
    kinds = {"text": "abc", "bytes": b"abc", "integers": [1, 2]}
    assert isinstance(
        x, {"text": str, "bytes": bytes, "integers": np.ndarray}[model.kind]
    )
    for kind, other in kinds.items():
        if kind != model.kind:
            text = f"{model.kind} codes {model.kind}, not {type(other).__name__}: "
            with pytest.raises(SymbolError, match=text):
                model.encode(other)
            with pytest.raises(SymbolError, match="sequence 1: a model of " + text):
                batch.encode_batch([x, other], model)
            with pytest.raises(SymbolError, match=text):
                packets.encode(other, model)


def test_step_by_step_gives_the_same_bytes(case):
    model, x = case
    rows = model._symbols(x)[:60]
    for mode in ("iconoclasm", "predictive"):
        whole = model.with_mode(mode)
        steps, predictive = whole.state_space(), mode == "predictive"
        data = encode_sequence(rows, whole).to_bytes()
        assert data == whole.encode(x[:60])
        step = encode_sequence(rows, steps, predictive=predictive)
        assert step.to_bytes() == data
        back = decode_sequence(
            Message.from_bytes(data), steps, 60, predictive=predictive
        )
        assert np.array_equal(back, rows)
        assert np.array_equal(
            decode_sequence(Message.from_bytes(data), whole, 60), rows
        )


def test_check_model_takes_it(case):
    model, x = case
    report = check_model(model._symbols(x)[:40].tolist(), model, samples=2)
    assert report.message == 8 * len(model.encode(x[:40]))


def test_push_and_pop_restore_any_message(case):
    model, x = case
    rows, message = model._symbols(x), random_message(1, seed=1)
    before = message.copy()
    model.push(message, rows)
    codec = before.copy()
    Iconoclasm(model, len(rows)).push(codec, rows)
    assert codec == message
    assert np.array_equal(model.pop(message, len(rows)), rows)
    assert message == before


@pytest.mark.parametrize(
    "message", [Message(2), RangeEncoder(), RangeDecoder(Message()), None]
)
def test_what_is_no_message_of_one_lane(case, message):
    model, x = case
    with pytest.raises(MessageError, match=r"one lane|needs a Message"):
        model.push(message, model._symbols(x))
    with pytest.raises(MessageError, match=r"one lane|needs a Message"):
        model.pop(message, 3)


def test_a_mode_is_kept_and_checked(case):
    model, x = case
    assert model.mode == "iconoclasm"
    assert model.with_mode("iconoclasm") is model
    other = model.with_mode("predictive")
    assert (other.mode, other.kind, other.alphabet) == (
        "predictive",
        model.kind,
        model.alphabet,
    )
    assert other.encode(x) != model.encode(x)
    for mode in ("fast", None, np.zeros(2)):
        with pytest.raises(ModelError, match="must be one of iconoclasm, predictive"):
            model.with_mode(mode)
    for options in ({"predictive": True}, {"initial_bits": b"abc"}):
        with pytest.raises(ModelError, match="with_mode"):
            encode_sequence(model._symbols(x), model, **options)


def test_until_the_first(case):
    model, x = case
    model = model.with_mode("predictive")
    last = x[-1:] if model.kind != "integers" else x[-1]
    end = next(t for t in range(len(x)) if same(x[t : t + 1], x[-1:])) + 1
    data = model.encode(x[:end])
    assert same(model.decode(data, until=last), x[:end])
    assert same(model.decode(data, end, until=last, max_bytes=10**6), x[:end])
    with pytest.raises(CorruptError, match="among the first"):
        model.decode(data, end - 1, until=last) if end > 1 else model.decode(
            model.encode(x[:1]), 1, until=x[1:2]
        )
    with pytest.raises(LimitError):
        model.decode(data, until=last, max_bytes=0)
    with pytest.raises(ModelError, match="predictive"):
        model.with_mode("iconoclasm").decode(data, until=last)


# ---- many sequences


@pytest.mark.parametrize("mode", ["iconoclasm", "predictive"])
def test_batches(case, mode, monkeypatch):
    model, x = case
    model = model.with_mode(mode)
    monkeypatch.setattr(batch, "PART", 100)
    cuts = [0, 0, 3, 50, 51, 130, 130, len(x)]
    sequences = [x[a:b] for a, b in pairwise(cuts)]
    lengths = np.diff(cuts)
    data, offsets = batch.encode_batch(sequences, model)
    assert data == b"".join(map(model.encode, sequences))
    for threads in (1, 3):
        again = batch.encode_batch(sequences, model, threads=threads)
        assert again[0] == data
        back = batch.decode_batch(data, offsets, lengths, model, threads=threads)
        assert all(map(same, back, sequences))
    total = sum(len(part) for part in sequences) * model._itemsize
    batch.decode_batch(data, offsets, lengths, model, max_bytes=total)
    with pytest.raises(LimitError):
        batch.decode_batch(data, offsets, lengths, model, max_bytes=total - 1)


def test_chains(case):
    model, x = case
    lengths = [0, 3, 50, 1, 79, 0, 70]
    sequences = [x[:length] for length in lengths]
    data = batch.chain(sequences, model)
    assert all(map(same, batch.unchain(data, lengths, model), sequences))
    assert len(data) < len(batch.encode_batch(sequences, model)[0])
    other = model.with_mode("predictive")
    assert batch.chain(sequences, other) != data
    back = batch.unchain(batch.chain(sequences, other), lengths, other)
    assert all(map(same, back, sequences))
    assert batch.chain([], model) == b"\1"
    assert batch.unchain(b"\1", [], model) == []


@pytest.mark.parametrize("mode", ["iconoclasm", "predictive"])
def test_a_chain_is_its_sequences_step_by_step(case, mode):
    """The last start the message, by the range coder; the others go on top of it."""
    model, x = case
    model, rows = model.with_mode(mode), model._symbols(x)
    sequences = [rows[:length] for length in (9, 40, 0, 70, 3, 150, 2)]
    first, held = len(sequences), 0
    while first > 0 and (held < model.start_length or mode == "predictive"):
        first -= 1
        held += len(sequences[first])
    steps, encoder = model.state_space(), RangeEncoder()
    for sequence in sequences[first:]:
        belief = None
        for value in sequence:
            encoder.encode(steps.predictive(belief), value)
            belief = steps.update(belief, value)
    message = encoder.finish()
    if first > 0:
        assert message.is_at_least(model.start_bits)
        for sequence in reversed(sequences[:first]):
            Iconoclasm(steps, len(sequence)).push(message, sequence)
        message.push_interval(0, 15, 16)
    given = [x[: len(sequence)] for sequence in sequences]
    assert batch.chain(given, model) == message.to_bytes()


def test_packets_are_predictive(case):
    model, x = case
    made = packets.encode(x, model, 24)
    assert made == packets.encode(x, model.with_mode("predictive"), 24)
    assert {len(packet) for packet in made} == {24}
    parts = [packets.decode(packet, model) for packet in made]
    first = parts[0]
    joined = (
        np.concatenate(parts) if isinstance(x, np.ndarray) else type(x)().join(parts)
    )
    assert same(joined, x)
    n = made[0][0]
    assert len(first) == n
    alone = model.with_mode("predictive").encode(x[:n])
    assert made[0][1:].rstrip(b"\0") == alone
    assert len(model.with_mode("predictive").encode(x[: n + 1])) > 23


# ---- what it is


def test_files_pickles_and_copies(case, tmp_path):
    model, x = case
    for same_model in (
        FrozenModel.from_bytes(model.to_bytes()),
        type(model).from_bytes(model.to_bytes()),
        pickle.loads(pickle.dumps(model)),
    ):
        assert type(same_model) is type(model)
        assert same_model == model
        assert hash(same_model) == hash(model)
        assert same_model.kind == model.kind
        assert same_model.encode(x) == model.encode(x)
    assert copy.copy(model) is copy.deepcopy(model) is model
    model.save(tmp_path / "model.bbm")
    assert FrozenModel.load(tmp_path / "model.bbm") == model
    assert model.fingerprint.hex() in repr(model)


def test_the_parts_pickle_and_copy(case):
    model, x = case
    steps = model.state_space()
    again = pickle.loads(pickle.dumps(steps))
    rows = model._symbols(x)[:20]
    assert encode_sequence(rows, again) == encode_sequence(rows, steps)
    assert pickle.loads(pickle.dumps(model.alphabet)) == model.alphabet
    assert copy.deepcopy(model.alphabet) == model.alphabet
    assert model.fingerprint.hex() in repr(steps)


def test_contexts_pickle_and_copy():
    contexts = autoregressive().contexts
    for again in (pickle.loads(pickle.dumps(contexts)), copy.deepcopy(contexts)):
        assert again == contexts
        assert not again.weight.flags.writeable


def test_files_of_other_classes(case):
    model, _ = case
    others = {type(make()) for make, _ in CASES.values()} - {type(model)}
    for other in others:
        with pytest.raises(FormatError, match=f"holds {model.NAME}: load_model"):
            other.from_bytes(model.to_bytes())


def test_every_type_has_its_number():
    assert {number: made.__name__ for number, made in FrozenModel._types.items()} == {
        1: "FrozenHMM",
        2: "FrozenARHMM",
        3: "FrozenLGSSM",
        4: "FrozenVAE",
        5: "FrozenDeepSSM",
        6: "FrozenHierarchicalHMM",
        7: "FrozenTree",
        8: "FrozenContextMixer",
        9: "FrozenGaussianHMM",
        10: "FrozenFactorialHMM",
    }


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (random_lgssm(1, 1, seed=1), "floating point: code with model.freeze()"),
        ("english.bbm", r"load_model\('english.bbm'\) reads one"),
        (FrozenHMM, "model must be a frozen model, not <class"),
        (7, "model must be a frozen model, not 7"),
    ],
)
def test_what_is_no_frozen_model(model, text):
    with pytest.raises(ModelError, match=text.replace("()", r"\(\)")):
        as_model(model)
