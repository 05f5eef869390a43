"""Message arrays against the ANS coders of peers, and the cost of one call.

    pip install constriction; pip install --no-deps compressai
    taskset -c 0 python benchmarks/message.py [--symbols N] [--json FILE]

Prints a Markdown table: process time in ns a symbol, medians of interleaved runs
in one thread, and the size over the information content at 24 bits.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import constriction
import numpy as np
import report

from bbans import Message, Table
from bbans.codecs import BitsBack, Categorical

peer_model, AnsCoder = constriction.stream.model, constriction.stream.stack.AnsCoder

LANES = 64
PREC = 24
REPEATS = 9

Run = Callable[[], Any]


def seconds(*runs: Run) -> list[float]:
    """Median process time of each run; the runs take turns."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(REPEATS):
        for mine, run in zip(times, runs, strict=True):
            start = time.process_time()
            run()
            mine.append(time.process_time() - start)
    return [statistics.median(mine) for mine in times]


def pair(name: str, x: Any, push: Any, pop: Any, peer: Any, entropy: float) -> dict:
    """Measure `push` and `pop` of a message, and a peer's encode and decode."""
    message = Message(LANES)
    push(message)
    packed = message.to_bytes()
    assert (pop(Message.from_bytes(packed, LANES)) == x).all()
    encode, decode = peer
    code = encode()
    assert (decode(code) == x).all()

    state = {"m": message}

    def ours_push() -> None:
        state["m"] = Message(LANES)
        push(state["m"])

    def ours_pop() -> None:
        pop(state["m"])

    ours, theirs, back, peer_back = seconds(
        ours_push, encode, ours_pop, lambda: decode(code)
    )
    scale = 1e9 / x.size
    grown = Message.from_bytes(packed, LANES).bits - Message(LANES).bits
    row = {
        "name": name,
        "encode_ns": ours * scale,
        "peer_encode_ns": theirs * scale,
        "decode_ns": back * scale,
        "peer_decode_ns": peer_back * scale,
        "over_percent": 100 * (grown / entropy - 1),
    }
    return row


def stack(model: Any, *parameters: Any) -> Callable[[Any], tuple[Run, Any]]:
    """The peer's encode and decode of an array."""

    def of(x: Any) -> tuple[Run, Any]:
        symbols = x.astype(np.int32)

        def encode() -> Any:
            coder = AnsCoder()
            coder.encode_reverse(symbols, model, *parameters)
            return coder.get_compressed()

        def decode(code: Any) -> Any:
            coder = AnsCoder(code)
            if parameters:
                return coder.decode(model, *parameters)
            return coder.decode(model, symbols.size)

        return encode, decode

    return of


def fixed(n: int, K: int, rng: Any, dtype: Any = np.uint32) -> dict:
    p = rng.dirichlet(np.ones(K))
    x = rng.choice(K, n, p=p).astype(dtype)
    table = Table.from_masses(p, PREC)
    q = np.diff(table.cdf[0]) / 2.0**PREC
    out = np.empty(n, dtype)
    return pair(
        f"fixed table, {K} symbols, {np.dtype(dtype).name}",
        x,
        lambda m: m.push_symbols(table, x),
        lambda m: m.pop_symbols(table, out=out),
        stack(peer_model.Categorical(p.astype(np.float32), perfect=False))(x),
        -np.log2(q)[x].sum(),
    )


def compressai_ans() -> Any:
    """The extension of `pip install --no-deps compressai`, or None; the package
    itself would import torch."""
    spec = importlib.util.find_spec("compressai")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = next(Path(spec.submodule_search_locations[0]).glob("ans*.so"))
    ans_spec = importlib.util.spec_from_file_location("ans", path)
    assert ans_spec is not None
    assert ans_spec.loader is not None
    module = importlib.util.module_from_spec(ans_spec)
    ans_spec.loader.exec_module(module)
    return module


def indexed(n: int, rng: Any) -> dict:
    rows, K = 64, 256
    p = np.stack([np.exp(-0.5 * ((np.arange(K) - 128) / s) ** 2) + 1e-9
                  for s in np.geomspace(0.3, 60, rows)])  # fmt: skip
    table = Table.from_masses(p, PREC)
    q = np.diff(table.cdf) / 2.0**PREC
    index = rng.integers(0, rows, n).astype(np.int32)
    u = rng.integers(0, 2**PREC, n)
    x = np.empty(n, np.int32)
    for i in range(rows):
        x[index == i] = np.searchsorted(table.cdf[i], u[index == i], "right") - 1
    out = np.empty(n, np.int32)
    ans = compressai_ans()
    if ans is None:
        name, one = "constriction, one fixed table", p[30].astype(np.float32)
        peer = stack(peer_model.Categorical(one, perfect=False))(x)
    else:  # 16 bits, a last symbol for escapes, and Python lists
        name = "compressai"
        escape = np.concatenate([p, np.full((rows, 1), 1e-9)], axis=1)
        model = (
            Table.from_masses(escape, 16).cdf.tolist(),
            [K + 2] * rows,
            [0] * rows,
        )
        lists = x.tolist(), index.tolist()
        peer = (
            lambda: ans.RansEncoder().encode_with_indexes(*lists, *model),
            lambda code: np.array(
                ans.RansDecoder().decode_with_indexes(code, lists[1], *model)
            ),
        )
    return pair(
        f"{rows} tables of {K}, one index a symbol (peer: {name})",
        x,
        lambda m: m.push_symbols(table, x, index),
        lambda m: m.pop_symbols(table, rows=index, out=out),
        peer,
        -np.log2(q)[index, x].sum(),
    )


