"""Train the default model, bbans/data/english.bbm, on English that comes with Python.

    python tools/train_default.py bbans/data/english.bbm

The help topics of pydoc are the training text, with the words of the reST markup
left as they are. Other versions of Python have other topics, and so give another
model: the file in the package is part of the format and is not made again.
"""

import sys

from bbans import HMM
from bbans.cli.demo import python_text

STATES = 64
ITERATIONS = 120


def main() -> None:
    text = python_text().encode("utf-8")
    model = HMM.fit(text, STATES, n_iter=ITERATIONS, tol=1e-6, seed=0)
    frozen = model.freeze()
    frozen.save(sys.argv[1])
    print(frozen, f"{model.history[-1].information_content:.4f} bits/byte")


if __name__ == "__main__":
    main()
