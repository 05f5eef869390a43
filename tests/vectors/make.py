"""Write message_v1.json and hmm_v1.json beside this file, with tests/reference.py.

Run once per format version, from the root of the checkout:

    PYTHONPATH=tests python tests/vectors/make.py

Vectors say what the format was, so this script never overwrites them: a new format
gets new names.  It draws all its choices from one small integer generator.

message_v1.json
    scalar: lanes, tables (edges; the last is the total), start ("heads" and "tail"),
        ops and end.  An op is [name, lane, table, symbol, head after, words after], the
        name "push", "pop" or "underflow" (a pop that raises; its symbol is null).
    array: lanes, prec, tables, rows (or null), symbols, and the hex of to_bytes() after
        push_symbols over a new message.
    range: tables, symbols as [table, symbol], and the hex of the integer, big-endian.
stream_v1.json
    As hmm_v1.json, with one long sequence of a small model, for devices.
hmm_v1.json
    models: name, prec, tail_length and the masses.
    cases: model (an index), what, xs, and the hex of encode and encode_predictive.
lgssm_v1.json
    models: name, n, p, noise, tail_length, start_bits, and the rows of docs/format.md,
        "Model file". They are no float model's, so Q is far from the posterior.
    cases: as in hmm_v1.json; xs has a row of p integers for each step.
iid_v1.json
    cases: the masses of the prior, the emissions and the posteriors; xs, and the hex of
        encode_iid.
values_v1.json
    cases: law, given (what all values share), rows (the parameters of each value, in
        fixed point), values, and the hex of the integer that the range coder gives.
ragged_v1.json
    cases: prec, escape, lanes, rows (edges), offsets, indexes (the row of each value),
        values, the hex of to_bytes() after they are pushed to a new message, and of the
        integer that the range coder gives.
model_v3.json
    cases: name; kind, values (null for 0 .. M-1), predictive, and the numbers of the
        model: those of hmm_v1.json or lgssm_v1.json, and contexts, each its suffix of
        the past (null: the beginning), its back-off, and pairs of a symbol and its
        weight; the hex of the file and its fingerprint; xs, and the hex of their
        message under the model.
vae_v1.json, deep_ssm_v1.json
    cases: name, the hex of the model file, and sequences: xs, rows of integers, and the
        hex of encode and encode_predictive. Networks are random: Q is far from the
        posterior.
tree_v1.json
    cases: the file of a latent tree, and sequences of rows xs, as in vae_v1.json.
sets_v1.json
    multisets: lanes, start (the hex of a message), low and high (values are uniform
        between them), values, and the hex of the message after they are pushed.
    permutations: lanes and start as above, the permutation, and the hex of the message.
gaussian_graph_v1.json
    cases: start (the hex of a message of one lane), nodes by number as [parents,
        weights in 2^-24, offset in 2^-16, scale]; order as [action, node]; observed,
        pairs of a node and its value; and the hex of the message after they are pushed.
hierarchy_v1.json, factorial_v1.json
    cases: name, the hex of the model file, and sequences: xs, and the hex of encode and
        encode_predictive.
network_v1.json
    cases: name, the hex of the file, inputs (for each of some items, the elements of
        each input in C order), and outputs likewise.
graph_v1.json
    cases: name; tables, nested lists of weights; nodes, each its name, the names of its
        parents and the number of its table; order, steps such as "-z" (pop) and "+z"
        (push); values of what is observed, by name; start, and the hex of a message of
        these bytes after the push; and the hex of encode.
container_v3.json
    models: name, and the hex of the model file.
    files: name; the hex of the file, and of all its elements, as they are in it;
        element, unit and multiplier (0 of what has none) and axis of the whole, and its
        shape in the file (null but for arrays); models (by number) and codecs (by name)
        that its parts name; blocks, as [n, method] of each part; and "write": null, or
        the block_size with which the library writes it, under the model, at level 5.
    damaged: name, the hex of a file that no reader takes, and the error: "corrupt",
        "truncated", "version" or "format" (no container). They name no coder.
records_v1.json
    cases: name; the hex of the model file; ends; bytes, the hex of the bytes of each
        symbol but the end; records, pairs of the hex of a record and of its message;
        and refused, the hex of messages that stand for no record.
leak_v1.json
    seed: lanes, and the hex of data and of the message that starts from them.
    located: data and lanes as above, shape ("slow" or one of reference.SHAPES),
        locations, scales and values without a leak, and the hex of the message after
        they are pushed.
    mixture: the same with weights, low and high; parameters have a row for each value.
particles_v1.json
    models: those of hmm_v1.json.
    finite: model (an index), n, key, adapted, xs, and the hex of particles_encode in
        both modes.
    linear: latents, observed, n, key, tail_length, adapted; the matrices of `Linear`,
        which give locations in 2^-16, and its scales; xs, rows of integers, and the hex
        of both modes.
"""

import json
from bisect import bisect_left
from hashlib import sha256
from itertools import pairwise
from math import prod
from operator import mul
from pathlib import Path

import reference as ref

HERE = Path(__file__).parent


