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
        section 2. They are no float model's, so Q is far from the posterior.
    cases: as in hmm_v1.json; xs has a row of p integers for each step.
values_v1.json
    cases: law, given (what all values share), rows (the parameters of each value, in
        fixed point), values, and the hex of the integer that the range coder gives.
leak_v1.json
    seed: lanes, and the hex of data and of the message that starts from them.
    located: data and lanes as above, shape ("slow" or one of reference.SHAPES),
        locations, scales and values without a leak, and the hex of the message after
        they are pushed.
    mixture: the same with weights, low and high; parameters have a row for each value.
"""

import json
from bisect import bisect_left
from itertools import pairwise
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
        lgssm = ref.LGSSM(**{key: model[key] for key in model if key != "name"})
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
    """The wire format: docs/format.md, section 1."""
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


def main():
    contents = {
        "message_v1.json": message_content,
        "hmm_v1.json": hmm_content,
        "stream_v1.json": stream_content,
        "lgssm_v1.json": lgssm_content,
        "values_v1.json": values_content,
        "leak_v1.json": leak_content,
    }
    for name, content in contents.items():
        path = HERE / name
        if path.exists():
            print(f"{path} is kept: a new format gets a new name")
        else:
            write(path, {"format": 1} | content())


if __name__ == "__main__":
    main()
