"""Write bbans_logit_tables.c of csrc/distributions: powers of two, exactly rounded.

    python tools/logit_tables.py > csrc/distributions/bbans_logit_tables.c

It needs mpmath.

docs/maths.md, "Heads", says what they hold.
"""

import mpmath as mp
from family_tables import array

mp.mp.dps = 40

UNIT = 128  # logits to a doubling of the odds
LOGITS = 24 * UNIT  # of which the last has odds of nearly 2^24
CELLS = 4096  # of probabilities, each with the logit of its middle
ZERO = 2048  # what stands for a logit of 0


def main() -> None:
    print(
        "/* Made by tools/logit_tables.py: "
        'docs/maths.md, "Heads".\n *\n'
        " * SPDX-License-Identifier: MIT */\n"
        '#include "bbans_logits.h"\n\n/* clang-format off */\n'
    )
    power = [mp.mpf(2) ** (mp.mpf(i) / UNIT) for i in range(LOGITS)]
    array("unlikely", [int(mp.nint(2**28 / (1 + x))) for x in power])
    array("exp2", [int(mp.nint(2**30 * x)) for x in power[:UNIT]])
    odds = [mp.mpf(2 * i + 1) / (2 * CELLS - 2 * i - 1) for i in range(CELLS)]
    logits = [int(mp.nint(UNIT * mp.log(x, 2))) for x in odds]
    array("logit_above", [ZERO + logit for logit in logits], 16)
    print("/* clang-format on */")


if __name__ == "__main__":
    main()
