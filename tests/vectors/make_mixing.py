"""Write mixing_v1.json and context_mixer_v1.json beside this file, with
tests/reference.py.

Run once per format version, from the root of the checkout:

    PYTHONPATH=tests python tests/vectors/make_mixing.py

As make.py, this never overwrites.

mixing_v1.json
    cases: name; the inputs, the bits of rows and of places and the bytes of lines that
        the block has, and the levels that choose these, if any; the hex of the data and
        of the block.
context_mixer_v1.json
    cases: the file of a context mixer; its packed form, the library's, or null; xs
        and the hex of their message; records, as in records_v1.json.
"""

import reference as ref
from make import HERE, Generator, write

from bbans.frozen import FrozenModel

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


def prior_of(draw, data, row_bits):
    """What a mixer knows after some bytes; a prior's slots may be surer."""
    mixer, prior = ref.Mixer(16, row_bits, 8), ref.Prior(16)
    for byte in data:
        mixer.encode(byte)
    prior.row_bits, prior.weights = row_bits, mixer.weights
    prior.matches = [match.slots for match in mixer.matches]
    prior.rows = {
        place: [check, *(s + draw.below(4) if s % 16 == 12 else s for s in slots)]
        for place, (check, *slots) in mixer.rows.items()
    }
    return prior


def wild_prior(draw, data, row_bits):
    """One that nobody learned."""
    prior = prior_of(draw, data, row_bits)
    ends = 0, 15, 2**16 - 16, 2**16 - 1, 2**15
    prior.rows = {
        place: [check, *(draw.pick([*ends, draw.below(2**16), s]) for s in slots)]
        for place, (check, *slots) in prior.rows.items()
    }
    prior.weights = wild_weights(draw, prior.weights)
    prior.matches = [[draw.below(2**16) for _ in slots] for slots in prior.matches]
    return prior


def wild_weights(draw, weights):
    if isinstance(weights, list):
        return [wild_weights(draw, part) for part in weights]
    return draw.pick([-(2**15), 2**15 - 1, draw.below(2**16) - 2**15])


LINES = [
    "", "\n", "a\nb\n\nc", "What came before says what comes next.", "10 to 100\n" * 6,
    "né, \u6f22 and \U0001f600", "in words of words of words of words of words",
]  # fmt: skip


def model_cases(draw):
    least = {"row_bits": 6, "match_bits": 6, "history_bits": 6}
    more = {"row_bits": 8, "match_bits": 7, "history_bits": 8}
    model = ref.ContextMixer(prior_of(draw, TEXT, 6), **more)
    yield model_case(draw, "bytes", model, TEXT[:60])
    model = ref.ContextMixer(prior_of(draw, TEXT, 8), **least, end_byte=10)
    yield model_case(draw, "text that ends", model, TEXT[:60], "text")
    prior = wild_prior(draw, TEXT, 7)
    model = ref.ContextMixer(prior, **least, rate=127, end_byte=0)
    yield model_case(draw, "what nobody learned", model, TEXT[:30] + bytes(30))


def refused(draw, model, ends):
    """Messages that no encoder writes."""
    units, found = [bytes([v]) for v in range(256)], []
    while len(found) < 4:
        message = noise(draw, 1 + draw.below(6))
        if not message.startswith(b"\xff"):
            try:
                ref.decode_record(model, message, units, ends, most=40)
            except ref.Damage:
                found.append(message)
    return found


def model_case(draw, name, model, xs, kind="bytes"):
    file, ends = ref.mixer_file(model, kind), model.end_byte is not None
    packed = FrozenModel.from_bytes(file).to_bytes(packed=True)
    records = [line.encode() for line in LINES] + [bytes(range(0, 256, 5))]
    if kind == "text":
        records = records[:-1]
    return {
        "name": name, "ends": ends, "file": file.hex(),
        "packed": None if packed == file else packed.hex(),
        "xs": [*xs], "message": ref.mixer_encode(model, xs).hex(),
        "records": [
            [record.hex(), ref.encode_record(model, record, [*record], ends).hex()]
            for record in records
        ],
        "refused": [message.hex() for message in refused(draw, model, ends)],
    }  # fmt: skip


def main():
    contents = {
        "mixing_v1.json": (cases, 23),
        "context_mixer_v1.json": (model_cases, 24),
    }
    for name, (content, seed) in contents.items():
        path = HERE / name
        if path.exists():
            print(f"{path} is kept: a new format gets a new name")
        else:
            write(path, {"format": 1, "cases": list(content(Generator(seed)))})


if __name__ == "__main__":
    main()
