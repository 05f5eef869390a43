"""Message arrays against the ANS coders of peers, and the cost of one call.

    pip install constriction; pip install --no-deps compressai

Process time in ns per symbol, medians of interleaved runs in one thread, the peer's
time over ours, and the size over the information content at 24 bits. All data are made
(--data has no effect). Ours reads parameters where they are (``copy=False``), and makes
its distribution in the time that is measured. Pin it to a core (taskset -c 0) on a
shared machine.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from clock import seconds
from report import Report, parser, use_isa, version

from bbans import Message
from bbans.codecs import BitsBack
from bbans.distributions import Bernoulli, Categorical, Table, Uniform, Weighted

LANES = 64
PREC = 24

Encode, Decode = Callable[[], Any], Callable[[Any], Any]
Peer = tuple[str, Encode, Decode] | None


def add_speeds(
    rows: Report,
    name: str,
    unit: str,
    x: np.ndarray,
    push: Callable[[Message], Any],
    pop: Callable[[Message], Any],
    peer: Peer,
    at_least: tuple[float, float] | tuple[None, None] = (None, None),
) -> None:
    """Measure `push` and `pop` of a message, and a peer's encode and decode of x; they
    are to be `at_least` so many times as fast."""
    message = Message(LANES)
    push(message)
    assert (pop(message) == x).all()
    state = [message]

    def ours_push() -> None:
        state[0] = Message(LANES)
        push(state[0])

    runs: list[Callable[[], Any]] = [ours_push, lambda: pop(state[0])]
    if peer:
        _, encode, decode = peer
        code = encode()
        assert (decode(code) == x).all()
        runs += [encode, partial(decode, code)]
    times = [1e9 / x.size * s for s in seconds(*runs)]
    for k, verb in enumerate(("encode", "decode")):
        rows.add(f"{name}: {verb}, {use_isa()}", times[k], f"ns/{unit}")
        if peer:
            rows.add(f"{name}: {verb}, {peer[0]}", times[k + 2], f"ns/{unit}")
            rows.add(f"{name}: {verb}, to {peer[0]}", times[k + 2] / times[k],
                     "times as fast", at_least=at_least[k])  # fmt: skip


def constriction_stack(
    constriction: Any, model: Any, x: np.ndarray, *parameters: Any
) -> tuple[Encode, Decode]:
    """constriction's encode and decode of an array."""
    coder_of, symbols = constriction.stream.stack.AnsCoder, x.astype(np.int32)

    def encode() -> Any:
        coder = coder_of()
        coder.encode_reverse(symbols, model, *parameters)
        return coder.get_compressed()

    def decode(code: Any) -> Any:
        coder = coder_of(code)
        if parameters:
            return coder.decode(model, *parameters)
        return coder.decode(model, symbols.size)

    return encode, decode


