"""Estimators of scikit-learn: time and scores, against hmmlearn's.

Each estimator and hmmlearn's of the same name train on the same data, from starts of
their own, with 10 updates. "Time" is that of the process, all threads counted, here to
hmmlearn's; the median of five runs that take turns. "Gain" is ln P of the data after
training, here less hmmlearn's, per row: above 0 where the model here is better. Data
are drawn from models with 8 states. Needs hmmlearn and scikit-learn. --quick takes
less data.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from clock import seconds
from report import Report, parser

from bbans import HMM, MultivariateGaussianHMM, PoissonHMM

K = 8
ROWS, QUICK_ROWS = 20_000, 4_000
UPDATES = 10


def data(rows: int) -> dict[str, tuple[str, dict[str, Any], np.ndarray]]:
    """By name: the estimator, its settings, and X."""
    rng = np.random.default_rng(0)
    chain = np.full(K, 1 / K), np.eye(K) * 0.9 + 0.1 / K
    means = rng.normal(size=(K, 4)) * 4
    vectors = MultivariateGaussianHMM(*chain, means, np.repeat([np.eye(4)], K, axis=0))
    gaussian = vectors.sample(rows, seed=1, rounded=False)[0]
    categories = HMM(*chain, rng.dirichlet(np.full(64, 0.3), K)).sample(rows, seed=1)[0]
    rates = np.geomspace(1, 100, K)
    counts = PoissonHMM(*chain, rates, 200).sample(rows, seed=1)[0]
    return {
        "64 categories": ("CategoricalHMM", {}, categories[:, None]),
        "counts": ("PoissonHMM", {}, counts[:, None]),
        "4 features, diag": ("GaussianHMM", {"covariance_type": "diag"}, gaussian),
        "4 features, full": ("GaussianHMM", {"covariance_type": "full"}, gaussian),
    }


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        theirs = rows.peer("hmmlearn.hmm", "everything")  # which needs scikit-learn
        if theirs is None:
            return
        import bbans.sklearn as ours

        logging.getLogger("hmmlearn").setLevel(logging.ERROR)
        for name, (kind, settings, X) in data(
            QUICK_ROWS if rows.quick else ROWS
        ).items():
            settings |= {"n_iter": UPDATES, "tol": -np.inf, "random_state": 0}
            pair = [getattr(library, kind)(K, **settings) for library in (ours, theirs)]
            for what, method, limit in (
                ("training", "fit", None),
                ("predict", "predict", 2.0),
                ("predict_proba", "predict_proba", None),
                ("score", "score", None),
            ):
                runs = [
                    lambda made=made, method=method, X=X: getattr(made, method)(X)
                    for made in pair
                ]
                mine, other = seconds(*runs, repeats=5)
                rows.add(
                    f"{name}: time of {what}", mine / other, "times", at_most=limit
                )
            gain = (pair[0].score(X) - pair[1].score(X)) / len(X)
            rows.add(f"{name}: gain of 10 updates", gain, "nats/row")


if __name__ == "__main__":
    main()
