"""The bits of single symbols: how near their sum is to the message, and what it takes.

Text is the largest file of --data/war_and_peace, or drawn from the English model. Times
are of one thread, per byte, in turns with the coder itself: under the English model in
its predictive mode, and without a model at level 5.
"""

from __future__ import annotations

from clock import seconds
from report import Report, parser

import bbans
from bbans import plot
from bbans.models import HMM


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        length = 200_000 if rows.quick else 1_000_000
        english = bbans.default_model()
        files = rows.files("war_and_peace/*.txt", "a real text")
        if files:
            text = max(files, key=lambda file: file.stat().st_size).read_bytes()
            text = text[:length]
        else:
            drawn, _ = HMM.from_frozen(english).sample(length, seed=0)
            text = bytes(drawn)
        predictive = english.with_mode("predictive")
        for name, model in (
            ("predictive", predictive),
            ("IconoCLaSM", english),
        ):
            over = 8 * len(model.encode(text)) - bbans.costs(text, model).sum()
            rows.add(f"{name} message over the sum of costs", over, "bits")
        over = 8 * len(bbans.compress(text)) - bbans.costs(text).sum()
        rows.add("container without a model over it", over, "bits")
        costs, encode, mixing, compress = seconds(
            lambda: bbans.costs(text, english),
            lambda: predictive.encode(text),
            lambda: bbans.costs(text),
            lambda: bbans.compress(text),
        )
        rows.add("costs, HMM", 1e9 * costs / len(text), "ns/byte")
        rows.add("costs, HMM, to predictive encoding", costs / encode, "times")
        rows.add("costs, mixing", 1e9 * mixing / len(text), "ns/byte")
        rows.add("costs, mixing, to compress", mixing / compress, "times")
        (taken,) = seconds(lambda: plot.steps(text[:2000], english))
        rows.add("plot.steps, 64 states", 1e6 * taken / 2000, "us/step")


if __name__ == "__main__":
    main()
