"""Write gaussian_hmm_v1.json beside this file, with tests/reference.py.

Run once per format version, from the root of the checkout:

    PYTHONPATH=tests python tests/vectors/make_gaussian_hmm.py

As make.py, this never overwrites.

gaussian_hmm_v1.json
    cases: name, the hex of the model file, and sequences: xs, rows of integers, and the
        hex of encode and encode_predictive.
"""

import reference as ref
from make import HERE, Generator, write


def row_of(draw, n, prec):
    """Masses, most of them small."""
    row = [1 + draw.below(2**prec // n >> draw.below(8)) for _ in range(n)]
    row[draw.below(n)] += 2**prec - sum(row)
    return row


def model_of(draw, K, D, full, prec, tail, kind):
    most = 2**46 - 1 if kind == "extreme" else 2**22
    scales = {"plain": [100, 700, 900], "narrow": [-3072, -900, -100]}.get(
        kind, [-3072, 300, 5000, 12031]
    )

    def coefficient():
        if kind == "extreme":
            return draw.pick([2**31 - 1, -(2**31)])
        return 2**29 - draw.below(2**30)

    def lower():
        """Shift 6 makes a coefficient of 2^30 one."""
        shifts = [-40, -3, 0, 6, 31, 60] if kind == "extreme" else [5, 6, 7]
        return [
            [draw.pick(shifts), *(coefficient() for _ in range(i)), *[0] * (D - i)]
            for i in range(D)
        ]

    return ref.GaussianHMM(
        row_of(draw, K, prec),
        [row_of(draw, K, prec) for _ in range(K)],
        [[most - draw.below(2 * most + 1) for _ in range(D)] for _ in range(K)],
        [[draw.pick(scales) for _ in range(D)] for _ in range(K)],
        [lower() for _ in range(K)] if full else None,
        prec,
        tail,
    )


def near(draw, model, T, outliers):
    """About the means of states, with `outliers` of a hundred anywhere in 64 bits."""
    z, xs = 0, []
    for _ in range(T):
        z = draw.below(len(model.locations)) if draw.below(5) == 0 else z
        row = []
        for at in model.locations[z]:
            far = draw.bits(64) - 2**63 >> draw.below(64)
            close = (at >> 16) + draw.below(21) - 10
            row.append(far if draw.below(100) < outliers else close)
        xs.append(row)
    return xs


def sequences(draw, model):
    D, c = len(model.locations[0]), model.tail_length
    for T in (0, 1, c, c + 1, c + 12):
        yield near(draw, model, T, 0 if T < 12 else 15)
    yield [[draw.pick([-(2**63), 2**63 - 1]) for _ in range(D)] for _ in range(4)]


def content():
    draw, cases = Generator(21), []
    for K, D, full, prec, tail, kind in [
        (1, 1, False, 1, 3, "plain"),
        (2, 1, True, 12, 5, "plain"),
        (3, 2, True, 24, 2, "plain"),
        (4, 6, True, 24, 1, "plain"),
        (4, 6, False, 16, 2, "plain"),
        (5, 2, False, 28, 8, "narrow"),
        (2, 3, True, 20, 4, "extreme"),
        (18, 2, True, 15, 3, "plain"),
    ]:
        model = model_of(draw, K, D, full, prec, tail, kind)
        found = []
        for xs in sequences(draw, model):
            codes = {}
            for name, predictive in [("encode", False), ("encode_predictive", True)]:
                data = ref.gaussian_hmm_encode(model, xs, predictive)
                if len(xs) * D <= 6:  # of others it takes minutes
                    again = ref.gaussian_hmm_decode(model, data, len(xs), predictive)
                    assert again == xs
                codes[name] = data.hex()
            found.append({"xs": xs} | codes)
        covariances = "full" if full else "diagonal"
        cases.append(
            {
                "name": f"{K} states, {D} channels, {covariances}, {kind}",
                "file": ref.model_file(model).hex(),
                "sequences": found,
            }
        )
    return {"cases": cases}


def main():
    path = HERE / "gaussian_hmm_v1.json"
    if path.exists():
        print(f"{path} is kept: a new format gets a new name")
    else:
        write(path, {"format": 1} | content())


if __name__ == "__main__":
    main()
