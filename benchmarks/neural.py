"""The entropy coder of neural codecs beside compressai's and constriction's.

    pip install constriction; pip install --no-deps compressai

Process time of one call in ns per symbol, medians of interleaved runs in one thread:
symbols under 64 tables of Laplacians, a row for each symbol, with shares of symbols
outside their row. compressai takes lists alone. Its package needs torch, its coder does
not: --compressai names the file or the folder of ans.*.so where the package cannot be
imported. constriction has no tables of rows: it codes the same symbols under a
Laplacian with a scale for each. All data are made (--data has no effect). Pin it to a
core (taskset -c 0) on a shared machine.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from clock import seconds
from report import Report, parser

import bbans.compressai as ours
from bbans import Message
from bbans.distributions import Custom, Ragged, quantise

N_TABLES = 64
SHARES = [0.0, 0.001, 0.1]
WIDEST = 40.0
Run = Callable[[], Any]


def tables_of(scales: np.ndarray) -> tuple[list[list[int]], list[int], list[int]]:
    """Tables as an entropy model hands them over: padded lists."""
    cdfs, sizes, offsets = [], [], []
    for scale in scales:
        half = int(np.ceil(6 * scale)) + 1
        masses = np.exp(-np.abs(np.arange(-half, half + 1)) / scale)
        masses = np.append(masses / masses.sum(), 1e-4)  # the last: all others
        cdfs.append([0, *np.cumsum(quantise(masses, 16)).tolist()])
        sizes.append(len(cdfs[-1]))
        offsets.append(-half)
    width = max(sizes)
    return [cdf + [0] * (width - len(cdf)) for cdf in cdfs], sizes, offsets


def compressai_ans(path: Path | None, rows: Report) -> Any:
    """compressai.ans, or None."""
    if path is None:
        return rows.peer("compressai.ans", "compressai's times")
    files = sorted(path.glob("ans.*")) if path.is_dir() else [path]
    if not files:
        rows.skip("compressai's times", f"there is no ans.* in {path}")
        return None
    spec = importlib.util.spec_from_file_location("ans", files[0])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows.used("compressai.ans")
    return module


class Symbols:
    """Symbols of which a share is outside, as lists and as arrays."""

    def __init__(self, n: int, share: float, scales: np.ndarray) -> None:
        rng = np.random.default_rng(n)
        rows = rng.integers(0, scales.size, n)
        symbols = np.rint(rng.laplace(0, scales[rows])).astype(np.int32)
        outside = rng.random(n) < share
        symbols[outside] += rng.integers(-100_000, 100_000, outside.sum())
        self.n, self.rows, self.symbols = n, rows.astype(np.int32), symbols
        self.lists = symbols.tolist(), rows.tolist()


class Streams:
    """The rows of whole streams and of calls."""

    def __init__(self, rows: Report, theirs: Any) -> None:
        self.rows, self.theirs = rows, theirs
        self.scales = np.geomspace(0.11, WIDEST, N_TABLES)
        self.lists = tables_of(self.scales)
        self.tables = ours.Tables(*self.lists)

    def _runs(self, module: Any, symbols: Any, rows: Any, tables: Any) -> list[Any]:
        stream = module.RansEncoder().encode_with_indexes(symbols, rows, *tables)
        back = module.RansDecoder().decode_with_indexes(stream, rows, *tables)
        assert np.array_equal(back, symbols)
        return [
            lambda: module.RansEncoder().encode_with_indexes(symbols, rows, *tables),
            lambda: module.RansDecoder().decode_with_indexes(stream, rows, *tables),
            len(stream),
        ]

    def stream(self, n: int, share: float, bounds: bool) -> None:
        """A stream of n symbols; the targets are those of long ones."""
        given = Symbols(n, share, self.scales)
        name = f"{n} symbols, {100 * share:g} % outside"
        coders = {
            "arrays": self._runs(ours, given.symbols, given.rows, (self.tables,)),
            "lists": self._runs(ours, *given.lists, self.lists),
        }
        if self.theirs is not None:
            coders["compressai"] = self._runs(self.theirs, *given.lists, self.lists)
        runs: list[Run] = [run for coder in coders.values() for run in coder[:2]]
        times = [1e9 / n * s for s in seconds(*runs)]
        for k, verb in enumerate(("encode", "decode")):
            found = dict(zip(coders, times[k::2], strict=True))
            for coder, time in found.items():
                self.rows.add(f"{name}: {verb}, {coder}", time, "ns/symbol")
            if "compressai" not in found:
                continue
            for coder, least in (("arrays", 5.0), ("lists", 1.5)):
                self.rows.add(
                    f"{name}: {verb}, {coder} to compressai",
                    found["compressai"] / found[coder], "times as fast",
                    at_least=least if bounds else None,
                )  # fmt: skip
        size = coders["arrays"][2]
        self.rows.add(f"{name}: stream", size, "bytes")
        if "compressai" in coders:
            more = size - coders["compressai"][2]
            self.rows.add(
                f"{name}: stream, over compressai's", more, "bytes", at_most=400
            )

    def calls(self, n: int) -> None:
        """One symbol a call, as an autoregressive model decodes."""
        given = Symbols(n, 0.01, self.scales)
        symbols, indexes = given.lists
        coders = {
            "tables prepared": (ours, (self.tables,)),
            "lists": (ours, self.lists),
        }
        if self.theirs is not None:
            coders["compressai"] = (self.theirs, self.lists)

        def run_of(module: Any, tables: Any) -> Run:
            stream = module.RansEncoder().encode_with_indexes(*given.lists, *tables)

            def run() -> None:
                decoder = module.RansDecoder()
                decoder.set_stream(stream)
                back = [decoder.decode_stream([row], *tables)[0] for row in indexes]
                assert back == symbols

            return run

        times = seconds(*(run_of(*coder) for coder in coders.values()))
        for coder, time in zip(coders, times, strict=True):
            self.rows.add(f"one symbol a call: decode, {coder}", 1e6 * time / n, "us")

    def engine(self, n: int, constriction: Any) -> None:
        """The distribution alone, and what constriction has that is nearest."""
        given = Symbols(n, 0, self.scales)
        law = Ragged(self.tables.table, given.rows, copy=False)
        out, message = np.empty(n, np.int32), Message(64)
        message.push(law, given.symbols)
        state = [message.copy()]

        def push() -> None:
            state[0] = Message(64)
            state[0].push(law, given.symbols)

        runs: list[Run] = [push, lambda: state[0].pop(law, out=out)]
        names = ["push, Ragged, 64 lanes", "pop, Ragged, 64 lanes"]
        if constriction is not None:
            model = constriction.stream.model.QuantizedLaplace(-500, 500)
            scales, means = self.scales[given.rows], np.zeros(n)
            coder_of = constriction.stream.stack.AnsCoder

            def encode() -> Any:
                coder = coder_of()
                coder.encode_reverse(given.symbols, model, means, scales)
                return coder.get_compressed()

            words = encode()

            def decode() -> Any:
                return coder_of(words).decode(model, means, scales)

            assert (decode() == given.symbols).all()
            runs += [encode, decode]
            names += [
                "push, constriction's Laplacians",
                "pop, constriction's Laplacians",
            ]
        for name, time in zip(names, seconds(*runs), strict=True):
            self.rows.add(f"{n} symbols: {name}", 1e9 * time / n, "ns/symbol")


def logistic(x: Any, location: Any, scale: Any) -> Any:
    return 1 / (1 + np.exp((location - x) / scale))


def custom(rows: Report, n: int, constriction: Any) -> None:
    """A function of the user's own, with parameters for each value."""
    rng = np.random.default_rng(2)
    locations, scales = rng.normal(0, 9, n), rng.uniform(1, 5, n)
    values = np.rint(rng.logistic(locations, scales)).clip(-100, 100).astype(np.int32)

    def ours_both() -> None:
        law, message = Custom(logistic, -100, 100, locations, scales), Message(64)
        message.push(law, values)
        assert (message.pop(law) == values).all()

    runs: list[Run] = [ours_both]
    if constriction is not None:
        model = constriction.stream.model.CustomModel(
            logistic, lambda p, m, s: m + s * np.log(p / (1 - p)), -100, 100
        )

        def theirs_both() -> None:
            coder = constriction.stream.stack.AnsCoder()
            coder.encode_reverse(values, model, locations, scales)
            assert (coder.decode(model, locations, scales) == values).all()

        runs.append(theirs_both)
    names = ["bbans", "constriction"]
    for name, time in zip(names, seconds(*runs), strict=False):
        rows.add(
            f"{n} values, a cdf in Python: both ways, {name}", 1e6 * time / n, "us"
        )


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--compressai", metavar="PATH", type=Path)
    given = options.parse_args()
    with Report(given) as rows:
        streams = Streams(rows, compressai_ans(given.compressai, rows))
        constriction = rows.peer("constriction", "constriction's times")
        n = 20_000 if rows.quick else 300_000
        for share in SHARES:
            streams.stream(n, share, bounds=not rows.quick)
        streams.stream(500, 0, bounds=False)
        streams.calls(50 if rows.quick else 200)
        streams.engine(n, constriction)
        custom(rows, 300 if rows.quick else 3000, constriction)


if __name__ == "__main__":
    main()