class Generator:
    """A 64-bit linear congruential generator (Knuth's MMIX); its high bits."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (6364136223846793005 * self.state + 1442695040888963407) % 2**64
        return (self.state >> 32) * n >> 32

    def pick(self, choices):
        return choices[self.below(len(choices))]

    def bits(self, n):
        return sum(self.below(2) << i for i in range(n))


def masses(weights, total):
    """Integers >= 1 of the given sum, near the proportions of the weights."""
    free = total - len(weights)
    row = [1 + free * w // sum(weights) for w in weights]
    row[row.index(max(row))] += total - sum(row)
    return row


def row_of(draw, kind, n, total):
    if kind == "flat":
        weights = [1] * n
    elif kind == "peaked":
        weights = [1 + (draw.below(2**16) >> draw.below(16)) for _ in range(n)]
    else:  # sure: all that can be on one symbol
        chosen = draw.below(n)
        weights = [int(i == chosen) for i in range(n)]
    return masses(weights, total)


# message_v1.json

TOTALS = [1, 2, 3, 5, 100, 2**16 + 1, 2**26 - 1, 2**27 + 1, 2**28 - 1, 2**28]
PRECS = [1, 8, 16, 24, 28]
HEADS = [2**31, 2**31 + 1, 2**32, 2**59, 2**62, 2**63 - 2, 2**63 - 1]
INTEGERS = [0, 1, 2, 255, 2**31 - 1, 2**31, 2**40, 2**63 - 1, 2**63, 2**95 - 1, 2**130]


def table_of(draw, total):
    n = min(total, draw.pick([1, 2, 3, 6]))
    return ref.edges_of(row_of(draw, draw.pick(["flat", "peaked", "sure"]), n, total))


def snapshot(message):
    return {"heads": list(message.heads), "tail": list(message.tail)}


def scalar_case(draw, message, totals, n_ops, pops_of_4):
    """A walk of pushes and pops; about pops_of_4 in four of them are pops."""
    tables = [table_of(draw, total) for total in totals]
    start, ops = snapshot(message), []
    for _ in range(n_ops):
        lane, table = draw.below(len(message.heads)), draw.below(len(tables))
        edges = tables[table]
        if draw.below(4) < pops_of_4:
            try:
                name = "pop"
                symbol = message.pop(edges[-1], ref.finder(edges), lane)
            except ref.Underflow:
                name, symbol = "underflow", None
        else:
            name, symbol = "push", draw.below(len(edges) - 1)
            message.push(*ref.interval(edges, symbol), edges[-1], lane)
        words = len(message.tail)
        ops.append([name, lane, table, symbol, message.heads[lane], words])
    end = snapshot(message)
    lanes = len(message.heads)
    return {"lanes": lanes, "tables": tables, "start": start, "ops": ops, "end": end}


def scalar_cases(draw):
    powers = [2**prec for prec in PRECS]
    for integer in INTEGERS:
        for totals in [TOTALS, powers]:
            yield scalar_case(draw, ref.Message.from_int(integer), totals, 16, 2)
    for totals in [TOTALS, powers]:
        yield scalar_case(draw, ref.Message(), totals, 50, 1)
        yield scalar_case(draw, ref.Message.from_int(draw.bits(700)), totals, 50, 3)
        for lanes in [3, 16]:
            for pops_of_4 in [1, 2, 3]:
                message = ref.Message(lanes)
                if pops_of_4 > 1:
                    message.heads = [draw.pick(HEADS) for _ in range(lanes)]
                    message.tail = [draw.bits(32) for _ in range(draw.below(4))]
                yield scalar_case(draw, message, totals, 50, pops_of_4)
        yield scalar_case(draw, ref.Message(3), totals, 30, 4)  # soon runs dry


def array_cases(draw):
    for lanes in [1, 3, 16]:
        for prec in PRECS:
            n_rows = draw.pick([1, 3])
            tables = [table_of(draw, 2**prec) for _ in range(n_rows)]
            if prec == 8:
                tables[0] = list(range(2**8 + 1))
            for n in [0, 1, 2, 50]:
                rows = [draw.below(n_rows) for _ in range(n)] if n_rows > 1 else None
                of = [tables[row] for row in rows] if rows else [tables[0]] * n
                symbols = [draw.below(len(edges) - 1) for edges in of]
                message = ref.Message(lanes)
                ref.push_symbols(message, tables, rows, symbols, prec)
                yield {
                    "lanes": lanes,
                    "prec": prec,
                    "tables": tables,
                    "rows": rows,
                    "symbols": symbols,
                    "bytes": message.to_bytes().hex(),
                }


def range_cases(draw):
    for totals in [[1], [2], [3, 5], [2**28], [2**28 - 1], TOTALS]:
        tables = [table_of(draw, total) for total in totals]
        for n in [0, 1, 2, 5, 40]:
            encoder, symbols = ref.RangeEncoder(), []
            for _ in range(n):
                table = draw.below(len(tables))
                edges = tables[table]
                symbol = draw.below(len(edges) - 1)
                encoder.encode(*ref.interval(edges, symbol), edges[-1])
                symbols.append([table, symbol])
            integer = f"{encoder.finish():x}"
            yield {"tables": tables, "symbols": symbols, "integer": integer}


# hmm_v1.json


def model_of(draw, K, M, prec, kind, tail_length):
    kinds = ["flat", "peaked", "sure"] if kind == "mixed" else [kind]
    rows = [row_of(draw, draw.pick(kinds), n, 2**prec) for n in [K, *[K] * K, *[M] * K]]
    return {
        "name": f"{K} states, {M} symbols, {prec} bits, {kind}",
        "prec": prec,
        "tail_length": tail_length,
        "initial": rows[0],
        "transition": rows[1 : K + 1],
        "emission": rows[K + 1 :],
    }


def models_of(draw):
    for prec in [1, 10, 28]:
        yield model_of(draw, 1, 1, prec, "flat", 3)
    for K, M, lengths in [(1, 5, [5, 24]), (2, 2, [1, 60]), (3, 7, [8, 18, 24])]:
        for prec in [10, 16, 24, 28]:
            for kind in ["flat", "peaked", "sure"]:
                yield model_of(draw, K, M, prec, kind, draw.pick(lengths))
    yield model_of(draw, 2, 2, 1, "flat", 65)
    for K, M, prec in [(4, 3, 2), (5, 3, 14), (3, 5, 15), (5, 40, 17)]:
        yield model_of(draw, K, M, prec, "mixed", 12)
    for prec, kinds in [(10, "flat"), (16, "peaked"), (24, "mixed"), (28, "peaked")]:
        for kind in [kinds, "sure"]:
            yield model_of(draw, 16, 64, prec, kind, draw.pick([7, 11, 15]))
    yield model_of(draw, 64, 64, 10, "mixed", 11)
    yield model_of(draw, 64, 64, 24, "mixed", 12)
    yield model_of(draw, 64, 64, 28, "sure", 7)


def likely(draw, hmm, T):
    """Drawn from the model."""
    xs, edges = [], hmm.initial_edges
    for _ in range(T):
        z, *_ = ref.finder(edges)(draw.below(2**hmm.prec))
        x, *_ = ref.finder(hmm.emission_edges[z])(draw.below(2**hmm.prec))
        xs.append(x)
        edges = hmm.transition_edges[z]
    return xs


def extreme(hmm, T, choose):
    """At every step the symbol with the most (choose=max) or the least of the mass."""
    xs, p = [], hmm.initial
    for _ in range(T):
        edges = ref.predictive_edges(hmm, p)
        widths = [b - a for a, b in pairwise(edges)]
        xs.append(widths.index(choose(widths)))
        _, p = ref.filter_step(hmm, p, xs[-1])
    return xs


def sequences(draw, hmm):
    M = len(hmm.emission[0])
    c = hmm.tail_length
    for T in sorted({0, 1, 2, 5, 8, 50, 200, c, c + 1}):
        yield "likely", likely(draw, hmm, T)
    if M > 1:
        for T in [1, 8, 50]:
            yield "uniform", [draw.below(M) for _ in range(T)]
        yield "surprising", extreme(hmm, 50, min)
        yield "constant", [extreme(hmm, 1, max)[0]] * 50
        yield "expected", extreme(hmm, 200, max)


def hmm_case(index, hmm, what, xs):
    bits_back = ref.encode(hmm, xs)
    predictive = ref.encode_predictive(hmm, xs)
    assert ref.decode(hmm, bits_back, len(xs)) == xs
    assert ref.decode_predictive(hmm, predictive, len(xs)) == xs
    return {
        "model": index,
        "what": what,
        "xs": xs,
        "encode": bits_back.hex(),
        "encode_predictive": predictive.hex(),
    }


def hmm_of(model):
    return ref.HMM(**{key: model[key] for key in model if key != "name"})


def hmm_cases(draw, models):
    for index, model in enumerate(models):
        hmm = hmm_of(model)
        for what, xs in sequences(draw, hmm):
            yield hmm_case(index, hmm, what, xs)


# stream_v1.json


def stream(draw):
    model = model_of(draw, 8, 32, 15, "peaked", 16)
    hmm = hmm_of(model)
    return [model], [hmm_case(0, hmm, "likely", likely(draw, hmm, 10_000))]


# hierarchy_v1.json


def some_rows(draw, kind, prec):
    kinds = ["flat", "peaked", "sure"] if kind == "mixed" else [kind]

    def rows(count, n):
        return [row_of(draw, draw.pick(kinds), n, 2**prec) for _ in range(count)]

    return rows


def hierarchy_of(draw, states, M, prec, kind, tail_length):
    rows = some_rows(draw, kind, prec)
    above = [*states[1:], 1]
    return ref.Hierarchy(
        [rows(up, n) for up, n in zip(above, states, strict=True)],
        [[rows(n, n) for _ in range(up)] for up, n in zip(above, states, strict=True)],
        rows(states[0], M),
        prec,
        tail_length,
    )


def hierarchy_likely(draw, model, T):
    """Drawn from the model."""
    xs, before = [], None
    for _ in range(T):
        z = [0] * model.levels
        for level in reversed(range(model.levels)):
            row = ref.hierarchy_prior_row(model, level, before, z)
            z[level] = ref.finder(ref.edges_of(row))(draw.below(2**model.prec))[0]
        edges = ref.edges_of(model.emission_row(tuple(z)))
        xs.append(ref.finder(edges)(draw.below(2**model.prec))[0])
        before = z
    return xs


def hierarchy_unlikely(model, T):
    """At every step the symbol with the least of the mass."""
    xs, p = [], ref.hierarchy_first(model)
    for _ in range(T):
        edges = ref.hierarchy_edges(model, p)
        widths = [b - a for a, b in pairwise(edges)]
        xs.append(widths.index(min(widths)))
        _, p = ref.hierarchy_filter(model, p, xs[-1])
    return xs


def factorial_of(draw, states, M, prec, kind, tail_length):
    rows = some_rows(draw, kind, prec)
    return ref.Factorial(
        [rows(1, n) for n in states],
        [[rows(n, n)] for n in states],
        rows(prod(states), M),
        prec,
        tail_length,
    )


def hierarchy_case(draw, states, M, prec, kind, c, make=hierarchy_of):
    model = make(draw, states, M, prec, kind, c)
    sequences = [hierarchy_likely(draw, model, T) for T in (0, 1, c, c + 1, 100)]
    sequences += [[draw.below(M) for _ in range(60)], hierarchy_unlikely(model, 40)]
    coded = []
    for xs in sequences:
        modes = [ref.hierarchy_encode(model, xs, mode) for mode in (False, True)]
        for mode, data in enumerate(modes):
            assert ref.hierarchy_decode(model, data, len(xs), mode) == xs
        both = zip(("encode", "encode_predictive"), modes, strict=True)
        coded.append({"xs": xs} | {name: data.hex() for name, data in both})
    return {
        "name": f"{states} states, {M} symbols, {prec} bits, {kind}",
        "file": ref.hierarchy_file(model).hex(),
        "sequences": coded,
    }


def hierarchy_content():
    draw, cases = Generator(14), []
    for states, M, prec, kind, c in [
        ([1], 2, 1, "flat", 60),
        ([3], 5, 24, "peaked", 25),
        ([2, 2], 2, 28, "sure", 65),
        ([2, 2], 2, 28, "peaked", 65),
        ([2, 1, 3], 4, 16, "mixed", 30),
        ([1, 4], 3, 2, "flat", 45),
        ([9, 2], 7, 20, "peaked", 20),
        ([2, 9], 7, 20, "sure", 20),
        ([8, 8], 20, 24, "peaked", 14),
        ([8, 8], 10, 28, "mixed", 16),
        ([2, 3, 4], 5, 24, "mixed", 28),
        ([2, 2, 2, 2], 3, 24, "flat", 40),
        ([2] * 8, 3, 12, "mixed", 50),
        ([17], 9, 10, "mixed", 18),
    ]:
        cases.append(hierarchy_case(draw, states, M, prec, kind, c))
    return {"cases": cases}


# factorial_v1.json


def factorial_content():
    draw, cases = Generator(15), []
    for states, M, prec, kind, c in [
        ([1], 2, 1, "flat", 60),
        ([3], 5, 24, "peaked", 25),
        ([2, 2], 2, 28, "sure", 65),
        ([2, 1, 3], 4, 16, "mixed", 30),
        ([2, 17], 3, 15, "peaked", 30),
        ([17, 2], 3, 8, "flat", 40),
        ([9, 5], 7, 20, "peaked", 20),
        ([5, 9], 7, 20, "sure", 20),
        ([16, 16], 2, 24, "peaked", 60),
        ([8, 8], 10, 28, "mixed", 16),
        ([3, 11, 4], 5, 24, "mixed", 28),
        ([2] * 8, 3, 12, "mixed", 50),
    ]:
        cases.append(hierarchy_case(draw, states, M, prec, kind, c, factorial_of))
    return {"cases": cases}


# lgssm_v1.json


def matrix_of(draw, rows, columns, size, shift):
    """Near `size` on the diagonal, and an eighth of it beside."""
    return [
        number
        for i in range(rows)
        for number in [
            shift,
            *(
                size // (1 if i == j else 8) - draw.below(1 + abs(size) // 16)
                for j in range(columns)
            ),
        ]
    ]


def lgssm_step_of(draw, n, p, kind):
    """Shift 6 makes a coefficient of 2^30 one."""
    sizes = {"move": 9, "back": 3, "emit": 8, "gain": 4}
    scales = {"move": 700, "back": 600, "emit": 500, "predict": 900, "final": 650}
    count, words = {"n": n, "p": p}, []
    for name, (rows, *columns) in ref.LAYOUT:
        if columns:
            size, shift = sizes.get(name, 2) * 10**8, 6
            if kind == "extreme":
                size, shift = (
                    draw.pick([2**31 - 1, -(2**31) + 2**27]),
                    draw.pick([-40, -3, 0, 6, 31, 60]),
                )
            words += matrix_of(draw, count[rows], count[columns[0]], size, shift)
        else:
            scale = scales[name.removesuffix("_scale")]
            if kind == "extreme":
                scale = draw.pick([-3072, -500, 300, 2700, 5000, 12031])
            elif kind == "narrow":
                scale //= 8
            words += [
                scale - draw.below(64 if scale > -3000 else 1)
                for _ in range(count[rows])
            ]
    return words


def lgssm_of(draw, n, p, noise, steps, kind, tail_length, start_bits):
    most = 2**46 - 1 if kind == "extreme" else 2**20
    return {
        "name": f"{n} latent, {p} observed, {noise}, {steps} steps, {kind}",
        "n": n,
        "p": p,
        "noise": noise,
        "tail_length": tail_length,
        "start_bits": start_bits,
        "offsets": [
            [most - draw.below(2 * most + 1) for _ in range(n + p)]
            for _ in range(steps)
        ],
        "words": [lgssm_step_of(draw, n, p, kind) for _ in range(steps)],
    }


def lgssm_from(model):
    return ref.LGSSM(**{key: model[key] for key in model if key != "name"})


def lgssms_of(draw):
    yield lgssm_of(draw, 1, 1, "gaussian", 1, "plain", 12, 64)
    yield lgssm_of(draw, 1, 1, "laplace", 2, "narrow", 20, 50)
    yield lgssm_of(draw, 2, 1, "logistic", 3, "plain", 10, 70)
    yield lgssm_of(draw, 4, 1, "gaussian", 2, "plain", 12, 90)
    yield lgssm_of(draw, 2, 3, "laplace", 3, "plain", 5, 64)
    yield lgssm_of(draw, 1, 5, "gaussian", 1, "narrow", 4, 64)
    yield lgssm_of(draw, 3, 2, "gaussian", 2, "plain", 2, 1000)  # never starts
    yield lgssm_of(draw, 3, 2, "logistic", 4, "extreme", 6, 300)
    yield lgssm_of(draw, 2, 2, "gaussian", 4, "extreme", 6, 300)


def walk(draw, p, T, outliers):
    """With `outliers` of a hundred anywhere in 64 bits."""
    level, xs = 0, []
    for _ in range(T):
        row = []
        for _ in range(p):
            level += draw.below(21) - 10
            far = draw.bits(64) - 2**63 >> draw.below(64)
            row.append(far if draw.below(100) < outliers else level)
        xs.append(row)
    return xs


def lgssm_sequences(draw, p, c):
    for T in sorted({0, 1, 2, c, c + 1, 60}):
        yield "walk", walk(draw, p, T, 0)
    yield "outliers", walk(draw, p, 60, 10)
    yield "far", walk(draw, p, 20, 100)
    yield (
        "ends",
        [[draw.pick([-(2**63), 2**63 - 1]) for _ in range(p)] for _ in range(9)],
    )
    yield "constant", [[0] * p] * 60


def lgssm_content():
    draw = Generator(4)
    models, cases = list(lgssms_of(draw)), []
    for index, model in enumerate(models):
        lgssm = lgssm_from(model)
        for what, xs in lgssm_sequences(draw, model["p"], model["tail_length"]):
            codes = {}
            for name, predictive in [("encode", False), ("encode_predictive", True)]:
                data = ref.lgssm_encode(lgssm, xs, predictive)
                assert ref.lgssm_decode(lgssm, data, len(xs), predictive) == xs
                codes[name] = data.hex()
            cases.append({"model": index, "what": what, "xs": xs} | codes)
    return {"models": models, "cases": cases}


def outermost(has_mass, origin):
    """The first and the last value that has a mass; those between have one too."""
    ends = []
    for sign in (-1, 1):
        far = bisect_left(
            range(2**62), True, key=lambda u: not has_mass(origin + sign * u)
        )
        ends.append(origin + sign * (far - 1))
    return ends


def leak_value(draw, has_mass, origin, reach):
    """Any about the origin, or one of the outermost; None if the origin has no mass."""
    if not has_mass(origin):
        return None
    if draw.below(2):
        return draw.pick(outermost(has_mass, origin))
    value = origin + draw.below(2 * reach + 1) - reach
    return value if has_mass(value) else origin


def leak_message(draw):
    lanes = draw.pick([1, 2, 5, 64])
    data = bytes(draw.below(256) for _ in range(-(-31 * lanes // 4) + draw.below(40)))
    return {"lanes": lanes, "data": data.hex()}, ref.seeded(data, lanes)


def hex_of(message):
    """The wire format: docs/format.md, "Message"."""
    if len(message.heads) == 1:
        value = message.to_int()
        return value.to_bytes(-(-value.bit_length() // 8), "little").hex()
    words = [word.to_bytes(4, "little") for word in message.tail]
    return b"".join(words + [x.to_bytes(8, "little") for x in message.heads]).hex()


def leak_seeds(draw):
    for _ in range(30):
        case, message = leak_message(draw)
        yield case | {"message": hex_of(message)}


def leak_parameters(draw, name):
    """Ordinary ones, and those at the edges of their ranges."""
    if draw.below(3) == 0:
        edge = 2**62 - 1
        return draw.pick([-edge, edge, 0]), draw.pick([-3072, 12031, 11776, 11775])
    return (draw.bits(48) >> draw.below(48)) - 2**30, draw.below(2900) - 300


def leak_located(draw):
    for name in [*ref.SHAPES, "slow"] * 8:
        case, message = leak_message(draw)
        table = ref.SHAPES.get(name, ref.SLOW)
        mus, scales, values = [], [], []
        for _ in range(1 + draw.below(2 * case["lanes"])):
            mu, s = leak_parameters(draw, name)
            place = ref.Place(table, mu, s, leak=0)

            def has_mass(v, place=place):
                q = place.bin_of(v)[0]
                return place.edge(q) < place.edge(q + 1)

            reach = 1 + 2 ** max(0, s // 256)
            mus.append(mu)
            scales.append(s)
            values.append(leak_value(draw, has_mass, (mu + 2**15) >> 16, reach))
        ref.push_located(message, table, mus, scales, values, leak=0)
        yield case | {
            "shape": name, "locations": mus, "scales": scales, "values": values,
            "message": hex_of(message),
        }  # fmt: skip


def leak_mixture(draw):
    for name in [*ref.SHAPES, "slow"] * 8:
        case, message = leak_message(draw)
        table, K = ref.SHAPES.get(name, ref.SLOW), 1 + draw.below(4)
        low, high = draw.pick([ref.ALL, ref.ALL, (0, 255), (-(2**40), 2**50)])
        rows, values, laws = {"weights": [], "locations": [], "scales": []}, [], []
        for _ in range(1 + draw.below(8)):
            weights = [1 + (draw.below(2**24) >> draw.below(24)) for _ in range(K)]
            pairs = [leak_parameters(draw, name) for _ in range(K)]
            mus, scales = [mu for mu, _ in pairs], [s for _, s in pairs]
            law = ref.mixture(table, weights, mus, scales, low, high, leak=0)

            def has_mass(v, law=law, low=low, high=high):
                return low <= v <= high and all(f for _, f, _ in law.intervals(v))

            k = draw.below(K)
            origin = min(max((mus[k] + 2**15) >> 16, low), high)
            value = leak_value(
                draw, has_mass, origin, 1 + 2 ** max(0, scales[k] // 256)
            )
            if value is None:  # of a component that is too light
                continue
            for key, row in zip(rows, (weights, mus, scales), strict=True):
                rows[key].append(row)
            values.append(value)
            laws.append(law.intervals(value))
        if values:
            ref.push_each(message, laws)
            yield case | {"shape": name, "low": low, "high": high} | rows | {
                "values": values, "message": hex_of(message),
            }  # fmt: skip


def leak_content():
    draw = Generator(5)
    return {
        "seed": list(leak_seeds(draw)),
        "located": list(leak_located(draw)),
        "mixture": list(leak_mixture(draw)),
    }


# particles_v1.json


class Linear:
    """Laws of Gaussians, whose locations are integers times states and observations."""

    def __init__(self, case):
        self.case = case
        if case["adapted"]:
            self.lookahead = self._lookahead

    def _bells(self, matrix, scales, columns, leak):
        rows = zip(self.case[matrix], self.case[scales], strict=True)
        return [
            [
                ref.Bell(sum(map(mul, row, column)), s, "gaussian", leak)
                for column in columns
            ]
            for row, s in rows
        ]

    def _columns(self, z, n):
        zeros = [0] * self.case["latents"]
        return [zeros] * n if z is None else [*zip(*z, strict=True)]

    def prior(self, t, z, n):
        scales = "step" if t else "first"
        return self._bells("move", scales, self._columns(z, n), leak=1)

    def likelihood(self, t, z, n):
        return self._bells("emit", "noise", self._columns(z, n), leak=1)

    def _lookahead(self, t, z, n):
        return self._bells("ahead", "ahead_noise", self._columns(z, n), leak=1)

    def proposal(self, t, z, x, n):
        columns = [[*column, x[0]] for column in self._columns(z, n)]
        return self._bells("pull", "pull_noise", columns, leak=0)


def linear_case(draw, d, p, n, adapted, T):
    def matrix(rows, columns, size):
        return [
            [
                size // 2 + draw.below(size) if i == j else draw.below(size) // 8
                for j in range(columns)
            ]
            for i in range(rows)
        ]

    def scales(rows, least):
        return [least + draw.below(200) for _ in range(rows)]

    case = {
        "latents": d, "observed": p, "n": n, "key": draw.bits(64), "tail_length": 3,
        "adapted": adapted, "move": matrix(d, d, 60000), "first": scales(d, 1000),
        "step": scales(d, 500), "emit": matrix(p, d, 90000), "noise": scales(p, 400),
    }  # fmt: skip
    if adapted:
        case |= {
            "ahead": matrix(p, d, 80000), "ahead_noise": scales(p, 700),
            "pull": matrix(d, d + 1, 50000), "pull_noise": scales(d, 400),
        }  # fmt: skip
    xs = [[draw.below(60) - 30 for _ in range(p)] for _ in range(T)]
    return case | {"xs": xs}


def particles_content():
    draw = Generator(12)
    sizes = [(1, 1, 10), (2, 2, 16), (5, 3, 24), (8, 8, 28), (40, 30, 24)]
    models = [model_of(draw, *size, "mixed", 6) for size in sizes]
    finite, linear = [], []
    for index, model in enumerate(models):
        hmm = hmm_of(model)
        for n in (1, 2, 7, 64):
            for adapted in (False, True):
                for T in (1, 6, 7, 40):
                    case = {"model": index, "n": n, "key": draw.bits(64)}
                    case |= {"adapted": adapted, "xs": likely(draw, hmm, T)}
                    finite.append(case)
    for d, p, n in [(1, 1, 1), (1, 1, 9), (1, 2, 64), (2, 1, 5), (3, 2, 70)]:
        for adapted in (False, True):
            for T in (2, 12):
                linear.append(linear_case(draw, d, p, n, adapted, T))
    for case in finite:
        hmm = hmm_of(models[case["model"]])
        filtered = ref.FiniteParticles(hmm, case["n"], case["key"], case["adapted"])
        case |= coded(filtered, case["xs"])
    for case in linear:
        sizes = case["n"], case["key"], case["tail_length"]
        case |= coded(ref.Particles(Linear(case), *sizes), case["xs"])
    return {"models": models, "finite": finite, "linear": linear}


def coded(model, xs):
    return {
        "encode": ref.particles_encode(model, xs).hex(),
        "encode_predictive": ref.particles_encode(model, xs, predictive=True).hex(),
    }


def write(path, content):
    """Compact JSON with one case a line, so that a diff can be read."""
    head = [f'"format":{json.dumps(content.pop("format"))}']
    lists = [
        f'"{key}":[\n'
        + ",\n".join(json.dumps(item, separators=(",", ":")) for item in items)
        + "\n]"
        for key, items in content.items()
    ]
    path.write_text("{" + ",\n".join(head + lists) + "}\n")
    print(f"{path}: {path.stat().st_size} bytes")


def message_content():
    draw = Generator(1)
    content = {"scalar": list(scalar_cases(draw))}
    return content | {
        "array": list(array_cases(draw)),
        "range": list(range_cases(draw)),
    }


def hmm_content():
    draw = Generator(2)
    models = list(models_of(draw))
    return {"models": models, "cases": list(hmm_cases(draw, models))}


def stream_content():
    models, cases = stream(Generator(3))
    return {"models": models, "cases": cases}


# model_v3.json


TABLES = ("initial", "transition", "emission", "prec", "tail_length")


def contexts_at_random(draw, M, order):
    """A tree of contexts, as reference.ARHMM has them; None is the beginning."""
    contexts, level = {}, [()]
    for _ in range(order):
        level = [
            (label, *context)
            for context in level
            if None not in context
            for label in [*range(M), None]
            if draw.below(3) > 0
        ]
        for context in level:
            b, symbols = 1 + draw.below(255), [x for x in range(M) if draw.below(2)]
            weights = {x: 1 + draw.below(99) for x in symbols}
            contexts[context] = (b if symbols else 256, weights)
    return contexts


def model_case(
    name, model, hmm, xs, kind="integers", values=None, predictive=False, ends=False
):
    """`hmm` is what the reference makes of the numbers in `model`."""
    if isinstance(hmm, ref.LGSSM):
        message = ref.lgssm_encode(hmm, xs, predictive)
    else:
        message = (ref.encode_predictive if predictive else ref.encode)(hmm, xs)
    file = ref.model_file(hmm, kind, values, predictive, ends)
    model = {key: value for key, value in model.items() if key != "name"}
    return {
        "name": name, "kind": kind, "values": values, "predictive": predictive,
        "ends": ends, "model": model, "file": file.hex(),
        "fingerprint": sha256(file[:-4]).digest()[:8].hex(), "xs": xs,
        "message": message.hex(),
    }  # fmt: skip


def model_cases(draw):
    alphabets = {
        "integers": ("integers", None, 5),
        "some integers": ("integers", [-(2**63), -1, 0, 300, 2**63 - 1], 5),
        "bytes": ("bytes", None, 256),
        "some bytes": ("bytes", [0, 10, 65, 255], 4),
        "text": ("text", [0, 97, 960, 0x10FFFF], 4),
    }
    for name, (kind, values, M) in alphabets.items():
        for predictive in (False, True):
            model = model_of(draw, 2, M, draw.pick([10, 24, 28]), "peaked", 12)
            hmm = hmm_of(model)
            xs = likely(draw, hmm, 60)
            yield model_case(name, model, hmm, xs, kind, values, predictive)
    for order in (0, 1, 3):
        model = model_of(draw, 3, 6, 16, "mixed", 9)
        contexts = contexts_at_random(draw, 6, order)
        tables = [model[key] for key in TABLES]
        hmm = ref.ARHMM(*tables, contexts=contexts)
        listed = [[c, b, [*weights.items()]] for c, (b, weights) in contexts.items()]
        xs = [draw.below(6) for _ in range(60)]
        yield model_case(
            f"autoregressive, order {order}", model | {"contexts": listed}, hmm, xs,
            predictive=order == 1,
        )  # fmt: skip
    for n, p, noise, steps in [(1, 1, "gaussian", 1), (2, 3, "laplace", 2)]:
        model = lgssm_of(draw, n, p, noise, steps, "plain", 7, 64)
        xs = walk(draw, p, 40, 5)
        for predictive in (False, True):
            yield model_case(
                model["name"], model, lgssm_from(model), xs, predictive=predictive
            )
    for name, kind, values, M, ends in [
        ("text in UTF-8", "text", None, 256, False),
        ("text in UTF-8 that ends", "text", None, 257, True),
        ("some text that ends", "text", [97, 0x10FFFF], 3, True),
        ("bytes that end", "bytes", None, 257, True),
        ("integers that end", "integers", None, 4, True),
        ("some integers that end", "integers", [-(2**63), 2**63 - 1], 3, True),
    ]:
        model = model_of(draw, 2, M, 20, "peaked", 12)
        hmm = hmm_of(model)
        xs = likely(draw, hmm, 30)
        yield model_case(name, model, hmm, xs, kind, values, M == 257, ends)


def model_content():
    return {"cases": list(model_cases(Generator(7)))}


# records_v1.json


def record_models(draw):
    """Of bytes and of text, numbered and listed, with contexts and without."""
    few, text = [0, 10, 65, 66, 254, 255], [10, 97, 233, 960, 0x65E5, 0x10FFFF]
    for kind, values, M in [
        ("bytes", None, 5), ("bytes", few, 6), ("bytes", None, 256),
        ("text", text, 6), ("text", None, 256),
    ]:  # fmt: skip
        for ends in (False, True):
            for order in (None, 2) if M < 256 else (None,):
                model = model_of(draw, 3, M + ends, draw.pick([16, 24]), "peaked", 9)
                hmm = hmm_of(model)
                if order is not None:
                    tables = [model[key] for key in TABLES]
                    contexts = contexts_at_random(draw, M + ends, order)
                    hmm = ref.ARHMM(*tables, contexts=contexts)
                yield kind, values, M, ends, hmm


def record_case(draw, kind, values, M, ends, hmm):
    units = [bytes([v]) for v in (values or range(256))[:M]] if kind == "bytes" else (
        [bytes([v]) for v in range(256)] if values is None
        else [chr(v).encode() for v in values]
    )  # fmt: skip
    records, refused = [], []
    for T in [0, 1, 2, 3, 9, 40, 270]:
        for xs in (
            [x for x in likely(draw, hmm, T) if x < M],
            [draw.below(M) for _ in range(T)],
        ):
            record = b"".join(units[x] for x in xs)
            records.append((record, ref.encode_record(hmm, record, xs, ends)))
    if M < 256:
        foreign = units[0] + (b"\x07" if kind == "bytes" else "\u6f22".encode())
        records.append((foreign, ref.encode_record(hmm, foreign, None, ends)))
    if values is None and kind == "text":
        record = "né, \u6f22\u5b57 and \U0001f600".encode()
        records.append((record, ref.encode_record(hmm, record, [*record], ends)))
    while len(refused) < 8:
        message = bytes(
            draw.pick([0, 255, draw.below(256)]) for _ in range(draw.below(5))
        )
        message = message[1:] if message.startswith(b"\xff") else message
        try:
            ref.decode_record(hmm, message, units, ends, most=300)
        except ref.Damage:
            refused.append(message)
    contexts = "with contexts" if isinstance(hmm, ref.ARHMM) else "without contexts"
    return {
        "name": f"{kind}, {M} of them, {contexts}" + (", ends" if ends else ""),
        "file": ref.model_file(hmm, kind, values, ends=ends).hex(), "ends": ends,
        "bytes": [unit.hex() for unit in units],
        "records": [[a.hex(), b.hex()] for a, b in records],
        "refused": [message.hex() for message in refused],
    }  # fmt: skip


def record_content():
    draw = Generator(17)
    return {"cases": [record_case(draw, *model) for model in record_models(draw)]}


# network_v1.json

OF_ALL = [
    (-(2**15), 2**15 - 1), (-(2**31), 2**31 - 1), (0, 255), (0, 2**15 - 1), (-100, 7),
]  # fmt: skip


class Builder:
    """Makes the nodes of a network, at random within what is valid."""

    def __init__(self, draw):
        self.draw, self.nodes = draw, []

    def add(self, op, inputs, shape, low, high, **more):
        self.nodes.append(ref.Node(op, inputs, shape, low, high, **more))
        return len(self.nodes) - 1

    def within(self, low, high):
        return low + self.draw.below(high - low + 1)

    def input(self, shape, low, high):
        return self.add("input", [], shape, low, high)

    def factor(self):
        return self.within(-(2**24) + 1, 2**24 - 1) >> self.draw.below(24)

    def affine(self, a, rows, kernel=None, stride=(1, 1), pad=(0, 0), size=1, to=None):
        """Sums use most of what the proof allows."""
        shape = self.nodes[a].shape
        kernel = kernel or shape[:2]
        low, high = to or self.draw.pick(OF_ALL)
        largest = max(abs(self.nodes[a].low), abs(self.nodes[a].high), 1)
        n, top = kernel[0] * kernel[1] * shape[2], 2 ** (8 * size - 1) - 1
        top = max(1, min(top, (2**31 - 1) // (2 * n * largest)))
        weights = [
            [[[self.within(-top, top) for _ in range(shape[2])]
              for _ in range(kernel[1])] for _ in range(kernel[0])] for _ in range(rows)
        ]  # fmt: skip
        sums = [sum(map(abs, ref.flat_row(row))) for row in weights]
        spans = [2**31 - 1 - total * largest for total in sums]
        # Most results are within the range, some beyond.
        bits = (max(sums) * largest).bit_length() - (high - low).bit_length()
        shifts = [max(1, 22 + bits + self.within(-3, 0)) for _ in weights]
        out = [
            (shape[i] + 2 * pad[i] - kernel[i]) // stride[i] + 1 for i in (0, 1)
        ]  # fmt: skip
        return self.add(
            "affine", [a], (*out, rows), low, high, kernel=kernel, stride=stride,
            pad=pad, size=size, weights=weights,
            bias=[self.within(-span, span) >> self.draw.below(31) for span in spans],
            multiplier=[self.within(2**22, 2**24 - 1) for _ in weights],
            row_shift=shifts,
        )  # fmt: skip

    def combine(self, op, *inputs, to=None, factor=None, shift=None):
        low, high = to or self.draw.pick(OF_ALL)
        factor = factor or [self.factor() for _ in range(2 if op == "sum" else 1)]
        shift = shift or self.within(1, 24)
        return self.add(
            op, [*inputs], self.nodes[inputs[0]].shape, low, high,
            factor=(*factor, 0)[:2], shift=shift,
        )  # fmt: skip

    def move(self, op, a, shape, first=0):
        low, high = self.nodes[a].low, self.nodes[a].high
        return self.add(op, [a], shape, low, high, first=first)

    def concat(self, a, b):
        one, two = self.nodes[a], self.nodes[b]
        shape = (*one.shape[:2], one.shape[2] + two.shape[2])
        low, high = min(one.low, two.low), max(one.high, two.high)
        return self.add("concat", [a, b], shape, low, high)


def dense_network(b):
    x = b.input((1, 1, 7), -(2**15), 2**15 - 1)
    h = b.affine(x, 19, to=(0, 255))
    return [b.affine(h, 5, size=2), b.affine(h, 3, to=(-(2**31), 2**31 - 1))]


def convolutions(b):
    x = b.input((5, 4, 3), 0, 255)
    one = b.affine(x, 4, (3, 3), pad=(1, 1), to=(0, 1023))
    two = b.affine(one, 5, (3, 2), stride=(2, 1), pad=(2, 1), size=2, to=(-9, 900))
    return [two, b.affine(two, 2, to=(-(2**20), 2**20))]


def pixels(b):
    """What moves elements."""
    x = b.input((2, 3, 8), -(2**31), 2**31 - 1)
    y = b.input((2, 3, 4), -5, 100)
    both = b.concat(x, y)
    up = b.move("shuffle", y, (4, 6, 1), first=2)
    part = b.move("slice", both, (2, 3, 5), first=6)
    flat = b.move("reshape", up, (1, 1, 24))
    return [both, part, b.combine("sum", flat, flat), flat, b.concat(up, up)]


def cell(b):
    """A gated cell: h + gate (candidate - h)."""
    x, h = b.input((1, 1, 6), -300, 300), b.input((1, 1, 5), 0, 2**15 - 1)
    wide = (-(2**31), 2**31 - 1)
    from_x, from_h = (b.affine(a, 5, to=wide) for a in (x, h))
    gate = b.combine("sum", from_x, from_h, to=(0, 255), factor=(3, -5), shift=25)
    candidate = b.combine(
        "scale", b.affine(x, 5, to=wide), to=(0, 2**15 - 1), factor=(3,), shift=18
    )
    change = b.combine(
        "sum", candidate, h, to=(-(2**15), 2**15 - 1), factor=(2, -2), shift=1
    )
    step = b.combine("product", gate, change, to=wide, factor=(65793,), shift=24)
    state = b.combine("sum", h, step, to=(0, 2**15 - 1), factor=(2, 2), shift=1)
    return [state, gate, step]


def rounding(b):
    """Halves, ends of ranges, the greatest numbers everywhere."""
    x = b.input((1, 1, 4), -(2**31), 2**31 - 1)
    y = b.input((1, 1, 4), -(2**15), 2**15 - 1)
    wide, most = (-(2**31), 2**31 - 1), 2**24 - 1
    halves = b.combine("scale", x, to=wide, factor=(1,), shift=1)
    ends = [
        b.combine("scale", x, to=wide, factor=(-most,), shift=1),
        b.combine("sum", x, x, to=wide, factor=(most, most), shift=62),
        b.combine("product", y, y, to=wide, factor=(-most,), shift=24),
        b.combine("scale", x, to=(3, 3)),
    ]
    row = [[[[0, 0, -(2**15), 2**15 - 1]]]]
    sums = b.add(
        "affine", [y], (1, 1, 3), *wide, kernel=(1, 1), stride=(1, 1), size=2,
        weights=row * 3, bias=[0, 32767, -32767], multiplier=[most, 0, 1],
        row_shift=[25, 1, 62],
    )  # fmt: skip
    return [halves, *ends, sums]


NETWORKS = [dense_network, convolutions, pixels, cell, rounding]


def network_case(draw, make):
    b = Builder(draw)
    network = ref.Network(b.nodes, make(b))
    starts = [node for node in network.nodes if node.op == "input"]
    inputs, outputs = [], []
    for _ in range(3):
        given = [
            [draw.pick([b.within(a.low, a.high)] * 2 + [a.low, a.high])
             for _ in ref.places_of(a.shape)] for a in starts
        ]  # fmt: skip
        inputs.append(given)
        outputs.append(network.run(*given))
    return {
        "name": make.__name__, "file": ref.network_file(network).hex(),
        "inputs": inputs, "outputs": outputs,
    }  # fmt: skip


def network_content():
    draw = Generator(11)
    return {"cases": [network_case(draw, make) for make in NETWORKS]}


# vae_v1.json, deep_ssm_v1.json

LATENTS = (-(2**15), 2**15 - 1)
HEADS = [
    ref.Head("bernoulli", 6, 0, 1),
    ref.Head("categorical", 3, 0, 4),
    ref.Head("mixture", 2, -40, 3000, 2, "logistic"),
    ref.Head("mixture", 2, 0, 255, 1, "laplace"),
    ref.Head("beta_binomial", 2, 0, 9),
]


def conditional(draw, inputs, outputs):
    """A network of one hidden layer.

    inputs: the shape and the range of each; outputs: each its rows and their range.
    """
    b = Builder(draw)
    joined = None
    for shape, low, high in inputs:
        a = b.input(shape, low, high)
        n = shape[0] * shape[1] * shape[2]
        a = b.move("reshape", a, (1, 1, n))
        joined = a if joined is None else b.concat(joined, a)
    hidden = b.affine(joined, 5, to=(0, 255))
    return ref.Network(
        b.nodes, [b.affine(hidden, rows, to=to) for rows, *to in outputs]
    )


def latent_outputs(n, grid):
    """Locations within 2 deviations of the standard law, and scales."""
    location = min(2 << (16 + grid), 2**31 - 1)
    return [(n, -location, location), (n, 256 * (grid - 3), 256 * grid)]


def head_outputs(head):
    """One output, of which mixtures make the best that they can."""
    n = {"categorical": head.high + 1, "beta_binomial": 2}.get(head.law, 1)
    reach = 2000 * 2**8 if head.law == "mixture" else 500
    return [(head.width * max(n, 3 * head.components), -reach, reach)]


def vae_of(draw, head, latents, order, grid, shift):
    markov, levels = order == "markov", len(latents)
    x = (1, 1, head.width) if head.width % 2 else (head.width // 2, 2, 1)
    x, z = (x, head.low, head.high), [((1, 1, n), *LATENTS) for n in latents]
    networks = {}
    for i, n in enumerate(latents):
        given = z[i - 1 : i] if markov and i else [x]
        networks[f"posterior_{i + 1}"] = conditional(
            draw, given if markov else [x, *z[:i:-1]], latent_outputs(n, grid)
        )
    for i, n in enumerate(latents[:-1]):
        networks[f"prior_{i + 1}"] = conditional(
            draw, z[i + 1 : i + 2] if markov else z[:i:-1], latent_outputs(n, grid)
        )
    networks["likelihood"] = conditional(
        draw, z[:1] if markov else z[::-1], head_outputs(head)
    )
    return ref.VAE(networks, head, latents, order, grid, 7 - levels, 40, shift)


def deep_ssm_of(draw, head, n, m, grid, shift):
    x, z = ((1, 1, head.width), head.low, head.high), ((1, 1, n), *LATENTS)
    h = ((1, 1, m), 0, 2**15 - 1)
    networks = {
        "update": conditional(draw, [x, h], [(m, 0, 2**15 - 1)]),
        "prior": conditional(draw, [z], latent_outputs(n, grid)),
        "likelihood": conditional(draw, [z, h], head_outputs(head)),
        "posterior": conditional(draw, [h, z], latent_outputs(n, grid)),
    }
    return ref.DeepSSM(networks, head, n, m, grid, 5, 40, shift)


def network_model_cases(draw, models):
    for name, model in models:
        head, sequences = model.head, []
        c, span = model.tail_length, head.high - head.low + 1
        for length in (0, 1, c, c + 1, c + 2, c + 17):
            xs = [
                [head.low + draw.below(span) for _ in range(head.width)]
                for _ in range(length)
            ]
            sequences.append(
                {
                    "xs": xs, "encode": ref.network_encode(model, xs).hex(),
                    "encode_predictive": ref.network_encode(model, xs, True).hex(),
                }
            )  # fmt: skip
        yield {
            "name": name, "file": ref.network_model_file(model).hex(),
            "sequences": sequences,
        }  # fmt: skip


def vae_content():
    draw, models = Generator(12), []
    for head in HEADS:
        for latents, order, grid, shift in (
            ([4], "markov", 8, 7),
            ([3], "markov", 15, 0),
            ([4, 3, 2], "markov", 4, 3),
            ([3, 2, 2], "top-down", 6, 7),
        ):
            name = f"{head.law} {len(latents)} {order} {grid}"
            models.append((name, vae_of(draw, head, latents, order, grid, shift)))
    return {"cases": list(network_model_cases(draw, models))}


def deep_ssm_content():
    draw, models = Generator(13), []
    for head in HEADS:
        for grid, shift in ((4, 3), (11, 12)):
            name = f"{head.law} {grid}"
            models.append((name, deep_ssm_of(draw, head, 3, 4, grid, shift)))
    return {"cases": list(network_model_cases(draw, models))}


# tree_v1.json


def short_row(draw, K, kind):
    """Masses of K states that sum to 2^15: none of them all of it, some 0."""
    if K == 1:
        return [2**15]
    kept = sorted({draw.below(K), *(k for k in range(K) if draw.below(3))})
    kept = kept if kept[1:] else [0, K - 1]
    row = [0] * K
    for k, mass in zip(kept, row_of(draw, kind, len(kept), 2**15), strict=True):
        row[k] = mass
    return row


def tree_of(draw, n, K, sizes, prec, kind, bits):
    """Nodes below a random one on the way to the last; columns at random nodes."""
    parents, way = [-1], [0]
    for i in range(1, n):
        way = way[: len(way) - draw.below(len(way))]
        parents.append(way[-1])
        way.append(i)
    variables, free = [-1] * n, list(range(n))
    for column in range(len(sizes)):
        variables[free.pop(draw.below(len(free)))] = column
    return ref.Tree(
        parents, variables, short_row(draw, K, kind),
        [[short_row(draw, K, kind) for _ in range(K)] for _ in range(n - 1)],
        [[row_of(draw, kind, M, 2**prec) for _ in range(K)] for M in sizes],
        prec, 1 + draw.below(3), bits,
    )  # fmt: skip


def tree_content():
    draw, cases = Generator(17), []
    for n, K, sizes, prec, kind in (
        (1, 1, [3], 10, "flat"),
        (1, 4, [5], 24, "peaked"),
        (6, 1, [2, 3, 4], 16, "peaked"),
        (5, 2, [2, 2, 2, 2, 2], 24, "peaked"),
        (9, 3, [2, 300, 4, 7], 28, "sure"),
        (6, 17, [2] * 5, 15, "peaked"),
        (30, 5, [2, 3, 2, 20] * 4, 20, "sure"),
    ):
        tree, sequences = tree_of(draw, n, K, sizes, prec, kind, 40), []
        c = tree.tail_length
        for length in (0, 1, c, c + 1, c + 2, min(20, 150 // len(sizes))):
            xs = [[draw.below(M) for M in sizes] for _ in range(length)]
            sequences.append(
                {
                    "xs": xs, "encode": ref.tree_encode(tree, xs).hex(),
                    "encode_predictive": ref.tree_encode(tree, xs, True).hex(),
                }
            )  # fmt: skip
        cases.append(
            {
                "name": f"{n} {K} {kind}", "file": ref.tree_model_file(tree).hex(),
                "sequences": sequences,
            }
        )  # fmt: skip
    return {"cases": cases}


# container_v3.json


class Coded:
    """A model with its file: makes messages of elements."""

    def __init__(self, name, model, file, symbols=None, predictive=False):
        self.name, self.model, self.file = name, model, file
        self.predictive, self.symbols = predictive, symbols
        self.width = model.get("p", 1)

    @property
    def coder(self):
        return b"\1" + sha256(self.file[:-4]).digest()[:8]

    def encode(self, values):
        if self.width > 1:
            xs = [values[i : i + self.width] for i in range(0, len(values), self.width)]
            return ref.lgssm_encode(lgssm_from(self.model), xs, self.predictive)
        xs = [self.symbols.index(v) for v in values] if self.symbols else values
        encode = ref.encode_predictive if self.predictive else ref.encode
        return encode(hmm_of(self.model), xs)


SENTENCE = "aπ €😀e aa  ".encode()


def coded_models(draw):
    byte = model_of(draw, 2, 256, 16, "peaked", 8)
    usual = [1 + 99 * (x in SENTENCE) for x in range(256)]
    byte["emission"] = [masses(usual, 2**16), masses(usual[::-1], 2**16)]
    index = model_of(draw, 2, 5, 16, "peaked", 12)
    text = model_of(draw, 2, 6, 16, "peaked", 12)
    some = model_of(draw, 2, 4, 16, "peaked", 12)
    linear = lgssm_of(draw, 2, 2, "gaussian", 1, "plain", 12, 90)
    utf8 = model_of(Generator(18), 2, 257, 16, "peaked", 12)
    usual.append(1)
    utf8["emission"] = [masses(usual, 2**16), masses(usual[::-1], 2**16)]
    characters = sorted(map(ord, "aeπ€😀 "))
    integers = [-(2**40), -1, 0, 300]
    return {
        "bytes": Coded("bytes", byte, ref.model_file(hmm_of(byte), "bytes")),
        "index": Coded("index", index, ref.model_file(hmm_of(index))),
        "text": Coded(
            "text", text, ref.model_file(hmm_of(text), "text", characters), characters
        ),
        "some": Coded(
            "some",
            some,
            ref.model_file(hmm_of(some), values=integers, predictive=True),
            integers,
            predictive=True,
        ),
        "rows": Coded("rows", linear, ref.model_file(lgssm_from(linear))),
        "utf8": Coded(
            "utf8", utf8, ref.model_file(hmm_of(utf8), "text", None, False, True)
        ),
    }


def bytes_blocks():
    """Of bytes_v1.json: the data of each case in one block, and the block."""
    cases = json.loads((HERE / "bytes_v1.json").read_text())["cases"]
    return {
        (case["name"], case["order"]): (
            bytes.fromhex(case["data"]), bytes.fromhex(case["blocks"][0])
        )
        for case in cases
        if len(case["blocks"]) == 1
    }  # fmt: skip


def signal_blocks(name):
    """Of signal_v3.json: the elements and the block of a case, at level 5."""
    cases = json.loads((HERE / "signal_v3.json").read_text())["cases"]
    (case,) = (c for c in cases if c["name"] == name and 5 in c["levels"])
    item = ref.ELEMENT_BYTES[case["element"]]
    elements = ref.integers(bytes.fromhex(case["data"]), item)
    return elements, bytes.fromhex(case["block"])


class Part:
    def __init__(
        self, element, shape=None, coder=None, unit=(0, 0), axis=0, line=b"\0"
    ):
        self.element, self.shape, self.coder, self.line = element, shape, coder, line
        self.unit, self.axis = unit, axis
        self.item = ref.ELEMENT_BYTES[element & 127]
        self.blocks, self.data = [], b""

    def add(self, method, values, data=None):
        """Elements, and the block's data but for stored ones and messages."""
        plain = ref.words(values, self.item)
        if method == 0:
            data = plain
        elif method == 1:
            data = self.coder.encode(list(values))
        self.blocks.append((len(values), method, data))
        self.data += plain
        return self

    @property
    def file(self):
        coder = self.line
        if isinstance(self.coder, Coded):
            coder = self.coder.coder
        elif self.coder is not None:
            name, fingerprint = self.coder
            coder = bytes([2, len(name.encode())]) + name.encode() + fingerprint
        first = bytes([coder[0] | self.axis << 2]) + unit_of(*self.unit)
        return ref.write_part(self.element, first + coder[1:], self.blocks, self.shape)