class Arrays:
    """The rows of arrays; `constriction` is the package or None."""

    def __init__(self, rows: Report, constriction: Any) -> None:
        self.rows, self.constriction = rows, constriction
        self.rng = np.random.default_rng(1)

    def _peer(self, law: str, x: Any, *given: Any, **options: Any) -> Peer:
        if self.constriction is None:
            return None
        model = getattr(self.constriction.stream.model, law)
        at_once, each = ((), given) if options.pop("each", False) else (given, ())
        stack = constriction_stack(
            self.constriction, model(*at_once, **options), x, *each
        )
        return "constriction", *stack

    def _add(
        self, name: str, x: Any, push: Any, pop: Any, peer: Peer, information: float
    ) -> None:
        add_speeds(self.rows, name, "symbol", x, push, pop, peer)
        message = Message(LANES)
        push(message)
        grown = Message.from_bytes(message.to_bytes(), LANES).bits - Message(LANES).bits
        self.rows.add(f"{name}: over", 100 * (grown / information - 1), "%",
                      at_most=2e-4)  # fmt: skip

    def fixed(self, n: int, K: int, dtype: Any = np.uint32) -> None:
        p = self.rng.dirichlet(np.ones(K))
        x = self.rng.choice(K, n, p=p).astype(dtype)
        table = Table.from_masses(p, PREC)
        q = np.diff(table.cdf[0]) / 2.0**PREC
        out = np.empty(n, dtype)
        self._add(
            f"fixed table, {K} symbols, {np.dtype(dtype).name}",
            x,
            lambda m: m.push(Categorical(table), x),
            lambda m: m.pop(Categorical(table), out=out),
            self._peer("Categorical", x, p.astype(np.float32), perfect=False),
            -np.log2(q)[x].sum(),
        )

    def indexed(self, n: int) -> None:
        count, K = 64, 256
        p = np.stack([np.exp(-0.5 * ((np.arange(K) - 128) / s) ** 2) + 1e-9
                      for s in np.geomspace(0.3, 60, count)])  # fmt: skip
        table = Table.from_masses(p, PREC)
        q = np.diff(table.cdf) / 2.0**PREC
        index = self.rng.integers(0, count, n).astype(np.int32)
        u = self.rng.integers(0, 2**PREC, n)
        x = np.empty(n, np.int32)
        for i in range(count):
            x[index == i] = np.searchsorted(table.cdf[i], u[index == i], "right") - 1
        out = np.empty(n, np.int32)
        self._add(
            f"{count} tables of {K}, one index a symbol",
            x,
            lambda m: m.push(Categorical(table, index, copy=False), x),
            lambda m: m.pop(Categorical(table, index, copy=False), out=out),
            compressai_peer(self.rows, p, x, index),
            -np.log2(q)[index, x].sum(),
        )

    def rows_of_floats(self, n: int, K: int) -> None:
        p = self.rng.dirichlet(np.ones(K), n).astype(np.float32)
        edges = np.cumsum(p, axis=1)
        x = (edges < self.rng.random((n, 1)) * edges[:, -1:]).sum(1).clip(0, K - 1)
        x = x.astype(np.uint32)
        total = p.sum(1, dtype=np.float64)
        self._add(
            f"a row of {K} float32 probabilities a symbol",
            x,
            lambda m: m.push(Weighted(p, copy=False), x),
            lambda m: m.pop(Weighted(p, copy=False)),
            self._peer("Categorical", x, p, perfect=False, each=True),
            -np.log2(p[np.arange(n), x] / total).sum(),
        )

    def uniform(self, n: int, total: int) -> None:
        x = self.rng.integers(0, total, n).astype(np.uint32)
        self._add(
            f"uniform below {total}",
            x,
            lambda m: m.push(Uniform(total), x),
            lambda m: m.pop(Uniform(total), n),
            self._peer("Uniform", x, total),
            n * np.log2(total),
        )

    def bernoulli(self, n: int) -> None:
        p = self.rng.random(n) * 0.98 + 0.01
        ones = np.round(p * 2**PREC).astype(np.uint32)
        x = (self.rng.random(n) < p).astype(np.uint32)
        q = ones / 2.0**PREC
        self._add(
            "Bernoulli, a probability a bit",
            x,
            lambda m: m.push(Bernoulli(ones, prec=PREC, copy=False), x),
            lambda m: m.pop(Bernoulli(ones, prec=PREC, copy=False)),
            self._peer("Bernoulli", x, p, perfect=False, each=True),
            -np.log2(np.where(x, q, 1 - q)).sum(),
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


def compressai_peer(rows: Report, p: Any, x: Any, index: Any) -> Peer:
    """16 bits, a last symbol for escapes, and Python lists."""
    ans = compressai_ans()
    if ans is None:
        why = "compressai is not installed (pip install --no-deps compressai)"
        rows.skip("compressai's rows", why)
        return None
    rows.used(version("compressai"))
    escape = np.concatenate([p, np.full((len(p), 1), 1e-9)], axis=1)
    tables = Table.from_masses(escape, 16).cdf.tolist()
    model = tables, [p.shape[1] + 2] * len(p), [0] * len(p)
    lists = x.tolist(), index.tolist()
    return (
        "compressai",
        lambda: ans.RansEncoder().encode_with_indexes(*lists, *model),
        lambda code: np.array(
            ans.RansDecoder().decode_with_indexes(code, lists[1], *model)
        ),
    )


def calls(rows: Report, constriction: Any, n: int) -> None:
    """Microseconds of one call with one symbol, less an empty loop."""
    table = Table.from_masses(np.ones((2, 16)), PREC)
    codec, message = Categorical(table), Message.from_state([2**62], [7] * 10)
    bits_back = BitsBack(Categorical(table), lambda z: codec, lambda x: codec)

    def loop(function: Callable[[], Any]) -> None:
        for _ in range(n):
            function()

    pairs: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
        ("Categorical", lambda: codec.push(message, 3), lambda: codec.pop(message)),
        ("the message alone",
         lambda: message.push(codec, 3), lambda: message.pop(codec)),
        ("BitsBack of three Categoricals",
         lambda: bits_back.push(message, 3), lambda: bits_back.pop(message)),
    ]  # fmt: skip
    if constriction:
        peer = constriction.stream.stack.AnsCoder(np.arange(1, 50, dtype=np.uint32))
        model = constriction.stream.model.Categorical(
            np.full(16, 1 / 16, np.float32), perfect=False
        )
        pairs.append(
            ("constriction's AnsCoder",
             lambda: peer.encode_reverse(3, model), lambda: peer.decode(model))
        )  # fmt: skip
    for name, push, pop in pairs:
        push_s, pop_s, empty = seconds(
            *(partial(loop, run) for run in (push, pop, lambda: None))
        )
        rows.add(f"one symbol, {name}: push", (push_s - empty) / n * 1e6, "us/call")
        rows.add(f"one symbol, {name}: pop", (pop_s - empty) / n * 1e6, "us/call")


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        constriction = rows.peer("constriction", "constriction's rows")
        n = 200_000 if rows.quick else 1_000_000
        arrays = Arrays(rows, constriction)
        arrays.fixed(n, 6)
        arrays.fixed(n, 64)
        arrays.fixed(n, 256)
        arrays.fixed(n, 256, np.uint8)
        arrays.indexed(n)
        arrays.rows_of_floats(n // 10, 64)
        arrays.uniform(n, 256)
        arrays.uniform(n, 1000)
        arrays.bernoulli(n)
        calls(rows, constriction, 2000 if rows.quick else 20_000)


if __name__ == "__main__":
    main()
