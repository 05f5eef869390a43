"""What the code of the paper gets wrong in silence, done to it and to bbans.

    python tools/reference_failures.py [--code DIR] [--json FILE]

Townsend and Murray's code (github.com/j-towns/ssm-code, with craystack, autograd and
scipy) shows the method and promises nothing of this. With --code DIR, where its
hmm_codec.py and generate_model_plot.py are, each failure is done to both. An outcome is

    correct     the symbols that were coded
    named       an exception of the library's own that says what is wrong
    error       another exception
    wrong       other symbols, or bytes, and no exception
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import bbans
from bbans.models import HMM

PRECISION = 21  # the paper's
OUTCOMES = ("correct", "named", "error", "wrong")


Errors = tuple[type[BaseException], ...]


class Parameters(NamedTuple):
    """Probabilities of a hidden Markov model."""

    initial: np.ndarray
    transition: np.ndarray
    emission: np.ndarray


class Bbans:
    """bbans, as files hold what it codes."""

    named: Errors = (bbans.BbansError,)

    def train(self, start: Parameters, xs: list[int], n_iter: int) -> Parameters:
        found = HMM.fit(xs, start.initial.size, n_iter=n_iter, init=HMM(*start))
        return Parameters(found.initial, found.transition, found.emission)

    def encode(self, p: Parameters, xs: list[int], precision: int = PRECISION) -> bytes:
        model = HMM(*p).freeze(precision)
        return bbans.compress(np.array(xs, np.int32), model)

    def decode(
        self, p: Parameters, data: bytes, n: int, precision: int = PRECISION
    ) -> list[int]:
        model = HMM(*p).freeze(precision)
        found: list[int] = bbans.decompress(data, model).tolist()
        return found


class Reference:
    """The code of the paper, with its own message, which is all that it writes."""

    named: Errors = ()  # it has none of its own

    def __init__(self, folder: Path) -> None:
        sys.path.insert(0, str(folder))
        import craystack
        import generate_model_plot
        import hmm_codec

        self._stack: Any = craystack
        self._codec: Any = hmm_codec
        self._training: Any = generate_model_plot

    def train(self, start: Parameters, xs: list[int], n_iter: int) -> Parameters:
        found = self._training.EM(tuple(start), [np.array(xs)], None)
        return Parameters(*found)

    def _of(self, p: Parameters, n: int, precision: int) -> Any:
        h = self._codec.HyperParams(*p.emission.shape, precision, n)
        rows = [self._codec.quantized_cdf(h, np.asarray(row)) for row in p]
        return self._codec.HMM(h, rows)

    def encode(self, p: Parameters, xs: list[int], precision: int = PRECISION) -> bytes:
        codec = self._of(p, len(xs), precision)
        message = codec.push(self._stack.base_message(1), np.array(xs))
        data: bytes = self._stack.flatten(message).astype("<u4").tobytes()
        return data

    def decode(
        self, p: Parameters, data: bytes, n: int, precision: int = PRECISION
    ) -> list[int]:
        words = np.frombuffer(data[: len(data) // 4 * 4], "<u4")
        message = self._stack.unflatten(words, (1,))
        return [int(x) for x in self._of(p, n, precision).pop(message)[1]]


Library = Bbans | Reference


# ---- the failures: each yields acts, which return whether the result is right


def random_parameters(seed: int, K: int = 5, M: int = 6) -> Parameters:
    rng = np.random.default_rng(seed)
    return Parameters(
        rng.dirichlet(np.ones(K)),
        rng.dirichlet(np.ones(K), K),
        rng.dirichlet(np.ones(M), K),
    )


def sampled(p: Parameters, n: int, seed: int) -> list[int]:
    rng = np.random.default_rng(seed)
    xs, z = [], rng.choice(p.initial.size, p=p.initial)
    for _ in range(n):
        xs.append(int(rng.choice(p.emission.shape[1], p=p.emission[z])))
        z = rng.choice(p.initial.size, p=p.transition[z])
    return xs


Act = Callable[[], bool]


def trip(lib: Library, p: Parameters, xs: list[int], precision: int = PRECISION) -> Act:
    def act() -> bool:
        data = lib.encode(p, xs, precision)
        return lib.decode(p, data, len(xs), precision) == xs

    return act


def decoding(lib: Library, p: Parameters, data: bytes, xs: list[int]) -> Act:
    return lambda: lib.decode(p, data, len(xs)) == xs


def training(lib: Library) -> Iterator[Act]:
    """EM from a chain from left to right, whose starts have probability zero."""
    for seed in range(3):
        p = random_parameters(seed, 4)
        left = np.eye(4) * 0.75 + np.eye(4, k=1) * 0.25
        left[3, 3] = 1
        start = Parameters(np.eye(4)[0], left, p.emission)
        xs = sampled(start, 60, seed)

        yield partial(trains, lib, start, xs)


def trains(lib: Library, start: Parameters, xs: list[int]) -> bool:
    """Whether parameters are numbers, and code what they were trained on."""
    found = lib.train(start, xs, 5)
    return all(np.isfinite(row).all() for row in found) and trip(lib, found, xs)()


def lost_path(lib: Library) -> Iterator[Act]:
    """The only state that emits a symbol is reached by way of an unlikely one."""
    for share in (1e-4, 1e-5, 1e-6):
        rest = 1 - share
        p = Parameters(
            np.array([0, 1.0, 0]),
            np.array([[0.5, 0.5, 0], [0, rest, share], [share, 0, rest]]),
            np.array([[0, 0, 1.0], [0.5, 0.5, 0], [0.5, 0.5, 0]]),
        )
        yield trip(lib, p, [0, 1, 1, 0, 1, 2, 2, 0, 1] * 3)


def no_probability(lib: Library) -> Iterator[Act]:
    """A symbol that no state emits."""
    for seed in range(10):
        p = random_parameters(seed)
        p.emission[:, 3] = 0
        p.emission[:] /= p.emission.sum(-1, keepdims=True)
        xs = sampled(p, 50, seed)
        xs[25] = 3
        yield trip(lib, p, xs)


def wrong_model(lib: Library) -> Iterator[Act]:
    """Decoding under parameters of which one differs by 1e-3."""
    for seed in range(20):
        p = random_parameters(seed)
        xs = sampled(p, 50, seed)
        data = lib.encode(p, xs)
        other = Parameters(p.initial, p.transition, p.emission.copy())
        most = p.emission[0].argmax()
        other.emission[0, most] -= 1e-3
        other.emission[0, most - 1] += 1e-3
        yield decoding(lib, other, data, xs)


def cut(lib: Library) -> Iterator[Act]:
    """The message, cut at each word."""
    p = random_parameters(1)
    xs = sampled(p, 200, 1)
    data = lib.encode(p, xs)
    for end in range(8, len(data) - 3, 4):
        yield decoding(lib, p, data[:end], xs)


def flipped(lib: Library) -> Iterator[Act]:
    """Each bit of the message."""
    p = random_parameters(2)
    xs = sampled(p, 60, 2)
    data = lib.encode(p, xs)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit >> 3] ^= 1 << (bit & 7)
        yield decoding(lib, p, bytes(damaged), xs)


def negative(lib: Library) -> Iterator[Act]:
    """A symbol of -1, and of -2."""
    for symbol in (-1, -2):
        for seed in range(5):
            p = random_parameters(seed)
            xs = sampled(p, 50, seed)
            xs[20] = symbol
            yield trip(lib, p, xs)


def precise(lib: Library) -> Iterator[Act]:
    """Tables of 24 bits and more."""
    for precision in range(24, 29):
        for seed in range(4):
            p = random_parameters(seed)
            yield trip(lib, p, sampled(p, 100, seed), precision)


def same_bytes(lib: Library) -> Iterator[Act]:
    """The same input, twice."""
    for seed in range(10):
        p = random_parameters(seed)
        xs = sampled(p, 50, seed)
        yield partial(encodes_alike, lib, p, xs)


def encodes_alike(lib: Library, p: Parameters, xs: list[int]) -> bool:
    return lib.encode(p, xs) == lib.encode(p, xs)


FAILURES: dict[str, Callable[[Library], Iterator[Act]]] = {
    "EM that becomes NaN": training,
    "the path to a symbol is lost": lost_path,
    "a symbol of probability zero": no_probability,
    "a wrong model": wrong_model,
    "a cut message": cut,
    "a flipped bit": flipped,
    "a negative symbol": negative,
    "tables of 24 bits or more": precise,
    "the same input, twice": same_bytes,
}


def outcome_of(act: Act, named: Errors) -> str:
    try:
        with np.errstate(all="ignore"):
            return "correct" if act() else "wrong"
    except named:
        return "named"
    except Exception:
        return "error"


def outcomes(lib: Library, failure: str) -> dict[str, int]:
    """How often each outcome came of a failure."""
    found = Counter(outcome_of(act, lib.named) for act in FAILURES[failure](lib))
    return {outcome: found[outcome] for outcome in OUTCOMES if found[outcome]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--code", type=Path, metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    libraries: dict[str, Library] = {}
    if options.code is not None:
        libraries["reference"] = Reference(options.code)
    libraries["bbans"] = Bbans()
    rows = []
    for failure in FAILURES:
        row: dict[str, Any] = {"failure": failure}
        for name, lib in libraries.items():
            row[name] = outcomes(lib, failure)
        rows.append(row)
        print(json.dumps(row))
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
