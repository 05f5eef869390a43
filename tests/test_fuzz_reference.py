"""Models, sequences and bytes at random: the library and tests/reference.py, which
share no code, write the same messages, and decode or refuse the same bytes."""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import reference as ref

import bbans

sys.path.append(str(Path(__file__).parent / "vectors"))
import make
import make_gaussian_hmm

LENGTH = 40
TABLES = ("initial", "transition", "emission", "prec", "tail_length")


class Case(NamedTuple):
    model: object
    file: bytes
    xs: list
    encode: object  # (model, xs) to bytes
    decode: object  # (model, bytes, T)


def symbols(draw, M):
    """Sequences of any length, some of them with long runs."""
    xs = [draw.below(M) for _ in range(draw.below(LENGTH))]
    return xs if draw.below(3) else xs[:5] * 6


def states_and_symbols(draw):
    K, M = 1 + draw.below(4), 1 + draw.below(6)
    prec = 3 + draw.below(22)
    return K, M, prec, 1 + draw.below(30)


def hmm(draw, predictive):
    K, M, prec, c = states_and_symbols(draw)
    model = make.hmm_of(make.model_of(draw, K, M, prec, "mixed", c))
    file = ref.model_file(model, predictive=predictive)
    coder = (ref.encode_predictive, ref.decode_predictive)
    return Case(
        model, file, symbols(draw, M),
        *(coder if predictive else (ref.encode, ref.decode)),
    )  # fmt: skip


def arhmm(draw, predictive):
    K, M, prec, c = states_and_symbols(draw)
    tables = make.model_of(draw, K, M, prec, "mixed", c)
    contexts = make.contexts_at_random(draw, M, draw.below(3))
    model = ref.ARHMM(*(tables[key] for key in TABLES), contexts=contexts)
    file = ref.model_file(model, predictive=predictive)
    coder = (ref.encode_predictive, ref.decode_predictive)
    return Case(
        model, file, symbols(draw, M),
        *(coder if predictive else (ref.encode, ref.decode)),
    )  # fmt: skip


def levels(maker, draw, predictive):
    states = [1 + draw.below(3) for _ in range(1 + draw.below(3))]
    M, prec = 1 + draw.below(4), 5 + draw.below(20)
    kind = draw.pick(["flat", "peaked", "sure"])
    model = maker(draw, states, M, prec, kind, 1 + draw.below(30))
    return Case(
        model, ref.hierarchy_file(model, predictive), symbols(draw, M),
        lambda *args: ref.hierarchy_encode(*args, predictive),
        lambda *args: ref.hierarchy_decode(*args, predictive),
    )  # fmt: skip


def hierarchy(draw, predictive):
    return levels(make.hierarchy_of, draw, predictive)


def factorial(draw, predictive):
    return levels(make.factorial_of, draw, predictive)


def lgssm(draw, predictive):
    n, p, noise = 1 + draw.below(2), 1 + draw.below(2), draw.pick(ref.NOISES)
    kind = draw.pick(["plain", "extreme"])
    numbers = make.lgssm_of(draw, n, p, noise, 1 + draw.below(2), kind, 5, 60)
    return Case(
        model := make.lgssm_from(numbers),
        ref.model_file(model, predictive=predictive),
        make.walk(draw, p, draw.below(12), 10),
        lambda *args: ref.lgssm_encode(*args, predictive),
        lambda *args: ref.lgssm_decode(*args, predictive),
    )


def vectors(draw, predictive):
    kind = draw.pick(["plain", "narrow", "extreme"])
    K, D, full = 1 + draw.below(3), 1 + draw.below(2), draw.below(2)
    model = make_gaussian_hmm.model_of(draw, K, D, full, 16, 4, kind)
    return Case(
        model, ref.model_file(model, predictive=predictive),
        make_gaussian_hmm.near(draw, model, draw.below(10), 10),
        lambda *args: ref.gaussian_hmm_encode(*args, predictive),
        lambda *args: ref.gaussian_hmm_decode(*args, predictive),
    )  # fmt: skip


# How many are tried; plain Python takes 0.2 s for one of vectors.
TRIALS = {hmm: 40, arhmm: 40, hierarchy: 20, factorial: 20, lgssm: 20, vectors: 2}


def damaged(draw, data):
    """The same bytes, or bits flipped, cut, or others."""
    how = draw.below(5)
    bad = bytearray(data)
    if how == 0:
        bad = bytearray(draw.below(256) for _ in range(draw.below(30)))
    elif how < 3 and bad:
        bad[draw.below(len(bad))] ^= 1 << draw.below(8)
    elif how == 3:
        bad = bad[: draw.below(len(bad) + 1)]
    return bytes(bad)


def listed(xs):
    """A row for each step, whether it is a number or several."""
    return np.array(xs, np.int64).reshape(len(xs), -1 if len(xs) else 1).tolist()


def decoded(case, data):
    """What plain Python decodes; None of what no encoder writes."""
    try:
        xs = case.decode(case.model, data, len(case.xs))
        return listed(xs) if case.encode(case.model, xs) == data else None
    except (ref.Damage, ref.Underflow):
        return None


@pytest.mark.parametrize("times", [1, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize("make_case", TRIALS)
def test_the_library_and_plain_python_agree(make_case, times, tally):
    counts = tally(f"messages, {make_case.__name__}: any bytes, against plain Python")
    draw = make.Generator(times)
    for trial in range(times * TRIALS[make_case]):
        case = make_case(draw, draw.below(2))
        model = bbans.frozen.FrozenModel.from_bytes(case.file)
        message = case.encode(case.model, case.xs)
        data = damaged(draw, message)
        expected = decoded(case, data)
        assert bbans.encode(np.array(case.xs, np.int64), model) == message
        try:
            found = listed(bbans.decode(data, model, len(case.xs)))
        except bbans.CorruptError:
            found = None
        outcome = "named" if found is None else "correct"
        counts.count(outcome if found == expected else "wrong", (trial, data.hex()))
