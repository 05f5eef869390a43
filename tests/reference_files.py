"""Files of bbans in plain Python: reference.py decodes blocks and messages, and this
finds them in the files of docs/format.md.

It imports nothing of bbans and no numpy, so that whoever has these two modules and the
document can read what bbans wrote. Files are taken to be right: what cannot be read
raises Damage or another error.
"""

import ast
import io
import zipfile
import zlib
from hashlib import sha256
from itertools import pairwise
from math import prod

import reference as ref
from reference import KINDS, LAWS, LAYOUT, NOISES, Damage, Octets, signed

# ---- models: docs/format.md, Model file


class Fields(Octets):
    """Numbers of fixed size, taken from the front."""

    def u(self, size=4):
        return int.from_bytes(self.take(size), "little")

    def many(self, n, size=4, is_signed=False):
        values = ref.integers(self.take(n * size), size)
        return [signed(v, size) for v in values] if is_signed else values

    def rows(self, n, width, size=4, is_signed=False):
        return [self.many(width, size, is_signed) for _ in range(n)]


class Model:
    """What a model file holds: a model of the reference, its mode, and what its symbols
    stand for."""

    def __init__(self, file):
        self.packed = file[10] == 1
        self.file = ref.unpack_model(file) if self.packed else file
        if ref.with_crc(self.file[:-4]) != self.file or file[:5] != b"\x89bbm\x03":
            raise Damage("no model file")
        self.type, mode, kind, self.detail, listed, _, self.ends = self.file[5:12]
        self.predictive, self.kind = bool(mode), KINDS[kind]
        self.values, self.listed = None, listed
        fields = Fields(self.file[12:-4])
        self.model = READERS[self.type](self, fields)
        if fields.data:
            raise Damage("something follows the model")

    @property
    def fingerprint(self):
        return sha256(self.file[:-4]).digest()[:8]

    def alphabet(self, fields, M):
        """The values of M symbols, without the end."""
        n = M - self.ends
        if not self.listed:
            self.values = list(range(n))
        elif self.kind == "text":
            self.values = fields.many(n)
        else:
            self.values = fields.many(n, 8, True)

    @property
    def width(self):
        """Integers of an observation; 0: it is one by itself."""
        return {
            3: lambda m: m.p, 4: lambda m: m.head.width, 5: lambda m: m.head.width,
            7: lambda m: len(m.emissions), 9: lambda m: len(m.locations[0]),
        }.get(self.type, lambda m: 0)(self.model)  # fmt: skip

    def decode(self, message, T, predictive=None):
        """T observations, as the reference has them: symbols by their number."""
        if predictive is None:
            predictive = self.predictive
        if self.type in (1, 2):
            how = ref.decode_predictive if predictive else ref.decode
            return how(self.model, message, T)
        if self.type == 8:
            return ref.mixer_decode(self.model, message, T)
        how = {
            3: ref.lgssm_decode, 4: ref.network_decode, 5: ref.network_decode,
            6: ref.hierarchy_decode, 7: ref.tree_decode, 9: ref.gaussian_hmm_decode,
            10: ref.hierarchy_decode,
        }[self.type]  # fmt: skip
        return how(self.model, message, T, predictive)

    def elements(self, message, n):
        """The n integers of a block."""
        if not self.width:
            return [self.values[x] for x in self.decode(message, n)]
        rows = self.decode(message, n // self.width)
        return [v for row in rows for v in row]

    def bytes_of(self):
        """The bytes of each symbol, as records have them."""
        if self.type == 8 or self.kind == "bytes" or not self.listed:
            return [bytes([v]) for v in self.values]
        return [chr(v).encode() for v in self.values]

    def record(self, message):
        return ref.decode_record(self.model, message, self.bytes_of(), self.ends)


def read_hmm(self, fields):
    K, M, c = fields.many(3)
    self.alphabet(fields, M)
    initial, transition = fields.many(K), fields.rows(K, K)
    if self.type == 1:
        return ref.HMM(initial, transition, fields.rows(K, M), self.detail, c)
    below = zip([0] * K, *fields.rows(M, K), strict=True)
    sums = [[0] * K, *zip(*[list(row)[1:] for row in below], strict=True)]
    columns = [[b - a for a, b in zip(*pair, strict=True)] for pair in pairwise(sums)]
    emission = [list(row) for row in zip(*columns, strict=True)]
    contexts = read_contexts(fields, M)
    return ref.ARHMM(initial, transition, emission, self.detail, c, contexts=contexts)


def read_contexts(fields, M):
    C, E = fields.many(2)
    child, first = fields.many(C + 1), fields.many(C + 1)
    label, symbol, sums = fields.many(C, 2), fields.many(E, 2), fields.many(E, 2)
    shares = [b + 1 for b in fields.take(C)]
    if any(fields.take(-(4 * (2 * C + 2) + 2 * (C + 2 * E) + C) % 4)):
        raise Damage("a pad that is not zero")
    names = [()] * C
    contexts = {}
    for i in range(C):
        for k in range(child[i], child[i + 1]):
            names[k] = (None if label[k] == M else label[k], *names[i])
        of = slice(first[i], first[i + 1])
        weights = [b - a for a, b in pairwise([0, *sums[of]])]
        contexts[names[i]] = shares[i], dict(zip(symbol[of], weights, strict=True))
    return contexts


def read_lgssm(self, fields):
    n, p, c, bits, S = fields.many(5)
    offsets = fields.rows(S, n + p, 8, True)
    size = {"n": n, "p": p}
    W = sum(
        size[rows] * (1 + size[columns[0]] if columns else 1)
        for _, (rows, *columns) in LAYOUT
    )
    steps = fields.rows(S, W, 4, True)
    return ref.LGSSM(n, p, NOISES[self.detail], c, bits, offsets, steps)


def read_vectors(self, fields):
    K, D, c, full = fields.many(4)
    initial, transition = fields.many(K), fields.rows(K, K)
    locations, scales = fields.rows(K, D, 8, True), fields.rows(K, D, 4, True)
    lowers = [
        [fields.many(1 + i, 4, True) for i in range(D)] for _ in range(K if full else 0)
    ]
    return ref.GaussianHMM(
        initial, transition, locations, scales, lowers or None, self.detail, c
    )


def read_networks(self, fields):
    p, law, low, high, components, family = fields.many(6, 4, True)
    grid, c, bits, shift, order = fields.many(5)
    head = ref.Head(LAWS[law], p, low, high, components, NOISES[family])
    networks = []
    while fields.data:
        body = fields.take(int.from_bytes(fields.data[8:12], "little"))
        networks.append(ref.read_network(ref.with_crc(b"\x89bbn\x01\0\0\0" + body)))
    numbers = grid, c, bits, shift

    def outputs(network):
        return sum(prod(network.nodes[k].shape) for k in network.outputs)

    if self.type == 5:
        names = ["update", "prior", "likelihood", "posterior"]
        named = dict(zip(names, networks, strict=True))
        n, m = outputs(named["posterior"]) // 2, outputs(named["update"])
        return ref.DeepSSM(named, head, n, m, *numbers)
    L = self.detail
    names = [f"posterior_{level}" for level in range(1, L + 1)]
    latents = [outputs(network) // 2 for network in networks[:L]]
    names += [*(f"prior_{level}" for level in range(1, L)), "likelihood"]
    named = dict(zip(names, networks, strict=True))
    return ref.VAE(named, head, latents, ["markov", "top-down"][order], *numbers)


def read_levels(self, fields):
    L, M, c = fields.many(3)
    sizes = fields.many(L)
    self.alphabet(fields, M)
    initial, transition = [], []
    for level, K in enumerate(sizes):
        above = sizes[level + 1] if self.type == 6 and level + 1 < L else 1
        initial.append(fields.rows(above, K))
        transition.append([fields.rows(K, K) for _ in range(above)])
    rows = sizes[0] if self.type == 6 else prod(sizes)
    make = ref.Hierarchy if self.type == 6 else ref.Factorial
    return make(initial, transition, fields.rows(rows, M), self.detail, c)


def read_tree(self, fields):
    n, K, d, c, bits = fields.many(5)
    symbols, parents = fields.many(d), fields.many(n, 4, True)
    variables, initial = fields.many(n, 4, True), fields.many(K, 2)
    transitions = [fields.rows(K, K, 2) for _ in range(n - 1)]
    emissions = [fields.rows(K, M) for M in symbols]
    return ref.Tree(
        parents, variables, initial, transitions, emissions, self.detail, c, bits
    )


def read_mixer(self, fields):
    m, f, k, rate, end, R, n_bytes = fields.many(7)
    self.values = list(range(256))
    prior = ref.Prior(16)
    prior.row_bits = self.detail

    def sets(*shape):
        if len(shape) == 1:
            return fields.many(shape[0], 2, True)
        return [sets(*shape[1:]) for _ in range(shape[0])]

    prior.weights = [sets(160, 16), sets(17, 16, 16), sets(256, 16)]
    prior.matches = fields.rows(2, 40, 2)
    rows, place = Fields(fields.take(n_bytes)), -1
    for _ in range(R):
        place += 1 + rows.number()
        row, mask = [*ref.NEW_ROW], 0
        row[0], mask = rows.many(2, 2)
        for node in range(1, 16):
            if mask >> node & 1:
                row[node] = rows.u(2)
        prior.rows[place] = row
    return ref.ContextMixer(prior, m, f, k, rate, end if self.ends else None)


READERS = {
    1: read_hmm, 2: read_hmm, 3: read_lgssm, 4: read_networks, 5: read_networks,
    6: read_levels, 7: read_tree, 8: read_mixer, 9: read_vectors, 10: read_levels,
}  # fmt: skip


# ---- containers: docs/format.md, Container


def signal(block, n, size, is_signed):
    return ref.decode_signal_block(block, n, size, is_signed)


def read_elements(file, models=(), codecs=()):
    """The bytes of the elements of a container; `models` are files that parts may name,
    `codecs` functions by name, given a block's data, n, and the size of elements."""
    known = {model.fingerprint: model for model in map(Model, models)}
    file_parts, out = ref.read_container(file), []
    for element, coder, blocks, _ in file_parts:
        code = element & 127
        width, is_signed = ref.ELEMENT_BYTES[code], code % 2 == 1 or code == 26
        line = (0, 1)
        if coder[0] % 4 == 3:
            line = tuple(ref.integers(coder[-16:], 8))
        for n, method, block in blocks:
            if method == 0:
                out.append(block)
            elif method == 1:
                values = known[coder[-8:]].elements(block, n)
                out.append(ref.words(values, width))
            elif method == 2:
                out.append(ref.decode_bytes_block(block))
            elif method == 3:
                values = ref.decode_signal_block(block, n, width, is_signed, line)
                out.append(ref.words(values, width))
            elif method == 4:
                start = 6 if code in (25, 26) else 1
                name = coder[start + 1 : start + 1 + coder[start]].decode()
                out.append(codecs[name](block, n, width))
            elif method == 5:
                out.append(ref.decode_pieces(block, signal))
            elif method == 6:
                values = ref.decode_grid_block(block, n, width, is_signed)
                out.append(ref.words(values, width))
            elif method == 7:
                out.append(ref.words(ref.decode_float_block(block, n, code), width))
            else:
                out.append(ref.decode_mixing_block(block))
            if len(out[-1]) != n * width:
                raise Damage("another number of elements")
            if code == 24 and max(out[-1]) > 1:
                raise Damage("neither true nor false")
    if element == 1:
        b"".join(out).decode()  # which is text
    axis = coder[0] // 4
    if axis:  # parts are joined along the first axis that they have in the file
        first = sum(shape[0] for *_, shape in file_parts)
        return own_order(b"".join(out), width, [first, *file_parts[0][3][1:]], axis)
    return b"".join(out)


def own_order(data, width, shape, axis):
    """Elements of this shape in a file, whose first axis was the given one."""
    rows, between, run = shape[0], prod(shape[1 : axis + 1]), prod(shape[axis + 1 :])
    size = run * width
    places = [(i * between + j) * size for j in range(between) for i in range(rows)]
    return b"".join(data[at : at + size] for at in places)


def differences_from(base):
    """The codec named `base`; its elements as bytes. docs/format.md, Differences from a
    base."""

    def decode(block, n, width):
        start, block = ref.uvarint_of(block)
        element = {1: 32, 2: 30, 4: 28, 8: 29}[width]
        before = ref.integers(base, width)[start : start + n]
        out = []
        for u, b in zip(ref.decode_float_block(block, n, element), before, strict=True):
            out.append(b + (u // 2 if u % 2 == 0 else -(u + 1) // 2))
        return ref.words(out, width)

    return decode


# ---- records: docs/format.md, Record file


def read_records(file, model=None):
    """The terminator, and records as bytes; `model` is a model file, where the file has
    none."""
    start = Fields(file)
    if start.take(4) != b"\x89bbr" or start.u(1) != 1:
        raise Damage("no record file")
    checked, _, t = start.take(3)
    fingerprint, m, terminator = start.take(8), start.u(), start.take(t)
    if ref.with_crc(file[: 20 + t]) != file[: 24 + t]:
        raise Damage("a checksum does not match")
    start.take(4)
    found = Model(start.take(m) if m else model)
    if found.fingerprint != fingerprint:
        raise Damage("another model")
    records = []
    while start.data:
        group = Fields(start.data)
        offset = (len(file) - len(start.data)).to_bytes(8, "little")
        if group.take(4) != b"\x89bbg":
            raise Damage("no group")
        n, _, B, first = group.u(3), group.u(1), group.u(), group.u(8)
        if group.u() != zlib.crc32(offset + start.data[:20]) or first != len(records):
            raise Damage("a group's header does not match")
        low_bits = max((B // n).bit_length() - 1, 0)
        low = int.from_bytes(group.take((n * low_bits + 7) // 8), "little")
        high_bytes = (n + (B >> low_bits) + 7) // 8
        high = int.from_bytes(group.take(high_bytes), "little")
        ones = [i for i in range(8 * high_bytes) if high >> i & 1]
        ends = [
            (place - i << low_bits) + (low >> i * low_bits) % (1 << low_bits)
            for i, place in enumerate(ones)
        ]
        checks = group.many(n) if checked & 1 else None
        messages = group.take(B)
        size = len(start.data) - len(group.data)
        if group.u() != zlib.crc32(offset + start.data[:size]):
            raise Damage("a checksum does not match")
        for i, (begin, end) in enumerate(pairwise([0, *ends])):
            message = messages[begin:end]
            number = (first + i).to_bytes(8, "little")
            if checks and checks[i] != zlib.crc32(number + message):
                raise Damage("a record's checksum does not match")
            records.append(found.record(message))
        start = group
    return terminator, records


# ---- packets, streams: docs/format.md, Packet, Streams of indexed tables


def crc(data, bits, polynomial):
    """Most significant bit first, from all ones."""
    value = 2**bits - 1
    for byte in data:
        value ^= byte << bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> bits - 1 & 1 else 0)
            value %= 2**bits
    return value


def read_packet(packet, model, checksum=0):
    """The observations of a packet; of symbols their numbers."""
    if checksum:
        polynomial = {1: 0x07, 2: 0x1021}[checksum]
        if crc(packet, 8 * checksum, polynomial):
            raise Damage("a checksum does not match")
        packet = packet[:-checksum]
    return model.decode(packet[1:].rstrip(b"\0"), packet[0], predictive=True)


def take_uniform(message, last, lane):
    """Of 0 .. last."""
    if last == 0:
        return 0
    shift = max(0, last.bit_length() - 28)
    most = last >> shift
    part = message.pop(most + 1, lambda slot: (slot, slot, 1), lane)
    rest = last % (1 << shift) if part == most else (1 << shift) - 1
    return (part << shift) + take_uniform(message, rest, lane)


def take_ragged(message, edges, offset, lane):
    """A value under a row of a ragged table with an escape."""
    inside = len(edges) - 2
    k = message.pop(edges[-1], ref.finder(edges), lane)
    if k < inside:
        return offset + k
    counts = [2**63 - offset - inside, offset + 2**63]  # of values above, below
    tops = [count.bit_length() for count in counts]

    def find(slot):
        n = next(n for n in range(1, 65) if slot < 2 * sum(ref.length_share(n)))
        n = min(n, max(tops))
        start, freq = ref.length_share(n)
        if n == max(tops):
            freq = 256 - start
        if n > min(tops):
            return (n, tops[1] > tops[0]), 2 * start, 2 * freq
        below = slot >= 2 * start + freq
        return (n, below), 2 * start + below * freq, freq

    n, below = message.pop(512, find, lane)
    most = min(2 ** (n - 1) - 1, counts[below] - 2 ** (n - 1))
    m = 2 ** (n - 1) - 1 + take_uniform(message, most, lane)
    return offset - 1 - m if below else offset + inside + m


def read_stream(stream, rows, offsets, indexes):
    """The symbols of a stream of indexed tables; `rows` are edges."""
    if stream[1:5] != ref.words([zlib.crc32(stream[5:], stream[0])]):
        raise Damage("a checksum does not match")
    lanes = 1 << stream[0]
    message = ref.Message.from_bytes(stream[5:], lanes)
    values = [
        take_ragged(message, rows[row], offsets[row], i % lanes)
        for i, row in enumerate(indexes)
    ]
    if message.tail or set(message.heads) != {1 if lanes == 1 else ref.LOW}:
        raise Damage("the message does not end here")
    return values


# ---- float models: .npz, format version 2


def read_arrays(file):
    """The arrays of a .npz file, as (type, shape, bytes) by name."""
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            if data[:8] != b"\x93NUMPY\1\0":
                raise Damage("no .npy of version 1.0")
            end = 10 + int.from_bytes(data[8:10], "little")
            header = ast.literal_eval(data[10:end].decode("latin-1"))
            if header["fortran_order"] and len(header["shape"]) > 1:
                raise Damage("no C order")
            where = name.removesuffix(".npy")
            arrays[where] = header["descr"], header["shape"], data[end:]
    return arrays
