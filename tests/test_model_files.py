"""Model files of every type: stored ones, which Python, C and the reference read and
write alike."""

import json
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from shared import name_in_c

from bbans import Message
from bbans._lib import ffi, lib, pointer
from bbans.frozen import FrozenARHMM, FrozenHMM, FrozenLGSSM
from bbans.frozen.alphabet import KINDS, Alphabet
from bbans.frozen.base import MODES, FrozenModel
from bbans.frozen.contexts import Contexts

CONTENT = json.loads(
    (Path(__file__).parent / "vectors" / "model_v3.json").read_text("utf-8")
)
CASES = {case["name"] + case["predictive"] * "!": case for case in CONTENT["cases"]}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def model(case):
    return FrozenModel.from_bytes(bytes.fromhex(case["file"]))


def test_the_vectors_are_whole():
    assert CONTENT["format"] == 3
    assert len(CASES) == len(CONTENT["cases"]) == 23
    assert {case["kind"] for case in CASES.values()} == {*KINDS}


def contexts_of(model):
    """Of the tree, as the reference has it."""
    found = {}
    tree, M = model.contexts, model.n_symbols
    paths = [()]
    for k in range(tree.n_contexts):
        for child in range(tree.children[k], tree.children[k + 1]):
            label = int(tree.label[child])
            paths.append((None if label == M else label, *paths[k]))
        entries = range(tree.first[k], tree.first[k + 1])
        if k > 0:
            found[paths[k]] = (
                int(tree.back_off[k]),
                {int(tree.symbol[e]): int(tree.weight[e]) for e in entries},
            )
    return found


def numbers_of(model):
    """As the vectors have them."""
    sizes = {"tail_length": model.start_length}
    if isinstance(model, FrozenLGSSM):
        return sizes | {
            "n": model.n_latents, "p": model.n_observed, "noise": model.noise,
            "start_bits": model.start_bits,
            "offsets": model._offsets.tolist(), "words": model._words.tolist(),
        }  # fmt: skip
    return sizes | {
        "prec": model.prec, "initial": model.initial.tolist(),
        "transition": model.transition.tolist(), "emission": model.emission.tolist(),
    }  # fmt: skip


def reference_of(case):
    numbers = dict(case["model"])
    if "n" in numbers:
        return ref.LGSSM(**numbers)
    listed = numbers.pop("contexts", None)
    if listed is None:
        return ref.HMM(**numbers)
    contexts = {tuple(c): (b, dict(pairs)) for c, b, pairs in listed}
    keys = ("initial", "transition", "emission", "prec", "tail_length")
    return ref.ARHMM(*(numbers[key] for key in keys), contexts=contexts)


def test_the_reference_writes_them(case):
    file = ref.model_file(
        reference_of(case), case["kind"], case["values"], case["predictive"],
        case["ends"],
    )  # fmt: skip
    assert file.hex() == case["file"]


def test_python_reads_them(case, model):
    numbers = dict(case["model"])
    listed = numbers.pop("contexts", None)
    if listed is not None:
        assert isinstance(model, FrozenARHMM)
        assert contexts_of(model) == reference_of(case).contexts
    assert numbers_of(model) == numbers
    assert (model.kind, model.ends) == (case["kind"], case["ends"])
    assert model.mode == MODES[case["predictive"]]
    assert model.fingerprint.hex() == case["fingerprint"]
    values = getattr(model.alphabet, "values", None)
    assert (None if values is None else values.tolist()) == case["values"]


def test_python_writes_them(case, model):
    assert model.to_bytes().hex() == case["file"]
    numbers = dict(case["model"])
    numbers["start_length"] = numbers.pop("tail_length")
    numbers["mode"] = MODES[case["predictive"]]
    if "n" in numbers:
        made = FrozenLGSSM(numbers.pop("n"), numbers.pop("p"), **numbers)
    else:
        symbols, kind = case["values"], case["kind"]
        if symbols is None:
            symbols = len(numbers["emission"][0]) - case["ends"]
        elif kind == "text":
            symbols = "".join(map(chr, symbols))
        numbers["alphabet"] = Alphabet(symbols, kind=kind, ends=case["ends"])
        if numbers.pop("contexts", None) is None:
            made = FrozenHMM(**numbers)
        else:
            assert isinstance(model.contexts, Contexts)
            made = FrozenARHMM(**numbers, contexts=model.contexts)
    assert made.to_bytes().hex() == case["file"]
    assert made == model


def test_python_codes_under_them(case, model):
    message = model.encode_message(case["xs"])
    assert message.to_bytes().hex() == case["message"]
    again = Message.from_bytes(bytes.fromhex(case["message"]))
    xs = model.decode_message(again, len(case["xs"]))
    assert np.array_equal(xs, np.reshape(case["xs"], xs.shape))


class InC:
    """A model that C has read, and its memory."""

    def __init__(self, data):
        self.file = ffi.from_buffer("uint8_t[]", data)
        self.model = ffi.new("bbans_model *")
        assert lib.bbans_model_parse(self.model, self.file, len(data)) == 0
        size = lib.bbans_model_bytes(self.model)
        self.memory = ffi.new("uint64_t[]", size // 8 + 1)
        assert lib.bbans_model_build(self.model, self.memory, size) == 0
        self.space = ffi.addressof(self.model.frozen[0], "space")

    def written(self, values):
        """What C writes of what it read."""
        listed = ffi.NULL if values is None else ffi.new("int64_t[]", values)
        n, kind = ffi.new("size_t *"), self.model.kind
        out = bytearray(1)
        for status in (lib.BBANS_ERR_CAPACITY, 0):
            assert status == lib.bbans_model_write(
                self.space, kind, listed, self.model.ends,
                ffi.from_buffer("uint8_t[]", out), len(out), n,
            )  # fmt: skip
            out += bytes(n[0] - len(out))
        return bytes(out)


def test_c_reads_and_writes_them(case):
    data = bytes.fromhex(case["file"])
    c = InC(data)
    assert name_in_c(c.model).hex() == case["fingerprint"]
    assert KINDS[c.model.kind] == case["kind"]
    assert c.model.predictive == c.space.predictive == case["predictive"]
    assert c.written(case["values"]) == data
    assert c.model.width == case["model"].get("p", 1)
    for k, value in enumerate(case["values"] or []):
        assert lib.bbans_model_value(c.model, k) == value
        assert lib.bbans_model_symbol(c.model, value) == k


def test_c_codes_under_them(case, model):
    c, T = InC(bytes.fromhex(case["file"])), len(case["xs"])
    x = model._observations(case["xs"])
    size = lib.bbans_sequence_work_bytes(c.space, T, T)
    work, message = ffi.new("uint64_t[]", size // 8 + 1), Message()
    message.call(
        "sequence_encode", c.space, pointer(x, "char[]"), T, work, size, ...,
        words=lib.bbans_sequence_tail_words(c.space, T),
    )  # fmt: skip
    assert message.to_bytes().hex() == case["message"]


def test_what_python_writes_c_reads_after_a_change_of_mode(case, model):
    """The other mode is another model, and the file says so."""
    (mode,) = {*MODES} - {model.mode}
    other = model.with_mode(mode)
    data = other.to_bytes()
    assert (data[:6], data[7:-4]) == (model.to_bytes()[:6], model.to_bytes()[7:-4])
    c = InC(data)
    assert name_in_c(c.model) == other.fingerprint != model.fingerprint
    assert c.written(case["values"]) == data
