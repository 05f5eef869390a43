"""Schedules over graphs: bits over the information content, start-up, speed; sets.

Discrete graphs of several kinds under several orders; hierarchies in time by number of
levels, and a two-level one on text and on lines of a log against one HMM; numbers
whose order does not matter. Rates are exact, of integers, on any machine; times are of
one thread. Some ten minutes without --quick.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

import numpy as np
from clock import seconds
from engine import Engine
from numpy.typing import NDArray
from report import ISAS, Report, parser, use_isa

from bbans import HMM, HierarchicalHMM, Message
from bbans.codecs import (
    Codec,
    FiniteGraph,
    GaussianGraph,
    Multiset,
    Permutation,
    Schedule,
    aligned,
    staircase,
)
from bbans.codecs.metered import random_bits
from bbans.distributions import UniformRange
from bbans.models import information_content

Weights = NDArray[np.int64]
Nodes = dict[Any, tuple[list[Any], Weights]]


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        for section in (
            graphs, all_lengths, side_by_side, startup, gaussians, hierarchies, sets
        ):  # fmt: skip
            section(rows)


# ---- graphs


def masses(rng: np.random.Generator, sharpness: float, *shape: int) -> Weights:
    """Rows of integer weights."""
    probabilities = rng.dirichlet(np.full(shape[-1], sharpness), shape[:-1])
    weights: Weights = np.maximum(np.rint(probabilities * 2**24), 1).astype(np.int64)
    return weights


def hierarchy(levels: int, K: int, M: int, T: int, sharpness: float) -> Nodes:
    """Levels of K states in T steps; at a sharpness of 5 transitions say little."""
    rng = np.random.default_rng(levels)
    first = [masses(rng, sharpness, K, K) for _ in range(levels - 1)]
    first.append(masses(rng, sharpness, 1, K)[0])
    step = [masses(rng, sharpness, K, K, K) for _ in range(levels - 1)]
    step.append(masses(rng, sharpness, K, K))
    emission, nodes = masses(rng, sharpness, K, M), {}
    for t in range(1, T + 1):
        for level in range(levels, 0, -1):
            above = [("z", level + 1, t)] if level < levels else []
            before = [("z", level, t - 1)] if t > 1 else []
            weights = (step if t > 1 else first)[level - 1]
            nodes["z", level, t] = above + before, weights
        nodes["x", t] = [("z", 1, t)], emission
    return nodes


def look_back(T: int) -> Nodes:
    """A chain of 4 states whose observations depend on the one before too."""
    rng = np.random.default_rng(0)
    step, emission = masses(rng, 0.3, 4, 4), masses(rng, 0.3, 4, 8, 8)
    nodes: Nodes = {
        ("z", 1, 1): ([], step[0]),
        ("x", 1): ([("z", 1, 1)], emission[:, 0]),
    }
    for t in range(2, T + 1):
        nodes["z", 1, t] = [("z", 1, t - 1)], step
        nodes["x", t] = [("z", 1, t), ("x", t - 1)], emission
    return nodes


def tree(size: int) -> Nodes:
    """A binary tree of latents of 6 states, each with an observation: node i is below
    node i // 2."""
    rng = np.random.default_rng(1)
    step, emission = masses(rng, 0.3, 6, 6), masses(rng, 0.3, 6, 10)
    nodes: Nodes = {}
    for i in range(1, size + 1):
        nodes["z", i] = ([("z", i // 2)], step) if i > 1 else ([], step[0])
        nodes["x", i] = [("z", i)], emission
    return nodes


def depth_first(size: int) -> list[Any]:
    """The latents of a tree from its root."""
    found, order = [1], []
    while found:
        i = found.pop()
        order.append(("z", i))
        found += [child for child in (2 * i, 2 * i + 1) if child <= size]
    return order


def backwards(T: int) -> list[Any]:
    """The latents of a chain from its end."""
    return [("z", 1, t) for t in range(T, 0, -1)]


def eager(nodes: Nodes, pops: list[Any]) -> Schedule:
    observed = [node for node in nodes if node not in {*pops}]
    return Schedule.eager(FiniteGraph(nodes), pops, observed[::-1])


def cases(T: int) -> Iterable[tuple[str, Nodes, Schedule]]:
    """Graphs of T observations and orders for them."""
    nodes = hierarchy(1, 8, 16, T, 0.3)
    yield "chain of 8 states, from its end", nodes, eager(nodes, backwards(T))
    nodes = look_back(T)
    name = "chain of 4 states, observations look back"
    yield name, nodes, eager(nodes, backwards(T))
    nodes = tree(T)
    yield "tree of 6 states, from its root", nodes, eager(nodes, depth_first(T))
    for levels, K in ((2, 6), (4, 3)):
        nodes = hierarchy(levels, K, 16, T, 0.3)
        graph = FiniteGraph(nodes)
        for order in (aligned, staircase):
            name = f"{levels} levels of {K} states, {order.__name__}"
            yield name, nodes, Schedule(graph, order(levels, T))


def drawn(nodes: Nodes, seed: int) -> dict[Any, int]:
    """Values of all nodes, from the graph."""
    rng, values = np.random.default_rng(seed), dict[Any, int]()
    for node, (parents, weights) in nodes.items():
        edges = weights[tuple(values[parent] for parent in parents)].cumsum()
        at = np.searchsorted(edges, rng.integers(edges[-1]), "right")
        values[node] = int(at)
    return values


def information(nodes: Nodes, x: Mapping[Any, int], pops: list[Any]) -> float:
    """-log2 P(x): the latents summed out in floats, from the last of `pops` on."""
    rank = {latent: i for i, latent in enumerate(pops)}
    buckets: list[list[tuple[list[int], Any]]] = [[] for _ in pops]
    bits = 0.0
    for node, (parents, weights) in nodes.items():
        members = [*parents, node]
        index = tuple(slice(None) if v in rank else x[v] for v in members)
        share = (weights / weights.sum(-1, keepdims=True))[index]
        scope = [rank[v] for v in members if v in rank]
        if scope:
            buckets[max(scope)].append((scope, share))
        else:
            bits -= np.log2(share)
    for i in reversed(range(len(pops))):
        scope = sorted({j for scope, _ in buckets[i] for j in scope})
        place = {j: k for k, j in enumerate(scope)}  # einsum's letters are few
        operands: list[Any] = []
        for each, table in buckets[i]:
            operands += [table, [place[j] for j in each]]
        message = np.einsum(*operands, [*range(len(scope) - 1)])
        bits -= np.log2(message.max())
        if scope[1:]:
            buckets[scope[-2]].append((scope[:-1], message / message.max()))
    return float(bits)


def graphs(rows: Report) -> None:
    """Bits over the information content, by graph, order and length."""
    draws = 4
    for T in (1, 10, 100, 400) if rows.quick else (1, 10, 100, 400, 10_000):
        most = 0.05 if T <= 400 else 0.5
        for name, nodes, schedule in cases(T):
            values = drawn(nodes, T)
            x = {node: values[node] for node in schedule.observed}
            pops = [node for action, node in schedule.order if action == "pop"]
            h = information(nodes, x, pops)
            nets = []
            for seed in range(draws):
                message = random_bits(np.random.default_rng(seed))
                before = message.bits
                schedule.push(message, x)
                nets.append(message.bits - before)
            name = f"{name}, T = {T}"
            rows.add(f"{name}: bits over h", np.mean(nets) - h, "bits", at_most=most)
            start = time.process_time()
            data = schedule.encode(x)
            middle = time.process_time()
            assert schedule.decode(data) == x
            end = time.process_time()
            over = 8 * len(data) - h
            rows.add(f"{name}: whole bytes over h", over, "bits", at_most=10)
            if T == 10_000:
                rows.add(f"{name}: encode", middle - start, "s")
                rows.add(f"{name}: decode", end - middle, "s")


def all_lengths(rows: Report) -> None:
    """Whole bytes over the information content, at every length."""
    most: dict[str, float] = {}
    last = 20 if rows.quick else 100
    for T in range(1, last + 1):
        for name, nodes, schedule in cases(T):
            values = drawn(nodes, T)
            x = {node: values[node] for node in schedule.observed}
            pops = [node for action, node in schedule.order if action == "pop"]
            over = 8 * len(schedule.encode(x)) - information(nodes, x, pops)
            most[name] = max(over, most.get(name, over))
    for name, over in most.items():
        what = f"{name}, T = 1 .. {last}: whole bytes over h, most"
        rows.add(what, over, "bits", at_most=10)


def side_by_side(rows: Report) -> None:
    """One sequence, and many in one call."""
    T = 100 if rows.quick else 1000
    nodes = hierarchy(2, 8, 64, T, 0.3)
    for n in (1, 256):
        graph = FiniteGraph(nodes, () if n == 1 else n)
        schedule = Schedule(graph, aligned(2, T))
        each = [drawn(nodes, seed) for seed in range(n)]
        x = {
            v: each[0][v] if n == 1 else np.array([values[v] for values in each])
            for v in schedule.observed
        }
        message = random_bits(np.random.default_rng(0), n * T, n)
        before = message.copy()
        start = time.process_time()
        schedule.push(message, x)
        middle = time.process_time()
        back = schedule.pop(message)
        end = time.process_time()
        assert all(np.array_equal(back[v], x[v]) for v in x)
        assert message == before
        name = f"2 levels of 8 states in Python, {n} side by side"
        rows.add(f"{name}: push", n * T / (middle - start), "steps/s")
        rows.add(f"{name}: pop", n * T / (end - middle), "steps/s")


def startup(rows: Report) -> None:
    """Start-up by number of levels, aligned and staircase."""
    models = {"weak transitions, 2 states": (2, 32, 5.0), "sharp, 2": (2, 32, 0.3)}
    for name, (K, M, sharpness) in models.items():
        for levels in (1, 2, 4, 8):
            for T in (16, 200) if rows.quick else (16, 10_000):
                nodes = hierarchy(levels, K, M, T, sharpness)
                graph, values = FiniteGraph(nodes), drawn(nodes, 1)
                for order in (aligned, staircase):
                    schedule = Schedule(graph, order(levels, T))
                    x = {node: values[node] for node in schedule.observed}
                    draws = 8 if T == 16 else 1
                    bits = [schedule.startup(x, seed=seed) for seed in range(draws)]
                    bound = order is staircase and sharpness == 5
                    rows.add(
                        f"{name}, L = {levels}, T = {T}, {order.__name__}: start-up",
                        float(np.mean(bits)),
                        "bits",
                        at_most=2 if bound else None,
                    )
                    if T == 16:
                        what = f"{name}, L = {levels}, {order.__name__}: outstanding"
                        rows.add(what, schedule.memory, "latents")


# ---- Gaussian levels

LinearNodes = dict[Any, tuple[list[Any], list[float], float, float]]


def linear_levels(levels: int, T: int) -> LinearNodes:
    """Levels in time with noise of 16 steps each, as that of the observations."""
    nodes: LinearNodes = {}
    for t in range(1, T + 1):
        for level in range(levels, 0, -1):
            above = [("z", level + 1, t)] if level < levels else []
            before = [("z", level, t - 1)] if t > 1 else []
            weights = [0.6] * len(above) + [0.5] * len(before)
            nodes["z", level, t] = [*above, *before], weights, 0.0, 16.0
        nodes["x", t] = [("z", 1, t)], [1.0], 0.0, 16.0
    return nodes


def dense_covariance(nodes: LinearNodes) -> NDArray[np.float64]:
    """Of the observations, rounding included."""
    at = {node: i for i, node in enumerate(nodes)}
    total = np.eye(len(nodes))
    for node, (parents, weights, _, deviation) in nodes.items():  # parents come first
        for parent, weight in zip(parents, weights, strict=True):
            total[at[node]] += weight * total[at[parent]] / deviation
        total[at[node], at[node]] = 1.0
        total[at[node]] *= deviation
    seen = total[[i for node, i in at.items() if node[0] == "x"]]
    cov: NDArray[np.float64] = seen @ seen.T
    return cov


def gaussians(rows: Report) -> None:
    """Bits over the dense Gaussian and start-up, by number of levels."""
    rng = np.random.default_rng(0)
    for levels in (1, 2) if rows.quick else (1, 2, 4, 8):
        for T in (16,) if rows.quick else (16, 160):
            nodes = linear_levels(levels, T)
            cov = dense_covariance(nodes)
            x = np.rint(rng.multivariate_normal(np.zeros(T), cov, 10)).astype(int)
            cov += np.eye(T) / 12
            nats = (x * np.linalg.solve(cov, x.T).T).sum(1) / 2
            bits = (nats + np.linalg.slogdet(2 * np.pi * cov)[1] / 2) / math.log(2)
            for order in (aligned, staircase):
                schedule = Schedule(GaussianGraph(nodes), order(levels, T))
                message, over, start = random_bits(rng, 10), 0.0, 0.0
                for row, h in zip(x.tolist(), bits, strict=True):
                    value = {("x", t): v for t, v in enumerate(row, 1)}
                    before = message.least = message.bits
                    schedule.push(message, value)
                    over += message.bits - before - h
                    start = max(start, before - message.least)
                what = f"Gaussian, {levels} levels, T = {T}, {order.__name__}"
                rows.add(f"{what}: over the dense Gaussian", over / 10, "bits")
                rows.add(f"{what}: start-up, most of 10", start, "bits")


# ---- hierarchies on real data, and their engine


def texts(rows: Report) -> dict[str, tuple[list[str], list[str]]]:
    """Real data as training and test sequences, by name."""
    found = {}
    if book := rows.files("war_and_peace/war_and_peace_books*.txt", "War and Peace"):
        text = book[0].read_text(encoding="utf-8")
        parts = [text[at : at + 5000] for at in range(0, 250_000, 5000)]
        found["War and Peace"] = parts[:40], ["".join(parts[40:])]
    logs = {
        path.stem.removesuffix("_2k"): path.read_text("latin-1").splitlines(True)
        for path in rows.files("logs/*_2k.log", "log lines")
    }
    if "HDFS" in logs:
        lines = logs["HDFS"]
        parts = ["".join(lines[at : at + 100]) for at in range(0, len(lines), 100)]
        found["HDFS log"] = parts[:15], ["".join(parts[15:])]
    if logs:
        found[f"logs of {len(logs)} systems"] = (
            ["".join(lines[:250]) for lines in logs.values()],
            ["".join(lines[1000:1100]) for lines in logs.values()],
        )
    return found


def train(
    sizes: list[int], sequences: list[str], characters: str, quick: bool
) -> HMM | HierarchicalHMM:
    """The best of some starts; states of one level make an HMM."""
    how: dict[str, Any] = {
        "alphabet": characters, "n_iter": 20 if quick else 100, "dtype": np.float32,
        "threads": 2, "progress": False,
    }  # fmt: skip
    fits = [
        HMM.fit(sequences, *sizes, seed=seed, **how)
        if len(sizes) == 1
        else HierarchicalHMM.fit(sequences, sizes, seed=seed, **how)
        for seed in range(1 if quick else 3)
    ]
    return min(fits, key=lambda fit: fit.history[-1].objective)


def model_size(sizes: list[int], n_symbols: int) -> int:
    """The masses of a model of these levels, the one next to the data first."""
    levels = zip(sizes, [*sizes[1:], 1], strict=True)
    return sizes[0] * n_symbols + sum(K * above * (1 + K) for K, above in levels)


def fill(above: list[int], most: int, n_symbols: int) -> list[int]:
    """Levels with as many states next to the data as fit in so many masses."""
    K = next(K for K in count(1) if model_size([K + 1, *above], n_symbols) > most)
    return [K, *above]


def hierarchies(rows: Report) -> None:
    """Two levels against one of as many states, and of as many bytes; the engine."""
    for name, (training, test) in texts(rows).items():
        characters = "".join(sorted(set("".join(training + test))))
        M, symbols = len(characters), sum(map(len, test))
        small, large = [8, 8], [64]
        for sizes in (
            small,
            fill([], model_size(small, M), M),
            large,
            fill([4], model_size(large, M), M),
        ):
            frozen = train(sizes, training, characters, rows.quick).freeze()
            content = sum(information_content(x, frozen) for x in test)
            bits = sum(8 * len(frozen.encode(x)) for x in test)
            states = " x ".join(map(str, sizes))
            what = f"{name}, {states} states, {len(frozen.to_bytes())} bytes"
            rows.add(f"{what}: rate", bits / symbols, "bits/symbol")
            rows.add(f"{what}: over h", bits - content, "bits")
    hierarchy_engine(rows)


def hierarchy_engine(rows: Report) -> None:
    """Rates and speed of the C engine, on data of the model."""
    length = 20_000 if rows.quick else 200_000
    model = HierarchicalHMM.random([8, 8], 64, seed=1, concentration=0.5)
    x, _ = model.sample(length, seed=2)
    frozen = model.freeze()
    for T in (1, 10, 100, 1000, length):
        over = 8 * len(frozen.encode(x[:T])) - information_content(x[:T], frozen)
        rows.add(f"8 x 8 states, T = {T}: whole bytes over h", over, "bits", at_most=10)
    for isa in ISAS.values():
        if use_isa(isa) is None:
            rows.skip(isa, "not on this machine")
            continue
        timed = Engine(frozen, x).timed(seconds, repeats=3 if rows.quick else 9)
        for verb, taken in zip(("encode", "decode"), timed, strict=True):
            rows.add(f"8 x 8 states, {isa}: {verb}", 1e-6 / taken, "M steps/s",
                     at_least=3 if isa == "avx2" else None)  # fmt: skip
    use_isa()


# ---- unordered data


def sets(rows: Report) -> None:
    """Numbers whose order does not matter."""
    n = 10**5 if rows.quick else 10**6
    rng = np.random.default_rng(0)
    law = UniformRange(0, 2**32 - 1)
    uniform = rng.choice(2**32, n, replace=False)
    cases = {
        "drawn from all": uniform,
        "beside each other": np.arange(n) + 10**9,
        "all the same": np.full(n, 7),
    }
    codec = Multiset(law, n)
    for name, ids in cases.items():
        message = Message()
        codec.push(message, ids)
        what = f"{n} ids of 32 bits, {name}"
        if ids is uniform:
            ideal = 32 - math.lgamma(n + 1) / math.log(2) / n
            over = message.bits / n - ideal
            target = None if rows.quick else 1e-4  # of 10^6: log2 n bits are lost once
            rows.add(f"{what}: over the ideal", over, "bits/id", at_most=target)
        push, pop = both_ways(codec, message, ids)
        rows.add(f"{what}: push", n / push, "ids/s", at_least=1e6)
        rows.add(f"{what}: pop", n / pop, "ids/s", at_least=1e6)
    order, message = rng.permutation(n), Message()
    Permutation(n).push(message, order)
    push, pop = both_ways(Permutation(n), message, order)
    rows.add(f"permutation of {n}: push", n / push, "elements/s")
    rows.add(f"permutation of {n}: pop", n / pop, "elements/s")


def both_ways(codec: Codec[Any], message: Message, value: Any) -> list[float]:
    """Seconds to push a value to a new message, and to pop it from this one."""
    return seconds(
        lambda: codec.push(Message(), value),
        lambda: codec.pop(message.copy()),
        repeats=5,
    )


if __name__ == "__main__":
    main()
