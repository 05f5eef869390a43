"""An approximate posterior: bits used against the ELBO.

    python benchmarks/approximate.py [LENGTH ...]

The model of examples/recurrent.py, on data drawn from it. `message` is the whole
message, its start-up included; what remains over the ELBO is within the ELBO's own
standard error. `exact` is the information content, which the ELBO exceeds because the
posterior is only approximate; here an HMM gives it. Some 20 ms a step.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

import bbans

sys.path.append(str(Path(__file__).parents[1] / "examples"))
from recurrent import COUNTS, LEVELS, Recurrent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lengths", type=int, nargs="*", default=[1000, 10_000])
    model = Recurrent()
    walk, emit = (
        np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        for logits in (model.near, model.seen)
    )
    exact = bbans.HMM(np.full(LEVELS, 1 / LEVELS), walk, emit)
    assert exact.n_symbols == COUNTS
    print("| T | ELBO | message | over | exact |")
    print("|---:|---:|---:|---:|---:|")
    for length in parser.parse_args().lengths:
        x, _ = exact.sample(length, seed=1)
        found = bbans.check_model(model, x.tolist())
        elbo = f"{found.elbo:.1f} +- {found.elbo_error:.1f}"
        print(
            f"| {length} | {elbo} | {found.message} "
            f"| {100 * (found.message / found.elbo - 1):+.3f} % "
            f"| {exact.information_content(x):.1f} |"
        )


if __name__ == "__main__":
    main()
