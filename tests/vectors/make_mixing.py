"""Write mixing_v1.json beside this file, with tests/reference.py.

Run once per format version, from the root of the checkout:

    PYTHONPATH=tests python tests/vectors/make_mixing.py

As make.py, this never overwrites.

mixing_v1.json
    cases: name; the inputs, the bits of rows and of places and the bytes of lines that
        the block has, and the levels that choose these, if any; the hex of the data and
        of the block.
"""

import reference as ref
from make import HERE, Generator, write

LEVELS = {8: [3, 4, 5, 6], 16: [7, 8, 9]}
TEXT = (
    b"What came before says what comes next: so it is in words, in lines,\n"
    b"in numbers from 1 to 10 and from 10 to 100, and in words of words.\n"
)


def records(draw, n, length):
    """Lines that are alike in columns."""
    columns = [draw.below(3) for _ in range(length)]
    known = [draw.below(256) for _ in range(length)]
    place = {0: lambda k, t: known[k], 1: lambda k, t: (known[k] + t) % 256}
    place[2] = lambda k, t: draw.below(4)
    return bytes(
        place[columns[k]](k, t)
        for t, k in (divmod(i, length) for i in range(n))
    )  # fmt: skip


def words(draw, n):
    kinds = [
        b"The",
        b"the",
        b"THE",
        b"[x]",
        b"@",
        "Über".encode(),
        b"cat's",
        b"\n",
        b"7",
    ]
    return b" ".join(draw.pick(kinds) for _ in range(n))


def noise(draw, n):
    return bytes(draw.below(256) for _ in range(n))


def data_of(draw):
    """Names, data, and the bytes of a line."""
    yield "a byte", b"x", 0
    yield "a text", TEXT, 0
    yield "twice", 2 * TEXT, 0
    yield "a run", bytes(520), 0
    yield "words", words(draw, 90), 0
    yield "lines", b"".join(b"%d;%d\n" % (t, t * t % 97) for t in range(45)), 0
    yield "records", records(draw, 300, 12), 12
    yield "long records", records(draw, 360, 120), 120
    yield "noise", noise(draw, 120), 0
    yield "noise, twice", 2 * noise(draw, 90), 65535
    yield "all bytes", bytes(range(256)), 1


def cases(draw):
    for name, data, line in data_of(draw):
        for inputs in 8, 16:
            n = len(data)
            sizes = inputs, max((4 * n).bit_length(), 6), n.bit_length()
            yield case(name, data, line, *sizes, LEVELS[inputs])
            if n > 16:
                yield case(f"{name}, forgotten", data, line, inputs, 6, 2, [])


def case(name, data, line, inputs, row_bits, match_bits, levels):
    block = ref.encode_mixing_block(data, inputs, row_bits, match_bits, line)
    return {
        "name": name, "inputs": inputs, "row_bits": row_bits, "match_bits": match_bits,
        "line": line, "levels": levels, "data": data.hex(), "block": block.hex(),
    }  # fmt: skip


def main():
    path = HERE / "mixing_v1.json"
    if path.exists():
        print(f"{path} is kept: a new format gets a new name")
    else:
        write(path, {"format": 1, "cases": list(cases(Generator(23)))})


if __name__ == "__main__":
    main()