def rows(n: int, K: int, rng: Any) -> dict:
    p = rng.dirichlet(np.ones(K), n).astype(np.float32)
    edges = np.cumsum(p, axis=1)
    x = (edges < rng.random((n, 1)) * edges[:, -1:]).sum(1).clip(0, K - 1)
    x = x.astype(np.uint32)
    total = p.sum(1, dtype=np.float64)
    return pair(
        f"a row of {K} float32 probabilities a symbol",
        x,
        lambda m: m.push_probabilities(p, x),
        lambda m: m.pop_probabilities(p),
        stack(peer_model.Categorical(perfect=False), p)(x),
        -np.log2(p[np.arange(n), x] / total).sum(),
    )


def uniform(n: int, total: int, rng: Any) -> dict:
    x = rng.integers(0, total, n).astype(np.uint32)
    return pair(
        f"uniform below {total}",
        x,
        lambda m: m.push_uniform(total, x),
        lambda m: m.pop_uniform(total, n),
        stack(peer_model.Uniform(total))(x),
        n * np.log2(total),
    )


def bernoulli(n: int, rng: Any) -> dict:
    p = rng.random(n) * 0.98 + 0.01
    ones = np.round(p * 2**PREC).astype(np.uint32)
    x = (rng.random(n) < p).astype(np.uint32)
    q = ones / 2.0**PREC
    return pair(
        "Bernoulli, a probability a bit",
        x,
        lambda m: m.push_bernoulli(ones, PREC, x),
        lambda m: m.pop_bernoulli(ones, PREC),
        stack(peer_model.Bernoulli(perfect=False), p)(x),
        -np.log2(np.where(x, q, 1 - q)).sum(),
    )


def calls() -> list[dict]:
    """Microseconds of one call with one symbol, less an empty loop."""
    table = Table.from_masses(np.ones((2, 16)), PREC)
    codec, message = Categorical(table), Message.from_state([2**62], [7] * 10)
    bits_back = BitsBack(Categorical(table), lambda z: codec, lambda x: codec)
    peer = AnsCoder(np.arange(1, 50, dtype=np.uint32))
    model = peer_model.Categorical(np.full(16, 1 / 16, np.float32), perfect=False)
    n = 20000

    def loop(function: Run) -> Run:
        def run() -> None:
            for _ in range(n):
                function()

        return run

    pairs: list[tuple[str, Run, Run]] = [
        ("Categorical", lambda: codec.push(message, 3), lambda: codec.pop(message)),
        ("Message.push_symbols",
         lambda: message.push_symbols(table, 3), lambda: message.pop_symbols(table)),
        ("BitsBack of three Categoricals",
         lambda: bits_back.push(message, 3), lambda: bits_back.pop(message)),
        ("constriction AnsCoder",
         lambda: peer.encode_reverse(3, model), lambda: peer.decode(model)),
    ]  # fmt: skip
    out = []
    for name, push, pop in pairs:
        push_s, pop_s, empty = seconds(loop(push), loop(pop), loop(lambda: None))
        out.append({"name": name, "push_us": (push_s - empty) / n * 1e6,
                    "pop_us": (pop_s - empty) / n * 1e6})  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=10**6)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    n, rng = options.symbols, np.random.default_rng(1)
    results = [
        fixed(n, 6, rng),
        fixed(n, 64, rng),
        fixed(n, 256, rng),
        fixed(n, 256, rng, np.uint8),
        indexed(n, rng),
        rows(n // 10, 64, rng),
        uniform(n, 256, rng),
        uniform(n, 1000, rng),
        bernoulli(n, rng),
    ]
    one_call = calls()
    about = report.machine() | {
        "constriction": importlib.metadata.version("constriction"),
        "lanes": LANES,
    }
    print("| ns a symbol | encode | peer | ratio | decode | peer | ratio | size |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for r in results:
        print(
            f"| {r['name']} | {r['encode_ns']:.2f} | {r['peer_encode_ns']:.2f} "
            f"| {r['peer_encode_ns'] / r['encode_ns']:.1f} | {r['decode_ns']:.2f} "
            f"| {r['peer_decode_ns']:.2f} | {r['peer_decode_ns'] / r['decode_ns']:.1f} "
            f"| {r['over_percent']:+.5f} % |"
        )
    print("\n| one symbol, us a call | push | pop |\n|---|---:|---:|")
    for r in one_call:
        print(f"| {r['name']} | {r['push_us']:.3f} | {r['pop_us']:.3f} |")
    print("\n" + ", ".join(f"{key} {value}" for key, value in about.items()))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(
                {"about": about, "arrays": results, "calls": one_call}, file, indent=1
            )


if __name__ == "__main__":
    main()