def unit_of(unit, multiplier):
    """Of a header, by its code; nothing for elements that have none."""
    return bytes([unit]) + ref.words([multiplier], 4) if multiplier else b""


def container_files(draw, models):
    """name, shape of the whole, block_size with which it is written, parts."""
    blocks, of = bytes_blocks(), lambda name, order=1: blocks[name, order]

    def likely_of(name, n, most=2**63):
        model = models[name]
        xs = likely(draw, hmm_of(model.model), n)
        return [model.symbols[x] for x in xs] if model.symbols else xs

    def part(element, shape=None, coder=None, **given):
        return Part(element, shape, models.get(coder, coder), **given)

    stored, coded = of("stored"), of("text")
    yield "empty bytes", 2**20, [part(0)]
    yield "empty text", 2**20, [part(1)]
    yield "an empty array", 2**16, [part(21, [0, 3])]
    yield "empty, of a model", 2**16, [part(0, None, "bytes")]
    yield "a byte", 2**20, [part(0).add(0, b"x")]
    yield "random bytes", 2**20, [part(0).add(0, stored[0])]
    yield "text", 2**20, [part(1).add(2, *coded)]
    yield "order 0", None, [part(0).add(2, *of("text", 0))]
    yield "several methods", None, [part(0).add(2, *coded).add(0, b"ab" * 708).add(
        2, *of("run")
    )]  # fmt: skip
    yield "130 blocks", None, [many(part(0), draw, 130)]
    yield "bytes by a model", 100, [part(0, None, "bytes").add(
        1, bytes(likely_of("bytes", 100))
    ).add(1, bytes(likely_of("bytes", 40)))]  # fmt: skip
    yield "text by a model of bytes", None, [part(1, None, "bytes").add(1, SENTENCE)]
    yield "text by a model of text", 30, [part(2, None, "text").add(
        1, likely_of("text", 30)
    ).add(1, likely_of("text", 1))]  # fmt: skip
    for element in range(16, 24):
        for big in (0, 128) if element > 17 else (0,):
            xs = likely_of("index", 12)
            yield f"elements {element + big}", 2**16, [part(
                element + big, [3, 4], "index"
            ).add(1, xs)]  # fmt: skip
    yield "booleans by a model", 2**16, [part(24, [2, 3], "index").add(
        1, [1, 0, 0, 1, 1, 1]
    )]  # fmt: skip
    yield "booleans", 4, [part(24, [6]).add(0, [0, 1, 1, 0]).add(0, [1, 1])]
    never = -(2**63)
    for element in (25, 25 + 128, 26, 26 + 128):
        for unit in [(0, 1), (1, 1), (13, 2**31 - 1), (7, 25)]:
            yield f"elements {element} of {unit[1]} x unit {unit[0]}", None, [part(
                element, [3], unit=unit
            ).add(0, [never, 1 - never]).add(0, [-(10**9)])]  # fmt: skip
    for element in (27, 27 + 128, 28, 28 + 128, 29, 29 + 128, 30, 31, 32):
        top = 256 ** ref.ELEMENT_BYTES[element & 127] - 1
        yield f"elements {element}", None, [part(element, [2, 2]).add(
            0, [top, 0]
        ).add(0, [top // 2, 1])]  # fmt: skip
    yield "dates by a model", 20, [part(25, [20], "some", unit=(10, 1)).add(
        1, likely_of("some", 20)
    )]  # fmt: skip
    yield "a scalar", 2**16, [part(19, [], "index").add(1, [3])]
    yield "integers, predictive", 20, [part(23, [2, 20], "some").add(
        1, likely_of("some", 20)
    ).add(1, likely_of("some", 20))]  # fmt: skip
    rows = [v for row in walk(draw, 2, 30, 0) for v in row]
    yield "rows, by a linear Gaussian model", 40, [part(23, [30, 2], "rows").add(
        1, rows[:40]
    ).add(1, rows[40:])]  # fmt: skip
    one, two = signal_blocks("resonance"), signal_blocks("channels")
    yield "a signal", None, [part(19, [300]).add(3, *one)]
    yield "a signal of channels", None, [part(128 + 19, [300, 5]).add(3, *two)]
    line = b"\3" + ref.words([10**18, 10**9], 8)
    yield "a signal on a line", None, [part(23, [60], line=line).add(
        3, *signal_blocks("on a line")
    )]  # fmt: skip
    times = {"unit": (10, 1), "line": line}
    yield "dates on a line", None, [part(25, [60], **times).add(
        3, *signal_blocks("on a line")
    )]  # fmt: skip
    codec = "reversed π", b"\1\2\3\4\5\6\7\x08"
    yield "a codec", None, [part(18, [5], codec).add(
        4, [1, 2, 3, 4, 5], ref.words([5, 4, 3, 2, 1], 2)
    )]  # fmt: skip
    codec = "x" * 255, bytes(8)
    yield "a codec without fingerprint", None, [part(0, None, codec).add(
        4, b"abc", b"cba"
    )]  # fmt: skip
    yield "bytes behind bytes", None, [
        part(0).add(0, b"ab").add(0, b"c"), part(0),
        part(0, None, "bytes").add(1, b"a e aa "),
    ]  # fmt: skip
    yield "text in both forms", None, [part(1).add(0, SENTENCE), part(2).add(
        0, [0x61, 0x1F600]
    )]  # fmt: skip
    yield "text between bytes", None, [
        part(0).add(0, b"ab"), part(1).add(0, SENTENCE), part(0).add(0, b"\xff"),
    ]  # fmt: skip
    yield "arrays along their first axis", None, [
        part(147, [2, 3]).add(0, [1, 2, 3, 4, 5, -6]), part(147, [0, 3]),
        part(147, [1, 3]).add(0, [7, 8, 9]),
    ]  # fmt: skip
    durations = {"unit": (8, 10), "axis": 2}
    yield "arrays along their last axis", None, [
        part(26, [3, 1, 2], **durations).add(0, [1, 2, 3, 4]).add(0, [5, -6]),
        part(26, [0, 1, 2], **durations),
        part(26, [1, 1, 2], **durations).add(0, [7, 8]),
    ]  # fmt: skip
    yield "an array whose second axis is first", 6, [part(17, [4, 3], axis=1).add(
        0, [1, 2, 3, 4, 5, 6]
    ).add(0, [7, 8, 9, 10, 11, 12])]  # fmt: skip
    yield "an empty array whose second axis is first", 6, [part(17, [4, 0], axis=1)]
    text = SENTENCE * 2
    yield "text by a model of UTF-8", 20, [part(1, None, "utf8").add(
        1, text[:20]
    ).add(1, text[20:])]  # fmt: skip


def many(part, draw, n):
    for _ in range(n):
        part.add(0, bytes(draw.below(256) for _ in range(3)))
    return part


def whole_shape(parts):
    shape = parts[0].shape
    if shape:
        shape = [sum(part.shape[0] for part in parts), *shape[1:]]
    return shape


def broken_files():
    """Files that have the right checksums, but for "a checksum"."""
    blocks = [(3, 0, b"abc"), (3, 0, b"def"), (1, 0, b"g")]
    good = ref.write_part(0, b"\0", blocks)
    header, end = good[:11], good.index(b"\0\3\x0a\x0a")
    rest = good[11:end]
    yield "nothing", b"", "truncated"
    yield "no container", b"\x89bbs" + good[4:], "format"
    yield "cut", good[:-1], "truncated"
    yield "cut before the last length", good[:-2], "truncated"
    yield "version 1", ref.with_crc(good[:4] + b"\1" + good[5:7]) + good[11:], "version"
    for element in (
        3, 15, 33, 0x80, 0x81, 0x82, 0x90, 0x91, 0x98, 0x9E, 0x9F, 0xA0, 0xFF
    ):  # fmt: skip
        file = ref.with_crc(good[:5] + bytes([element, 0])) + good[11:]
        yield f"element {element}", file, "version"
    yield "version 2", ref.with_crc(good[:4] + b"\2" + good[5:7]) + good[11:], "version"
    yield "an axis of bytes", ref.with_crc(good[:5] + b"\0\4") + good[11:], "version"
    line = ref.with_crc(good[:5] + b"\0\3" + bytes(16))
    yield "a line of bytes", line + good[11:], "version"
    line = b"\3" + bytes(16)
    yield "a line of floats", ref.write_part(29, line, [], [0]), "version"
    yield "a checksum", good[:-12] + bytes([good[-12] ^ 1]) + good[-11:], "corrupt"
    yield "followed by a byte", good + b"x", "corrupt"
    yield "followed by the start of a part", good + good[:9], "truncated"
    array = ref.write_part(16, b"\0", blocks, [7])
    yield "parts of two kinds", good + array, "corrupt"
    for name, broken in [
        ("a longer block", [(3, 0, b"abc"), (4, 0, b"defg")]),
        ("a shorter block", [(3, 0, b"abc"), (1, 0, b"d"), (1, 0, b"e")]),
        ("more data than elements", [(3, 0, b"abcd")]),
        ("fewer data than elements", [(3, 0, b"ab")]),
        ("a model that is not named", [(3, 1, b"\1")]),
        ("a signal of bytes", [(3, 3, b"\1\0\0")]),
        ("a codec that is not named", [(3, 4, b"a")]),
        ("bytes of another number", [(3, 2, b"\1\2x")]),
        ("too many elements", [(2**24 + 1, 2, b"\1\x80\x80\x80\x08x")]),
    ]:
        yield name, ref.write_part(0, b"\0", broken), "corrupt"
    for method, name, elements in [
        (3, "a signal", [27, 30]),
        (6, "a grid", [0, 2, 28, 31]),
        (7, "floats", [0, 1, 16, 26]),
    ]:
        for element in elements:
            first = b"\0" + unit_of(*((7, 1) if element == 26 else (0, 0)))
            shape = [1] if element >= 16 else ()
            file = ref.write_part(element, first, [(1, method, b"\3")], shape)
            yield f"{name} of element {element}", file, "corrupt"
    yield "method 9", ref.write_part(0, b"\0", [(3, 9, b"abc")]), "version"
    for name, record in [
        ("another number of blocks", b"\0\2\x0a"),
        ("another index", b"\0\3\x0a\x0b"),
        ("a shape of bytes", b"\0\1\7\3\x0a\x0a"),
        ("a long number of blocks", b"\0\x83\0\x0a\x0a"),
    ]:
        yield name, header + rest + lengths(ref.with_crc(record, 3), end), "corrupt"
    record = ref.with_crc(b"\0\3\x0a\x0a", 3)
    yield "another length of the end record", header + rest + record + b"\7" + (
        ref.uvarint(end + len(record) + 1)[::-1]
    ), "corrupt"  # fmt: skip
    yield "another length of the part", good[:-1] + bytes([good[-1] ^ 1]), "corrupt"
    yield "a long length", good[:-1] + b"\0" + bytes([good[-1] | 128]), "corrupt"
    swapped = header + rest[10:20] + rest[:10] + rest[20:] + good[end:]
    yield "two blocks that changed places", swapped, "corrupt"
    for name, shape in [("another shape", [2, 4]), ("33 axes", [7] + [1] * 32)]:
        yield name, ref.write_part(16, b"\0", blocks, shape), "corrupt"
    for axis, error in [(1, "corrupt"), (31, "corrupt"), (32, "version")]:
        file = ref.write_part(16, bytes([4 * axis]), blocks, [7])
        yield f"axis {axis} of one", file, error
    file = ref.write_part(16, b"\4", [(3, 0, b"abc"), (3, 0, b"def")], [3, 2])
    yield "blocks that are no steps", file, "corrupt"
    for unit, error in [
        ((14, 1), "version"), ((7, 0), "corrupt"), ((0, 2), "corrupt"),
        ((7, 2**31), "corrupt"), ((13, 2**32 - 1), "corrupt"),
    ]:  # fmt: skip
        first = bytes([0, unit[0]]) + ref.words(unit[1:], 4)
        name = f"{unit[1]} x unit {unit[0]}"
        yield name, ref.write_part(25, first, [(1, 0, bytes(8))], [1]), error
    yield (
        "a boolean of 2",
        ref.write_part(24, b"\0", [(3, 0, b"\0\1\2")], [3]),
        ("corrupt"),
    )
    yield "no possible array", ref.write_part(23, b"\0", [], [0, 2**60]), "corrupt"
    first = ref.write_part(19, b"\0", [(2, 0, bytes(4))], [1, 2])
    for name, element, shape, blocks in [
        ("rows of another length", 19, [1, 3], [(3, 0, bytes(6))]),
        ("another number of axes", 19, [2], [(2, 0, bytes(4))]),
        ("another byte order", 147, [1, 2], [(2, 0, bytes(4))]),
        ("another type", 18, [1, 2], [(2, 0, bytes(4))]),
    ]:
        yield f"an array, then {name}", first + ref.write_part(
            element, b"\0", blocks, shape
        ), "corrupt"  # fmt: skip
    second = bytes([0, 7, 1, 0, 0, 0])
    first = ref.write_part(25, second, [(2, 0, bytes(16))], [1, 2])
    for name, element, coder in [
        ("durations", 26, second),
        ("another unit", 25, bytes([0, 8, 1, 0, 0, 0])),
        ("another multiplier", 25, bytes([0, 7, 2, 0, 0, 0])),
        ("another axis", 25, bytes([4, 7, 1, 0, 0, 0])),
        ("integers", 23, b"\0"),
    ]:
        yield f"dates, then {name}", first + ref.write_part(
            element, coder, [(2, 0, bytes(16))], [1, 2]
        ), "corrupt"  # fmt: skip
    scalar = ref.write_part(19, b"\0", [(1, 0, bytes(2))], [])
    yield "two scalars", scalar * 2, "corrupt"


def lengths(record, before):
    """An end record of a part, and the two lengths that follow."""
    record += ref.uvarint(len(record))[::-1]
    return record + ref.uvarint(before + len(record))[::-1]


def container_content():
    draw = Generator(6)
    models, files = coded_models(draw), []
    names = list(models)
    for name, block_size, parts in container_files(draw, models):
        file = b"".join(part.file for part in parts)
        assert len(ref.read_container(file)) == len(parts)
        coders = [part.coder for part in parts]
        files.append({
            "name": name, "file": file.hex(),
            "data": b"".join(part.data for part in parts).hex(),
            "element": parts[0].element, "shape": whole_shape(parts),
            "unit": parts[0].unit[0], "multiplier": parts[0].unit[1],
            "axis": parts[0].axis,
            "models": [names.index(c.name) for c in coders if isinstance(c, Coded)],
            "codecs": [c[0] for c in coders if isinstance(c, tuple)],
            "blocks": [[[n, method] for n, method, _ in p.blocks] for p in parts],
            "write": block_size,
        })  # fmt: skip
    damaged = []
    for name, file, error in broken_files():
        damaged.append({"name": name, "file": file.hex(), "error": error})
    files_of = [{"name": m.name, "file": m.file.hex()} for m in models.values()]
    return {"models": files_of, "files": files, "damaged": damaged}


# values_v1.json

INTERVALS = {
    "located": lambda row, v, shape: ref.located_intervals(ref.SHAPES[shape], *row, v),
    "mixture": lambda row, v, shape, low, high: ref.mixture(
        ref.SHAPES[shape], *row, low, high
    ).intervals(v),
    "geometric": lambda row, v: ref.geometric(ref.SHAPES["laplace"], *row).intervals(v),
    "poisson": lambda row, v: ref.poisson(*row).intervals(v),
    "binomial": lambda row, v: ref.binomial(*row).intervals(v),
    "beta_binomial": lambda row, v: ref.beta_binomial(*row).intervals(v),
    "range": lambda row, v, low, high: ref.uniform(v - low, high - low),
    "negative_binomial": lambda row, v: ref.negative_binomial(*row).intervals(v),
}


def value_rows(draw, law, n):
    """What n values share, the parameters of each, and the values."""
    far = [-(2**63), 2**63 - 1]
    given = {"shape": draw.pick([*ref.SHAPES])}
    scales = [draw.pick([-3072, 0, 700, 2700, 12031]) for _ in range(n)]
    mus = [draw.below(2**32) - 2**31 + draw.pick([0, 2**60]) for _ in range(n)]
    near = [(mu >> 16) + draw.below(200) - 100 for mu in mus]
    some = [v if draw.below(4) else draw.pick(far) for v in near]
    counts = [draw.pick([0, 1, draw.below(40), draw.below(2**31)]) for _ in range(n)]
    trials = [draw.pick([0, 9, 255, 2000, 2**18 - 1]) for _ in range(n)]
    rates = [[1 + draw.below(2**20)] for _ in range(n)]
    if law == "located":
        return given, [[mu, s] for mu, s in zip(mus, scales, strict=True)], some
    if law == "mixture":
        low, high = draw.pick([far, [0, 255], [-(2**40), 2**40]])
        rows = [
            [[1 + draw.below(9), 1 + draw.below(99)], [mu, 3 << 16], [s, 900]]
            for mu, s in zip(mus, scales, strict=True)
        ]
        values = [min(max(v, low), high) for v in some]
        return given | {"low": low, "high": high}, rows, values
    if law == "geometric":
        return {}, [[s] for s in scales], counts
    if law == "poisson":
        return {}, rates, counts
    if law == "binomial":
        rows = [[t, 1 + draw.below(2**32 - 1)] for t in trials]
        return {}, rows, [draw.below(t + 1) for t in trials]
    if law == "beta_binomial":
        trials = [t % 4096 for t in trials]
        others = [1 + draw.below(2**18) for _ in range(n)]
        rows = [[t, *r, b] for t, r, b in zip(trials, rates, others, strict=True)]
        return {}, rows, [draw.below(t + 1) for t in trials]
    if law == "negative_binomial":
        rows = [[*r, 2**32 - 1 - draw.below(2**31)] for r in rates]
        return {}, rows, counts
    low, high = draw.pick([far, [-5, 5], [0, 2**40]])
    values = [low + draw.bits(64) % (high - low + 1) for _ in range(n)]
    return {"low": low, "high": high}, [[]] * n, values


def iid_content():
    draw, cases = Generator(11), []
    for states, symbols in [(1, 2), (2, 3), (3, 2), (5, 5)]:
        kinds = ["flat", "peaked"]

        def rows(n, size, total, kinds=kinds):
            return [row_of(draw, draw.pick(kinds), size, total) for _ in range(n)]

        for n in [0, 1, 2, 20, 90, 200]:
            (prior,) = rows(1, states, 2**12)
            emission = rows(states, symbols, 1000)
            posterior = rows(symbols, states, 2**16 - 1)
            xs = [draw.below(symbols) for _ in range(n)]
            data = ref.encode_iid(prior, emission, posterior, xs)
            case = {"prior": prior, "emission": emission, "posterior": posterior}
            cases.append(case | {"xs": xs, "bytes": data.hex()})
    return {"cases": cases}


def values_content():
    draw, cases = Generator(5), []
    for law, intervals in INTERVALS.items():
        for n in [0, 1, 1, 3, 8, 15]:
            given, rows, values = value_rows(draw, law, n)
            pairs = zip(rows, values, strict=True)
            listed = [intervals(row, v, **given) for row, v in pairs]
            integer = f"{ref.range_encode_each(listed):x}"
            case = {"law": law, "given": given, "rows": rows, "values": values}
            cases.append(case | {"integer": integer})
    return {"cases": cases}


# ragged_v1.json


def ragged_row(draw, prec):
    """Edges of 1 to 40 symbols, some of one slot."""
    symbols = min(1 + draw.below(40), 2**prec)
    left, edges = 2**prec - symbols, [0]
    for _ in range(symbols - 1):
        more = draw.below(left + 1) >> draw.below(prec + 1)
        left -= more
        edges.append(edges[-1] + 1 + more)
    return [*edges, 2**prec]


def ragged_value(draw, edges, offset, escape):
    inside = len(edges) - 1 - escape
    if inside and (not escape or draw.below(4)):
        return offset + draw.below(inside)
    near = draw.pick([offset - 1 - draw.below(9), offset + inside + draw.below(300)])
    far = draw.pick([*ref.ALL, draw.bits(64) - 2**63, draw.bits(34) - 2**33])
    v = draw.pick([near, near, far])
    return v if v in range(ref.ALL[0], ref.ALL[1] + 1) else ref.ALL[0]


def ragged_content():
    draw, cases = Generator(23), []
    for prec in [6, 12, 16, 16, 24, 28]:
        for escape in [0, 1]:
            for lanes in [1, 1, 3, 64]:
                rows = [ragged_row(draw, prec) for _ in range(1 + draw.below(5))]
                offsets = [
                    draw.pick([0, -20, -(2**63), 2**63 - 99, draw.bits(40)])
                    for _ in rows
                ]
                n = draw.pick([0, 1, 9, 150])
                indexes = [draw.below(len(rows)) for _ in range(n)]
                values = [
                    ragged_value(draw, rows[i], offsets[i], escape) for i in indexes
                ]
                listed = [
                    ref.ragged(rows[i], offsets[i], escape, v)
                    for i, v in zip(indexes, values, strict=True)
                ]
                message = ref.Message(lanes)
                ref.push_each(message, listed)
                case = {"prec": prec, "escape": escape, "lanes": lanes, "rows": rows}
                case |= {"offsets": offsets, "indexes": indexes, "values": values}
                integer = f"{ref.range_encode_each(listed):x}"
                case |= {"message": message.to_bytes().hex(), "integer": integer}
                cases.append(case)
    return {"cases": cases}


def tables_of(draw, *shapes):
    """Nested lists of weights, rows of any sum; some are 0, none all."""

    def table(shape):
        if shape[1:]:
            return [table(shape[1:]) for _ in range(shape[0])]
        row = [draw.below(2 ** draw.below(24)) for _ in range(shape[0])]
        return row if any(row) else [1] * shape[0]

    return [table(shape) for shape in shapes]


def steps_of(text):
    return [({"-": "pop", "+": "push"}[step[0]], step[1:]) for step in text]


def draw_values(draw, nodes, tables):
    """Values of all nodes; parents come first."""
    values = {}
    for name, parents, number in nodes:
        row = tables[number]
        for parent in parents:
            row = row[values[parent]]
        slot = draw.below(sum(row))
        values[name] = bisect_left(ref.edges_of(row), slot + 1) - 1
    return values


def chain_case(draw, T):
    """An HMM; observations depend on the one before too."""
    tables = tables_of(draw, (3,), (3, 3), (3, 4), (4, 3, 4))
    nodes, order = [], []
    for t in range(T):
        nodes.append((f"z{t}", [f"z{t - 1}"] * (t > 0), int(t > 0)))
        above = ([f"x{t - 1}"] if t else []) + [f"z{t}"]
        nodes.append((f"x{t}", above, 2 + (t > 0)))
    for t in reversed(range(T)):
        order += [f"-z{t}", f"+x{t}"] + [f"+z{t + 1}"] * (t < T - 1)
    return tables, nodes, [*order, "+z0"]


def tree_case(draw, n):
    """A binary tree, coded depth first."""
    tables = tables_of(draw, (4,), (4, 4), (4, 3))
    nodes, order = [], []
    for i in range(n):
        nodes.append((f"z{i}", [f"z{(i - 1) // 2}"] * (i > 0), int(i > 0)))
        nodes.append((f"x{i}", [f"z{i}"], 2))

    def visit(i):
        order.extend([f"-z{i}", f"+x{i}"])
        for child in (2 * i + 1, 2 * i + 2):
            if child < n:
                visit(child)
        order.append(f"+z{i}")

    visit(0)
    return tables, nodes, order


def two_levels_case(draw, T):
    """Two levels, step by step."""
    tables = tables_of(draw, (3,), (3, 3), (3, 2), (3, 2, 2), (2, 5))
    nodes, order = [], [f"-a{T - 1}", f"-b{T - 1}"]
    for t in range(T):
        before = [[f"{level}{t - 1}"] * (t > 0) for level in "ab"]
        nodes.append((f"b{t}", before[1], int(t > 0)))
        nodes.append((f"a{t}", [f"b{t}", *before[0]], 2 + (t > 0)))
        nodes.append((f"x{t}", [f"a{t}"], 4))
    for t in reversed(range(T)):
        order.append(f"+x{t}")
        for level in "ab":
            order += [f"-{level}{t - 1}"] * (t > 0) + [f"+{level}{t}"]
    return tables, nodes, order


def graph_content():
    draw, cases = Generator(16), []
    for make in (chain_case, tree_case, two_levels_case):
        for size in (1, 2, 7, 40, 90):
            tables, nodes, order = make(draw, size)
            graph = ref.Graph(
                {name: (parents, tables[number]) for name, parents, number in nodes},
                steps_of(order),
            )
            values = draw_values(draw, nodes, tables)
            values = {name: values[name] for name in graph.observed}
            start = bytes(1 + draw.below(255) for _ in range(2 * size + 20))
            message = ref.Message.from_bytes(start)
            graph.push(message, values)
            cases.append(
                {
                    "name": f"{make.__name__[:-5]} of {size}",
                    "tables": tables,
                    "nodes": nodes,
                    "order": order,
                    "values": values,
                    "start": start.hex(),
                    "pushed": message.to_bytes().hex(),
                    "bytes": graph.encode(values).hex(),
                }
            )
    return {"cases": cases}


def sets_start(draw, words):
    """A message of one lane from nothing on, or of several with this many words."""
    lanes = draw.pick([1, 1, 3])
    message = ref.Message(lanes)
    if lanes > 1 or draw.below(2):
        message.heads = [2**31 + draw.bits(31) for _ in range(lanes)]
        message.tail = [draw.bits(32) for _ in range(words)]
    return {"lanes": lanes, "start": message.to_bytes().hex()}, message


def sets_content():
    draw, multisets, permutations = Generator(16), [], []
    for low, high in [(0, 0), (0, 5), (-3, 90), (0, 2**32 - 1), (-(2**63), 2**63 - 1)]:
        for n in [0, 1, 2, 20, 150]:
            case, message = sets_start(draw, n)
            reach = draw.pick([high - low, min(high - low, 9)])
            values = [low + draw.bits(64) % (reach + 1) for _ in range(n)]

            def push(message, v, low=low, high=high):
                ref.push_each(message, [ref.uniform(v - low, high - low)])

            ref.multiset_push(message, values, push)
            case |= {"low": low, "high": high, "values": values}
            multisets.append(case | {"message": message.to_bytes().hex()})
    for n in [0, 1, 2, 3, 13, 40, 200]:
        for _ in range(2):
            case, message = sets_start(draw, n)
            order = list(range(n))
            for i in reversed(range(1, n)):
                j = draw.below(i + 1)
                order[i], order[j] = order[j], order[i]
            ref.permutation_push(message, order)
            case |= {"permutation": order, "message": message.to_bytes().hex()}
            permutations.append(case)
    return {"multisets": multisets, "permutations": permutations}


def gaussian_nodes(draw, size):
    """Parents come first; deviations and weights of ordinary and of extreme sizes."""
    nodes = {}
    for node in range(size):
        parents = [p for p in range(node) if draw.below(3) < 2][-3:]
        wide = draw.pick([20, 26, 44])
        weights = [draw.bits(wide) - 2 ** (wide - 1) for _ in parents]
        offset = draw.bits(40) - 2**39
        nodes[node] = parents, weights, offset, draw.pick([-3000, 100, 900, 1700, 6000])
    return nodes


def eager_order(draw, nodes, latents):
    """Random pops, and pushes as soon as they can be."""
    left, order = set(nodes), []
    upcoming = list(latents)
    while left:
        ready = [
            v
            for v in sorted(left)
            if not {v, *nodes[v][0]} & {*upcoming}
            and not any(v in nodes[u][0] for u in left)
        ]
        if ready:
            order.append(("push", ready[0]))
            left.remove(ready[0])
        else:
            order.append(("pop", upcoming.pop(draw.below(len(upcoming)))))
    return order


def gaussian_graph_content():
    draw, cases = Generator(17), []
    for size in [1, 2, 3, 4, 5, 6, 7, 8, 8, 8]:
        nodes = gaussian_nodes(draw, size)
        latents = [v for v in nodes if draw.below(2)]
        order = eager_order(draw, nodes, latents)
        observed = {v: draw.bits(16) - 2**15 for v in nodes if v not in latents}
        message = ref.Message.from_int(2**2000 + draw.bits(2000))
        case = {"start": message.to_bytes().hex(), "nodes": [*nodes.values()]}
        ref.gaussian_graph_push(message, nodes, order, observed)
        case |= {"order": order, "observed": [*observed.items()]}
        cases.append(case | {"message": message.to_bytes().hex()})
    return {"cases": cases}


def main():
    contents = {
        "message_v1.json": message_content,
        "hmm_v1.json": hmm_content,
        "stream_v1.json": stream_content,
        "hierarchy_v1.json": hierarchy_content,
        "factorial_v1.json": factorial_content,
        "lgssm_v1.json": lgssm_content,
        "iid_v1.json": iid_content,
        "values_v1.json": values_content,
        "ragged_v1.json": ragged_content,
        "leak_v1.json": leak_content,
        "sets_v1.json": sets_content,
        "gaussian_graph_v1.json": gaussian_graph_content,
        "model_v3.json": model_content,
        "records_v1.json": record_content,
        "network_v1.json": network_content,
        "vae_v1.json": vae_content,
        "deep_ssm_v1.json": deep_ssm_content,
        "tree_v1.json": tree_content,
        "container_v3.json": container_content,
        "graph_v1.json": graph_content,
        "particles_v1.json": particles_content,
    }
    for name, content in contents.items():
        path, version = HERE / name, int(name[-6])
        if path.exists():
            print(f"{path} is kept: a new format gets a new name")
        else:
            write(path, {"format": version} | content())


if __name__ == "__main__":
    main()
