"""Hidden states: paths, posteriors and training against hmmlearn's.

    pip install hmmlearn

Speeds are process times, the least of several runs, of 20,000 symbols drawn from random
models. Equality is over random models of 1 to 20 states. Scores are of training from
each library's own start, on 20,000 symbols of --data: text, DNA and a log.
"""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from report import Report, parser

from bbans import HMM

SYMBOLS = 20_000
TEXTS = (
    ("text", "war_and_peace/war_and_peace_books*.txt"),
    ("DNA", "dna/lambda*.fa"),
    ("log", "logs/Apache*.log"),
)


def theirs_of(hmm: Any, model: HMM) -> Any:
    """The same model of hmmlearn."""
    found = hmm.CategoricalHMM(model.n_states, n_features=model.n_symbols)
    found.startprob_, found.transmat_ = model.initial, model.transition
    found.emissionprob_ = model.emission
    return found


def seconds(call: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def speeds(rows: Report, hmm: Any) -> None:
    for K in (4, 16, 64):
        model = HMM.random(K, 80, seed=0)
        x, _ = model.sample(SYMBOLS, seed=1)
        column = x[:, np.newaxis]
        repeats = 3 if rows.quick else 9
        ours: dict[str, Callable[[], object]] = {
            "path": lambda model=model, x=x: model.predict(x),
            "posterior": lambda model=model, x=x: model.posterior(x),
            "score": lambda model=model, x=x: model.score(x),
        }
        found = {what: seconds(call, repeats) for what, call in ours.items()}
        for what, took in found.items():
            rows.add(f"{what}, {K} states", took / SYMBOLS * 1e9, "ns/symbol")
        if hmm is None:
            continue
        peer = theirs_of(hmm, model)
        calls = {
            "path": lambda peer=peer, column=column: peer.predict(column),
            "posterior": lambda peer=peer, column=column: peer.predict_proba(column),
            "score": lambda peer=peer, column=column: peer.score(column),
        }
        for what, call in calls.items():
            ratio = found[what] / seconds(call, repeats if what == "path" else 1)
            bound = 2.0 if what == "path" else 1.0
            rows.add(
                f"{what}, {K} states, to hmmlearn's time", ratio, "times", at_most=bound
            )


def equality(rows: Report, hmm: Any) -> None:
    n = 100
    worst = {"posterior": 0.0, "ln P of the path": 0.0, "score": 0.0}
    same = 0
    rng = np.random.default_rng(0)
    for seed in range(n):
        K, M, T = (int(most) for most in rng.integers(1, [20, 30, 300]))
        model = HMM.random(K, M, concentration=rng.choice([0.1, 1, 5]), seed=seed)
        x, _ = model.sample(T, seed=seed)
        column = x[:, np.newaxis]
        peer = theirs_of(hmm, model)
        log_p, path = peer.decode(column)
        bits, states = model.viterbi(x)
        off = {
            "posterior": np.abs(model.posterior(x) - peer.predict_proba(column)).max(),
            "ln P of the path": abs(-bits * math.log(2) - log_p),
            "score": abs(model.score(x) - peer.score(column)),
        }
        worst = {what: max(worst[what], float(off[what])) for what in worst}
        same += np.array_equal(path, states)
    for what, value in worst.items():
        rows.add(f"{what}, {n} models, largest difference", value, "", at_most=1e-9)
    rows.add(
        f"paths of the same states, of {n}; of others theirs is as likely", same, ""
    )


def training(rows: Report, hmm: Any) -> None:
    seeds = 3 if rows.quick else 10
    for name, pattern in TEXTS:
        for path in rows.files(pattern, f"training on {name}")[:1]:
            text = path.read_text(encoding="utf-8", errors="replace")
            if name == "DNA":
                text = "".join(text.split("\n")[1:])
            x = np.unique(list(text[:SYMBOLS]), return_inverse=True)[1]
            for K in (8, 16):
                compare(rows, hmm, f"{name}, {K} states", x, K, seeds)


def compare(
    rows: Report, hmm: Any, what: str, x: np.ndarray, K: int, seeds: int
) -> None:
    ours, late, theirs = [], [], []
    took = [0.0, 0.0]
    for seed in range(seeds):
        start = time.process_time()
        model = HMM.fit(x, K, n_iter=10, tol=0, seed=seed, threads=1, progress=False)
        took[0] += time.process_time() - start
        ours.append(model.score(x))
        if not rows.quick:
            model = HMM.fit(x, K, tol=0, seed=seed, threads=1, progress=False)
            late.append(model.score(x))
        if hmm is not None:
            peer = hmm.CategoricalHMM(K, n_iter=10, tol=-np.inf, random_state=seed)
            start = time.process_time()
            peer.fit(x[:, np.newaxis])
            took[1] += time.process_time() - start
            theirs.append(peer.score(x[:, np.newaxis]))
    bits = -1 / (math.log(2) * x.size)
    rows.add(f"{what}: after 10 updates, mean", np.mean(ours) * bits, "bits/symbol")
    if late:
        rows.add(
            f"{what}: after 100 updates, mean", np.mean(late) * bits, "bits/symbol"
        )
    if theirs:
        rows.add(
            f"{what}: after 10 updates, mean, hmmlearn", np.mean(theirs) * bits,
            "bits/symbol",
        )  # fmt: skip
        worst = max(a / b for a, b in zip(ours, theirs, strict=True))
        rows.add(
            f"{what}: information after 10, to hmmlearn's, worst of {seeds} seeds",
            worst, "times", at_most=1.01,
        )  # fmt: skip
        rows.add(
            f"{what}: time of 10 updates, hmmlearn's to ours",
            took[1] / took[0],
            "times",
        )


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable()
    with Report(parser(__doc__).parse_args()) as rows:
        hmm = rows.peer("hmmlearn.hmm", "hmmlearn's rows")
        speeds(rows, hmm)
        if hmm is not None:
            equality(rows, hmm)
        training(rows, hmm)


if __name__ == "__main__":
    main()
