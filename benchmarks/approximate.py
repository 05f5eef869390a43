"""An approximate posterior: bits used against the ELBO.

The model of examples/recurrent.py, on data drawn from it (--data has no effect). The
message is whole, its start-up included; what it takes over the ELBO should be within
the ELBO's own standard error. The information content, which the ELBO exceeds because
the posterior is only approximate, is known here: an HMM gives it. Minutes without
--quick.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from report import Report, parser

import bbans

sys.path.append(str(Path(__file__).parents[1] / "examples"))
from recurrent import COUNTS, LEVELS, Recurrent


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        model = Recurrent()
        walk, emit = (
            np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            for logits in (model.near, model.seen.T)
        )
        exact = bbans.HMM(np.full(LEVELS, 1 / LEVELS), walk, emit)
        assert exact.n_symbols == COUNTS
        for length in (500,) if rows.quick else (1000, 10_000):
            x, _ = exact.sample(length, seed=1)
            found = bbans.check_model(x.tolist(), model)
            over = (found.message - found.elbo) / found.elbo_error
            name = f"T = {length}"
            rows.add(f"{name}, ELBO", found.elbo, "bits")
            rows.add(f"{name}, standard error of the ELBO", found.elbo_error, "bits")
            rows.add(f"{name}, message", found.message, "bits")
            rows.add(f"{name}, message over the ELBO", over, "errors", at_most=1)
            rows.add(f"{name}, exact", exact.information_content(x), "bits")


if __name__ == "__main__":
    main()
