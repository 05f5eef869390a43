"""The bbans format in plain Python integers: an executable docs/maths.md.

Read it beside that document, from "The message" on; the names are the document's.  It
imports nothing of bbans, so that the library and it can disagree.  Being fast is no
aim: integers are unbounded, and nothing depends on where a machine word ends.
"""

import math
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from copy import deepcopy
from datetime import date
from fractions import Fraction
from functools import cache, reduce
from itertools import accumulate, islice, pairwise
from itertools import product as cartesian
from math import isqrt, prod
from operator import mul

WORD = 2**32
LOW, HIGH = 2**31, 2**63  # a full head lies in [LOW, HIGH)
START = 2**40  # the least integer from which the schedule starts
FLAG = [0, 15, 16]  # edges of "bits back" and "range coded whole"


class Underflow(Exception):  # noqa: N818
    """A message of several lanes holds too few words for a pop."""


class Damage(Exception):  # noqa: N818
    """No encoder wrote this."""


def edges_of(masses):
    """C_0 = 0, C_k+1 = C_k + f_k."""
    return [0, *accumulate(masses)]


def interval(edges, symbol):
    """The start and the width of a symbol, as push and advance take them."""
    return edges[symbol], edges[symbol + 1] - edges[symbol]


def finder(edges):
    """A function from a slot to (symbol, start, freq); it skips empty intervals."""

    def find(slot):
        symbol = bisect_right(edges, slot) - 1
        return symbol, *interval(edges, symbol)

    return find


def integers(data, size):
    """Little-endian integers of `size` bytes each."""
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    return [int.from_bytes(part, "little") for part in parts]


# The message


class Message:
    """`lanes` heads over one stack of 32-bit words, its top last."""

    def __init__(self, lanes=1):
        self.heads = [1] if lanes == 1 else [LOW] * lanes
        self.tail = []

    def push(self, start, freq, total, lane=0):
        assert 0 <= start < start + freq <= total <= 2**28
        x = self.heads[lane]
        if x >= freq * (LOW // total) * WORD:
            self.tail.append(x % WORD)
            x //= WORD
        x = x // freq * total + x % freq + start
        if x < LOW and self.tail:
            x = x * WORD + self.tail.pop()
        self.heads[lane] = x

    def _before_pop(self, total, lane):
        """Step 1 of pop: the head, and the words that it appends to the tail."""
        assert 1 <= total <= 2**28
        x = self.heads[lane]
        if x >= total * (LOW // total) * WORD:
            return x // WORD, [x % WORD]
        return x, []

    def peek(self, total, lane=0):
        """The slot that pop would look up."""
        return self._before_pop(total, lane)[0] % total

    def pop(self, total, find, lane=0):
        x, moved = self._before_pop(total, lane)
        slot = x % total
        symbol, start, freq = find(slot)
        x = freq * (x // total) + slot - start
        short = x < LOW
        if short and not self.tail and not moved and len(self.heads) > 1:
            raise Underflow("the message holds too few words for this pop")
        self.tail += moved
        if short and self.tail:
            x = x * WORD + self.tail.pop()
        self.heads[lane] = x
        return symbol

    def to_int(self):
        """The integer that a message of one lane is."""
        (value,) = self.heads
        for word in reversed(self.tail):
            value = value * WORD + word
        return value

    @classmethod
    def from_int(cls, i):
        message = cls()
        while i >= HIGH:
            message.tail.append(i % WORD)
            i //= WORD
        message.heads = [i]
        return message

    def to_bytes(self):
        """One lane: its integer, without leading zeros.  Several: tail, then heads."""
        if len(self.heads) == 1:
            value = self.to_int()
            return value.to_bytes((value.bit_length() + 7) // 8, "little")
        words = [word.to_bytes(4, "little") for word in self.tail]
        heads = [head.to_bytes(8, "little") for head in self.heads]
        return b"".join(words + heads)

    @classmethod
    def from_bytes(cls, data, lanes=1):
        """The inverse of to_bytes; other bytes are Damage."""
        if lanes == 1:
            if data.endswith(b"\0"):
                raise Damage("the highest byte is zero")
            return cls.from_int(int.from_bytes(data, "little"))
        n = len(data) - 8 * lanes
        if n < 0 or n % 4:
            raise Damage(f"{len(data)} bytes cannot hold {lanes} heads over words")
        message = cls(lanes)
        message.tail = integers(data[:n], 4)
        message.heads = integers(data[n:], 8)
        if not all(LOW <= head < HIGH for head in message.heads):
            raise Damage("a head lies outside [2^31, 2^63)")
        return message


def push_symbols(message, cdf_rows, rows, symbols, prec):
    """Push symbol i with edges cdf_rows[rows[i]], or cdf_rows[0]; the last first."""
    for i in reversed(range(len(symbols))):
        edges = cdf_rows[rows[i] if rows is not None else 0]
        lane = i % len(message.heads)
        message.push(*interval(edges, symbols[i]), 2**prec, lane)


def pop_symbols(message, cdf_rows, rows, n, prec):
    """Pop n symbols, the first one first."""
    symbols = []
    for i in range(n):
        edges = cdf_rows[rows[i] if rows is not None else 0]
        lane = i % len(message.heads)
        symbols.append(message.pop(2**prec, finder(edges), lane))
    return symbols


# The range coder


class _Range:
    """The interval [L, L + R) 2^-k, which encoder and decoder narrow alike."""

    def __init__(self):
        self.L, self.R, self.k = 0, 2**63, 63

    def narrow(self, start, freq, total):
        assert 0 <= start < start + freq <= total <= 2**28
        g = self.R // total
        self.L += g * start
        self.R = g * freq
        while self.R < 2**55:
            self.L, self.R, self.k = self.L * 2**8, self.R * 2**8, self.k + 8


class RangeEncoder(_Range):
    """Symbols in their order, to the integer of the shortest fraction."""

    encode = _Range.narrow

    def taken(self):
        """What was encoded, in units of 2^-16 bits, digit by digit."""
        log2 = self.R.bit_length() - 1
        m = (self.R << 31) >> log2
        for _ in range(16):
            m = m * m >> 31
            digit = m >> 32
            m, log2 = m >> digit, 2 * log2 + digit
        return (self.k << 16) - log2

    def finish(self):
        for j in range(self.k + 1):
            unit = 2 ** (self.k - j)
            v = -(-self.L // unit)
            if v * unit < self.L + self.R:
                return 2**j + v
        raise AssertionError("L itself is such a fraction, with j = k")


class RangeDecoder(_Range):
    """The way back from the integer 2^j + v."""

    def __init__(self, integer):
        super().__init__()
        if integer < 1:
            raise Damage("no 1 bit in front of the fraction")
        self.j = integer.bit_length() - 1
        self.v = integer - 2**self.j

    def _offset(self):
        """F - L rounded down, which no quotient by an integer can tell from F - L."""
        return (self.v * 2**self.k >> self.j) - self.L

    def slot(self, total):
        s = self._offset() // (self.R // total)
        if s >= total:
            raise Damage("the fraction lies in no symbol's interval")
        return s

    def advance(self, start, freq, total):
        self.narrow(start, freq, total)

    def take(self, total, find):
        """As Message.pop."""
        symbol, start, freq = find(self.slot(total))
        self.advance(start, freq, total)
        return symbol

    def check(self):
        """Raise Damage unless finish() would have written this integer."""
        if self.j == 0:
            return  # then v = 0, and no fraction is shorter
        if self.j > self.k:
            raise Damage("the fraction is longer than the interval is fine")
        unit = 2 ** (self.k - self.j)
        offset = self._offset()
        if self.v % 2 == 0 or offset >= unit or offset + unit < self.R:
            raise Damage("the fraction is not the shortest, or not the first")


# The frozen HMM


class HMM:
    """Masses a_i, A_ij, B_ix, each row of sum 2^prec; tail_length is c."""

    def __init__(self, initial, transition, emission, prec, tail_length):
        for row in [initial, *transition, *emission]:
            assert min(row) >= 1
            assert sum(row) == 2**prec
        self.initial, self.transition, self.emission = initial, transition, emission
        self.prec, self.tail_length = prec, tail_length
        self.initial_edges = edges_of(initial)
        self.transition_edges = [edges_of(row) for row in transition]
        self.emission_edges = [edges_of(row) for row in emission]
        self.filter_transition = [to_15_bits(row, prec) for row in transition]

    def column(self, x, past):
        """The masses with which the states emit x, for the filter."""
        return [row[x] for row in self.emission]

    def given(self, edges, past):
        """The edges of a state's emission row, or of a mean of such, given the past."""
        return edges

    def push_emission(self, message, z, x, past):
        edges = self.given(self.emission_edges[z], past)
        message.push(*interval(edges, x), edges[-1])

    def pop_emission(self, message, z, past):
        edges = self.given(self.emission_edges[z], past)
        return message.pop(edges[-1], finder(edges))

    def encode_predicted(self, encoder, p, x, past):
        edges = predictive_edges(self, p, past)
        encoder.encode(*interval(edges, x), edges[-1])

    def decode_predicted(self, take, p, past):
        edges = predictive_edges(self, p, past)
        return take(edges[-1], finder(edges))

    @property
    def end(self):
        """The symbol that ends a record, if there is one."""
        return len(self.emission[0]) - 1

    def range_encode(self, encoder, xs):
        encode_run(encoder, self, self.initial, [], xs)

    def range_decode(self, decoder):
        return decode_run(decoder, self, self.initial, [])


class ARHMM(HMM):
    """Emissions that depend on earlier symbols: contexts is a dict from a suffix of the
    past, which starts with None if it reaches the beginning, to (back-off, {symbol:
    relative weight})."""

    def __init__(self, *tables, contexts):
        super().__init__(*tables)
        assert self.prec <= 24
        for b, weights in contexts.values():
            assert 1 <= b <= 2**8
            assert (b == 2**8) == (not weights)
            assert all(g >= 1 for g in weights.values())
            assert sum(weights.values()) < 2**16
        self.contexts = contexts

    def mixed(self, past):
        """Of the contexts of what follows, from the shortest: b and the edges W."""
        past, M = (None, *past), len(self.emission[0])
        for n in range(1, len(past) + 1):
            if past[-n:] not in self.contexts:
                return
            b, weights = self.contexts[past[-n:]]
            below = edges_of([weights.get(x, 0) for x in range(M)])
            room = 2**16 - 2**8 * b
            yield b, [room * G // below[-1] if weights else 0 for G in below]

    def column(self, x, past):
        mass, beta = 0, 2**24
        for b, W in self.mixed(past):
            mass = (mass * b >> 8) + (W[x + 1] - W[x] << 8)
            beta = beta * b >> 8
        return [mass + 1 + (beta * row[x] >> self.prec) for row in self.emission]

    def given(self, edges, past):
        M = len(edges) - 1
        e = [c << 24 - self.prec for c in edges]
        for b, W in self.mixed(past):
            e = [(e[x] * b >> 8) + (W[x] << 8) for x in range(M + 1)]
        return [x + (e[x] * (2**24 - M) >> 24) for x in range(M)] + [2**24]


def to_15_bits(row, prec):
    """Ah: a row of A, rounded for the filter."""
    if prec > 15:
        return [min(32767, (f + 2 ** (prec - 16)) >> (prec - 15)) for f in row]
    return [min(32767, f << (15 - prec)) for f in row]


def fit(v, b):
    """Scale by a power of two, rounding down, so that bl(sum before) becomes b."""
    s = sum(v).bit_length() - b
    return [a >> s if s >= 0 else a << -s for a in v]


def products(u, v):
    return [a * b for a, b in zip(u, v, strict=True)]


def filter_step(hmm, p, x, past):
    """From the predicted weights of t: the filtered ones, and the predicted of t+1."""
    W = fit(products(p, hmm.column(x, past)), 32)
    m = [min(32767, (W_i + 2**16) >> 17) for W_i in W]
    columns = zip(*hmm.filter_transition, strict=True)
    floor = 2 ** min(12, 18 - (len(p) - 1).bit_length())
    return W, [max(floor, sum(products(m, column))) for column in columns]


def posterior(hmm, W, z_next=None):
    """Weights of Q(z_t | x_1..t, z_t+1 = z_next), or of Q(z_t | x_1..t)."""
    if z_next is None:
        return fit(W, 26)
    return fit(products(W, [row[z_next] for row in hmm.transition]), 26)


def forward(hmm, xs):
    """The filtered weights of every step, and the predicted ones of the step after."""
    filtered, p = [], hmm.initial
    for t, x in enumerate(xs):
        W, p = filter_step(hmm, p, x, xs[:t])
        filtered.append(W)
    return filtered, p


# The schedule


def schedule_push(hmm, message, xs):
    """The sender of IconoCLaSM, over a message of one lane."""

    def pop_state(weights):
        return message.pop(sum(weights), finder(edges_of(weights)))

    if not xs:
        return
    total = 2**hmm.prec
    filtered, _ = forward(hmm, xs)
    z = pop_state(posterior(hmm, filtered[-1]))
    for t in reversed(range(1, len(xs))):
        hmm.push_emission(message, z, xs[t], xs[:t])
        z_before = pop_state(posterior(hmm, filtered[t - 1], z))
        message.push(*interval(hmm.transition_edges[z_before], z), total)
        z = z_before
    hmm.push_emission(message, z, xs[0], [])
    message.push(*interval(hmm.initial_edges, z), total)


def schedule_pop(hmm, message, n):
    """The receiver: n symbols, and the message as it was before they were pushed."""

    def push_state(weights, z):
        if weights[z] == 0:
            raise Damage("the sender cannot have popped this state")
        message.push(*interval(edges_of(weights), z), sum(weights))

    if n == 0:
        return []
    total = 2**hmm.prec
    xs = []
    z = message.pop(total, finder(hmm.initial_edges))
    xs.append(hmm.pop_emission(message, z, []))
    W, p = filter_step(hmm, hmm.initial, xs[0], [])
    for _ in range(1, n):
        z_before, z = z, message.pop(total, finder(hmm.transition_edges[z]))
        push_state(posterior(hmm, W, z), z_before)
        xs.append(hmm.pop_emission(message, z, xs))
        W, p = filter_step(hmm, p, xs[-1], xs[:-1])
    push_state(posterior(hmm, W), z)
    return xs


# The predictive distribution


def predictive_edges(hmm, p, past):
    """The edges of P(x_t | x_1..t-1), from the predicted weights of t."""
    columns = zip(*hmm.emission_edges, strict=True)
    return hmm.given([sum(products(p, column)) // sum(p) for column in columns], past)


def range_encode(hmm, *runs):
    """The range code of runs (p, past, xs): predicted weights p before the first."""
    encoder = RangeEncoder()
    for p, past, xs in runs:
        encode_run(encoder, hmm, p, past, xs)
    return encoder.finish()


def encode_run(encoder, hmm, p, past, xs):
    for t, x in enumerate(xs):
        hmm.encode_predicted(encoder, p, x, past + xs[:t])
        _, p = filter_step(hmm, p, x, past + xs[:t])


def costs(hmm, xs):
    """What each symbol takes, in units of 2^-16 bits."""
    encoder, p, taken = RangeEncoder(), hmm.initial, [0]
    for t, x in enumerate(xs):
        hmm.encode_predicted(encoder, p, x, xs[:t])
        _, p = filter_step(hmm, p, x, xs[:t])
        taken.append(encoder.taken())
    return [after - before for before, after in pairwise(taken)]


def range_decode(hmm, p, integer, n, past):
    """The n symbols that follow the past."""
    decoder = RangeDecoder(integer)
    xs = list(islice(decode_run(decoder, hmm, p, past), n))
    decoder.check()
    return xs


def decode_run(decoder, hmm, p, past):
    """Yield the symbols that follow the past, without end."""
    xs = list(past)

    while True:
        x = hmm.decode_predicted(decoder.take, p, xs)
        yield x
        _, p = filter_step(hmm, p, x, xs)
        xs.append(x)


# A sequence as one message


def encode(hmm, xs):
    n = len(xs) - hmm.tail_length
    if n <= 0:
        return encode_predictive(hmm, xs)
    _, p = forward(hmm, xs[:n])
    first_bits = range_encode(hmm, (p, xs[:n], xs[n:]))
    if first_bits >= START:
        message = Message.from_int(first_bits)
        schedule_push(hmm, message, xs[:n])
        message.push(*interval(FLAG, 0), 16)
    else:
        message = Message.from_int(range_encode(hmm, (hmm.initial, [], xs)))
        message.push(*interval(FLAG, 1), 16)
    return message.to_bytes()


def decode(hmm, data, T):
    n = T - hmm.tail_length
    if n <= 0:
        return decode_predictive(hmm, data, T)
    message = Message.from_bytes(data)
    if message.pop(16, finder(FLAG)) == 1:
        return range_decode(hmm, hmm.initial, message.to_int(), T, [])
    xs = schedule_pop(hmm, message, n)
    first_bits = message.to_int()
    if first_bits < START:
        raise Damage("the schedule did not start from this integer")
    _, p = forward(hmm, xs)
    return xs + range_decode(hmm, p, first_bits, hmm.tail_length, xs)


def encode_predictive(hmm, xs):
    return Message.from_int(range_encode(hmm, (hmm.initial, [], xs))).to_bytes()


def decode_predictive(hmm, data, T):
    integer = Message.from_bytes(data).to_int()
    return range_decode(hmm, hmm.initial, integer, T, [])


# Many sequences as one message


def encode_packed(hmm, sequences):
    first = len(sequences)
    while first > 0 and sum(map(len, sequences[first:])) < hmm.tail_length:
        first -= 1
    runs = [(hmm.initial, [], xs) for xs in sequences]
    first_bits = range_encode(hmm, *runs[first:])
    if first == 0:
        return Message.from_int(first_bits).to_bytes()
    if first_bits >= START:
        message = Message.from_int(first_bits)
        for xs in reversed(sequences[:first]):
            schedule_push(hmm, message, xs)
        message.push(*interval(FLAG, 0), 16)
    else:
        message = Message.from_int(range_encode(hmm, *runs))
        message.push(*interval(FLAG, 1), 16)
    return message.to_bytes()


# Records


def fraction_bytes(integer):
    """The bits of a code from the highest of each byte on, without the leading 1."""
    j = integer.bit_length() - 1
    return (integer - 2**j << -j % 8).to_bytes((j + 7) // 8, "big")


def integer_of_fraction(data):
    if data.endswith(b"\0"):
        raise Damage("the last byte is zero")
    v, j = int.from_bytes(data, "big"), 8 * len(data)
    while j > 0 and v % 2 == 0:
        v, j = v // 2, j - 1
    return 2**j + v


def fits_record(k, n_bytes, n):
    """Whether the code of a record of n bytes is kept, or else the record stored."""
    return k <= 63 + 8 * (n + 1) and n_bytes <= n + 1


def encode_record(model, record, xs, ends=False):
    """The message of a record, which is bytes, of symbols xs; None where one of them is
    not in the alphabet.  The last symbol of a model that ends is the end."""
    stored = b"\xff" + record
    if xs is None or len(xs) > 2**31 - 2:
        return stored
    encoder = RangeEncoder()
    encoder.encode(0, 255, 256)
    if not ends:
        digits = f"{len(xs) + 1:b}"
        for bit in "0" * (len(digits) - 1) + digits:
            encoder.encode(int(bit), 1, 2)
    model.range_encode(encoder, [*xs, model.end] if ends else xs)
    code = fraction_bytes(encoder.finish())
    return code if fits_record(encoder.k, len(code), len(record)) else stored


def decode_record(model, message, bytes_of, ends=False, most=None):
    """The record of a message, None if it has more than `most` bytes; bytes_of: the
    bytes of each symbol, None of those that no encoder has."""
    if message.startswith(b"\xff"):
        return message[1:]
    decoder = RangeDecoder(integer_of_fraction(message))
    decoder.advance(0, 255, 256)

    def bit():
        v = decoder.slot(2)
        decoder.advance(v, 1, 2)
        return v

    T, end = None, model.end if ends else None
    if not ends:
        n_bits = 0
        while bit() == 0:
            n_bits += 1
            if n_bits > 30:
                raise Damage("no record is so long")
        T = reduce(lambda v, _: 2 * v + bit(), range(n_bits), 1) - 1
    record = b""
    for x in islice(model.range_decode(decoder), T):
        if x == end:
            break
        if bytes_of[x] is None:
            raise Damage("a symbol has no bytes")
        record += bytes_of[x]
        if most is not None and len(record) > most:
            return None
    decoder.check()
    if not fits_record(decoder.k, len(message), len(record)):
        raise Damage("the record would have been stored")
    return record


# Values one after another


def push_row(message, masses, symbol):
    message.push(*interval(edges_of(masses), symbol), sum(masses))


def pop_row(message, masses):
    return message.pop(sum(masses), finder(edges_of(masses)))


def push_count(message, k, n):
    if k > 1:
        size = 2 ** (k.bit_length() - 1)
        message.push(k - size, 1, size)
    message.push(k.bit_length(), 1, n.bit_length() + 1)


def encode_iid(prior, emission, posterior, xs):
    """Bits back with one latent; the arguments are rows of masses: of z, of x for each
    z, of z for each x."""
    message, plain = Message(), None
    for done, x in enumerate(reversed(xs)):
        Q = posterior[x]
        if plain is None:
            trial = Message.from_int(message.to_int())
            pop_row(trial, Q)
            if trial.to_int() >= START:
                plain = done
        z = Q.index(max(Q)) if plain is None else pop_row(message, Q)
        push_row(message, emission[z], x)
        push_row(message, prior, z)
    push_count(message, len(xs) if plain is None else plain, len(xs))
    return message.to_bytes()


class Lender(Message):
    """A message that must hold START after each pop."""

    def pop(self, *given):
        symbol = super().pop(*given)
        if self.to_int() < START:
            raise Underflow("too little to lend")
        return symbol


def encode_at_modes(hmm, xs):
    """A sequence whose last symbols go at the modes of their states."""
    message, body, filtered = Message(), len(xs), forward(hmm, xs)[0]
    while body > 0:
        lender = Lender.from_int(message.to_int())
        try:
            schedule_push(hmm, lender, xs[:body])
        except Underflow:
            pass
        else:
            message = lender
            break
        body -= 1
        weights = [posterior(hmm, W) for W in filtered[max(0, body - 1) : body + 1]]
        *before, z = [row.index(max(row)) for row in weights]
        edges = hmm.given(hmm.emission_edges[z], xs[:body])
        message.push(*interval(edges, xs[body]), edges[-1])
        edges = hmm.transition_edges[before[0]] if before else hmm.initial_edges
        message.push(*interval(edges, z), 2**hmm.prec)
    push_count(message, len(xs) - body, len(xs))
    return message.to_bytes()


def decode_iid(prior, emission, posterior, data, n):
    message = Message.from_bytes(data)

    def pop():
        z = pop_row(message, prior)
        x = pop_row(message, emission[z])
        return z, x

    def lends(x):
        trial = Message.from_int(message.to_int())
        pop_row(trial, posterior[x])
        return trial.to_int() >= START

    k = message.pop(n.bit_length() + 1, lambda slot: (slot, slot, 1))
    if k > 1:
        size = 2 ** (k - 1)
        k = size + message.pop(size, lambda slot: (slot, slot, 1))
    if k > n:
        raise Damage("more values than there are")
    xs = []
    for i in range(n):
        z, x = pop()
        if i < n - k:
            push_row(message, posterior[x], z)
        elif z != posterior[x].index(max(posterior[x])):
            raise Damage("a latent is not the mode")
        if i >= n - k - 1 and lends(x) != (i < n - k):
            raise Damage("another start")
        xs.append(x)
    if message.to_int() != 1:
        raise Damage("the message does not end")
    return xs


# docs/format.md, Bytes


def bits_of(data):
    """Read numbers of n bits; past the end is damage."""
    value, total, at = int.from_bytes(data, "little"), 8 * len(data), 0

    def take(n):
        nonlocal at
        at += n
        if at > total:
            raise Damage("bits end early")
        return value >> (at - n) & (2**n - 1)

    take.bytes_read = lambda: (at + 7) // 8
    return take


def unary(take):
    n = 0
    while take(1) == 0:
        n += 1
    return n


def gamma(take):
    low = unary(take)
    return 2**low + take(low)


def take_alphabet(take):
    symbols, k, present = [], gamma(take) - 1, True
    while k < 256:
        run = gamma(take)
        symbols += range(k, k + run) if present else []
        k, present = k + run, not present
    if k > 256 or not symbols:
        raise Damage("no alphabet")
    return symbols


def take_frequencies(take, count):
    length, freqs = 13 - (count - 1).bit_length(), []
    for _ in range(count - 1):
        step = unary(take)
        length += (step + 1) // 2 if step % 2 else -(step // 2)
        if not 1 <= length <= 12:
            raise Damage("a frequency out of range")
        freqs.append(2 ** (length - 1) + take(length - 1))
    if sum(freqs) >= 2**12:
        raise Damage("frequencies sum to too much")
    return [*freqs, 2**12 - sum(freqs)]


def take_patches(take, m):
    patches = {}
    for _ in range(gamma(take)):
        symbol, count, place = take(8), gamma(take), 0
        if count > m:
            raise Damage("too many patches")
        k = (m // count).bit_length() - 1
        for _ in range(count):
            place += unary(take) * 2**k + take(k)
            if place >= m:
                raise Damage("a patch outside the block")
            patches[place] = symbol
    return patches


def uvarint_of(data, most=4):
    """A number of up to `most` bytes, and what follows it."""
    for i, byte in enumerate(data[:most]):
        if byte < 128 and not (byte == 0 and i > 0):
            value = sum((b & 127) << 7 * j for j, b in enumerate(data[: i + 1]))
            return value, data[i + 1 :]
    raise Damage("no uvarint")


class ByteState:
    """A state of 31 bits over a sequence of words of 16 bits."""

    def __init__(self, x, words):
        self.x, self.words = x, words

    def pop(self, table, r):
        """`table` is (symbols, edges)."""
        symbols, edges = table
        slot = self.x % 2**r
        if slot >= edges[-1]:
            raise Damage("under a byte that none follows")
        k = bisect_right(edges, slot) - 1
        self.x = (edges[k + 1] - edges[k]) * (self.x >> r) + slot - edges[k]
        if self.x < 2**15:
            if not self.words:
                raise Damage("words end early")
            self.x = self.x * 2**16 + self.words.pop()
        return symbols[k]


def decode_bytes_block(block):
    """The bytes of one block."""
    if not block:
        raise Damage("empty")
    head, (n, data) = block[0], uvarint_of(block[1:])
    method, p, log2_lanes, option = head & 3, head >> 2 & 3, head >> 4 & 7, head >> 7
    if n > 2**24 or (n == 0 and head != 0):
        raise Damage("no length")
    if (head >> 4 != 0) if method < 2 else log2_lanes < 2:
        raise Damage("no first byte")
    alphabet = None
    if p > 0:
        if not data or not 1 <= data[0] <= [0, 16, 4, 2][p] or len(data) <= data[0]:
            raise Damage("no packing")
        alphabet, data = list(data[1 : data[0] + 1]), data[data[0] + 1 :]
        if alphabet != sorted(set(alphabet)):
            raise Damage("symbols do not rise")
    m = -(-n // 2**p)
    if method == 0:
        coded = data
        if len(coded) != m:
            raise Damage("stored bytes of another length")
    elif method == 1:
        if len(data) != 1:
            raise Damage("a run of another length")
        coded = data * m
    else:
        decode = decode_order_0 if method == 2 else decode_order_1
        coded = decode(data, m, 2**log2_lanes, option)
    if p == 0:
        return bytes(coded)
    bits = 8 >> p
    ranks = [byte >> bits * k & (2**bits - 1) for byte in coded for k in range(2**p)]
    if max(ranks) >= len(alphabet):
        raise Damage("a rank without a symbol")
    return bytes(alphabet[rank] for rank in ranks[:n])


def take_state(take):
    low = 15 + take(4)
    return 2**low + take(low)


def take_states(take, data, lanes):
    """The length of the tail, its state, and the lanes with their words."""
    t, head = gamma(take) - 1, take_state(take)
    states = [take_state(take) for _ in range(lanes)]
    data = data[take.bytes_read() :]
    if len(data) % 2:
        raise Damage("half a word")
    words = integers(data, 2)[::-1]
    return t, head, [ByteState(x, words) for x in states]


def decode_tail(head, states, t, before, table_of, r):
    """The last t bytes, out of the lanes' start states."""
    if states[0].words or any(state.x >> 16 != 1 for state in states):
        raise Damage("the lanes do not end where they began")
    tail, out = ByteState(head, [state.x % 2**16 for state in states][::-1]), []
    for _ in range(t):
        out.append(tail.pop(table_of(before), r))
        before = out[-1]
    if tail.x != 2**15 or any(tail.words):
        raise Damage("the tail does not end where it began")
    return out


def decode_order_0(data, m, lanes, option):
    take = bits_of(data)
    symbols = take_alphabet(take)
    if len(symbols) < 2:
        raise Damage("one symbol is a run")
    table = symbols, edges_of(take_frequencies(take, len(symbols)))
    patches = take_patches(take, m) if option else {}
    t, head, states = take_states(take, data, lanes)
    if t > m:
        raise Damage("no tail")
    out = [0] * (m - t)
    for start in range(0, m - t, 4 * lanes):
        for k in range(4):
            for lane in range(lanes):
                i = start + 4 * lane + k
                if i < m - t:
                    out[i] = states[lane].pop(table, 12)
    out += decode_tail(head, states, t, None, lambda _: table, 12)
    for place, symbol in patches.items():
        out[place] = symbol
    return out


def decode_order_1(data, m, lanes, option):
    r = 12 if option else 10
    size, data = uvarint_of(data)
    if size > len(data) or size == 0 or data[0] & 3 == 3:
        raise Damage("no tokens")
    tokens, data = list(decode_bytes_block(data[:size])), data[size:]
    take = bits_of(data)
    symbols, tables = take_alphabet(take), {}
    for a in symbols:
        if not tokens:
            raise Damage("too few tokens")
        s, edges, used = tokens.pop(0) - 1, [0], []
        if s > r:
            raise Damage("a row of too many bits")
        digits, k = 0, 0
        while s >= 0 and edges[-1] < 2**s:
            if not tokens:
                raise Damage("too few tokens")
            token = tokens.pop(0)
            if token in (0, 14):
                k += (1 if token == 0 else 2) << digits
                digits += 1
                continue
            if digits > 8 or k >= len(symbols) or token > s + 1:
                raise Damage("no row of tokens")
            edges.append(edges[-1] + 2 ** (token - 1) + take(token - 1))
            used.append(symbols[k])
            digits, k = 0, k + 1
        if s >= 0 and edges[-1] > 2**s:
            raise Damage("frequencies that sum to too much")
        edges = [edge << (r - s) for edge in edges] if s >= 0 else edges
        if edges[-1] == 4096 and len(used) == 1:
            edges = [0, 4095]
        tables[a] = used, edges
    if tokens:
        raise Damage("too many tokens")
    t, head, states = take_states(take, data, lanes)
    if t >= m or (m - t) % lanes:
        raise Damage("no tail")
    q = (m - t) // lanes
    rows = [[symbols[0]] for _ in states]
    for _ in range(q):
        for state, row in zip(states, rows, strict=True):
            row.append(state.pop(tables[row[-1]], r))
    out = [byte for row in rows for byte in row[1:]]
    return out + decode_tail(head, states, t, out[-1], tables.get, r)


# Model files: docs/format.md, Model file

KINDS = ["integers", "bytes", "text"]
NOISES = ["gaussian", "logistic", "laplace"]


def words(numbers, size=4):
    return b"".join((v % 2 ** (8 * size)).to_bytes(size, "little") for v in numbers)


def model_file(model, kind="integers", values=None, predictive=False, ends=False):
    """The file of an HMM, ARHMM, GaussianHMM or LGSSM; `values` are those of a listed
    alphabet, and if it ends, its last symbol has none."""
    if isinstance(model, LGSSM):
        number, detail = 3, NOISES.index(model.noise)
        start_bits = model.start.bit_length() - 1
        sizes = [model.n, model.p, model.tail_length, start_bits, len(model.words)]
        rest = words(sizes) + b"".join(words(row, 8) for row in model.offsets)
        rest += b"".join(map(words, model.words))
    elif isinstance(model, GaussianHMM):
        number, detail, full = 9, model.prec, model.lowers is not None
        K, D = len(model.locations), len(model.locations[0])
        rest = words([K, D, model.tail_length, full])
        rest += b"".join(map(words, [model.initial, *model.transition]))
        rest += b"".join(words(row, 8) for row in model.locations)
        rest += b"".join(map(words, model.scales))
        for lower in model.lowers or []:
            rest += b"".join(words(row[: 1 + i]) for i, row in enumerate(lower))
    else:
        number, detail = 1, model.prec
        rest = words([len(model.initial), len(model.emission[0]), model.tail_length])
        rest += words(values or [], 4 if kind == "text" else 8)
        rest += b"".join(map(words, [model.initial, *model.transition]))
        if isinstance(model, ARHMM):
            edges = zip(*map(edges_of, model.emission), strict=True)
            number, rest = 2, rest + b"".join(map(words, [*edges][1:]))
            rest += contexts_of(model)
            rest += bytes(-len(rest) % 4)
        else:
            rest += b"".join(map(words, model.emission))
    codes = [number, predictive, KINDS.index(kind), detail, values is not None, 0, ends]
    return with_crc(b"\x89bbm" + bytes([3, *codes]) + rest)


def contexts_of(model):
    M = len(model.emission[0])
    found = [()]
    label, children, first, symbol, sums, back_off = [0], [1], [0], [], [], [256]
    for context in found:  # grows on the way
        if context:
            b, weights = model.contexts[context]
            back_off.append(b)
            symbol += sorted(weights)
            sums += edges_of([weights[x] for x in sorted(weights)])[1:]
        labels = [c[0] for c in model.contexts if c[1:] == context]
        labels.sort(key=lambda x: M if x is None else x)
        found += [(x, *context) for x in labels]
        label += [M if x is None else x for x in labels]
        children.append(len(found))
        first.append(len(symbol))
    numbers = words([len(found), len(symbol), *children, *first])
    shorts = words([*label, *symbol, *sums], 2)
    return numbers + shorts + bytes(b - 1 for b in back_off)


def numbers_in(nested):
    """Those of lists of lists, in C order."""
    if not isinstance(nested, list):
        return [nested]
    return [number for part in nested for number in numbers_in(part)]


def mixer_file(model, kind="bytes"):
    """The file of a ContextMixer."""
    prior, ends = model.prior, model.end_byte is not None
    rows, behind = b"", 0
    for place, row in sorted(prior.rows.items()):
        seen = [k for k in range(1, 16) if row[k] != NEW_ROW[k]]
        listed = [row[0], sum(2**k for k in seen), *[row[k] for k in seen]]
        rows += uvarint(place - behind) + words(listed, 2)
        behind = place + 1
    codes = [8, 1, KINDS.index(kind), prior.row_bits, 0, 0, ends]
    sizes = [model.row_bits, model.match_bits, model.history_bits, model.rate]
    sizes += [model.end_byte or 0, len(prior.rows), len(rows)]
    learned = words(numbers_in([prior.weights, prior.matches]), 2)
    return with_crc(b"\x89bbm" + bytes([3, *codes]) + words(sizes) + learned + rows)


# Containers: docs/format.md, Container

ELEMENT_BYTES = {0: 1, 1: 1, 2: 4, 24: 1, 25: 8, 26: 8}
ELEMENT_BYTES |= {16 + k: 1 << k // 2 for k in range(8)}
ELEMENT_BYTES |= {27: 2, 28: 4, 29: 8, 30: 2, 31: 1, 32: 1}


def uvarint(value):
    low = [value >> 7 * i & 127 for i in range(max(-(-value.bit_length() // 7), 1))]
    return bytes([byte | 128 for byte in low[:-1]] + low[-1:])


def with_crc(record, index=None):
    """A record and its checksum; that of a header counts no number."""
    place = b"" if index is None else index.to_bytes(8, "little")
    return record + zlib.crc32(place + record).to_bytes(4, "little")


def write_part(element, coder, blocks, shape=()):
    """Blocks are (n, method, data); `coder` is what the header says from byte 6 on: the
    coder and the axis, the unit, and which coder."""
    header = with_crc(b"\x89bbz" + bytes([3, element]) + coder)
    records = [
        with_crc(uvarint(n) + bytes([method]) + uvarint(len(data)) + data, index)
        for index, (n, method, data) in enumerate(blocks)
    ]
    axes = [len(shape), *shape] if element & 127 >= 16 else []
    index = [len(records), *map(len, records[:-1])]
    end = with_crc(b"\0" + b"".join(map(uvarint, axes + index)), len(records))
    end += uvarint(len(end))[::-1]
    part = header + b"".join(records) + end
    return part + uvarint(len(part))[::-1]


def read_part(data):
    """A part's element, coder, blocks and shape, and what follows it."""
    whole = data

    def take(n):
        nonlocal data
        if len(data) < n:
            raise Damage("ends early")
        taken, data = data[:n], data[n:]
        return taken

    def number():
        nonlocal data
        value, data = uvarint_of(data, 9)
        return value

    def check(start, index=None):
        record = start[: len(start) - len(data)]
        if record + take(4) != with_crc(record, index):
            raise Damage("a checksum does not match")

    if take(5) != b"\x89bbz\x03":
        raise Damage("no container")
    element, coder = take(1)[0], take(1)
    kind, axis, unit = coder[0] % 4, coder[0] // 4, None
    if element & 127 in (25, 26):
        unit = take(5)
        coder += unit
    if kind == 1:
        coder += take(8)
    elif kind == 2:
        length = take(1)
        name = take(length[0])
        coder += length + name + take(8)
    elif kind == 3:
        coder += take(16)
    check(whole)
    if kind == 2:
        try:
            named = name.decode() != ""
        except UnicodeDecodeError:
            named = False
        if not named:
            raise Damage("a codec without a name")
    item = ELEMENT_BYTES.get(element & 127)
    one_order = element & 127 < 18 or element & 127 == 30 or item == 1
    if item is None or (element > 127 and one_order):
        raise Damage("an unknown code")
    is_array, is_float = element & 127 >= 16, element & 127 >= 27
    if (kind == 3 and (is_float or not is_array)) or axis >= (32 if is_array else 1):
        raise Damage("an unknown code")
    if unit is not None:
        most = 2**31 - 1 if unit[0] else 1
        if unit[0] > 13 or not 1 <= int.from_bytes(unit[1:], "little") <= most:
            raise Damage("no unit")
    blocks, sizes, start = [], [], data
    while n := number():
        method, b = take(1)[0], number()
        if n * item > 2**24 or b > n * item or method > 8:
            raise Damage("an impossible block")
        if (
            (method in (1, 4) and kind != (1 if method == 1 else 2))
            or (method in (3, 6) and not (is_array and not is_float))
            or (method == 5 and element != 0)
            or (method == 1 and is_float)
            or (method == 7 and not is_float)
        ):
            raise Damage("a method that cannot be")
        blocks.append((n, method, take(b)))
        check(start, len(blocks) - 1)
        sizes.append(len(start) - len(data))
        start = data
    if any(n != blocks[0][0] for n, *_ in blocks[:-1]) or (
        blocks and blocks[-1][0] > blocks[0][0]
    ):
        raise Damage("blocks of several lengths")
    shape = None
    if element & 127 >= 16:
        shape = [number() for _ in range(number())]
        if len(shape) > 32 or prod(shape) != sum(n for n, *_ in blocks):
            raise Damage("another shape")
        if prod(n for n in shape if n > 0) * item >= 2**63:
            raise Damage("no shape")
        if axis and axis >= len(shape):
            raise Damage("no such axis")
        if axis and blocks and blocks[0][0] % prod(shape[1:]):
            raise Damage("blocks that are no steps")
    if number() != len(blocks) or [number() for _ in sizes[:-1]] != sizes[:-1]:
        raise Damage("another index")
    check(start, len(blocks))
    for begin in (start, whole):
        length = uvarint(len(begin) - len(data))[::-1]
        if take(len(length)) != length:
            raise Damage("another length")
    return (element, coder, blocks, shape), data


def read_container(data):
    """The parts of a file, front to back; from the end, they are where they are."""
    parts, rest, starts = [], data, []
    while rest or not parts:
        starts.append(len(data) - len(rest))
        part, rest = read_part(rest)
        parts.append(part)
    kinds = {("bytes",) if part[0] < 16 else kind_of(part) for part in parts}
    tails = {tuple(shape[1:]) for *_, shape in parts if shape is not None}
    axes = {len(shape) for *_, shape in parts if shape is not None}
    if max(map(len, (kinds, tails, axes))) > 1 or (axes == {0} and len(parts) > 1):
        raise Damage("parts that cannot be joined")
    end = len(data)
    for start in reversed(starts):
        length, _ = uvarint_of(data[:end][:-10:-1], 9)
        assert end - length - len(uvarint(length)) == start
        end = start
    return parts


def kind_of(part):
    """What parts have in common: element, axis and unit."""
    element, coder, *_ = part
    return element, coder[0] // 4, coder[1:6] if element & 127 in (25, 26) else None


def decode_container(data, decode):
    """The bytes of the elements; `decode` is given a method, its data and n."""
    out = []
    for element, _, blocks, _ in read_container(data):
        item = ELEMENT_BYTES[element & 127]
        for n, method, block in blocks:
            if method == 0:
                part = block
            elif method == 2:
                part = decode_bytes_block(block)
            elif method == 8:
                part = decode_mixing_block(block)
            else:
                part = decode(method, block, n)
            if len(part) != n * item:
                raise Damage("another number of elements")
            out.append(part)
    return b"".join(out)


# Files in pieces: docs/format.md, Pieces and Tables


class Octets:
    """Bytes that are taken from the front."""

    def __init__(self, data):
        self.data = data

    def take(self, n):
        if n > len(self.data):
            raise Damage("ends early")
        part, self.data = self.data[:n], self.data[n:]
        return part

    def byte(self):
        return self.take(1)[0]

    def number(self):
        n, self.data = uvarint_of(self.data, 9)
        return n

    def signed(self):
        n = self.number()
        return n // 2 if n % 2 == 0 else -(n + 1) // 2


def decode_pieces(block, signal):
    """The bytes of a block; `signal` is given the data of a block of section Signal,
    how many integers it has, how many bytes each, and whether they are signed."""
    data, out = Octets(block), []
    while data.data:
        code, n = data.byte(), data.number()
        part = data.take(data.number())
        if code == 0:
            out.append(part)
        elif code == 1:
            out.append(decode_bytes_block(part))
        elif code == 2:
            out.append(decode_table(part, signal))
        else:
            out.append(integers_of_piece(code, n, part, signal))
            continue
        if len(out[-1]) != n:
            raise Damage("another number of bytes")
    return b"".join(out)


def integers_of_piece(code, n, data, signal):
    """The bytes of n integers, or floats as those of their bits."""
    element, channels = code & 63, 1
    width, is_signed = ELEMENT_BYTES.get(element, 3), element == 8 or element % 2
    if code & 64:
        channels, data = uvarint_of(data)
    if element >= 27:
        values, is_signed = decode_float_block(data, n, element), False
    else:
        values = signal(data, n, 4 if width == 3 else width, is_signed)
    values = [v for c in range(channels) for v in values[c::channels]]
    order = "big" if code & 128 else "little"
    return b"".join(v.to_bytes(width, order, signed=bool(is_signed)) for v in values)


class Table(Octets):
    """What a table is made of."""

    def __init__(self, data, signal):
        super().__init__(data)
        self.signal = signal

    def coded(self, n):
        """bytes(n)"""
        size = self.number()
        part = self.take(size)
        return part if size == n else decode_bytes_block(part)

    def strings(self, k):
        text = self.coded(self.number())
        found = text.split(b"\n")
        if found.pop() or len(found) != k:
            raise Damage("another number of strings")
        return found

    def integers(self, k):
        if k == 0:
            return []
        match self.byte():
            case 0:
                return self.signal(self.take(self.number()), k, 8, True)
            case 1:
                low = self.signed()
                return [low + v for v in self.coded(k)]
            case 2:
                r = self.number()
                values, times = self.integers(r), self.integers(r)
                out = [v for v, t in zip(values, times, strict=True) for _ in range(t)]
                if len(out) != k:
                    raise Damage("runs of another length")
                return out
            case 3:
                first = self.integers(self.number())
                return [first[i % len(first)] for i in range(k)]
            case 4:
                return [self.signed() for _ in range(k)]
        raise Damage("integers in an unknown form")

    def exceptions(self, rows):
        """The cells that are exceptions, by their rows."""
        r = self.number()
        runs = self.integers(r)
        where, row = [], 0
        for i, n in enumerate(runs):
            where += range(row, row + n) if i % 2 else []
            row += n
        return dict(zip(where, self.strings(len(where)) if r else [], strict=True))


def decode_table(data, signal):
    """The text of a table."""
    table = Table(data, signal)
    lines, columns = table.number(), table.number()
    delimiter, end = table.take(1), [b"\n", b"\r\n"][table.byte()]
    x, irregular = table.number(), {}
    if x:
        gaps = table.integers(x)
        places = [sum(gaps[: i + 1]) for i in range(x)]
        irregular = dict(zip(places, table.strings(x), strict=True))
    rows, joint = lines - x, table.number()
    channels = []
    if joint:
        values = signal(table.take(table.number()), rows * joint, 8, True)
        channels = [values[c::joint] for c in range(joint)]
    cells = [decode_column(table, rows, channels) for _ in range(columns)]
    if table.data or channels:
        raise Damage("something is left")
    regular = iter(zip(*cells, strict=True))
    return b"".join(
        irregular[i] + b"\n" if i in irregular else delimiter.join(next(regular)) + end
        for i in range(lines)
    )


def decode_column(table, rows, channels):
    """The cells of a column."""
    flags = table.byte()
    form = flags & 63
    if form == 0:
        return table.strings(rows)
    if form == 1:
        words = table.strings(table.number())
        return [words[i] for i in table.integers(rows)]
    if form == 2:
        before, after = table.take(table.byte()), table.take(table.byte())
        how = [table.byte() for _ in range(4)]
        n_series = 1 + (flags >> 6 & 1)
    else:
        tokens = [pattern_token(table) for _ in range(table.number())]
        letters = [token[0] for token in tokens if isinstance(token, tuple)]
        n_series = letters.count("n") + any(letter != "n" for letter in letters)
    others = table.exceptions(rows)
    regular = [i for i in range(rows) if i not in others]
    series = [[channels[0][i] for i in regular]] if flags & 128 else []
    if flags & 128:
        channels.pop(0)
    while len(series) < n_series:
        series.append(table.integers(len(regular)))
    cells = list(others.items())
    for row, values in zip(regular, zip(*series, strict=True), strict=True):
        if form == 2:
            cells.append((row, before + decimal_text(how, *values) + after))
        else:
            cells.append((row, pattern_text(tokens, values)))
    return [cell for _, cell in sorted(cells)]


def decimal_text(how, v, places=None):
    """An integer as a decimal number."""
    scale, least, digits, width = how
    text = (str(abs(v)) if v else "").rjust(scale + digits, "0")
    whole, rest = text[: len(text) - scale], text[len(text) - scale :]
    if places is None:
        places = max(least, len(rest.rstrip("0")))
    sign = "-" if v < 0 else ""
    point = "." if places else ""
    return (sign + whole + point + rest[:places]).rjust(width).encode()


def pattern_token(table):
    letter, n = table.byte(), table.number()
    return (chr(letter), n) if letter else table.take(n)


def pattern_text(tokens, values):
    """A cell of a pattern."""
    fields = dict(token for token in tokens if isinstance(token, tuple))
    values = list(values)
    meant = {}
    if set(fields) - {"n"}:
        v = values.pop(0)
        for letter, unit in (("f", 10 ** fields.get("f", 0)), ("s", 60), ("m", 60)):
            if letter in fields:
                v, meant[letter] = divmod(v, unit)
        if "h" in fields:
            v, meant["h"] = divmod(v, 24) if "Y" in fields else (0, v)
        if "Y" in fields:
            day = date.fromordinal(date(1970, 1, 1).toordinal() + v)
            meant |= {"Y": day.year, "M": day.month, "D": day.day}
    out = b""
    for token in tokens:
        if isinstance(token, bytes):
            out += token
        else:
            letter, width = token
            v = values.pop(0) if letter == "n" else meant[letter]
            out += f"{v:0{max(width, 1)}d}".encode()
    return out


# Messages that start from data: docs/format.md, Message


def seeded(data, lanes):
    """A message whose heads and tail are filled by the data."""
    assert 8 * len(data) >= 62 * lanes
    bits = int.from_bytes(data + b"\1", "little")
    message = Message(lanes)
    message.heads = [2**62 + (bits >> 62 * i) % 2**62 for i in range(lanes)]
    bits >>= 62 * lanes
    while bits:
        message.tail.insert(0, bits % WORD)
        bits //= WORD
    return message


# Values of a family


def root_256(n):
    """floor(n^(1/256))."""
    for _ in range(8):
        n = isqrt(n)
    return n


def survival(table, t, point):
    """S(t) in 2^-32, t in 2^-point."""
    if t < 8 << point:
        cell, shift = t >> (point - 8), point - 8
    else:
        octave = t.bit_length() - 4 - point
        if octave >= (len(table) - 2050) // 256:
            return 0
        shift = point - 5 + octave
        cell = 2048 + 256 * octave + (t >> shift) - 256
    return table[cell] - ((table[cell] - table[cell + 1]) * (t % (1 << shift)) >> shift)


class Place:
    """A shape at location mu, in 2^-16, with the scale 2^(s / 256); of a posterior with
    leak 0."""

    def __init__(self, table, mu, s, leak=1):
        self.table, self.mu, self.leak = table, mu, leak
        self.origin = mu >> 16
        self.e, f = s >> 8, s & 255
        self.R = (root_256(2 ** (17 * 256 - f)) + 1) // 2
        self.w = max(0, self.e - 9)
        self.m = max(4, self.e + 3 - self.w)

    def below(self, v, half=1 << 15, point=20):
        """The mass below the value v, in 2^-32."""
        D = ((v << 16) - half - self.mu) >> self.w
        t = (abs(D) * self.R << (point - 20)) >> (12 + self.e - self.w)
        S = survival(self.table, t, point)
        return S if D < 0 else 2**32 - S

    @property
    def half_bins(self):
        return 2**self.m + 16 * (64 - self.w - self.m)

    def start(self, q):
        """How far from the origin bin q >= 0 begins."""
        beyond = q - 2**self.m
        if beyond < 0:
            return q << self.w
        return (16 + beyond % 16) << (self.w + self.m - 4 + beyond // 16)

    def edge(self, q):
        n = 2 * self.half_bins
        u = self.start(abs(q))
        G = self.below(self.origin + (u if q >= 0 else -u))
        if self.leak == 0 and u >= 2**62:
            G = 2**32 if q > 0 else 0
        return self.leak * (q + n // 2) + ((2**28 - self.leak * n) * G >> 32)

    def bin_of(self, v):
        """Its number, and how many low bits of which value."""
        u = v - self.origin if v >= self.origin else self.origin - 1 - v
        q = bisect_right(range(self.half_bins), u, key=self.start) - 1
        low_bits = (self.start(q + 1) - self.start(q)).bit_length() - 1
        return (q if v >= self.origin else -1 - q), low_bits, u % (1 << low_bits)


def runs(n, lanes):
    """Values that share the order of their low bits."""
    first = 0
    while first < n:
        end = min((first // 256 + 1) * 256, (first // lanes + 1) * lanes, n)
        yield range(first, end)
        first = end


def push_located(message, table, mus, scales, values, leak=1):
    places = [Place(table, mu, s, leak) for mu, s in zip(mus, scales, strict=True)]
    bins = [place.bin_of(v) for place, v in zip(places, values, strict=True)]
    lanes = len(message.heads)
    for run in reversed([*runs(len(values), lanes)]):
        parts = max(-(-bins[i][1] // 28) for i in run)
        for k in range(parts):
            for i in reversed(run):
                _, low_bits, low = bins[i]
                bits = min(max(low_bits - 28 * k, 0), 28)
                part = (low >> (28 * k)) % (1 << bits)
                message.push(part << (28 - bits), 1 << (28 - bits), 2**28, i % lanes)
        for i in reversed(run):
            q = bins[i][0]
            start = places[i].edge(q)
            message.push(start, places[i].edge(q + 1) - start, 2**28, i % lanes)


def located_intervals(table, mu, s, v):
    """The intervals of one value, in the order of popping."""
    place = Place(table, mu, s)
    q, low_bits, low = place.bin_of(v)
    out = [(place.edge(q), place.edge(q + 1) - place.edge(q), 2**28)]
    for k in reversed(range(-(-low_bits // 28))):
        bits = min(low_bits - 28 * k, 28)
        part = (low >> (28 * k)) % (1 << bits)
        out.append((part << (28 - bits), 1 << (28 - bits), 2**28))
    return out


# Signals: the block; residuals and predictions are below


class SignalSource:
    """What a block of a signal is popped from."""

    def __init__(self, data, lanes):
        self.message, self.lanes = Message.from_bytes(data, lanes), lanes

    def bits(self, n, lane=0):
        """Raw bits: 28 at a time, the highest first, what is left over before."""
        value = 0
        while n:
            part = (n - 1) % 28 + 1
            value = value << part | self.pop(lambda slot: (slot, slot, 1), lane, part)
            n -= part
        return value

    def end(self):
        """The message is as new."""
        if self.message.tail or self.message.heads != Message(self.lanes).heads:
            raise Damage

    def another(self, same):
        """Whether what comes is another one than before, and the share of 2^16 that it
        is the same, before and after."""
        another = self.pop(finder([0, same << 12, 2**28]))
        moved = (-(same - 32 >> 5), 2**16 - 32 - same >> 5)[another == 0]
        return another, same + moved

    def pop(self, find, lane=0, prec=28):
        try:
            return self.message.pop(2**prec, find, lane)
        except Underflow:
            raise Damage from None

    def number(self):
        length = self.bits(6)
        if length < 63:
            return 2 ** (length - 1) + self.bits(length - 1) if length else 0
        value = self.bits(64)
        if value < 2**62:
            raise Damage
        return value

    def signed(self):
        u = self.number()
        return -(u + 1) // 2 if u % 2 else u // 2

    def rice(self, k):
        q = 0
        while q < 16 and self.bits(1):
            q += 1
        return self.bits(32) if q == 16 else q << k | self.bits(k)


class Gaps:
    """Of sorted distinct values how far each is from the one before, less 1."""

    def __init__(self):
        edges = [2**16 - 2 ** (16 - k) for k in range(16)] + [2**16]
        self.edges = {(a, b): [*edges] for a in range(4) for b in range(4)}
        self.seen = dict.fromkeys(self.edges, 0)
        self.before = (0, 0)

    def pop(self, source):
        edges, seen = self.edges[self.before], self.seen[self.before]
        find = finder([e << 12 for e in edges])
        k = source.pop(find)
        if k < 8:
            gap = k
        else:
            gap = source.number() if k == 15 else 2 ** (k - 5) + source.bits(k - 5)
        rate = min(2 + seen // 4, 6)
        for i in range(1, 16):
            if i <= k:
                edges[i] -= edges[i] - i >> rate
            else:
                edges[i] += 2**16 - (16 - i) - edges[i] >> rate
        self.seen[self.before] = min(seen + 1, 24)
        self.before = (self.before[1], min(k, 3))
        return gap


def take_transform(source, steps):
    """The kind, the first elements, the lowest and the highest value, and what a
    difference is, of a value and the source of what follows the values."""
    kind = source.bits(3)
    if kind > 5:
        raise Damage
    if kind == 1:
        return kind, source.number(), 0, 0, None
    order, first = source.bits(2), []
    if order > steps:
        raise Damage
    for _ in range(order):
        first.append((first[-1] if first else 0) + source.signed())
    base = source.signed()
    divisor = source.number() + 1 if kind in (2, 3, 5) else 1
    shift = source.bits(6) if kind in (4, 5) else 0
    most = source.number() if kind >= 2 else 0
    if most > (steps - 1 if kind == 3 else 2**31):
        raise Damage
    ranks, gaps = [0], Gaps()
    while kind == 3 and len(ranks) <= most:
        ranks.append(ranks[-1] + 1 + gaps.pop(source))
    low = -(most + 1 >> 1)

    def difference(v, lane):
        u = v - low
        if kind == 0:
            return base
        if kind == 3:
            u = ranks[u]
        if kind == 4:
            u = (u << shift) + source.bits(shift, lane)
        if kind == 5:
            u %= 2**shift
        return base + divisor * u

    return kind, first, low, most + low, difference


# Of stages that adapt: (order, rate)
ADAPTING = [
    [],
    [(32, 24000), (16, 32000)],
    [(256, 16000), (32, 24000), (16, 32000)],
    [(1024, 16000), (256, 16000), (32, 24000), (16, 32000)],
    [(1024, 2500), (256, 2500), (32, 2500), (16, 2500)],
]


def limited(v, most):
    return max(-most, min(v, most))


class SignalPrediction:
    """A channel's prediction, after the channels that are done."""

    def __init__(self, source, done, steps):
        self.source, self.margin = source, min(steps, 64)
        # What is expected of coefficients, in 2^-16.
        self.own = [0x18000 // (i + 1) + 0x1000 for i in range(32)]
        self.aside = [0x2000] * 72
        n_refs, reach = self.number(0), 0
        if n_refs > 8:
            raise Damage
        if n_refs:
            reach = source.bits(4)
            if reach > min(8, self.margin) or n_refs * (2 * reach + 1) > 72:
                raise Damage
        self.refs, self.reach = [], reach
        for _ in range(n_refs):
            back = self.number(0)
            if back >= len(done):
                raise Damage
            self.refs.append(done[len(done) - 1 - back])
        kind = self.number(0)
        if kind >= (len(ADAPTING) if steps >= 512 else 1):
            raise Damage
        self.stages, self.scale = ADAPTING[kind], source.bits(5) if kind else 0
        if self.scale > 30:
            raise Damage
        pieces, self.segments = -(-steps // 4096), []
        self.shift, self.drop = 12, 4
        while pieces:
            length = 1 + self.number(1)
            if length > pieces:
                raise Damage
            pieces -= length
            self.segments += [self.take_segment()] * length

    def number(self, k):
        edges = [2**28 - 2 ** (28 - q) for q in range(17)] + [2**28]
        q = self.source.pop(finder(edges))
        return self.source.bits(32) if q == 16 else q << k | self.source.bits(k)

    def signed(self, k):
        u = self.number(k)
        return -(u + 1) // 2 if u % 2 else u // 2

    def take_segment(self):
        """The shift, the constant in 2^-8, and for each lag and for each reference
        and lag a coefficient in 2^-shift."""
        order = self.source.bits(6)
        if order > min(32, self.margin):
            raise Damage
        has_refs = self.source.bits(1) if self.refs else 0
        self.shift += self.signed(1)
        self.drop += self.signed(1)
        if not (8 <= self.shift <= 24 and 0 <= self.drop <= 38):
            raise Damage
        constant = self.signed(2)
        if abs(constant) > 2**38 >> self.drop:
            raise Damage
        own = self.take_group(order, self.own)
        width = 2 * self.reach + 1
        aside = self.take_group(has_refs * len(self.refs) * width, self.aside)
        groups = [aside[i : i + width] for i in range(0, len(aside), width)]
        return self.shift, constant << self.drop, own, groups

    def take_group(self, n, expected):
        precisions, before, near, out = [], self.shift, 0, []
        for i in range(n):
            before -= self.signed(0) if i <= 8 else 0
            if not 0 <= before <= self.shift:
                raise Damage
            precisions.append(before)
        for i, precision in enumerate(precisions):
            like = (expected[i] + 3 * near) // 4 if i else expected[i]
            units = ((like << precision) * 3 // 4) >> 16
            q = self.signed(min(max(units.bit_length() - 1, 0), 25))
            if abs(q) >= 2**25 >> self.shift - precision:
                raise Damage
            size = (abs(q) << 16) + 0x4000 >> precision
            expected[i] = min((expected[i] + size) // 2, 2**29)
            near = min(((near if i else expected[0]) + size) // 2, 2**29)
            out.append(q << self.shift - precision)
        return out


class SignalPredictor:
    """One stream of a channel, whose values go where they can be seen."""

    def __init__(self, prediction, values, first):
        self.p, self.values, self.first = prediction, values, first
        self.stages = [Adapting(*stage) for stage in prediction.stages]

    def at(self, t):
        """mu of step t, in 2^-8."""
        shift, constant, own, groups = self.p.segments[t // 4096]
        total = constant << shift - 8
        for lag, a in enumerate(own, 1):
            if t - lag >= self.first:
                total += a * self.values[t - lag]
        for ref, group in zip(self.p.refs, groups, strict=False):
            for lag, a in enumerate(group, -self.p.reach):
                if 0 <= t - lag < len(ref):
                    total += a * ref[t - lag]
        self.mu = limited(total >> shift - 8, 2**38)
        adapted = sum(s.predicted * s.share for s in self.stages) >> 16
        return limited(self.mu + (adapted << self.p.scale), 2**38)

    def seen(self, v):
        """What the step was, before the next."""
        r = limited(256 * v - self.mu >> self.p.scale, 16383)
        left = 2**16 * r - sum(s.predicted * s.share for s in self.stages)
        for stage in self.stages:
            r = stage.seen(r, left)


class Adapting:
    """A stage of normalised least mean squares."""

    def __init__(self, order, rate):
        self.order, self.rate = order, rate
        self.w, self.h = [0] * order, [0] * order
        self.predicted, self.share = 0, 2**16

    def seen(self, r, left_by_all):
        left = limited(r - self.predicted, 16383)
        energy = (sum(h * h for h in self.h) >> 11) + self.order // 128 + 1
        g = limited(int(abs(left) * self.rate // energy), 2**15 - 1)
        g = -g if left < 0 else g
        if self.predicted and left_by_all:
            up = (self.predicted > 0) == (left_by_all > 0)
            self.share = max(0, min(self.share + (400 if up else -400), 81920))
        total, new = 0, [*self.h[1:], r]
        for i, h in enumerate(self.h):
            self.w[i] = signed((self.w[i] + g * h) % 2**32, 4)
            total += (self.w[i] >> 16) * new[i]
        self.h = new
        self.predicted = limited(signed(total % 2**32, 4) >> 14, 2**15 - 1)
        return left


def element_of(x, size, is_signed):
    """Of a number modulo 2^64."""
    x %= 2**64
    if is_signed and x >= 2**63:
        x -= 2**64
    low = -(256**size) // 2 if is_signed else 0
    if not low <= x < low + 256**size:
        raise Damage
    return x


def stored_elements(data, n, size, is_signed):
    if len(data) != n * size:
        raise Damage
    return [signed(x, size) if is_signed else x for x in integers(data, size)]


def undone(first, difference, values, lanes=1):
    """Elements modulo 2^64, of which the first are given."""
    x = [*first]
    for t in range(len(first), len(values)):
        # x_t = d_t + the sum of (-1)^(k + 1) binomial(order, k) x_t-k
        x.append(difference(values[t], t % lanes))
        for k in range(1, len(first) + 1):
            x[t] -= (-1) ** k * math.comb(len(first), k) * x[t - k]
    return x


def decode_signal_block(block, n, size, is_signed, line=(0, 1)):
    """The n elements, of `size` bytes each."""

    if not block:
        raise Damage
    if block[0] == 3:
        return stored_elements(block[1:], n, size, is_signed)
    if block[0] % 4 == 3:
        raise Damage
    lanes, channels = 1 << block[0] % 4, 1 + block[0] // 4
    source = SignalSource(block[1:], lanes)
    if channels == 64:
        channels = source.number()
    if channels < 1 or channels > n or n % channels:
        raise Damage
    steps, out, done = n // channels, [], []
    coder, same = SignalValues(source), 2**15
    for _ in range(channels):
        if done:  # has it the transform of the channel before?
            another, same = source.another(same)
        if not done or another:
            transform = take_transform(source, steps)
        kind, first, low, high, difference = transform
        values = [0] * steps
        if kind >= 2:
            values = coder.pop(done, steps, low, high)
        done.append(values)
        if kind == 1:
            out.append([line[0] + (first + t) * line[1] for t in range(steps)])
            continue
        out.append(undone(first, difference, values, lanes))
    source.end()
    return [element_of(x[t], size, is_signed) for t in range(steps) for x in out]


# Floats: docs/format.md, Floats

# Of the elements 27 to 32: bits of the exponent and of the mantissa.
FLOATS = {27: (5, 10), 28: (8, 23), 29: (11, 52), 30: (8, 7), 31: (4, 3), 32: (5, 2)}


def float_value(bits, E, M):
    """What a finite float that is not negative is; of one beyond them, as if more
    exponents followed."""
    exponent = max(bits >> M, 1)
    mantissa = bits - ((exponent - 1) << M)
    return mantissa * Fraction(2) ** (exponent - 2 ** (E - 1) + 1 - M)


def nearest_float(x, E, M, finite=False):
    """The bits of the float that is nearest to x, and even where two are; a finite type
    has one NaN instead of infinities."""
    sign, a = int(x < 0), abs(Fraction(x))
    if a == 0:
        return 0
    exponent = a.numerator.bit_length() - a.denominator.bit_length()
    exponent -= a < Fraction(2) ** exponent
    exponent = max(exponent, 2 - 2 ** (E - 1))
    units = round(a / Fraction(2) ** (exponent - M))  # to even
    bits = (exponent + 2 ** (E - 1) - 2 << M) + units
    most = 2 ** (E + M) - 1 if finite else (2**E - 1) << M
    return sign << (E + M) | min(bits, most)


def float_bits(order, E, M):
    """A float by its order: its magnitude, or -1 less it of a negative one; orders are
    taken modulo 2^64."""
    order, sign = signed(order % 2**64, 8), 1 << (E + M)
    return order % sign if order >= 0 else sign + (-1 - order) % sign


def float_order(bits, E, M):
    sign = 1 << (E + M)
    return bits if bits < sign else -1 - (bits - sign)


class RawBits:
    """From the lowest of each byte on, to the last byte, whose rest is 0."""

    def __init__(self, data):
        self.value, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, n):
        self.left -= n
        if self.left < 0:
            raise Damage("raw bits end early")
        value = self.value % 2**n
        self.value >>= n
        return value

    def end(self):
        if self.value or self.left >= 8:
            raise Damage("raw bits that nobody takes")


class Conversion:
    """How integers of a group become floats."""

    def __init__(self, data, element):
        self.E, self.M = FLOATS[element]
        self.finite = element == 31
        self.bias = 2 ** (self.E - 1) - 1
        self.kind, self.e = data.byte(), 0
        if self.kind > 3:
            raise Damage("no conversion")
        if self.kind == 0:
            return
        self.e = data.signed()
        if not -4096 <= self.e <= 4096:
            raise Damage("no exponent")
        if self.kind == 1:
            self.num, self.den, self.fine = (data.number() for _ in range(3))
            if 0 in (self.num, self.den, self.fine) or self.den * self.fine >= 2**64:
                raise Damage("no fraction")
        elif self.e < 1 - self.bias - self.M:
            raise Damage("below the least float")

    def order(self, q, raw):
        """Of an integer's float; `raw` is None for exceptions."""
        if self.kind == 0:
            return q
        if self.kind == 1:
            return self.multiple(q, self.den)
        t = q if q >= 0 else -1 - q
        if t > 0:
            magnitude = self.rounded(t, raw)
        elif raw is None or (self.kind == 3 and q == 0):
            magnitude = 0
        else:
            magnitude = self.below(raw)
        most = 2 ** (self.E + self.M) - 1 if self.finite else (2**self.E - 1) << self.M
        magnitude = min(magnitude, most)
        return magnitude if q >= 0 else -1 - magnitude

    def multiple(self, q, den):
        q = signed(q % 2**64, 8)
        x = Fraction(q * self.num, den) * Fraction(2) ** self.e
        bits = nearest_float(abs(x), self.E, self.M, self.finite)
        return bits if q >= 0 else -1 - bits

    def rounded(self, t, raw):
        """The magnitude of t 2^e and of what lies less than 2^e above."""
        top = t.bit_length() - 1
        exponent = max(top + self.e + self.bias, 1)
        if exponent > 2**self.E:
            return 2 ** (self.E + self.M)
        # The last place of the mantissa is 2^missing below 2^e, or above.
        missing = self.e - (exponent - self.bias - self.M)
        if missing <= 0:
            mantissa = t >> -missing
        else:
            mantissa = t << missing | (raw.take(missing) if raw else 0)
        return (exponent - 1 << self.M) + mantissa

    def below(self, raw):
        """The magnitude of what is less than 2^e."""
        exponent = self.e + self.bias
        if exponent < 1:
            return raw.take(exponent - 1 + self.M)
        ones = 0
        while ones < 16 and raw.take(1):
            ones += 1
        exponent = raw.take(self.E) if ones == 16 else max(exponent - 1 - ones, 0)
        return exponent << self.M | raw.take(self.M)


class FloatBlock(Octets):
    """A block of integers and of what is left, from its second byte on."""

    def __init__(self, data, n, element):
        super().__init__(data)
        self.n, self.element = n, element
        self.flags = self.byte()
        self.groups = self.number()
        if self.flags >= 32 or not 1 <= self.groups <= n or n % self.groups:
            raise Damage("no groups")
        different = 1 if self.flags & 2 else self.groups
        if different > 256:
            raise Damage("too many conversions")
        self.conversions = [Conversion(self, element) for _ in range(different)]

    def section(self):
        return self.take(self.number())

    def integers(self, least, most):
        """A section of elements of one of these types."""
        kind = least if least == most else self.byte()
        block = self.section()
        if not least <= kind <= most or (kind - least) % 2:
            raise Damage("another type")
        decode = decode_grid_block if self.flags & 1 else decode_signal_block
        return decode(block, self.n, 1 << kind // 2 - 8, kind % 2 == 1)

    def decode(self):
        E, M = FLOATS[self.element]
        size = (1 + E + M) // 8
        values = self.integers(17, 23)
        classes, moved, patterns, rest = [0] * self.n, [0] * self.n, [], None
        if self.flags & 4:
            n_patterns = self.byte()
            if n_patterns > 14:
                raise Damage("too many patterns")
            patterns = integers(self.take(n_patterns * size), size)
            classes = self.integers(16, 16)
            rest = Octets(self.section())
        raw = RawBits(self.section() if self.flags & 8 else b"")
        if self.flags & 16:
            moved = self.integers(17, 19)
        if self.data:
            raise Damage("something follows")
        orders = [0] * self.n
        for group in range(self.groups):
            conversion = self.conversions[group % len(self.conversions)]
            for i in range(group, self.n, self.groups):
                order = conversion.order(values[i], None if classes[i] else raw)
                orders[i] = order + moved[i]
        raw.end()
        out = [float_bits(order, E, M) for order in orders]
        for i, k in enumerate(classes):
            conversion = self.conversions[i % self.groups % len(self.conversions)]
            if k == 0:
                continue
            if k <= len(patterns):
                out[i] = patterns[k - 1]
            elif k == len(patterns) + 1:
                out[i] = int.from_bytes(rest.take(size), "little")
            elif k == len(patterns) + 2:
                out[i] = float_bits(float_order(out[i], E, M) + rest.signed(), E, M)
            elif k == len(patterns) + 3 and conversion.kind == 1:
                q = values[i] * conversion.fine + rest.signed()
                den = conversion.den * conversion.fine
                out[i] = float_bits(conversion.multiple(q, den), E, M)
            else:
                raise Damage("no such class")
        if rest and rest.data:
            raise Damage("exceptions that nobody takes")
        return out


def decode_float_planes(block, n, size):
    """Bytes of elements that were turned left by a bit, the highest first."""
    data, values = Octets(block), [0] * n
    for _ in range(size):
        b = data.number()
        plane = data.take(b or n)
        if b > n:
            raise Damage("a plane that is too long")
        plane = decode_bytes_block(plane) if b else plane
        if len(plane) != n:
            raise Damage("a plane of another length")
        values = [v << 8 | byte for v, byte in zip(values, plane, strict=True)]
    if data.data:
        raise Damage("something follows")
    return [v >> 1 | v % 2 << 8 * size - 1 for v in values]


def decode_float_block(block, n, element):
    """The bits of the n floats."""
    size = ELEMENT_BYTES[element]
    if block[:1] == b"\0":
        return decode_float_planes(block[1:], n, size)
    if block[:1] == b"\1":
        return FloatBlock(block[1:], n, element).decode()
    if block[:1] != b"\4" or len(block) != 1 + n * size:
        raise Damage("no block of floats")
    return integers(block[1:], size)


# Units of the bins on either side of the middle, in logarithms, and where they begin.
BIN_BITS = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 7]
BIN_FIRST = [sum(2**b for b in BIN_BITS[:i]) for i in range(16)]
SHARES = [2**17 // (2 * n + 3) for n in range(256)]
MAGNITUDE = [0, 1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, *[6] * 11, 7]


def within(v, low, high):
    return max(low, min(v, high))


def quarters(v):
    v = max(v, 4)
    octave = v.bit_length() - 1
    return 4 * octave + (v >> octave - 2) % 4


def leaf_of(d, k):
    """Of what lies d from the middle, in units of 2^k values."""
    units = d + (1 << k >> 1) >> k
    side = bisect_right(BIN_FIRST, min(units ^ -(units < 0), 221)) - 1
    return 15 - side if units < 0 else 16 + side


def first_row(share_of_one, depth):
    """A row by shares of 1 among the leaves [a, b) of nodes."""
    row = [20]
    for d in range(depth):
        reach = 2 ** (depth - d)
        row += [
            within(share_of_one(i * reach, i * reach + reach), 64, 65472)
            for i in range(2**d)
        ]
    return row


def logistic_row(kind):
    """Of residuals with a mean size of this class, in quarters of octaves."""
    mean = (9 + 2 * (kind % 4)) << kind // 4 >> 3
    edges = [0]
    for i in range(1, 32):
        first = BIN_FIRST[i - 16] if i >= 16 else -BIN_FIRST[16 - i]
        at = (2 * first - 1) * 128 * 308
        logit = limited(abs(at) // mean, 3071) * (1 if at > 0 else -1)
        edges.append(probability(logit) >> 4)
    edges.append(2**28)

    def share(a, b):
        middle = edges[(a + b) // 2]
        return (edges[b] - middle + 2048) * 65536 // (edges[b] - edges[a] + 4096)

    return first_row(share, 5)


def even_row(bits, kinds):
    """Of as many leaves, all alike."""

    def share(a, b):
        half, left = (b - a) // 2, kinds - a
        if left <= half:
            return 0
        return 2**15 if left >= b - a else (left - half) * 65536 // left

    return first_row(share, bits)


class Stream:
    """What is known of the values before one."""

    def __init__(self, octave):
        self.fast, self.middle, self.slow = (1 << octave + k for k in (2, 3, 6))
        self.values, self.residuals = [0, 0], [0, 0]
        self.history = self.mean = self.run = 0

    def see(self, v, mu):
        size = abs(256 * v - mu)
        self.fast += size - (self.fast >> 2)
        self.middle += size - (self.middle >> 3)
        self.slow += size - (self.slow >> 6)
        self.values = [v, self.values[0]]
        self.residuals = [v - (mu + 128 >> 8), self.residuals[0]]

    def see_kind(self, kind, bits):
        self.run = self.run + 1 if kind == self.history % 2**bits else 0
        self.history = (self.history << bits | kind) % 2**64
        self.mean += (kind << 9) - (self.mean >> 4)


class Decisions:
    """Those for one value, under the rows of its contexts."""

    def __init__(self, rows, weights, rate, slot, most=127):
        self.rows, self.weights, self.rate, self.slot = rows, weights, rate, slot
        seen = [row[0] for row in rows]
        self.shares = [[SHARES[min(n >> d, most)] for n in seen] for d in (0, 1)]
        for row in rows:
            row[0] = min(row[0] + 1, 511)
        self.start, self.left, self.node = 0, 2**28, 1

    def split(self, ones, least):
        """Which half of what is left has the slot, if 1 has `ones` of 2^28."""
        zeros = least + ((self.left - 2 * least) * (2**28 - ones) >> 28)
        bit = int(self.slot - self.start >= zeros)
        self.start += bit * zeros
        self.left = self.left - zeros if bit else zeros
        return bit

    def decide(self, depth, below):
        node, entries = self.node, [row[self.node] for row in self.rows]
        if len(self.rows) == 2:
            bit = self.split(sum(entries) << 11, 2 << below)
        else:
            logits = [LOGITS[p >> 4] for p in entries]
            weights, mixed = self.weights[node], 0
            for i in range(0, len(logits), 8):
                mixed += sum(map(mul, weights[i : i + 8], logits[i : i + 8])) >> 16
            ones = probability(mixed) >> 4
            bit = self.split(ones, 2 << below)
            error = ((bit << 12) - (ones + 2**15 >> 16)) * self.rate
            for i, logit in enumerate(logits):
                w = weights[i] + (error * logit + 2**15 >> 16)
                weights[i] = limited(w, 2**17 - 1)
        for row, share in zip(self.rows, self.shares[depth - below > 2], strict=True):
            row[node] = learned(row[node], share, bit)
        self.node = 2 * node + bit


def learned(p, share, bit):
    mask = bit * 65535
    q = p ^ mask
    return q - (q * share >> 16) ^ mask


def rounded_logit(a, b):
    """128 log2(a / b) to the nearest, a > b."""
    return (a**256 // b**256).bit_length() // 2


LOGITS = [rounded_logit(2 * i + 1, 8191 - 2 * i) for i in range(2048, 4096)]
LOGITS = [-logit for logit in reversed(LOGITS)] + LOGITS


class Learner:
    """What values teach: rows of contexts, and weights of contexts by sets."""

    sets, slowest = 12, 127

    def __init__(self, source, contexts=0):
        self.source, self.contexts = source, contexts

    def room(self):
        return {2: 6144, 8: 8192, 16: 16384}[self.contexts]

    def forget(self, bits):
        self.bits, self.seen, self.rows = bits, 0, {}
        self.halves = [[2**15, 2**15] for _ in range(32)]
        self.weights = [
            [[65536 // self.contexts] * self.contexts for _ in range(32)]
            for _ in range(self.sets)
        ]

    def find(self, context, first, weights, lane):
        """The decisions of a value in these contexts, of which the first has a row
        that begins like this."""
        if (0, context[0]) not in self.rows:
            self.rows[0, context[0]] = [*first]
        first = self.rows[0, context[0]]
        rows, base = [first], [2, *first[1:]]
        for key in list(enumerate(context))[1:]:
            if key not in self.rows and len(self.rows) + 1 < self.room() - 1024:
                self.rows[key] = [*base]
            rows.append(self.rows.get(key) or [*base])
        rate = 16 + 110 * 256 // (256 + self.seen // 256 * 256)
        slot = self.source.message.peek(2**28, lane)
        return Decisions(rows, weights, rate, slot, self.slowest)

    def decide(self, values, depth):
        if self.contexts == 2:
            for below in reversed(range(depth)):
                for decisions in values:
                    decisions.decide(depth, below)
        else:
            for decisions in values:
                for below in reversed(range(depth)):
                    decisions.decide(depth, below)

    def advance(self, decisions, lane=0):
        interval = (0, decisions.start, decisions.left)
        self.source.pop(lambda slot: interval, lane)

    def pop_rest(self, decisions, k, lane=0):
        """The residual."""
        source, leaf = self.source, decisions.node - 32
        side, negative = (leaf - 16, 0) if leaf >= 16 else (15 - leaf, -1)
        if side == 15:
            self.advance(decisions, lane)
            n = source.bits(5, lane)
            units = 221 + 2**n + source.bits(n, lane) - 1
            if units >> 33 - k:
                raise Damage
            off = source.bits(k, lane)
        else:
            units, bits, off = BIN_FIRST[side], BIN_BITS[side] + k, 0
            if bits:
                half = self.halves[leaf]
                off = decisions.split(half[k > 0] << 12, 1) << bits - 1
                half[k > 0] = learned(half[k > 0], 2**9, int(off > 0))
            self.advance(decisions, lane)
            off += source.bits(bits - 1, lane) if bits > 1 else 0
        return ((units << k) + off ^ negative) - (1 << k >> 1)


class SignalValues(Learner):
    """The values of a block's channels, by what the channels before taught."""

    def pop(self, done, steps, low, high):
        source = self.source
        if not self.contexts:
            mode = source.bits(2)
            if mode > 2:
                raise Damage
            self.contexts = (2, 8, 16)[mode]
            self.forget(0)
        direct = high - low < 32 and source.bits(1)
        bits = (high - low).bit_length() if direct else 0
        predictions = None if direct else SignalPrediction(source, done, steps)
        if low == high:
            return [low] * steps
        if bits != self.bits:
            self.forget(bits)
        octave = 0 if bits else source.bits(6)
        if octave > 39:
            raise Damage
        values, length = [0] * steps, -(-steps // source.lanes)
        firsts = range(0, steps, length)
        streams = [Stream(octave) for _ in firsts]
        if not bits:
            predictors = [SignalPredictor(predictions, values, f) for f in firsts]
        for t in range(length):
            now = [i for i, first in enumerate(firsts) if first + t < steps]
            if bits:
                for i in now:
                    kind = self.pop_kind(streams[i], high - low + 1, i)
                    values[firsts[i] + t] = low + kind
                continue
            mus = [predictors[i].at(firsts[i] + t) for i in now]
            expected = [
                self.expect(streams[i], mu, low, high, i)
                for i, mu in zip(now, mus, strict=True)
            ]
            self.decide([decisions for decisions, *_ in expected], 5)
            for i, mu, (decisions, k) in zip(now, mus, expected, strict=True):
                v = (mu + 128 >> 8) + self.pop_rest(decisions, k, i)
                if not low <= v <= high:
                    raise Damage
                values[firsts[i] + t] = v
                predictors[i].seen(v)
                streams[i].see(v, mu)
                self.seen += 1
        return values

    def expect(self, s, mu, low, high, lane):
        """The decisions of a residual, and k: a unit is 2^k values."""
        middle, fast, slow = (
            quarters(v) - 4 * bits
            for v, bits in ((s.middle, 3), (s.fast, 2), (s.slow, 6))
        )
        k = 0 if middle < 48 else (middle - 44) // 4
        size = within(middle - 4 * k, 0, 47)
        f, w = (within(v - 4 * k, 0, 63) for v in (fast, slow))
        octave, regime = size // 4, (size >= 28) + (size >= 40)
        centre, phase = mu + 128 >> 8, (mu + 128) % 256
        level, wide = centre - low, max((high - low).bit_length() - 6, 0)

        def leaf(d):
            return leaf_of(d, k)

        now, old = (leaf(v - centre) for v in s.values)
        step = leaf(s.values[0] - s.values[1])
        last, second = (leaf(r) for r in s.residuals)
        sizes = [MAGNITUDE[min(abs(r) >> k, 24)] for r in s.residuals]
        signs = [r < 0 for r in s.residuals]
        context = [
            f // 2 * 32 + w // 2,
            (step * 32 + now) * 3 + regime,
            (sizes[0] * 32 + sizes[1] * 4 + signs[0] * 2 + signs[1]) * 12 + octave,
            level % 16 * 12 + octave,
            w * 5 + (4 if k else phase // 64),
            last * 48 + size,
            now * 64 + octave * 4 + (3 if k else phase // 64),
            within(level >> wide, 0, 63) * 12 + octave,
            (now * 32 + old) * 4 + min(size // 8, 3),
            (last * 32 + second) * 3 + regime,
            phase // 32 * 48 + size,
            (last * 32 + now) * 3 + regime,
            f // 2 * 48 + size,
            (last * 32 + step) * 3 + regime,
            within(level >> max(wide - 2, 0), 0, 255) * 12 + octave,
            (f // 4 * 24 + size // 2) * 8 + w // 8,
        ]
        context, weights = context[: self.contexts], self.weights[octave]
        return self.find(context, logistic_row(size), weights, lane), k

    def pop_kind(self, s, kinds, lane):
        bits, last = self.bits, s.history % 2**self.bits
        context = []
        for i in range(self.contexts):
            n = (i + 1) * (6 // bits if self.contexts == 2 else 1) * bits
            known = s.history % 2 ** min(n, 60)
            context.append(
                known if n <= 12 else known * 0x9E3779B97F4A7C15 % 2**64 >> 52
            )
        if self.contexts > 2:
            context[6] = min(s.run, 127) << bits | last
            context[7] = s.mean >> 7 + bits << bits | last
        first = even_row(bits, kinds)
        decisions = self.find(context, first, self.weights[0], lane)
        self.decide([decisions], bits)
        self.advance(decisions, lane)
        kind = decisions.node - 2**bits
        if kind >= kinds:
            raise Damage
        s.see_kind(kind, bits)
        self.seen += 1
        return kind


# Grids: docs/format.md, Grid

# Where taps lie, rows up and columns to the right, in the plane and in references.
OWN_TAPS = [
    (0, -1), (1, 0), (1, -1), (1, 1), (0, -2), (2, 0), (2, 1), (2, -1), (1, 2),
    (1, -2), (0, -3), (3, 0), (2, 2), (2, -2), (1, 3), (1, -3), (3, 1), (3, -1),
]  # fmt: skip
TAPS_AROUND = [
    (0, 0), (0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (1, 1), (-1, -1), (-1, 1),
    (0, -2), (0, 2), (2, 0), (-2, 0),
]  # fmt: skip


def root_32(n):
    """floor(n^(1/32))."""
    for _ in range(5):
        n = isqrt(n)
    return n


# floor(2^(16 - i / 32)), but what has 16 bits.
POWERS = [min(root_32(2 ** (16 * 32 - i)), 2**16 - 1) for i in range(32)]


class GridModel:
    """How a band is predicted from a row of all frames on."""

    def __init__(self, block, band, row, direct, most):
        source, self.row = block.source, row
        frame = row // block.rows
        n_refs = source.bits(3)
        if n_refs > 4:
            raise Damage
        self.refs = []
        for _ in range(n_refs):
            frames, bands = source.number(), source.number()
            if frames > frame or bands > band or frames + bands == 0:
                raise Damage
            self.refs.append((frames, bands))
        self.experts = []
        if direct:
            return
        self.n_own = source.bits(5)
        self.around = [source.bits(4) for _ in self.refs]
        self.share, self.shift = source.bits(4), source.bits(5)
        if self.n_own > 18 or max(self.around, default=0) > 13:
            raise Damage
        if not 8 <= self.shift <= 20:
            raise Damage
        n_experts = 1 + source.bits(3)
        if n_experts > min(most, max(2**16 // block.columns, 1)):
            raise Damage
        self.experts = [self.take_expert(source) for _ in range(n_experts)]

    def take_expert(self, source):
        """A constant in 2^-8, and coefficients in 2^-shift."""
        constant = source.signed()
        if abs(constant) > 2**38:
            raise Damage
        coefficients, mean = [], 0
        for i in range(self.n_own + sum(self.around)):
            if i < 4 or i == self.n_own:
                mean = 1 << self.shift - (1 if i < 2 else 3)
            u = source.rice(min(max(mean.bit_length() - 1, 0), 25))
            a = -(u + 1) // 2 if u % 2 else u // 2
            if not -(2**25) <= a < 2**25:
                raise Damage
            mean = (mean + abs(a)) // 2
            coefficients.append(a)
        return constant, coefficients


class GridBand:
    """A band in the order of coding: its transform, models, values and errors."""

    def __init__(self, block, number, transform):
        source = block.source
        self.number, self.kind = number, transform[0]
        _, self.first, self.low, self.high, self.difference = transform
        most = self.high - self.low
        self.is_coded = self.kind >= 2 and most > 0
        self.direct = self.is_coded and most < 32 and source.bits(1)
        self.values = [[self.low * (self.kind >= 2)] * block.columns] * block.all_rows
        self.errors = [[0] * block.columns for _ in range(block.all_rows)]
        bits = most.bit_length()
        self.down = max(bits - 22, 0)
        self.mean = (2**7 if bits < 6 else 2 ** (bits + 3)) << 7 >> self.down
        self.models = []
        if not self.is_coded:
            return
        n_models, row, others = source.number(), 0, block.bands - number - 1
        if not 1 <= n_models <= min(block.models_left, block.experts_left) - others:
            raise Damage
        block.models_left -= n_models
        for i in range(n_models):
            row += 1 + source.number() if i else 0
            if row >= block.all_rows:
                raise Damage
            most = block.experts_left - others - (n_models - 1 - i)
            model = GridModel(block, number, row, self.direct, most)
            block.experts_left -= len(model.experts)
            self.models.append(model)
        self.values = [[0] * block.columns for _ in range(block.all_rows)]

    def model(self, row):
        return [m for m in self.models if m.row <= row][-1]


class GridLearner(Learner):
    """Residuals, or values of few kinds."""

    sets, slowest = 48, 254

    def room(self):
        return 16384 if self.contexts == 2 else 65536


def median(a, b, c):
    return sorted((a, b, c))[1]


class GridBlock:
    """A grid, from what its message is popped from."""

    def __init__(self, source, n):
        self.source = source
        self.columns, self.bands, self.rows = (source.number() for _ in range(3))
        if (
            not 1 <= self.columns <= 2**16
            or not 1 <= self.bands <= 2**10
            or n % (self.columns * self.bands)
            or self.rows < 1
        ):
            raise Damage
        self.n, self.all_rows = n, n // (self.columns * self.bands)
        self.rows = min(self.rows, self.all_rows)
        self.models_left = self.experts_left = 2 * min(n, 2**10) + 64
        self.order = list(range(self.bands))
        if self.bands > 1 and source.bits(1):
            for i in range(self.bands):
                k = source.number()
                if k >= self.bands - i:
                    raise Damage
                order = self.order
                order[i], order[i + k] = order[i + k], order[i]
        self.coded, same, transform = [], 2**15, None
        for number in range(self.bands):
            another = 1
            if number:
                another, same = source.another(same)
            if another:
                transform = take_transform(source, self.all_rows * self.columns)
            if transform[0] == 1 or (not another and transform[0] == 3):
                raise Damage
            self.coded.append(GridBand(self, number, transform))

    def decode(self):
        """Elements modulo 2^64."""
        mode = self.source.bits(2)
        if mode > 2:
            raise Damage
        contexts = (2, 8, 16)[mode]
        self.residuals = GridLearner(self.source, contexts)
        self.residuals.forget(0)
        self.kinds = GridLearner(self.source, contexts)
        self.n_kinds = max([2, *(b.high - b.low + 1 for b in self.coded if b.direct)])
        self.kinds.forget((self.n_kinds - 1).bit_length())
        for top in range(0, self.all_rows, self.rows):
            for band in self.coded:
                if band.is_coded:
                    GridPlane(self, band, top).pop()
        out = [None] * self.n
        for band, place in zip(self.coded, self.order, strict=True):
            values = [v for row in band.values for v in row]
            out[place :: self.bands] = undone(band.first, band.difference, values)
        self.source.end()
        return out


class GridPlane:
    """A band of a frame, whose first row of all is `top`."""

    def __init__(self, block, band, top):
        self.block, self.band, self.top = block, band, top
        self.n_rows = min(block.rows, block.all_rows - top)

    def pop(self):
        band, columns = self.band, self.block.columns
        self.first_error, self.model = min(band.mean >> 7, 2**31 - 1), None
        for y in range(self.n_rows):
            model = band.model(self.top + y)
            if model is not self.model:
                nothing = [0] * columns
                self.wrong = [[nothing, nothing] for _ in model.experts]
            self.y, self.model = y, model
            self.v, self.e = band.values[self.top + y], band.errors[self.top + y]
            for rows in self.wrong:
                rows.insert(0, [])
            for x in range(columns):
                self.x = x
                if band.direct:
                    self.v[x] = self.pop_kind()
                else:
                    self.pop_value()
            self.wrong = [rows[:2] for rows in self.wrong]

    def reach(self, rows, up, right, first):
        """What lies there in the plane, of values or errors."""
        x = self.x + right
        if self.y == 0 and up:  # as the one before
            up, x = 0, self.x - 1 if right > -2 else x
        if up == 0 and x < 0:
            return rows[self.top + self.y - 1][0] if self.y else first
        y = self.y - min(up, self.y)
        return rows[self.top + y][within(x, 0, self.block.columns - 1)]

    def value(self, up, right):
        band, first = self.band, 0
        if self.top:
            first = band.values[self.top - self.block.rows][0]
        return self.reach(band.values, up, right, first)

    def error(self, up, right):
        band = self.band
        return self.reach(band.errors, up, right, self.first_error)

    def beside(self, ref, up, right, errors=False):
        """In a reference."""
        frames, bands = ref
        top = self.top - frames * self.block.rows
        n_rows = self.block.rows if frames else self.n_rows
        band = self.block.coded[self.band.number - bands]
        rows = band.errors if errors else band.values
        y = top + within(self.y - up, 0, n_rows - 1)
        return rows[y][within(self.x + right, 0, self.block.columns - 1)]

    def predicted(self, constant, coefficients):
        """By an expert, in 2^-8."""
        m, left = self.model, iter(coefficients)
        total = constant << m.shift - 8
        for up, right in OWN_TAPS[: m.n_own]:
            place = (up, right) if self.y or not up else (0, -1)
            total += next(left) * self.value(*place)
        for ref, n in zip(m.refs, m.around, strict=True):
            for up, right in TAPS_AROUND[:n]:
                total += next(left) * self.beside(ref, up, right)
        return within(total >> m.shift - 8, 256 * self.band.low, 256 * self.band.high)

    def mixed(self, mus):
        """mu: each counts as the fourth power of the inverse of its errors around."""
        logs, last = [], self.block.columns - 1
        for now, above, second in self.wrong:
            now = [above[0], above[0], *now]
            around = 6 * abs(now[-1]) + 2 * abs(now[-2]) + 2048
            for weight, row, right in (
                (6, above, 0), (4, above, 1), (4, above, -1), (2, above, 2),
                (2, second, 0), (1, second, 1), (1, second, -1),
            ):  # fmt: skip
                around += weight * abs(row[within(self.x + right, 0, last)])
            octave = around.bit_length() - 1
            logs.append(32 * octave + (around >> octave - 5) % 32)
        weights = []
        for log in logs:
            d = 4 * (log - min(logs))
            weights.append(POWERS[d % 32] >> d // 32)
        total = sum(w * (mu - mus[0]) for w, mu in zip(weights, mus, strict=True))
        share = abs(total) // sum(weights)
        return mus[0] + (share if total >= 0 else -share)

    def pop_value(self):
        learner, band = self.block.residuals, self.band
        mus = [self.predicted(*expert) for expert in self.model.experts]
        mu = self.mixed(mus) if mus[1:] else mus[0]
        decisions, k = self.expect(mu)
        learner.decide([decisions], 5)
        v = (mu + 128 >> 8) + learner.pop_rest(decisions, k)
        if not band.low <= v <= band.high:
            raise Damage
        e = 256 * v - mu >> band.down
        self.v[self.x], self.e[self.x] = v, e
        for rows, own in zip(self.wrong, mus, strict=True):
            rows[0].append(256 * v - own >> band.down)
        band.mean += abs(e) - (band.mean >> 7)
        learner.seen += 1

    def expect(self, mu):
        """The decisions of a residual, and k: a unit is 2^k values."""
        m, band, value = self.model, self.band, self.value
        W, N, NW, NE = value(0, -1), value(1, 0), value(1, -1), value(1, 1)
        WW, NN = value(0, -2), value(2, 0)
        middle = mu + 128 >> 8

        def size(up, right):
            return abs(self.error(up, right))

        own = 5 * size(0, -1) + size(0, -2)
        own += 4 * size(1, 0) + 3 * size(1, 1) + 2 * size(1, -1) + size(2, 0)
        both = beside = own
        if m.refs:
            weights = [
                (6, 0, 0), (2, 0, -1), (2, 0, 1), (2, 1, 0), (2, -1, 0), (1, 1, 1),
                (1, -1, -1),
            ]  # fmt: skip
            beside = sum(
                w * abs(self.beside(m.refs[0], up, right, True))
                for w, up, right in weights
            )
            both = own * (16 - m.share) + beside * m.share >> 4
        scale = quarters(both) - 16 + 4 * band.down
        k = 0 if scale < 48 else (scale - 44) // 4
        size_class = within(scale - 4 * k, 0, 47)
        f, w = (
            within(quarters(v) - 16 + 4 * band.down - 4 * k, 0, 63)
            for v in (own, beside)
        )
        octave, regime = size_class // 4, (size_class >= 28) + (size_class >= 40)

        def leaf(v):
            return leaf_of(v - middle, k)

        def leaf_of_error(e):
            return leaf_of((e << band.down) + 128 >> 8, k)

        def around(number):
            ref = m.refs[number]
            here, left, up = (self.beside(ref, *at) for at in [(0, 0), (0, -1), (1, 0)])
            return here + (W - left + N - up >> 1)

        other = around(0) if m.refs else W + NE - N
        if len(m.refs) > 1:
            second = around(1)
            r_second = leaf_of_error(self.beside(m.refs[1], 0, 0, True))
        else:
            second = N + NE - value(2, 1)
            r_second = leaf_of_error(self.error(0, -2))
        r_w, r_n = (leaf_of_error(self.error(*at)) for at in [(0, -1), (1, 0)])
        if m.refs:
            r_ref = leaf_of_error(self.beside(m.refs[0], 0, 0, True))
        else:
            r_ref = leaf_of_error(self.error(1, 1))

        def step(up, right):
            units = size(up, right) << band.down >> k >> 7
            return bisect_right([1, 2, 4, 7, 12, 20, 40], units)

        texture = sum(
            (v > middle) << i
            for i, v in enumerate([W, N, NW, NE, WW, NN, other, 2 * W - WW])
        )
        phase, level = (mu + 128) % 256 >> 6, middle - band.low
        wide = max((band.high - band.low).bit_length() - 6, 0)
        row_shift, column_shift = (
            max((n - 1).bit_length() - 6, 0)
            for n in (self.block.rows, self.block.columns)
        )
        context = [
            f // 2 * 32 + w // 2,
            (leaf(W) * 32 + leaf(N)) * 3 + regime,
            (leaf(other) * 32 + leaf(NE)) * 3 + regime,
            (r_w * 32 + r_n) * 3 + regime,
            leaf(median(W, N, W + N - NW)) * 48 + size_class + phase * 48 * 32,
            texture * 12 + octave,
            r_ref * 48 + size_class,
            within(level >> wide, 0, 63) * 12 + octave,
            (leaf(NW) * 32 + leaf(N)) * 3 + regime,
            (r_ref * 32 + r_second) * 3 + regime,
            (leaf(second) * 32 + leaf(other)) * 3 + regime,
            f * 48 + size_class,
            ((step(0, -1) * 8 + step(1, 0)) * 8 + step(1, 1)) * 12 + octave,
            (leaf(WW) * 32 + leaf(NN)) * 3 + regime,
            (self.y >> row_shift) * 64 + (self.x >> column_shift),
            ((r_w // 2 * 16 + r_ref // 2) * 4 + phase) * 3 + regime,
        ]
        learner = self.block.residuals
        weights = learner.weights[min(band.number, 3) * 12 + octave]
        context = context[: learner.contexts]
        return learner.find(context, logistic_row(size_class), weights, 0), k

    def pop_kind(self):
        block, band, m, value = self.block, self.band, self.model, self.value
        learner, bits = block.kinds, block.kinds.bits

        def beside(up, right):
            return self.beside(m.refs[0], up, right)

        near = [value(0, -1), value(1, 0)]
        if m.refs:
            near += [beside(0, 0), value(1, 1), value(1, -1), beside(0, 1)]
            near += [beside(-1, 0), value(0, -2), value(2, 0), beside(0, -1)]
            near += [beside(1, 0)]
        else:
            near += [value(1, 1), value(1, -1), value(0, -2), value(2, 0)]
        if len(m.refs) > 1:
            near.append(self.beside(m.refs[1], 0, 0))
        near += [value(2, 1), value(2, -1), value(1, 2), value(1, -2), value(0, -3)]
        near += [value(3, 0), value(2, 2), value(2, -2)]
        near = near[: 60 // bits]
        context, counts = [], (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20)
        if learner.contexts == 2:
            counts = min(4, 10 // bits), 10
        for n in counts:
            some = near[:n]
            word = sum((v - band.low) % 2**bits << bits * i for i, v in enumerate(some))
            if len(some) * bits > 13:
                word = word * 0x9E3779B97F4A7C15 % 2**64 >> 51
            context.append(word)
        context = context[: learner.contexts]
        first = even_row(bits, block.n_kinds)
        weights = learner.weights[min(band.number, 3) * 12]
        decisions = learner.find(context, first, weights, 0)
        learner.decide([decisions], bits)
        learner.advance(decisions)
        kind = decisions.node - 2**bits
        if kind > band.high - band.low:
            raise Damage
        learner.seen += 1
        return band.low + kind


def decode_grid_block(block, n, size, is_signed):
    """The n elements, of `size` bytes each."""
    if block[:1] == b"\xff":
        return stored_elements(block[1:], n, size, is_signed)
    if block[:1] != b"\0":
        raise Damage
    elements = GridBlock(SignalSource(block[1:], 1), n).decode()
    return [element_of(x, size, is_signed) for x in elements]


# Mixing

BYTE_HASH, WORD_HASH, NODE_HASH = 0x9E3779B97F4A7C15, 0x2F0B4C47, 0x9E3779B1
MIXED_SHARES = [2**9 // (2 * c + 3) for c in range(13)] + [11, 5, 2]
NEW_ROW = [2**11 << 4] * 16  # slots 16 p + c by the node


@cache
def taught(slot, bit):
    """A slot that has seen a bit."""
    p, c = slot >> 4, slot % 16
    p += (4095 * bit - p) * MIXED_SHARES[c] + 2**7 >> 8
    return p << 4 | (c + 1 if c < 12 else c)


def log_128(v):
    octave = v.bit_length() - 1
    return 128 * octave + (128 * v >> octave) - 128


@cache
def logit_of(slot):
    odd = 2 * (slot >> 4) + 1
    return log_128(odd) - log_128(2**13 - odd)


def within_16_bits(w):
    return within(w, -(2**15), 2**15 - 1)


def row_place(rows, bits, u, t):
    """Where a context's row is or will be; and whether it is known."""
    first = (u >> 39 - bits << 7) + (t >> 57) if bits >= 7 else (t >> 57) % 2**bits
    second, check = first ^ 1, check_of(t)
    for place in first, second:
        if place in rows and rows[place][0] == check:
            return place, True
    seen = [rows[place][1] % 16 if place in rows else 0 for place in (first, second)]
    return second if seen[1] < seen[0] else first, False


def check_of(t):
    return t >> 24 & 0xFFFF or 1


class Prior:
    """What is known before the first byte: rows by their places, a check and slots;
    weights of three kinds; slots of matches by the classes of lengths."""

    def __init__(self, inputs):
        self.row_bits, self.rows = 0, {}
        w = 52429 // inputs
        self.weights = [
            [[w] * inputs for _ in range(160)],  # [sets][inputs]
            [[[w] * 16 for _ in range(inputs)] for _ in range(17)],
            [[w] * inputs for _ in range(256)],
        ]
        slots = [2048 + min(110 * j, 1980) << 4 | 6 for j in range(40)]
        self.matches = [slots, slots]


class Match:
    """Where the last bytes were before, and what followed."""

    def __init__(self, least, bits, slots):
        self.least, self.bits, self.slots = least, bits, [*slots]
        self.places, self.z, self.g = {}, 0, None

    def kind(self):
        z = self.z
        if z < 64:
            return z if z < 16 else 12 + z // 4 if z < 32 else 16 + z // 8
        return 22 + z // 32 if z < 512 else 38

    def begin(self, data, halves):
        """Before the half of a byte, after the halves before it: the bits expected of
        it, or none, and the state."""
        self.at, self.bits_expected, state = self.kind(), None, 0
        if self.z > 0:
            expected = f"{data[self.g]:08b}"
            if expected.startswith(halves):
                self.bits_expected = expected[len(halves) :][:4]
                state = 1 if self.at < 16 else 2 if self.at < 24 else 3
        self.x = logit_of(self.slots[self.at])
        return state

    def logit(self, bits):
        expected = self.bits_expected
        if expected is None or not expected.startswith(bits):
            return 0
        return self.x if expected[len(bits)] == "1" else -self.x

    def learn(self, bits):
        """The bits of the half, up to the first that was not expected."""
        for bit, expected in zip(bits, self.bits_expected or "", strict=False):
            self.slots[self.at] = taught(self.slots[self.at], int(bit == expected))
            if bit != expected:
                break

    def number(self, data):
        if self.least == 6:
            return int.from_bytes(data[-6:], "big")
        return reduce(
            lambda U, y: (U * WORD_HASH + y + 1) % 2**64, reversed(data[-12:]), 0
        )

    def see(self, data, reach):
        """After a byte."""
        n = len(data)
        if self.z > 0 and data[self.g] == data[-1]:
            self.g, self.z = self.g + 1, self.z + 1
        else:
            self.z = 0
        if n < self.least:
            return
        place = self.number(data) * BYTE_HASH % 2**64 >> 64 - self.bits
        h = self.places.get(place)
        if self.z == 0 and h is not None:
            agree, most = 0, min(32, h, reach - (n - h))
            while agree < most and data[h - 1 - agree] == data[n - 1 - agree]:
                agree += 1
            if agree >= self.least:
                self.z, self.g = agree, h
        self.places[place] = n if n % 2**24 else None


class Mixer:
    """Bytes, each a span of 2^28 slots given all before it."""

    def __init__(
        self, inputs, row_bits, match_bits, line=0, prior=None, reach=2**64, rate=80
    ):
        prior = prior or Prior(inputs)
        self.inputs, self.row_bits, self.prior = inputs, row_bits, prior
        self.length, self.reach, self.rate = line, reach, rate
        self.data, self.rows = bytearray(), {}
        self.weights = deepcopy(prior.weights)
        self.matches = [
            Match(least, match_bits, slots)
            for least, slots in zip((6, 12)[: inputs // 8], prior.matches, strict=False)
        ]
        self.word = self.word_before = self.line = self.line_above = 0

    def last(self, j):
        return int.from_bytes(self.data[-j:], "big")

    def contexts(self):
        n, column = len(self.data), len(self.data) - self.line
        at, above, few = self.line_above + column, 0, self.inputs == 8
        if at < n and n - at <= self.reach:
            above = self.data[at]
        sparse = self.last(3) >> 8
        numbers = [
            self.last(1),
            self.last(2),
            self.last(3),
            self.last(4),
            self.last(6),
            sparse if few and self.length else self.word,
            above + 256 * min(column, 255),
            self.last(5),
            self.word | self.word_before << 24,
            above << 8 | self.last(1),
            sparse,
            self.last(4) >> 16,
            self.last(4) & 0xFF00FF00,
            self.last(5) & 0xF0F0F0F0F0,
        ]
        return [
            (v + (i + 1 << 56)) * BYTE_HASH % 2**64 >> 32
            for i, v in enumerate(numbers[: 7 if few else 14])
        ]

    def take_row(self, u, t):
        """Where it will be, whether it is known, and its slots."""
        place, known = row_place(self.rows, self.row_bits, u, t)
        if known:
            return place, known, [*self.rows[place]]
        source, known = row_place(self.prior.rows, self.prior.row_bits, u, t)
        return place, known, [*(self.prior.rows[source] if known else NEW_ROW)]

    def code(self, choose):
        """Two halves; `choose` is given the bits of the byte so far, the start, and how
        many slots a 0 has.  The byte, and the start and the width of its span."""
        bits, span, contexts = "", (0, 2**28), self.contexts()
        for _ in range(2):
            bits, span = self.code_half(contexts, bits, span, choose)
        return int(bits, 2), *span

    def code_half(self, contexts, before, span, choose):
        node = int("1" + before, 2)
        hashes = [(u ^ node * NODE_HASH) * BYTE_HASH % 2**64 for u in contexts]
        taken = [self.take_row(u, t) for u, t in zip(contexts, hashes, strict=True)]
        known = sum(is_known for _, is_known, _ in taken[1:5])
        rows = [row for *_, row in taken]
        states = [m.begin(self.data, before) for m in self.matches]
        states = sum(state << 2 * k for k, state in enumerate(states))
        by_input, by_node, by_last = (
            self.weights[0][(2 * known + len(before) // 4) * 16 + states],
            self.weights[1][node - 15 if before else 0],
            self.weights[2][self.last(1)],
        )
        start, left = span
        bits, steps = "", []
        for below in reversed(range(8 - len(before) - 4, 8 - len(before))):
            at = int("1" + bits, 2)
            x = [logit_of(row[at]) for row in rows]
            x += [m.logit(bits) for m in self.matches]
            w = [
                (a >> 2) + (b[at] >> 2) + (c >> 2)
                for a, b, c in zip(by_input, by_node, by_last, strict=True)
            ]
            mixed = sum(w_i * x_i + 2**13 >> 14 for w_i, x_i in zip(w, x, strict=True))
            P = probability(mixed) >> 4
            zeros = 2**below + ((left - 2 * 2**below) * (2**28 - P) >> 28)
            bit = choose(before + bits, start, zeros)
            start, left = start + bit * zeros, left - zeros if bit else zeros
            error = ((bit << 16) - (P + 2**11 >> 12)) * self.rate >> 8
            steps.append((at, [error * x_i for x_i in x]))
            bits += str(bit)
        for i in range(self.inputs):
            for at, step in steps:
                w = by_node[i][at] + (step[i] + 2**14 >> 15)
                by_node[i][at] = within_16_bits(w)
            moved = sum(step[i] for _, step in steps) + 2**14 >> 15
            for weights in by_input, by_last:
                weights[i] = within_16_bits(weights[i] + moved)
        for t, (place, _, row) in zip(hashes, taken, strict=True):
            for (at, _), bit in zip(steps, bits, strict=True):
                row[at] = taught(row[at], int(bit))
            self.rows[place] = [check_of(t), *row[1:]]
        for m in self.matches:
            m.learn(bits)
        return before + bits, (start, left)

    def encode(self, byte):
        """The start and the width of its span."""
        _, *span = self.code(lambda bits, *_: byte >> 7 - len(bits) & 1)
        self.see(byte)
        return span

    def decode(self, slot):
        """The byte that has a slot, and its span."""
        byte, *span = self.code(lambda _, start, zeros: int(slot - start >= zeros))
        self.see(byte)
        return byte, span

    def see(self, byte):
        """After a byte."""
        self.data.append(byte)
        n, letters = len(self.data), bytes([byte]).lower()
        if byte > 127 or letters.isalpha():
            self.word = (self.word + letters[0] + 1) * WORD_HASH % 2**32
        elif self.word:
            self.word_before, self.word = self.word, 0
        if n - self.line == self.length if self.length else byte == 10:
            self.line_above, self.line = self.line, n
        for match in self.matches:
            match.see(self.data, self.reach)


# Blocks of bytes under mixed contexts: docs/format.md, Mixing


def encode_mixing_block(data, inputs, row_bits, match_bits, line=0):
    if not data:
        return b"\0"
    mixer, encoder = Mixer(inputs, row_bits, match_bits, line), RangeEncoder()
    for byte in data:
        encoder.encode(*mixer.encode(byte), 2**28)
    size = bytes([row_bits | (inputs == 16) << 5, match_bits])
    code = fraction_bytes(encoder.finish())
    return uvarint(len(data)) + size + uvarint(line) + code


def decode_mixing_block(block):
    n, rest = uvarint_of(block)
    if n == 0 and not rest:
        return b""
    if n == 0 or n > 2**24 or len(rest) < 2:
        raise Damage
    (size, match_bits), (line, code) = rest[:2], uvarint_of(rest[2:])
    row_bits, many, rest = size % 32, size >> 5 & 1, size >> 6
    if rest or line > 65535 or not 1 <= match_bits <= min(20, n.bit_length()):
        raise Damage
    if not 6 <= row_bits <= max(6, min(22, (4 * n).bit_length())):
        raise Damage
    mixer = Mixer(8 << many, row_bits, match_bits, line)
    decoder = RangeDecoder(integer_of_fraction(code))
    for _ in range(n):
        _, span = mixer.decode(decoder.slot(2**28))
        decoder.advance(*span, 2**28)
    decoder.check()
    return bytes(mixer.data)


class ContextMixer:
    """A mixer with a prior, as a model of bytes; after one byte a record may end."""

    end = 256

    def __init__(
        self, prior, row_bits, match_bits, history_bits, rate=80, end_byte=None
    ):
        self.prior, self.row_bits, self.match_bits = prior, row_bits, match_bits
        self.history_bits, self.rate, self.end_byte = history_bits, rate, end_byte

    def mixer(self):
        return Mixer(
            16, self.row_bits, self.match_bits, prior=self.prior,
            reach=2**self.history_bits - 1, rate=self.rate,
        )  # fmt: skip

    def range_encode(self, encoder, xs):
        mixer = self.mixer()
        for x in xs:
            byte = self.end_byte if x == self.end else x
            encoder.encode(*mixer.encode(byte), 2**28)
            if byte == self.end_byte:
                encoder.encode(*((1, 63) if x == self.end else (0, 1)), 64)

    def range_decode(self, decoder):
        """Yield the symbols, without end."""
        mixer = self.mixer()
        while True:
            byte, span = mixer.decode(decoder.slot(2**28))
            decoder.advance(*span, 2**28)
            x = byte
            if byte == self.end_byte:
                ends = decoder.slot(64) > 0
                decoder.advance(*((1, 63) if ends else (0, 1)), 64)
                x = self.end if ends else byte
            yield x


def mixer_encode(model, xs):
    """A sequence."""
    encoder = RangeEncoder()
    model.range_encode(encoder, xs)
    return Message.from_int(encoder.finish()).to_bytes()


def mixer_decode(model, data, T):
    decoder = RangeDecoder(Message.from_bytes(data).to_int())
    xs = list(islice(model.range_decode(decoder), T))
    decoder.check()
    return xs


# Mixtures, counts and ranges. A value is a list of intervals (start,
# freq, total), of which the last is pushed first.

ALL = (-(2**63), 2**63 - 1)


def push_each(message, intervals):
    """The values' intervals; value i goes to lane i mod lanes."""
    for i in reversed(range(len(intervals))):
        for start, freq, total in reversed(intervals[i]):
            message.push(start, freq, total, i % len(message.heads))


def range_encode_each(intervals):
    """Values by the range coder: their intervals, first in first out."""
    encoder = RangeEncoder()
    for each in intervals:
        for interval_of_value in each:
            encoder.encode(*interval_of_value)
    return encoder.finish()


def uniform(u, last):
    """u of 0 .. last."""
    if last == 0:
        return []
    shift = max(0, last.bit_length() - 28)
    part, most = u >> shift, last >> shift
    rest = last % (1 << shift) if part == most else (1 << shift) - 1
    return [(part, 1, most + 1), *uniform(u % (1 << shift), rest)]


def length_share(n):
    """Of the bits of m + 1 behind an escape: slots of 2^-8."""
    shares = [40, 24] + [8] * 17 + [2] * 11 + [1] * 34
    return sum(shares[: n - 1]), shares[n - 1]


def ragged(edges, offset, escape, v):
    """A value under a row of a ragged table; None where it has none."""
    inside = len(edges) - 1 - escape
    k = v - offset if offset <= v < offset + inside else inside
    if k == len(edges) - 1:
        return None
    out = [(edges[k], edges[k + 1] - edges[k], edges[-1])]
    if k == inside:
        below = v < offset
        m = offset - 1 - v if below else v - offset - inside
        counts = [2**63 - offset - inside, offset + 2**63]  # of values above, below
        tops = [count.bit_length() for count in counts]
        n = (m + 1).bit_length()
        start, freq = length_share(n)
        if n == max(tops):
            freq = 256 - start
        if n <= min(tops):
            out.append((2 * start + below * freq, freq, 512))
        else:
            out.append((2 * start, 2 * freq, 512))
        most = min(2 ** (n - 1) - 1, counts[below] - 2 ** (n - 1))
        out += uniform(m + 1 - 2 ** (n - 1), most)
    return out


class Law:
    """Values low .. high by their distribution function, in 2^-32."""

    def __init__(self, below, low, high, origin, leak=1):
        self.leak = leak
        self.F = lambda v: 0 if v == low else 2**32 if v == high + 1 else below(v)
        self.low, self.high, self.origin = low, high, origin

    def start(self, q):
        """The first value of bin q."""
        u = abs(q)
        if u >= 2048:
            u = (16 + u % 16) << (7 + (u - 2048) // 16)
        return self.origin + (u if q >= 0 else -u)

    def bin_of(self, v):
        return bisect_right(range(-2896, 2896), v, key=self.start) - 1 - 2896

    def edge(self, q):
        first, last = self.bin_of(self.low), self.bin_of(self.high)
        if q <= first or q > last:
            return 0 if q <= first else 2**28
        slots = 2**28 - self.leak * (last - first + 1)
        return self.leak * (q - first) + (slots * self.F(self.start(q)) >> 32)

    def intervals(self, v):
        q = self.bin_of(v)
        out = [(self.edge(q), self.edge(q + 1) - self.edge(q), 2**28)]
        first = max(self.start(q), self.low)
        last = min(self.start(q + 1) - 1, self.high)
        for _ in range(5):
            width = (last - first).bit_length()
            D = self.F(last + 1) - self.F(first)
            bits = min(width, 12, D.bit_length() - 15)
            if bits <= 0:
                break
            shift = width - bits
            parts = ((last - first) >> shift) + 1
            starts = [first + (i << shift) for i in range(parts)] + [last + 1]

            def edge(i, starts=starts, parts=parts, D=D):
                if i in (0, parts):
                    return 2**28 * (i > 0)
                mass = self.F(starts[i]) - self.F(starts[0])
                return self.leak * i + (2**28 - self.leak * parts) * mass // D

            i = (v - first) >> shift
            out.append((edge(i), edge(i + 1) - edge(i), 2**28))
            first, last = starts[i], starts[i + 1] - 1
        if self.leak == 0:
            before, behind = self.F(first), self.F(last + 1)
            first += bisect_right(range(first, last + 1), before, key=self.F) - 1
            ends = range(first + 1, last + 2)
            last = first + bisect_left(ends, behind, key=self.F)
            if not first <= v <= last:
                return [(0, 0, 2**28)]
        return out + uniform(v - first, last - first)

    def decode(self, take):
        """take(total, find) is a pop.  Values rise with their first interval, those of
        one first interval with their second, and so on."""
        low, high, n = self.low, self.high, 0

        def last(most):
            """Of low .. high, whose interval n begins at `most` or before."""
            v, end = low, high
            while v < end:
                middle = end - (end - v) // 2
                if self.intervals(middle)[n][0] <= most:
                    v = middle
                else:
                    end = middle - 1
            return v

        def find(slot):
            v = last(slot)
            return v, *self.intervals(v)[n][:2]

        while n < len(self.intervals(low)):
            v = take(self.intervals(low)[n][2], find)
            start = self.intervals(v)[n][0]
            if start > self.intervals(low)[n][0]:
                low = last(start - 1) + 1
            high = last(start)
            n += 1
        return low


def mixture(table, weights, mus, scales, low=ALL[0], high=ALL[1], leak=1):
    places = [Place(table, mu, s) for mu, s in zip(mus, scales, strict=True)]
    origin = places[weights.index(max(weights))].origin
    origin = min(max(origin, low), high)
    if high - low < 4096:
        origin = low + (high - low + 1) // 2

    def below(v):
        masses = [place.below(v, point=25) for place in places]
        return sum(map(mul, weights, masses)) // sum(weights)

    return Law(below, low, high, origin, leak)


def geometric(laplace, s):
    place = Place(laplace, 0, s)
    return Law(lambda v: 2 * place.below(v, half=0, point=25) - 2**32, 0, ALL[1], 0)


def ratio(m, e, a, b):
    """(m 2^e) a / b, each of 32 bits, from below."""

    def cut(n):
        s = n.bit_length() - 32
        return (n >> s if s >= 0 else n << -s), s

    (a, s), (b, t) = cut(a), cut(b)
    m, u = cut(m * a // b)
    return m, e + s - t + u


class Counts:
    """Values first .. last by weights, the others, of 0 .. most, far out."""

    def __init__(self, first, last, most, ratios):
        self.first, self.last, self.most = first, last, most
        masses = [(2**31, 0)]
        for k in range(first, last):
            mass = masses[-1]
            for a, b in ratios(k):
                mass = ratio(*mass, a, b)
            masses.append(mass)
        top = max(e for _, e in masses)
        masses = [m >> (top - e) if top - e < 32 else 0 for m, e in masses]
        slots = 2**28 - 2 - len(masses)
        weights = [
            int(first > 0),
            *(1 + slots * m // sum(masses) for m in masses),
            int(last < most),
        ]
        self.edges = edges_of(weights)

    def edge(self, k):
        """Of first - 1 .. last + 2."""
        return self.edges[k - self.first + 1]

    def intervals(self, v):
        k = min(max(v, self.first - 1), self.last + 1)
        total = self.edge(self.last + 2)
        out = [(self.edge(k), self.edge(k + 1) - self.edge(k), total)]
        if v < self.first:
            out += far(self.first - 1 - v, self.first - 1)
        if v > self.last:
            out += far(v - self.last - 1, self.most - self.last - 1)
        return out


LOG2 = [round(2**24 * math.log2(1 + i / 256)) for i in range(257)]
POWER = [round(2**24 * 2 ** (i / 256)) for i in range(257)]


def bend_of(y):
    """Of the logarithm to 2 of 1 / x: (sinh u - u) / (cosh u - 1)."""
    u = y * math.log(2)
    return (math.sinh(u) - u) / (math.cosh(u) - 1) if u else 0


BEND = [round(2**23 * bend_of(i / 128)) for i in range(1025)]


def between(table, v, bits):
    """Linear in each cell of 2^bits."""
    a, b = table[v >> bits : (v >> bits) + 2]
    return a + ((b - a) * (v % (1 << bits)) >> bits)


def log2(n):
    """In 2^-24, by its 24 highest bits."""
    e = n.bit_length() - 1
    return (e << 24) + between(LOG2, (n << 23 >> e) - 2**23, 15)


def bend(y):
    """In 2^-23; of a logarithm to 2 in 2^-24."""
    value = between(BEND, min(abs(y), 2**27 - 1), 17)
    return -value if y > 0 else value


class NearNormal(Counts):
    """Values by Peizer and Pratt's z: what is below k has the mass Phi(z(k)).

    deviation(k) is in 2^-16, logs(k) are those of S / Np, T / Nq and V, p in 2^-32.
    """

    def __init__(self, first, last, most, p, deviation, logs):
        self.first, self.last, self.most = first, last, most
        self.p, self.deviation, self.logs = p >> 16, deviation, logs

    def mass_below(self, k):
        """In 2^-32, 0 < k <= most."""
        x, y, v = self.logs(k)
        U = 2**23 + ((2**16 - self.p) * bend(x) + self.p * bend(y) >> 16)
        power = log2(U) - (23 << 24) - v + (8 << 24) >> 1
        D = self.deviation(k)
        E = between(POWER, power % 2**24 >> 1, 15)
        t = abs(D) * E >> (24 - (power >> 24))
        S = survival(SHAPES["gaussian"], t, 20)
        return S if D < 0 else 2**32 - S

    def edge(self, k):
        n = self.last + 1 - self.first
        low, high = int(self.first > 0), int(self.last < self.most)
        if k <= self.first:
            return low * (k == self.first)
        if k > self.last:
            return 2**28 - high * (k == self.last + 1)
        slots = 2**28 - n - low - high
        return low + k - self.first + (slots * self.mass_below(k) >> 32)


def far(u, most):
    """u of 0 .. most: its level, and where in the level."""
    level = (u + 1).bit_length() - 1
    return [
        *uniform(level, (most + 1).bit_length() - 1),
        *uniform(u + 1 - 2**level, min(2**level - 1, most + 1 - 2**level)),
    ]


def window(mean, variance, most, reach=0, near=8):
    half = near * 2 ** ((variance.bit_length() + 1) // 2) + 12
    return max(0, mean - half), min(mean + half + reach, most), most


HUNDREDTHS = 1311  # 2, in 2^-16


def binomial(n, p):
    """p in 2^-32."""
    q = 2**32 - p
    variance = (n * p >> 24) * (q - 1) >> 40
    if n * min(p, q) < 4 << 32:
        return Counts(
            *window(n * p >> 32, variance, n),
            lambda k: [((n - k) * p, (k + 1) * q)],
        )
    P, Q = p >> 16, 2**16 - (p >> 16)
    centre = 21845 + ((3 * n + 1) * p // 3 >> 16)
    centre -= (Q - 2**15) * (HUNDREDTHS // (n + 1)) >> 16

    def deviation(k):
        small = Q * (HUNDREDTHS // k) - P * (HUNDREDTHS // (n + 1 - k))
        return (k << 16) - centre + (small >> 16)

    twice = log2(2 * n) - (32 << 24)
    v = log2(6 * n + 1) - log2(6) + log2(p) + log2(q) - (64 << 24)
    return NearNormal(
        *window(n * p >> 32, variance, n, near=6),
        *(p, deviation),
        lambda k: (
            log2(2 * k - 1) - twice - log2(p),
            log2(2 * (n - k) + 1) - twice - log2(q),
            v,
        ),
    )


def beta_binomial(n, alpha, beta):
    """alpha, beta in 2^-16."""
    return Counts(
        *(0, n, n),
        lambda k: [
            ((n - k) * ((k << 16) + alpha), (k + 1) * ((n - 1 - k << 16) + beta))
        ],
    )


def poisson(mean):
    """mean in 2^-16."""
    whole = mean >> 16
    if whole < 4:
        return Counts(*window(whole, whole, ALL[1]), lambda k: [(mean, (k + 1) << 16)])
    v = log2(mean) - (16 << 24)
    return NearNormal(
        *window(whole, whole, ALL[1], near=6),
        *(0, lambda k: (k << 16) - 21845 - mean + HUNDREDTHS // k),
        lambda k: (log2(2 * k - 1) - v - (1 << 24), 0, v),
    )


def negative_binomial(r, p):
    """r in 2^-16, p in 2^-32; None where the window is too wide."""
    q = 2**32 - p
    mean = r * q // p >> 16
    variance = (mean << 32) // p
    is_near = r >= 4 << 16 and mean >= 8
    first, last, most = window(
        *(mean, variance, ALL[1], (12 << 32) // p), near=6 if is_near else 8
    )
    if variance >= 2**16 or last - first > 4120:
        return None
    if not is_near:
        return Counts(
            *(first, last, most),
            lambda k: [((k << 16) + r, (k + 1) << 16), (q, 2**32)],
        )
    centre = r * q // p + 43690 - 2**48 // (3 * p)
    centre += HUNDREDTHS * (2**48 // p - 2**16) // r

    def logs(k):
        N = (k - 1 << 16) + r
        v = log2(6 * N + 2**16) - log2(6) - (16 << 24) + log2(q) - log2(p)
        n = log2(N) - (32 << 24)
        x = log2(r - 2**15) - n - log2(p)
        return x, log2(2 * k - 1) + (15 << 24) - n - log2(q), v

    return NearNormal(
        *(first, last, most, p),
        *(lambda k: (k << 16) - centre + HUNDREDTHS // k, logs),
    )


# Sets: values whose order is free. push(message, v) and pop(message) code one value.


def multiset_push(message, values, push):
    left = sorted(values)
    while left:

        def find(slot, left=left):
            v = left[slot]
            return v, left.index(v), left.count(v)

        v = message.pop(len(left), find)
        left.remove(v)
        push(message, v)


def multiset_pop(message, n, pop):
    values = []
    for k in range(1, n + 1):
        v = pop(message)
        values = sorted([*values, v])
        message.push(values.index(v), values.count(v), k)
    return values


def permutation_pop(message, n):
    a = []
    for i in range(n):
        j = message.pop(i + 1, lambda slot: (slot, slot, 1))
        a.append(i)
        a[i], a[j] = a[j], i
    return a


def permutation_push(message, permutation):
    a = [*permutation]
    for i in reversed(range(len(a))):
        j = a.index(i)
        message.push(j, 1, i + 1)
        a[j] = a[i]
        a.pop()


# Linear Gaussian state space models


def survival_table(law, octaves):
    """S at 256 points a unit up to 8, then in each octave, in 2^-32; 0 at the end."""
    t = [i / 256 for i in range(2048)]
    t += [2 ** (3 + k) * (1 + i / 256) for k in range(octaves) for i in range(256)]
    return [*(round(law(u) * 2**32) for u in t), 0, 0]


SHAPES = {
    "gaussian": survival_table(lambda t: math.erfc(t / math.sqrt(2)) / 2, 0),
    "logistic": survival_table(lambda t: 1 / (1 + math.exp(t)), 2),
    "laplace": survival_table(lambda t: math.exp(-t) / 2, 2),
}


class Located(Place):
    """Coded at `prec` bits: with a slot for every bin (leak 1), or as Q is (0)."""

    def __init__(self, shape, mu, s, leak, prec):
        self.cut = 28 - prec
        super().__init__(SHAPES[shape], mu, s, leak << self.cut)

    def edge(self, q):
        return super().edge(q) >> self.cut

    def intervals(self, value):
        """In the order of popping."""
        q, low_bits, low = self.bin_of(value)
        yield self.edge(q), self.edge(q + 1) - self.edge(q), 2 ** (28 - self.cut)
        for k in reversed(range(0, low_bits, 28)):
            total = 2 ** min(28, low_bits - k)
            yield (low >> k) % total, 1, total

    def decode(self, take):
        """take(total, find) is a pop."""
        half = self.half_bins

        def find(slot):
            q = bisect_right(range(-half, half), slot, key=self.edge) - half - 1
            return q, self.edge(q), self.edge(q + 1) - self.edge(q)

        q = take(2 ** (28 - self.cut), find)
        u = self.start(q if q >= 0 else -1 - q)
        low_bits = self.bin_of(self.origin + u)[1]
        for k in reversed(range(0, low_bits, 28)):
            u += take(2 ** min(28, low_bits - k), lambda slot: (slot, slot, 1)) << k
        value = self.origin + u if q >= 0 else self.origin - 1 - u
        if not -(2**63) <= value < 2**63:
            raise Damage("a value has more than 64 bits")
        return value


# S(t) = 1 / (2 + 2 t) in 2^-32, to the last octave that a shape may have.
SLOW = [2**31]
SLOW += [2**47 // (2**16 + 256 * i) for i in range(1, 2048)]
SLOW += [
    2**47 // (2**16 + ((256 + i) << (11 + k))) for k in range(13) for i in range(256)
]
SLOW += [0, 0]


def limit(v, most):
    return max(-most, min(most, v))


def point(value):
    """An integer as a location."""
    return limit(value, 2**31) * 2**16


def row_times(base, row, v):
    """base + row v, where a row is its shift and then its coefficients."""
    shift, t = row[0], sum(a * b for a, b in zip(row[1:], v, strict=False)) >> 24
    if shift > 0:
        t = (t + 2 ** (shift - 1)) >> shift
    elif shift < 0:
        t = limit(t, 2 ** (48 + shift)) << -shift
    return limit(base + t, 2**46 - 1)


def times(base, rows, v):
    return [row_times(b, row, v) for b, row in zip(base, rows, strict=True)]


def differences(values, locations):
    return [point(v) - at for v, at in zip(values, locations, strict=True)]


LAYOUT = [
    ("move", "nn"), ("back", "nn"), ("emit", "pn"), ("gain", "np"),
    ("emit_lower", "pp"), ("predict_lower", "pp"), ("final_lower", "nn"),
    ("move_scale", "n"), ("back_scale", "n"), ("emit_scale", "p"),
    ("predict_scale", "p"), ("final_scale", "n"),
]  # fmt: skip


def lgssm_step(n, p, offset, words):
    """The integers of a step by their names."""
    step, at, size = {"move_offset": offset[:n], "emit_offset": offset[n:]}, 0, locals()
    for name, (rows, *columns) in LAYOUT:
        if columns:
            width = 1 + size[columns[0]]
            ends = range(at, at + size[rows] * width, width)
            step[name] = [words[i : i + width] for i in ends]
            at += size[rows] * width
        else:
            step[name] = words[at : at + size[rows]]
            at += size[rows]
    assert at == len(words)
    return step


class LGSSM:
    """A frozen model; step(t) has the numbers of step t, counted from 0."""

    def __init__(self, n, p, noise, tail_length, start_bits, offsets, words):
        self.n, self.p, self.noise = n, p, noise
        self.tail_length, self.start = tail_length, 2**start_bits
        self.offsets, self.words = offsets, words
        self.steps = [
            lgssm_step(n, p, *row) for row in zip(offsets, words, strict=True)
        ]

    def step(self, t):
        return self.steps[min(t, len(self.steps) - 1)]


class Vector:
    """Integers, each given those before it by a row of `lower`."""

    def __init__(self, shape, location, scale, lower=None, leak=1, prec=26):
        self.shape, self.location, self.scale = shape, location, scale
        self.lower, self.leak, self.prec = lower, leak, prec

    def _codecs(self, known):
        """A codec for each element; `known` has those before it by then."""
        moved = []
        for i, at in enumerate(self.location):
            if self.lower is not None:
                at = row_times(at, self.lower[i][: 1 + i], moved)
            yield Located(self.shape, at, self.scale[i], self.leak, self.prec)
            moved.append(point(known[i]) - at)

    def intervals(self, values):
        codecs = zip(self._codecs(values), values, strict=True)
        return [part for codec, value in codecs for part in codec.intervals(value)]

    def decode(self, take):
        values = []
        for codec in self._codecs(values):
            values.append(codec.decode(take))
        return values

    def push(self, message, values):
        for start, freq, total in reversed(self.intervals(values)):
            if freq == 0:
                raise Damage("the sender cannot have popped this state")
            message.push(start, freq, total)

    def pop(self, message):
        return self.decode(message.pop)


def lgssm_prior(model, t, z):
    s = model.step(t)
    mean = times(s["move_offset"], s["move"], [point(v) for v in z])
    return Vector("gaussian", mean, s["move_scale"])


def lgssm_likelihood(model, t, z):
    s = model.step(t)
    mean = times(s["emit_offset"], s["emit"], [point(v) for v in z])
    return Vector(model.noise, mean, s["emit_scale"], s["emit_lower"])


def lgssm_predict(model, t, filtered):
    """Means of z_t and x_t, given x_1 .. x_t-1."""
    s = model.step(t)
    mean = times(s["move_offset"], s["move"], filtered)
    return mean, times(s["emit_offset"], s["emit"], mean)


def lgssm_filter(model, t, filtered, x):
    """The mean of z_t given x_1 .. x_t."""
    mean, expected = lgssm_predict(model, t, filtered)
    return times(mean, model.step(t)["gain"], differences(x, expected))


def lgssm_final(model, t, filtered):
    """Q(z_T | x_1 .. x_T)."""
    s = model.step(t)
    return Vector("gaussian", filtered, s["final_scale"], s["final_lower"], leak=0)


def lgssm_back(model, t, filtered, z):
    """Q(z_t-1 | x_1 .. x_t-1, z_t)."""
    s = model.step(t)
    predicted, _ = lgssm_predict(model, t, filtered)
    mean = times(filtered, s["back"], differences(z, predicted))
    return Vector("gaussian", mean, s["back_scale"], leak=0)


def lgssm_predictive(model, t, filtered):
    s = model.step(t)
    _, mean = lgssm_predict(model, t, filtered)
    return Vector(model.noise, mean, s["predict_scale"], s["predict_lower"], prec=28)


def lgssm_push(model, message, xs):
    """The sender of IconoCLaSM, for at least one observation."""
    filtered = [[0] * model.n]
    for t, x in enumerate(xs):
        filtered.append(lgssm_filter(model, t, filtered[-1], x))
    last = len(xs) - 1
    z = lgssm_final(model, last, filtered[-1]).pop(message)
    for t in reversed(range(len(xs))):
        lgssm_likelihood(model, t, z).push(message, xs[t])
        before = [0] * model.n
        if t > 0:
            before = lgssm_back(model, t, filtered[t], z).pop(message)
        lgssm_prior(model, t, before).push(message, z)
        z = before


def lgssm_pop(model, message, n):
    """n >= 1 observations, and the last filtered mean."""
    filtered, z, xs = [0] * model.n, [0] * model.n, []
    for t in range(n):
        before, z = z, lgssm_prior(model, t, z).pop(message)
        if t > 0:
            lgssm_back(model, t, filtered, z).push(message, before)
        xs.append(lgssm_likelihood(model, t, z).pop(message))
        filtered = lgssm_filter(model, t, filtered, xs[-1])
    lgssm_final(model, n - 1, filtered).push(message, z)
    return xs, filtered


def lgssm_range_encode(model, filtered, xs, first):
    """Observations from step `first` on."""
    encoder = RangeEncoder()
    for t, x in enumerate(xs, first):
        for part in lgssm_predictive(model, t, filtered).intervals(x):
            encoder.encode(*part)
        filtered = lgssm_filter(model, t, filtered, x)
    return encoder.finish()


def lgssm_range_decode(model, filtered, integer, first, end):
    decoder, xs = RangeDecoder(integer), []

    for t in range(first, end):
        xs.append(lgssm_predictive(model, t, filtered).decode(decoder.take))
        filtered = lgssm_filter(model, t, filtered, xs[-1])
    decoder.check()
    return xs


def lgssm_encode(model, xs, predictive=False):
    """xs: rows of p integers."""
    n, zeros = len(xs) - model.tail_length, [0] * model.n
    if predictive or n <= 0:
        return Message.from_int(lgssm_range_encode(model, zeros, xs, 0)).to_bytes()
    filtered = zeros
    for t, x in enumerate(xs[:n]):
        filtered = lgssm_filter(model, t, filtered, x)
    first_bits = lgssm_range_encode(model, filtered, xs[n:], n)
    flag = int(first_bits < model.start)
    if flag:
        first_bits = lgssm_range_encode(model, zeros, xs, 0)
    message = Message.from_int(first_bits)
    if not flag:
        lgssm_push(model, message, xs[:n])
    message.push(*interval(FLAG, flag), 16)
    return message.to_bytes()


def lgssm_decode(model, data, T, predictive=False):
    n, zeros, message = T - model.tail_length, [0] * model.n, Message.from_bytes(data)
    if predictive or n <= 0 or message.pop(16, finder(FLAG)) == 1:
        return lgssm_range_decode(model, zeros, message.to_int(), 0, T)
    xs, filtered = lgssm_pop(model, message, n)
    first_bits = message.to_int()
    if first_bits < model.start:
        raise Damage("the schedule did not start from this integer")
    return xs + lgssm_range_decode(model, filtered, first_bits, n, T)


# Hidden Markov models whose states emit vectors


class GaussianHMM(HMM):
    """Of each state locations and scales [D], and lower rows or None."""

    def __init__(self, initial, transition, locations, scales, lowers, prec, tail):
        super().__init__(initial, transition, [[2**prec]] * len(initial), prec, tail)
        self.locations, self.scales, self.lowers = locations, scales, lowers

    def vector(self, z):
        lower = None if self.lowers is None else self.lowers[z]
        return Vector("gaussian", self.locations[z], self.scales[z], lower)

    def push_emission(self, message, z, x, past):
        self.vector(z).push(message, x)

    def pop_emission(self, message, z, past):
        return self.vector(z).pop(message)

    def column(self, x, past):
        return self.shares([self.masses(z, x)[-1] for z in range(len(self.locations))])

    def masses(self, z, x):
        """Of the first 0, 1, .. elements of x: (m, e) for m 2^e, m of 32 bits."""
        found = [(2**31, 0)]
        for v, codec in zip(x, self.vector(z)._codecs(x), strict=False):
            (_, freq, total), *parts = codec.intervals(v)
            m, e = found[-1]
            down = (m * freq).bit_length() - 32
            e += down - (total.bit_length() - 1)
            e -= sum(part.bit_length() - 1 for *_, part in parts)
            found.append((m * freq >> down, e))
        return found

    def shares(self, masses):
        """Next to the likeliest state, which has 28 bits."""
        most = max(e for _, e in masses)
        return [m >> (4 + most - e) for m, e in masses]

    def laws(self, p, known):
        """Of each element, given those before it; `known` has them by then."""
        K, D = len(self.locations), len(self.locations[0])
        states = [self.vector(z)._codecs(known) for z in range(K)]
        for i in range(D):
            places = [next(codecs) for codecs in states]
            masses = [self.masses(z, known[:i])[i] for z in range(K)]
            weights = fit(products(p, self.shares(masses)), 28)
            used = [z for z in range(K) if weights[z]]
            yield mixture(
                SHAPES["gaussian"],
                [weights[z] for z in used],
                [places[z].mu for z in used],
                [self.scales[z][i] for z in used],
            )

    def encode_predicted(self, encoder, p, x, past):
        for law, v in zip(self.laws(p, x), x, strict=True):
            for part in law.intervals(v):
                encoder.encode(*part)

    def decode_predicted(self, take, p, past):
        x = []
        for law in self.laws(p, x):
            x.append(law.decode(take))
        return x


def gaussian_hmm_encode(model, xs, predictive=False):
    return encode_predictive(model, xs) if predictive else encode(model, xs)


def gaussian_hmm_decode(model, data, T, predictive=False):
    return (decode_predictive if predictive else decode)(model, data, T)


# Gaussian graphs. A node has parents, weights in 2^-24, an offset in 2^-16 and a scale.


def precision_of(scale):
    """1 / (sigma^2 + 1/12) in 2^-192."""
    variance = root_256(2 ** (256 * 64 + 2 * scale))  # in 2^-64
    return 2**256 // (variance + 2**64 // 12)


def scale_of_precision(precision):
    """The scale nearest to a variance: the largest whose 2^(2 s - 1) is <= v^256."""
    inner = max(2**256 // precision - 2**64 // 12, 2**52)

    def is_beyond(scale):
        return 2 ** (256 * 64 + 2 * scale - 1) > inner**256

    return bisect_left(range(-3072, 12032), True, key=is_beyond) - 1 - 3072


def within_locations(location):
    return min(max(location, 1 - 2**46), 2**46 - 1)


def gaussian_conditional(nodes, node, values):
    """Location and scale of a node given its parents."""
    parents, weights, offset, scale = nodes[node]
    mean = 2**8 * offset + sum(map(mul, weights, (values[p] for p in parents)))
    return within_locations((mean + 2**7) >> 8), scale


def gaussian_posterior(nodes, latents, node, known):
    """Location and scale of a latent, by Gaussian elimination of those that are popped
    after it: `latents` are in the order of their pops."""
    later = set(latents[latents.index(node) :])
    matrix, vector = {}, {}
    for v, (parents, weights, offset, scale) in nodes.items():
        terms = {v: 2**24} | {p: -w for p, w in zip(parents, weights, strict=True)}
        if not later & terms.keys():
            continue
        constant = 2**8 * offset
        for u in terms.keys() - latents:
            constant -= terms[u] * known[u]
        ours = [u for u in terms if u in latents]
        for u in ours:
            vector[u] = vector.get(u, 0) + (
                precision_of(scale) * constant * terms[u] >> 48
            )
            for w in ours:
                part = precision_of(scale) * terms[u] * terms[w] >> 48
                matrix[u, w] = matrix.get((u, w), 0) + part
    for z in reversed(latents[latents.index(node) + 1 :]):
        left = [u for u in vector if u != z]
        for u in left:
            a = matrix.get((u, z), 0)
            vector[u] -= a * vector[z] // matrix[z, z]
            for w in left:
                part = a * matrix.get((z, w), 0) // matrix[z, z]
                matrix[u, w] = matrix.get((u, w), 0) - part
        del vector[z]
    rest = vector[node]
    for u in vector.keys() - {node}:
        rest -= matrix.get((u, node), 0) * known[u]
    pivot = matrix[node, node]
    location = (2**17 * rest + pivot) // (2 * pivot)
    return within_locations(location), scale_of_precision(pivot)


def gaussian_graph_push(message, nodes, order, observed):
    """The sender, one lane."""
    latents = [node for action, node in order if action == "pop"]
    known = dict(observed)
    for action, node in order:
        if action == "pop":
            location, scale = gaussian_posterior(nodes, latents, node, known)
            (known[node],) = pop_located(
                message, SHAPES["gaussian"], [location], [scale]
            )
        else:
            location, scale = gaussian_conditional(nodes, node, known)
            push_located(
                message, SHAPES["gaussian"], [location], [scale], [known.pop(node)]
            )


# Networks in integers

OPS = [
    "input", "affine", "sum", "scale", "product", "concat", "slice", "shuffle",
    "reshape",
]  # fmt: skip
INT16 = (-(2**15), 2**15 - 1)


class Node:
    """A node; what it does not use is 0. Weights are [row][i][j][channel]."""

    kernel, stride, pad, factor = (0, 0), (0, 0), (0, 0), (0, 0)
    shift = first = size = 0  # size: bytes of a weight
    weights = bias = multiplier = row_shift = None

    def __init__(self, op, inputs, shape, low, high, **more):
        self.op, self.inputs, self.shape = op, inputs, shape
        self.low, self.high = low, high
        vars(self).update(more)

    def rounded(self, v, shift):
        return min(max(v + (1 << shift - 1) >> shift, self.low), self.high)


class Network:
    """Tensors are dictionaries {(y, x, channel): integer}."""

    def __init__(self, nodes, outputs):
        self.nodes, self.outputs = nodes, outputs
        for node in nodes:
            if node.op == "affine":
                self._prove(node)

    def _prove(self, node):
        """No sum overflows."""
        a = self.nodes[node.inputs[0]]
        assert INT16[0] <= a.low <= a.high <= INT16[1]
        for row, bias in zip(node.weights, node.bias, strict=True):
            total = sum(map(abs, flat_row(row)))
            assert abs(bias) + total * max(abs(a.low), abs(a.high)) < 2**31

    def run(self, *inputs):
        """Flat lists of integers to flat lists of integers."""
        tensors, inputs = [], iter(inputs)
        for node in self.nodes:
            places = list(places_of(node.shape))
            if node.op == "input":
                tensor = dict(zip(places, next(inputs), strict=True))
                assert all(node.low <= v <= node.high for v in tensor.values())
            else:
                taken = [tensors[k] for k in node.inputs]
                shapes = [self.nodes[k].shape for k in node.inputs]
                compute = getattr(self, f"_{node.op}")
                tensor = {at: compute(node, shapes, *at, *taken) for at in places}
            tensors.append(tensor)
        return [[*tensors[k].values()] for k in self.outputs]

    def _affine(self, node, shapes, y, x, c, a):
        total = node.bias[c]
        for i, line in enumerate(node.weights[c]):
            for j, cell in enumerate(line):
                for k, w in enumerate(cell):
                    row = y * node.stride[0] + i - node.pad[0]
                    column = x * node.stride[1] + j - node.pad[1]
                    total += w * a.get((row, column, k), 0)
        return node.rounded(total * node.multiplier[c], node.row_shift[c])

    def _sum(self, node, shapes, y, x, c, a, b):
        at, (f, g) = (y, x, c), node.factor
        return node.rounded(f * a[at] + g * b[at], node.shift)

    def _scale(self, node, shapes, y, x, c, a):
        return node.rounded(node.factor[0] * a[y, x, c], node.shift)

    def _product(self, node, shapes, y, x, c, a, b):
        return node.rounded(node.factor[0] * a[y, x, c] * b[y, x, c], node.shift)

    def _concat(self, node, shapes, y, x, c, a, b):
        n = shapes[0][2]
        return a[y, x, c] if c < n else b[y, x, c - n]

    def _slice(self, node, shapes, y, x, c, a):
        return a[y, x, node.first + c]

    def _shuffle(self, node, shapes, y, x, c, a):
        r = node.first
        return a[y // r, x // r, (c * r + y % r) * r + x % r]

    def _reshape(self, node, shapes, y, x, c, a):
        _, width, channels = node.shape
        return [*a.values()][(y * width + x) * channels + c]


def flat_row(row):
    """The weights of a row, in C order."""
    return [w for line in row for cell in line for w in cell]


def places_of(shape):
    """All places of a tensor, in C order."""
    height, width, channels = shape
    return (
        (y, x, c) for y in range(height) for x in range(width) for c in range(channels)
    )


def network_file(network):
    """The file of a network."""
    records, arrays = [], []
    for node in network.nodes:
        inputs = [*node.inputs, 0, 0][:2]
        records += [
            OPS.index(node.op) + 1, *inputs, *node.shape, node.low, node.high,
            *node.kernel, *node.stride, *node.pad, node.size, *node.factor, node.shift,
            node.first, 0,
        ]  # fmt: skip
        if node.op == "affine":
            flat = [
                w for row in node.weights for line in row for cell in line for w in cell
            ]
            arrays += [
                words(node.bias), words(node.multiplier), bytes(node.row_shift),
                words(flat, node.size),
            ]  # fmt: skip
    rest = words([*records, *network.outputs]) + b"".join(arrays)
    counts = words([len(network.nodes), len(network.outputs), 12 + len(rest)])
    return with_crc(b"\x89bbn\x01\0\0\0" + counts + rest)


def read_network(file):
    """The network of a file that is right."""
    n, ends, size = integers(file[8:20], 4)
    assert with_crc(file[: 8 + size]) == file
    at = 20 + 80 * n
    numbers = [signed(v, 4) for v in integers(file[20 : at + 4 * ends], 4)]
    outputs, nodes = numbers[20 * n :], []
    at += 4 * ends

    def take(count, size):
        nonlocal at
        at += count * size
        return integers(file[at - count * size : at], size)

    for k in range(n):
        v = numbers[20 * k : 20 * k + 20]
        op = OPS[v[0] - 1]
        inputs = v[1 : 1 + {"input": 0, "sum": 2, "product": 2, "concat": 2}.get(op, 1)]
        node = Node(
            op, inputs, (v[3], v[4], v[5]), v[6], v[7], kernel=v[8:10], stride=v[10:12],
            pad=v[12:14], size=v[14], factor=v[15:17], shift=v[17], first=v[18],
        )  # fmt: skip
        if op == "affine":
            rows, (height, width) = v[5], node.kernel
            channels = nodes[inputs[0]].shape[2]
            node.bias = [signed(b, 4) for b in take(rows, 4)]
            node.multiplier = take(rows, 4)
            node.row_shift = take(rows, 1)
            flat = take(rows * height * width * channels, node.size)
            flat = iter([signed(w, node.size) for w in flat])
            node.weights = [
                [[[next(flat) for _ in range(channels)] for _ in range(width)]
                 for _ in range(height)] for _ in range(rows)
            ]  # fmt: skip
        nodes.append(node)
    assert at == len(file) - 4
    return Network(nodes, outputs)


def signed(value, size):
    """An integer of two's complement."""
    return value - (value >> 8 * size - 1 << 8 * size)


# VAEs and deep state space models


def root_128(n):
    """floor(n^(1/128))."""
    for _ in range(7):
        n = isqrt(n)
    return n


EXP2 = [(root_128(2 ** (31 * 128 + i)) + 1) // 2 for i in range(128)]  # in 2^-30


@cache
def probability(logit):
    """Of a 1, in 2^-32, for log2 odds in 2^-7."""
    i = min(abs(logit), 3071)
    unlikely = (2**93 // (2**64 + root_128(2 ** (64 * 128 + i))) + 1) // 2 * 16
    return unlikely if logit < 0 else 2**32 - unlikely


def weights_of(logits):
    """2^20 for the largest."""
    weights = []
    for logit in logits:
        d = max(logits) - logit
        q = -(-d // 128)
        w = (EXP2[128 * q - d] + 2 ** (9 + q)) >> (10 + q) if q <= 20 else 1
        weights.append(max(1, w))
    return weights


def rate(log):
    """In 2^-16."""
    a = limit(log, 14 * 128)
    k = 14 - a // 128
    return (EXP2[a % 128] + (2**k >> 1)) >> k


LAWS = ["bernoulli", "categorical", "mixture", "beta_binomial"]


class Head:
    def __init__(self, law, width, low, high, components=0, family="gaussian"):
        self.law, self.width, self.low, self.high = law, width, low, high
        self.components, self.family = components, family

    def intervals(self, outputs, x):
        """Of each value, in the order of popping."""
        n = len(outputs) // self.width
        rows = [outputs[i * n : (i + 1) * n] for i in range(self.width)]
        return [self._of_value(row, v) for row, v in zip(rows, x, strict=True)]

    def _of_value(self, row, v):
        if self.law == "bernoulli":
            one = probability(row[0]) >> 4
            return [(2**28 - one, one, 2**28) if v else (0, 2**28 - one, 2**28)]
        if self.law == "categorical":
            w = weights_of(row)
            return [(sum(w[:v]), w[v], sum(w))]
        if self.law == "beta_binomial":
            return beta_binomial(self.high, rate(row[0]), rate(row[1])).intervals(v)
        return self._mixture(row).intervals(v)

    def _mixture(self, row):
        k, table = self.components, SHAPES[self.family]
        scales = [scale_of(s) for s in row[2 * k :]]
        return mixture(
            table, weights_of(row[:k]), row[k : 2 * k], scales, self.low, self.high
        )

    def decode(self, outputs, take):
        """take(total, find) is a pop."""
        n = len(outputs) // self.width
        rows = [outputs[i * n : (i + 1) * n] for i in range(self.width)]
        return [self._value(row, take) for row in rows]

    def _value(self, row, take):
        if self.law == "mixture":
            return self._mixture(row).decode(take)
        values = range(1 + {"bernoulli": 1}.get(self.law, self.high))
        spans = [self._of_value(row, v)[0] for v in values]
        edges = [start for start, *_ in spans] + [spans[0][2]]
        return take(spans[0][2], finder(edges))


def scale_of(s):
    return max(-3072, min(12031, s))


def locations_and_scales(outputs, shift=0):
    """Of latents on a grid that is coarser by 2^shift."""
    n = len(outputs) // 2
    return (
        [coarse(location, shift) for location in outputs[:n]],
        [max(scale_of(s) - 256 * shift, -3072) for s in outputs[n:]],
    )


def coarse(v, shift):
    return (v + (2**shift >> 1)) >> shift


def pop_located(message, table, mus, scales, leak=0):
    """What push_located pushed."""
    places = [Place(table, mu, s, leak) for mu, s in zip(mus, scales, strict=True)]
    values, lanes = [], len(message.heads)
    for run in runs(len(places), lanes):
        bins = []
        for i in run:
            place, half = places[i], places[i].half_bins

            def find(slot, place=place, half=half):
                q = bisect_right(range(-half, half), slot, key=place.edge) - half - 1
                return q, place.edge(q), place.edge(q + 1) - place.edge(q)

            q = message.pop(2**28, find, i % lanes)
            u = place.start(q if q >= 0 else -1 - q)
            bins.append([q, u, place.bin_of(place.origin + u)[1]])
        for k in reversed(range(max(-(-bits // 28) for _, _, bits in bins))):
            for i, each in zip(run, bins, strict=True):
                width = 1 << (28 - min(max(each[2] - 28 * k, 0), 28))

                def part(slot, width=width):
                    return slot // width, slot - slot % width, width

                each[1] += message.pop(2**28, part, i % lanes) << (28 * k)
        for i, (q, u, _) in zip(run, bins, strict=True):
            values.append(places[i].origin + (u if q >= 0 else -1 - u))
    return values


def take_located(take, table, mu, s):
    """What located_intervals are of; take(total, find) is a pop."""
    place = Place(table, mu, s)
    half = place.half_bins

    def find(slot):
        q = bisect_right(range(-half, half), slot, key=place.edge) - half - 1
        return q, place.edge(q), place.edge(q + 1) - place.edge(q)

    q = take(2**28, find)
    u = place.start(q if q >= 0 else -1 - q)
    low_bits = place.bin_of(place.origin + u)[1]
    for k in reversed(range(-(-low_bits // 28))):
        width = 1 << (28 - min(low_bits - 28 * k, 28))

        def part(slot, width=width):
            return slot // width, slot - slot % width, width

        u += take(2**28, part) << (28 * k)
    return place.origin + (u if q >= 0 else -1 - u)


class NetworkModel:
    """What VAEs and deep state space models share: networks by their names, in the
    order of their files."""

    def __init__(self, networks, head, grid, tail_length, start_bits, start_shift):
        self.networks, self.head = networks, head
        self.numbers = grid, tail_length, start_bits, start_shift
        self.grid, self.tail_length, _, self.shift = self.numbers
        self.start = 2**start_bits

    def run(self, name, *inputs):
        """All that a network puts out, for inputs that are clipped to what it takes."""
        network = self.networks[name]
        starts = [node for node in network.nodes if node.op == "input"]
        kept = [
            [min(max(v, node.low), node.high) for v in given]
            for node, given in zip(starts, inputs, strict=True)
        ]
        return [v for output in network.run(*kept) for v in output]

    def pop(self, message, outputs, leak=0):
        law = locations_and_scales(outputs)
        return pop_located(message, SHAPES["gaussian"], *law, leak)

    def push(self, message, outputs, z, leak=1):
        law = locations_and_scales(outputs)
        push_located(message, SHAPES["gaussian"], *law, z, leak)

    def standard(self, n):
        return [0] * n + [256 * self.grid] * n

    def mode(self, outputs):
        """On the grid of the start."""
        locations = outputs[: len(outputs) // 2]
        return [coarse(coarse(location, 16), self.shift) for location in locations]

    def fine(self, mode):
        return [v << self.shift for v in mode]

    def plain(self, outputs, mode):
        """The intervals of latents that are modes, in the order of popping."""
        law = zip(*locations_and_scales(outputs, self.shift), mode, strict=True)
        return [located_intervals(SHAPES["gaussian"], *each) for each in law]

    def take_plain(self, outputs, take):
        """The modes."""
        law = zip(*locations_and_scales(outputs, self.shift), strict=True)
        return [take_located(take, SHAPES["gaussian"], *each) for each in law]


class VAE(NetworkModel):
    def __init__(self, networks, head, latents, order, *numbers):
        super().__init__(networks, head, *numbers)
        self.latents, self.order, self.levels = latents, order, len(latents)

    def update(self, belief, x):
        return x

    def posterior(self, message, x, z_next):
        """z_L, .., z_1; of a Markov chain z_1 alone."""
        if self.order == "markov":
            return [self.pop(message, self.run("posterior_1", x))]
        z = []
        for level in range(self.levels, 0, -1):
            z.append(self.pop(message, self.run(f"posterior_{level}", x, *z)))
        return z

    def likelihood(self, z, belief):
        return self.run("likelihood", *z)

    def prior(self, message, z_before, z):
        if self.order == "markov":
            (z,) = z
            for level in range(1, self.levels):
                above = self.pop(message, self.run(f"posterior_{level + 1}", z))
                self.push(message, self.run(f"prior_{level}", above), z)
                z = above
            z = [z]
        else:
            for level in range(1, self.levels):
                above = z[: self.levels - level]
                outputs = self.run(f"prior_{level}", *above)
                self.push(message, outputs, z[self.levels - level])
        self.push(message, self.standard(self.latents[-1]), z[0])

    def push_posterior(self, message, x, z_next, z):
        if self.order == "markov":
            return self.push(message, self.run("posterior_1", x), z[0], 0)
        for level in range(1, self.levels + 1):
            above = z[: self.levels - level]
            outputs = self.run(f"posterior_{level}", x, *above)
            self.push(message, outputs, z[self.levels - level], 0)

    def pop_prior(self, message, z_before):
        z = [self.pop(message, self.standard(self.latents[-1]), 1)]
        for level in range(self.levels - 1, 0, -1):
            above = z[-1:] if self.order == "markov" else z
            z.append(self.pop(message, self.run(f"prior_{level}", *above), 1))
            if self.order == "markov":
                outputs = self.run(f"posterior_{level + 1}", z[-1])
                self.push(message, outputs, z[-2], 0)
        return z[-1:] if self.order == "markov" else z

    def take_start(self, belief, take):
        """The observation of which start_intervals are."""
        z = [self.fine(self.take_plain(self.standard(self.latents[-1]), take))]
        given = slice(-1, None) if self.order == "markov" else slice(None)
        for level in range(self.levels - 1, 0, -1):
            outputs = self.run(f"prior_{level}", *z[given])
            z.append(self.fine(self.take_plain(outputs, take)))
        return self.head.decode(self.run("likelihood", *z[given]), take)

    def start_intervals(self, belief, x):
        modes, seen = {}, {}
        markov = self.order == "markov"
        levels = range(1, self.levels + 1)
        for level in levels if markov else reversed(levels):
            given = [*seen.values()][-1:] or [x]
            if not markov:
                given = [x, *seen.values()]
            modes[level] = self.mode(self.run(f"posterior_{level}", *given))
            seen[level] = self.fine(modes[level])
        out = self.plain(self.standard(self.latents[-1]), modes[self.levels])
        above = [seen[level] for level in reversed(levels)]
        for level in range(self.levels - 1, 0, -1):
            given = above[: self.levels - level]
            outputs = self.run(f"prior_{level}", *(given[-1:] if markov else given))
            out += self.plain(outputs, modes[level])
        outputs = self.run("likelihood", *(above[-1:] if markov else above))
        return out + self.head.intervals(outputs, x)


class DeepSSM(NetworkModel):
    def __init__(self, networks, head, n, m, *numbers):
        super().__init__(networks, head, *numbers)
        self.n, self.m = n, m

    def update(self, h, x):
        return self.run("update", x, h or [0] * self.m)

    def posterior(self, message, h, z_next):
        return self.pop(message, self.run("posterior", h, z_next or [0] * self.n))

    def likelihood(self, z, h):
        return self.run("likelihood", z, h or [0] * self.m)

    def following(self, z_before):
        return (
            self.standard(self.n) if z_before is None else self.run("prior", z_before)
        )

    def prior(self, message, z_before, z):
        self.push(message, self.following(z_before), z)

    def push_posterior(self, message, h, z_next, z):
        outputs = self.run("posterior", h, z_next or [0] * self.n)
        self.push(message, outputs, z, 0)

    def pop_prior(self, message, z_before):
        return self.pop(message, self.following(z_before), 1)

    def mode_given(self, h):
        return self.mode(self.run("posterior", h, [0] * self.n))

    def take_start(self, h, take):
        """The observation of which start_intervals are."""
        before = None if h is None else self.fine(self.mode_given(h))
        z = self.take_plain(self.following(before), take)
        return self.head.decode(self.likelihood(self.fine(z), h), take)

    def start_intervals(self, h, x):
        before = None if h is None else self.fine(self.mode_given(h))
        z = self.mode_given(self.update(h, x))
        outputs = self.likelihood(self.fine(z), h)
        return self.plain(self.following(before), z) + self.head.intervals(outputs, x)


def network_push(model, message, xs):
    """The sender of IconoCLaSM, for at least one observation."""
    beliefs = [None]
    for x in xs:
        beliefs.append(model.update(beliefs[-1], x))
    z = model.posterior(message, beliefs[-1], None)
    for t in reversed(range(len(xs))):
        outputs = model.likelihood(z, beliefs[t])
        push_each(message, model.head.intervals(outputs, xs[t]))
        before = model.posterior(message, beliefs[t], z) if t > 0 else None
        model.prior(message, before, z)
        z = before


def network_pop(model, message, n):
    """n >= 1 observations, and the belief after them."""
    belief, z, xs = None, None, []
    for t in range(n):
        before, z = z, model.pop_prior(message, z)
        if t > 0:
            model.push_posterior(message, belief, z, before)
        xs.append(model.head.decode(model.likelihood(z, belief), message.pop))
        belief = model.update(belief, xs[-1])
    model.push_posterior(message, belief, None, z)
    return xs, belief


def network_range_encode(model, belief, xs):
    intervals = []
    for x in xs:
        intervals += model.start_intervals(belief, x)
        belief = model.update(belief, x)
    return range_encode_each(intervals)


def network_encode(model, xs, predictive=False):
    """xs: rows of integers."""
    n, belief = len(xs) - model.tail_length, None
    if predictive or n <= 0:
        return Message.from_int(network_range_encode(model, None, xs)).to_bytes()
    for x in xs[:n]:
        belief = model.update(belief, x)
    first_bits = network_range_encode(model, belief, xs[n:])
    flag = int(first_bits < model.start)
    if flag:
        first_bits = network_range_encode(model, None, xs)
    message = Message.from_int(first_bits)
    if not flag:
        network_push(model, message, xs[:n])
    message.push(*interval(FLAG, flag), 16)
    return message.to_bytes()


def network_range_decode(model, belief, integer, n):
    decoder, xs = RangeDecoder(integer), []
    for _ in range(n):
        xs.append(model.take_start(belief, decoder.take))
        belief = model.update(belief, xs[-1])
    decoder.check()
    return xs


def network_decode(model, data, T, predictive=False):
    n, message = T - model.tail_length, Message.from_bytes(data)
    if predictive or n <= 0 or message.pop(16, finder(FLAG)) == 1:
        return network_range_decode(model, None, message.to_int(), T)
    xs, belief = network_pop(model, message, n)
    first_bits = message.to_int()
    if first_bits < model.start:
        raise Damage("the schedule did not start from this integer")
    return xs + network_range_decode(model, belief, first_bits, T - n)


def network_model_file(model, kind="integers", predictive=False):
    head, levels, order = model.head, 0, 0
    if isinstance(model, VAE):
        levels, order = model.levels, ["markov", "top-down"].index(model.order)
    family = ["gaussian", "logistic", "laplace"].index(head.family)
    codes = [3, 4 if levels else 5, predictive, KINDS.index(kind), levels, 0, 0, 0]
    numbers = [head.width, LAWS.index(head.law), head.low, head.high, head.components]
    numbers += [family, *model.numbers, order]
    bodies = [network_file(network)[8:-4] for network in model.networks.values()]
    return with_crc(b"\x89bbm" + bytes(codes) + words(numbers) + b"".join(bodies))


# Particle filters

# What both sides know: numbers of a counter


GOLDEN = 0x9E3779B97F4A7C15


def mixed(v):
    """The finaliser of splitmix64."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        v = (v ^ v >> shift) * factor % 2**64
    return v ^ v >> 31


def public_number(key, stream, j):
    """Number j of a stream: 64 bits."""
    seed = mixed((key + (stream + 1) * GOLDEN) % 2**64)
    return mixed((seed + (j + 1) * GOLDEN) % 2**64)


def public_message(key, stream, n, words):
    """A message to pop n values from, of at most so many words each."""
    message = Message(n)
    message.heads = [2**62 + (public_number(key, stream, j) >> 2) for j in range(n)]
    for i in range(-(-n * words // 2)):
        number = public_number(key, stream, n + i)
        message.tail += [number % 2**32, number >> 32]
    del message.tail[n * words :]
    return message


def resampled(weights, r, points):
    """Systematic: in the mean weights[i] points / sum(weights) times i."""
    edges, W = edges_of(weights), sum(weights)
    u = W * (r >> 32) >> 32
    return [bisect_right(edges, (j * W + u) // points) - 1 for j in range(points)]


# Masses: pairs (m, e) for m 2^e, 2^31 <= m < 2^32, or (0, 0)

ONE = 2**31, -31


def floating(p, e):
    t = p.bit_length() - 32
    return (p >> t if t >= 0 else p << -t, e + t) if p else (0, 0)


def mass(intervals):
    """Of a value, from its intervals in the order of popping."""
    m, e = 1, 0
    for _, freq, total in intervals:
        s = 64 - (m * freq).bit_length()
        if freq == 0:
            return 0, 0
        m, e = floating((m * freq << s) // total, e - s)
    return floating(m, e)


def multiplied(a, b):
    return floating(a[0] * b[0], a[1] + b[1])


def divided(a, b):
    return floating((a[0] << 32) // b[0], a[1] - b[1] - 32)


def particle_weights(masses):
    if not any(m for m, _ in masses):
        return [1] * len(masses)
    most = max(e for m, e in masses if m)
    s = 4 + (len(masses) - 1).bit_length()
    return [m >> min(s + most - e, 32) if m else 0 for m, e in masses]


# Laws of one value: rows of weights, or a shape at a place


class Row:
    """0 .. M - 1 by weights."""

    def __init__(self, weights):
        self.weights = weights

    def intervals(self, v):
        if not 0 <= v < len(self.weights):
            return [(0, 0, sum(self.weights))]
        return [(*interval(edges_of(self.weights), v), sum(self.weights))]


class Bell:
    """A shape at mu, in 2^-16, with the scale 2^(s / 256)."""

    def __init__(self, mu, s, shape="gaussian", leak=1):
        self.mu, self.s, self.shape, self.leak = mu, s, shape, leak

    def intervals(self, v):
        return [*Located(self.shape, self.mu, self.s, self.leak, 28).intervals(v)]


def mean_law(laws, weights):
    """The mean of laws of one kind, one for each particle: a law."""
    if isinstance(laws[0], Bell):
        places = [law.mu for law in laws], [law.s for law in laws]
        return mixture(SHAPES[laws[0].shape], weights, *places, leak=laws[0].leak)
    g = [0] * len(laws[0].weights)
    for law, w in zip(laws, weights, strict=True):
        for v in range(len(g)):
            m, e = mass(law.intervals(v))
            if m:
                g[v] += w * max(1, m << e + 32 if e + 32 >= 0 else m >> -e - 32)
    return Row(row_of(g, 27))


def row_of(g, bits):
    """Weights for a message: shifted down, but none that has a mass to 0."""
    s = max(0, sum(g).bit_length() - bits)
    return [max(1, a >> s) if a else 0 for a in g]


def sampled(key, stream, laws):
    """A value of each law."""
    n = len(laws)
    if isinstance(laws[0], Row):
        message = public_message(key, stream, n, 1)
        return [
            message.pop(sum(law.weights), finder(edges_of(law.weights)), i)
            for i, law in enumerate(laws)
        ]
    message = public_message(key, stream, n, 4)
    places = [law.mu for law in laws], [law.s for law in laws]
    return pop_located(message, SHAPES[laws[0].shape], *places, laws[0].leak)


# The filters. A step codes x as a list of intervals, first popped first; what bits back
# pops is coded by `push` and `pop` of the model instead.


class FiniteParticles:
    """n particles among the states of an HMM. The belief is (t, states after t
    steps)."""

    start = (0, None)

    def __init__(self, hmm, n, key, adapted):
        self.hmm, self.n, self.key, self.adapted = hmm, n, key, adapted
        self.tail_length = hmm.tail_length
        self.least = START if adapted else 1  # what the schedule starts from

    def prior(self, belief):
        """Weights of P^(z_t | x_1 .. x_t-1)."""
        t, states = belief
        hmm, n = self.hmm, self.n
        rows = [hmm.transition[i] for i in states] if t else [hmm.initial]
        if self.adapted:
            s = max(0, hmm.prec + len(rows).bit_length() - 27)
            return [max(1, sum(column) >> s) for column in zip(*rows, strict=True)]
        laws = [Row(row) for row in (rows if t else rows * n)]
        drawn = sampled(self.key, 4 * t, laws)
        return [drawn.count(z) for z in range(len(hmm.initial))]

    def filtered(self, belief, x):
        u = products(self.prior(belief), [row[x] for row in self.hmm.emission])
        return [a >> max(0, sum(u).bit_length() - 28) for a in u]

    def update(self, belief, x):
        t, _ = belief
        r = public_number(self.key, 4 * t + 1, 0)
        return t + 1, resampled(self.filtered(belief, x), r, self.n)

    def predictive(self, belief, x):
        w = self.prior(belief)
        columns = zip(*self.hmm.emission_edges, strict=True)
        edges = [sum(products(w, column)) // sum(w) for column in columns]
        return [(*interval(edges, x), edges[-1])]

    def push(self, message, belief, x):
        if not self.adapted:
            return push_each(message, [self.predictive(belief, x)])
        z = pop_row(message, self.filtered(belief, x))
        push_row(message, self.hmm.emission[z], x)
        return push_row(message, self.prior(belief), z)


class Particles:
    """n particles (rows: dimensions) of a model of the user's own: prior(t, z),
    likelihood(t, z), perhaps lookahead(t, z) and proposal(t, z, x), each a list of rows
    of n laws. The belief is (t, particles after t steps). Where laws of x have no mean,
    a particle is borrowed."""

    start = (0, None)

    def __init__(self, model, n, key, tail_length, borrows=False):
        self.model, self.n, self.key, self.tail_length = model, n, key, tail_length
        self.borrows, self.least = borrows, 2**48 if borrows else 1

    def draw(self, stream, laws):
        flat = sampled(self.key, stream, [law for row in laws for law in row])
        return [flat[i : i + self.n] for i in range(0, len(flat), self.n)]

    def chosen(self, stream, masses, z):
        weights = particle_weights(masses)
        a = resampled(weights, public_number(self.key, stream, 0), self.n)
        return a, [[row[i] for i in a] for row in z]

    def predicted(self, belief):
        """The particles whose laws of x are averaged, and these laws."""
        t, z = belief
        if hasattr(self.model, "lookahead"):
            return z, self.model.lookahead(t, z, self.n)
        z = self.draw(4 * t, self.model.prior(t, z, self.n))
        return z, self.model.likelihood(t, z, self.n)

    def seen(self, laws, x):
        return masses_of(laws, [[v] * self.n for v in x])

    def by_particle(self, laws, x, i):
        """Particle i, and x under its laws."""
        intervals = [(i, 1, self.n)]
        for row, v in zip(laws, x, strict=True):
            intervals += row[i].intervals(v)
        return intervals

    def predictive(self, belief, x):
        _, laws = self.predicted(belief)
        if self.borrows:
            weights = particle_weights(self.seen(laws, x))
            return self.by_particle(laws, x, weights.index(max(weights)))
        return mean_intervals(laws, x)

    def push(self, message, belief, x):
        intervals = self.predictive(belief, x)
        if self.borrows:
            _, laws = self.predicted(belief)
            i = pop_row(message, particle_weights(self.seen(laws, x)))
            intervals = self.by_particle(laws, x, i)
        push_each(message, [intervals])

    def update(self, belief, x):
        t, _ = belief
        z, laws = self.predicted(belief)
        seen = self.seen(laws, x)
        if not hasattr(self.model, "lookahead"):
            return t + 1, self.chosen(4 * t + 1, seen, z)[1]
        a, z = self.chosen(4 * t + 1, seen, z or [])
        z = z or None
        proposal = self.model.proposal(t, z, x, self.n)
        drawn = self.draw(4 * t, proposal)
        masses = masses_of(self.model.prior(t, z, self.n), drawn)
        likelihood = self.model.likelihood(t, drawn, self.n)
        masses = [
            divided(divided(multiplied(p, given), q), seen[i])
            for p, given, q, i in zip(
                masses, self.seen(likelihood, x), masses_of(proposal, drawn), a,
                strict=True,
            )
        ]  # fmt: skip
        return t + 1, self.chosen(4 * t + 2, masses, drawn)[1]


def masses_of(laws, values):
    """Of each particle's column of values."""
    product = [ONE] * len(laws[0])
    for row, column in zip(laws, values, strict=True):
        each = [mass(law.intervals(v)) for law, v in zip(row, column, strict=True)]
        product = [multiplied(a, b) for a, b in zip(product, each, strict=True)]
    return product


def mean_intervals(laws, x):
    """The intervals of x, value by value under the mean of the particles' laws."""
    intervals, seen = [], [ONE] * len(laws[0])
    for row, v in zip(laws, x, strict=True):
        intervals += mean_law(row, particle_weights(seen)).intervals(v)
        each = [mass(law.intervals(v)) for law in row]
        seen = [multiplied(a, b) for a, b in zip(seen, each, strict=True)]
    return intervals


def beliefs_of(model, xs):
    """Those before each step, and that after the last."""
    beliefs = [model.start]
    for x in xs:
        beliefs.append(model.update(beliefs[-1], x))
    return beliefs


def particles_push(model, message, xs):
    for belief, x in [*zip(beliefs_of(model, xs), xs, strict=False)][::-1]:
        model.push(message, belief, x)


def particles_range_encode(model, xs, first):
    """The range code of the observations from `first` on."""
    steps = [*zip(beliefs_of(model, xs), xs, strict=False)][first:]
    return range_encode_each([model.predictive(*step) for step in steps])


def particles_encode(model, xs, predictive=False):
    n = len(xs) - model.tail_length
    if predictive or n <= 0:
        return Message.from_int(particles_range_encode(model, xs, 0)).to_bytes()
    first_bits = particles_range_encode(model, xs, n)
    flag = int(first_bits < model.least)
    if flag:
        first_bits = particles_range_encode(model, xs, 0)
    message = Message.from_int(first_bits)
    if not flag:
        particles_push(model, message, xs[:n])
    message.push(*interval(FLAG, flag), 16)
    return message.to_bytes()


# Several samples within a step


def importance_weights(prior, emission, proposal, states, x):
    """Weights P(z) P(x | z) / Q(z) of samples, rows of masses, in at most 28 bits
    together, and 0 only for those without a mass."""
    ratios = [
        Fraction(prior[z], sum(prior))
        * Fraction(emission[z][x], sum(emission[z]))
        * Fraction(sum(proposal), proposal[z])
        for z in states
    ]
    bits = 28 - len(ratios).bit_length()
    return [max(r > 0, (r / max(ratios) * 2**bits).__floor__()) for r in ratios]


def uniform_pop(message, n):
    return message.pop(n, lambda slot: (slot, slot, 1))


def importance_push(message, prior, emission, proposal, x, M, coupled=False):
    """Bits back with M samples of z; `proposal` is the row that x chooses."""
    edges, total = edges_of(proposal), sum(proposal)
    if coupled:
        u = uniform_pop(message, total)
        slots = [(u + k * total // M) % total for k in range(M)]
        states = [bisect_right(edges, slot) - 1 for slot in slots]
    else:
        states = [pop_row(message, proposal) for _ in range(M)]
    weights = importance_weights(prior, emission, proposal, states, x)
    kept = pop_row(message, weights)
    z = states[kept]
    if coupled:
        message.push(slots[kept] - edges[z], 1, proposal[z])
    else:
        for k in reversed(range(M)):
            if k != kept:
                push_row(message, proposal, states[k])
    push_row(message, emission[z], x)
    push_row(message, prior, z)
    message.push(kept, 1, M)


class ProposalParticles(Particles):
    """n particles of a model of rows, d = p = 1, each step coded with M samples of
    model.proposal(t, z, x, n)."""

    def __init__(self, model, n, key, M, coupled):
        super().__init__(model, n, key, None)
        self.M, self.coupled = M, coupled

    def rows(self, belief, x):
        """The weights of P(z) and of q(z | x)."""
        t, z = belief
        laws = (
            self.model.prior(t, z, self.n)[0],
            self.model.proposal(t, z, x, self.n)[0],
        )
        alike = particle_weights([ONE] * self.n)
        return [mean_law(law, alike).weights for law in laws]

    def push(self, message, belief, x):
        prior, proposal = self.rows(belief, x)
        laws = [self.model.likelihood(0, [[z]], 1) for z in range(len(prior))]
        emission = [law[0][0].weights for law in laws]
        importance_push(message, prior, emission, proposal, x[0], self.M, self.coupled)

    def update(self, belief, x):
        t, _ = belief
        prior, proposal = self.rows(belief, x)
        z = resampled(proposal, public_number(self.key, 4 * t, 0), self.n)
        likelihood = self.model.likelihood(t, [z], self.n)
        seen = self.seen(likelihood, x)
        masses = [
            divided(
                multiplied(mass(Row(prior).intervals(v)), given),
                mass(Row(proposal).intervals(v)),
            )
            for v, given in zip(z, seen, strict=True)
        ]
        return t + 1, self.chosen(4 * t + 1, masses, [z])[1]


# Finite graphs


def at_31_bits(table):
    """The whole table shifted down; what is possible stays so."""
    s = max(0, max(table.values()).bit_length() - 31)
    return {at: max(w >> s, int(w > 0)) for at, w in table.items()}


def factor_product(factors):
    """The product of factors, each a pair of a scope (ascending) and a table: a dict
    from the values of the scope to integers."""
    sizes = {}
    for scope, table in factors:
        for i, v in enumerate(scope):
            sizes[v] = 1 + max(at[i] for at in table)
    whole = sorted(sizes)
    product = dict.fromkeys(cartesian(*(range(sizes[v]) for v in whole)), 1)
    for scope, table in factors:
        places = [whole.index(v) for v in scope]
        product = {
            at: w * table[tuple(at[i] for i in places)] for at, w in product.items()
        }
        product = at_31_bits(product)
    return tuple(whole), product


def summed(factors):
    """The message of a bucket: the product, summed over its latent, the last."""
    scope, product = factor_product(factors)
    message = {}
    for at, w in product.items():
        message[at[:-1]] = message.get(at[:-1], 0) + w
    return scope[:-1], at_31_bits(message)


class Graph:
    """Nodes with finitely many values: each with its parents, and its weights as nested
    lists, an axis for each parent and one for itself; and an order of pops and pushes.
    A latent's rank is its place among the pops."""

    def __init__(self, nodes, order):
        self.nodes, self.order = nodes, order
        latents = [node for action, node in order if action == "pop"]
        self.rank = {node: i for i, node in enumerate(latents)}
        self.pushes = [node for action, node in order if action == "push"]
        self.observed = [node for node in self.pushes if node not in self.rank]

    def row(self, node, values):
        parents, row = self.nodes[node]
        for parent in parents:
            row = row[values[parent]]
        return row

    def size(self, node):
        return len(self.row(node, dict.fromkeys(self.nodes[node][0], 0)))

    def scope(self, node):
        members = {*self.nodes[node][0], node}
        return sorted(self.rank[v] for v in members if v in self.rank)

    def factor(self, node, known, free=False):
        """A conditional with observations put in. A free node has rank -1."""
        latent = {v: i for v, i in self.rank.items() if i in self.scope(node)}
        if free:
            latent[node] = -1
        scope = sorted(latent, key=latent.get)
        table = {}
        for at in cartesian(*(range(self.size(v)) for v in scope)):
            values = {**known, **dict(zip(scope, at, strict=True))}
            row = self.row(node, values)
            w = row[values[node]]
            table[at] = max((w << 30) // sum(row), int(w > 0))
        return tuple(latent[v] for v in scope), table

    def bucket(self, rank, nodes, known, carried=None):
        """The factors of a bucket, when all latents of higher rank are summed out;
        and what came of the factor that is carried along."""
        buckets = [[] for _ in self.rank]
        for node in nodes:
            if (scope := self.scope(node)) and scope[-1] >= rank:
                buckets[scope[-1]].append(self.factor(node, known))
        for i in range(len(buckets) - 1, rank, -1):
            if carried and carried[0][-1] == i:
                carried = summed([*buckets[i], carried])
            elif buckets[i]:
                scope, message = summed(buckets[i])
                if scope:
                    buckets[scope[-1]].append((scope, message))
        return buckets[rank] if rank >= 0 else None, carried

    def posterior(self, z, values):
        """Weights of a latent, from observations and outstanding latents."""
        rank = self.rank[z]
        factors, _ = self.bucket(rank, self.pushes, values)
        latents = [*self.rank]
        chosen = []
        for scope, table in factors:
            at = tuple(values[latents[i]] for i in scope[:-1])
            row = {v[-1:]: w for v, w in table.items() if v[:-1] == at}
            chosen.append(((rank,), row))
        _, product = factor_product(chosen)
        s = max(0, sum(product.values()).bit_length() - 24)
        return [w >> s for _, w in sorted(product.items())]

    def predictive(self, x, known):
        """Weights of an observation given others."""
        if not self.scope(x):
            return self.row(x, known)
        active, found = {*known}, [*known, x]
        while found:
            parents = {*self.nodes[found.pop()][0]} - active
            active |= parents
            found += parents
        nodes = [node for node in self.pushes if node in active and node != x]
        carried = self.factor(x, known, free=True)
        _, (_, table) = self.bucket(-1, nodes, known, carried)
        s = max(0, sum(table.values()).bit_length() - 27)
        return [max(w >> s, int(w > 0)) for _, w in sorted(table.items())]

    def push(self, message, values):
        values = dict(values)
        for action, node in self.order:
            if action == "pop":
                values[node] = pop_row(message, self.posterior(node, values))
            else:
                push_row(message, self.row(node, values), values[node])

    def pop(self, message):
        values = {}
        for action, node in reversed(self.order):
            if action == "push":
                values[node] = pop_row(message, self.row(node, values))
            else:
                push_row(message, self.posterior(node, values), values[node])
        return {node: values[node] for node in self.observed}

    def start(self):
        """How many observations start a message."""
        share = 2**92
        for n, x in enumerate(self.observed, 1):
            parents = self.nodes[x][0]
            rows = [
                self.row(x, dict(zip(parents, at, strict=True)))
                for at in cartesian(*(range(self.size(v)) for v in parents))
            ]
            most = max(-(-(max(row) << 30) // sum(row)) for row in rows)
            share = -(-share * most // 2**30)
            if share <= 2**46:
                return n
        return len(self.observed)

    def range_encode(self, nodes, values):
        """The observations that are not in `nodes` are known before."""
        known = {v: values[v] for v in self.observed if v not in nodes}
        encoder = RangeEncoder()
        for x in nodes:
            edges = edges_of(self.predictive(x, known))
            encoder.encode(*interval(edges, values[x]), edges[-1])
            known[x] = values[x]
        return encoder.finish()

    def encode(self, values):
        n = self.start()
        started, body = self.observed[:n][::-1], self.observed[n:]
        integer = self.range_encode(started, values)
        if not body:
            return Message.from_int(integer).to_bytes()
        if integer >= START:
            message = Message.from_int(integer)
            self.body(n).push(message, {v: values[v] for v in body})
            message.push(*interval(FLAG, 0), 16)
        else:
            integer = self.range_encode(self.observed[::-1], values)
            message = Message.from_int(integer)
            message.push(*interval(FLAG, 1), 16)
        return message.to_bytes()

    def body(self, n):
        """The graph without the first n observations, and what only they need."""
        needed = {*self.observed[n:]}
        for node in self.pushes:  # children first
            if node in needed:
                needed |= {*self.nodes[node][0]}
        return Graph(self.nodes, [step for step in self.order if step[1] in needed])

    def range_decode(self, integer, known, nodes):
        decoder, values = RangeDecoder(integer), dict(known)
        for x in nodes:
            edges = edges_of(self.predictive(x, values))
            values[x], start, freq = finder(edges)(decoder.slot(edges[-1]))
            decoder.advance(start, freq, edges[-1])
        decoder.check()
        return values

    def decode(self, data):
        message, n = Message.from_bytes(data), self.start()
        if n == len(self.observed):
            return self.range_decode(message.to_int(), {}, self.observed[::-1])
        if message.pop(16, finder(FLAG)) == 1:
            values = self.range_decode(message.to_int(), {}, self.observed[::-1])
            if self.range_encode(self.observed[:n][::-1], values) >= START:
                raise Damage("the schedule would have started")
            return values
        values = self.body(n).pop(message)
        if message.to_int() < START:
            raise Damage("the schedule did not start from this integer")
        return self.range_decode(message.to_int(), values, self.observed[:n][::-1])


# Latent trees


def fit_largest(v, bits):
    """v_i scaled by the power of two that gives the largest this bit length."""
    shift = max(v).bit_length() - bits
    return [w >> shift if shift >= 0 else w << -shift for w in v]


class Tree:
    """Nodes in preorder; rows [x_1 .. x_d] of integers."""

    def __init__(
        self, parents, variables, initial, transitions, emissions, prec, c, bits
    ):
        self.parents, self.variables = parents, variables
        self.initial, self.transitions = initial, transitions
        self.emissions, self.prec = emissions, prec
        self.tail_length, self.start = c, 2**bits
        K = len(initial)
        self.floor = 2 ** min(12, 18 - (K - 1).bit_length())
        self.children = [
            [c for c, above in enumerate(parents) if above == i]
            for i in range(len(parents))
        ]

    def masses(self, i, z_above):
        """Of node i's states, given its parent's."""
        return self.transitions[i - 1][z_above] if i else self.initial

    def column(self, i, x):
        """The masses with which node i's states emit what the row has, or None."""
        j = self.variables[i]
        return None if j < 0 else [row[x[j]] for row in self.emissions[j]]

    def absorb(self, u, f):
        return [max(4, w) for w in fit_largest(products(u, f), 32)]

    def told(self, i, u):
        """What the upward weights of node i say of its parent's states."""
        h = [w >> 2 for w in u]
        return fit_largest(
            [sum(products(row, h)) for row in self.transitions[i - 1]], 31
        )

    def upward(self, x):
        """u of all nodes."""
        u = [[2**31] * len(self.initial) for _ in self.parents]
        for i in reversed(range(len(u))):
            for c in reversed(self.children[i]):
                u[i] = self.absorb(u[i], self.told(c, u[c]))
            if self.variables[i] >= 0:
                u[i] = self.absorb(u[i], self.column(i, x))
        return u

    def choice(self, i, z_above, u):
        """The weights of Q."""
        return fit(products(self.masses(i, z_above), u[i]), 26)

    def push(self, message, xs):
        """The sender of IconoCLaSM, for at least one row."""

        def pop_state(i, z_above, u):
            w = self.choice(i, z_above, u)
            return message.pop(sum(w), finder(edges_of(w)))

        def push_below(i, z):
            """The value of node i, and all that is below it."""
            if self.variables[i] >= 0:
                j = self.variables[i]
                edges = edges_of(self.emissions[j][z])
                message.push(*interval(edges, x[j]), 2**self.prec)
            for c in self.children[i]:
                z_c = pop_state(c, z, u)
                push_below(c, z_c)
                message.push(*interval(edges_of(self.masses(c, z)), z_c), 2**15)

        u = self.upward(xs[-1])
        z = pop_state(0, None, u)
        for t in reversed(range(len(xs))):
            x = xs[t]
            push_below(0, z)
            before = None
            if t > 0:
                u = self.upward(xs[t - 1])
                before = pop_state(0, None, u)
            message.push(*interval(edges_of(self.initial), z), 2**15)
            z = before

    def pop(self, message, n):
        """n >= 1 rows."""

        def push_state(i, z_above, u, z):
            w = self.choice(i, z_above, u)
            if w[z] == 0:
                raise Damage("the sender cannot have popped this state")
            message.push(*interval(edges_of(w), z), sum(w))

        def pop_below(i, z, x, u):
            """The values of node i and below it; and u there."""
            u[i] = [2**31] * len(self.initial)
            for c in reversed(self.children[i]):
                z_c = message.pop(2**15, finder(edges_of(self.masses(c, z))))
                pop_below(c, z_c, x, u)
                push_state(c, z, u, z_c)
                u[i] = self.absorb(u[i], self.told(c, u[c]))
            if self.variables[i] >= 0:
                j = self.variables[i]
                edges = edges_of(self.emissions[j][z])
                x[j] = message.pop(2**self.prec, finder(edges))
                u[i] = self.absorb(u[i], self.column(i, x))

        xs, z, u = [], None, {}
        for t in range(n):
            before, z = z, message.pop(2**15, finder(edges_of(self.initial)))
            if t > 0:
                push_state(0, None, u, before)
            xs.append([None] * len(self.emissions))
            pop_below(0, z, xs[-1], u)
        push_state(0, None, u, z)
        return xs

    def predicted(self, x):
        """Yield each column and its edges, given what the row has before."""
        K = len(self.initial)

        def visit(i, p):
            u = [2**31] * K
            j = self.variables[i]
            if j >= 0:
                rows = [edges_of(row) for row in self.emissions[j]]
                columns = zip(*rows, strict=True)
                yield j, [sum(products(p, column)) // sum(p) for column in columns]
                u = self.absorb(u, self.column(i, x))
            p = fit(products(p, self.column(i, x) if j >= 0 else [1] * K), 32)
            for c in self.children[i]:
                m = [min(32767, (w + 2**16) >> 17) for w in p]
                given = zip(*self.transitions[c - 1], strict=True)
                below = yield from visit(
                    c, [max(self.floor, sum(products(m, row))) for row in given]
                )
                f = self.told(c, below)
                u, p = self.absorb(u, f), fit(products(p, f), 32)
            return u

        yield from visit(0, self.initial)

    def range_encode(self, xs):
        encoder = RangeEncoder()
        for x in xs:
            for j, edges in self.predicted(x):
                encoder.encode(*interval(edges, x[j]), 2**self.prec)
        return encoder.finish()

    def range_decode(self, integer, n):
        decoder, xs = RangeDecoder(integer), []
        for _ in range(n):
            x = [None] * len(self.emissions)
            for j, edges in self.predicted(x):
                x[j] = decoder.take(2**self.prec, finder(edges))
            xs.append(x)
        decoder.check()
        return xs


def tree_encode(tree, xs, predictive=False):
    n = len(xs) - tree.tail_length
    if predictive or n <= 0:
        return Message.from_int(tree.range_encode(xs)).to_bytes()
    first_bits = tree.range_encode(xs[n:])
    if first_bits >= tree.start:
        message = Message.from_int(first_bits)
        tree.push(message, xs[:n])
        message.push(*interval(FLAG, 0), 16)
    else:
        message = Message.from_int(tree.range_encode(xs))
        message.push(*interval(FLAG, 1), 16)
    return message.to_bytes()


def tree_decode(tree, data, T, predictive=False):
    n, message = T - tree.tail_length, Message.from_bytes(data)
    if predictive or n <= 0 or message.pop(16, finder(FLAG)) == 1:
        return tree.range_decode(message.to_int(), T)
    xs = tree.pop(message, n)
    first_bits = message.to_int()
    if first_bits < tree.start:
        raise Damage("the schedule did not start from this integer")
    return xs + tree.range_decode(first_bits, T - n)


def tree_model_file(tree, kind="integers", predictive=False):
    K, d = len(tree.initial), len(tree.emissions)
    start_bits = tree.start.bit_length() - 1
    rest = words([len(tree.parents), K, d, tree.tail_length, start_bits])
    rest += words([len(rows[0]) for rows in tree.emissions])
    rest += words(tree.parents) + words(tree.variables) + words(tree.initial, 2)
    rest += b"".join(words(row, 2) for rows in tree.transitions for row in rows)
    rest += b"".join(words(row) for rows in tree.emissions for row in rows)
    codes = [7, predictive, KINDS.index(kind), tree.prec, 0, 0, 0]
    return with_crc(b"\x89bbm" + bytes([3, *codes]) + rest)


# Hierarchical and factorial hidden Markov models. A state is a tuple of one for each
# level or chain, the one that runs fastest first; weights are a dict from states.


class Hierarchy:
    """Masses of each level, the lowest first: initial[l][above], transition[l][above]
    [before], rows of a sum of 2^prec, where the last level has one state above it; and
    of emissions, emission[state of the lowest level]."""

    type_code = 6

    def __init__(self, initial, transition, emission, prec, tail_length):
        self.initial, self.transition, self.emission = initial, transition, emission
        self.prec, self.tail_length, self.levels = prec, tail_length, len(initial)
        for row in hierarchy_tables(self):
            assert min(row) >= 1
            assert sum(row) == 2**prec
        sizes = [range(len(rows[0])) for rows in initial]
        self.states = [z[::-1] for z in cartesian(*sizes[::-1])]
        joint = (len(self.states) - 1).bit_length()
        self.start = 2 ** max(40, 28 + 2 * joint)

    def above(self, z, level):
        return z[level + 1] if level + 1 < self.levels else 0

    def initial_row(self, level, z):
        return self.initial[level][self.above(z, level)]

    def transition_row(self, level, before, z):
        return self.transition[level][self.above(z, level)][before[level]]

    def emission_row(self, z):
        return self.emission[z[0]]

    def step(self, w):
        """The weights of next states, from those filtered."""
        for level in reversed(range(self.levels)):
            moved = dict.fromkeys(w, 0)
            for z in w:
                for i in range(len(self.initial[level][0])):
                    before = (*z[:level], i, *z[level + 1 :])
                    mass = self.transition_row(level, before, z)[z[level]]
                    moved[z] += w[before] * mass
            w = {z: m >> self.prec for z, m in moved.items()}
        return {z: m + 1 for z, m in w.items()}


class Factorial(Hierarchy):
    """The same of chains side by side: initial[l] and transition[l] are lists of one;
    emissions have a row for each state, in their order."""

    type_code = 10

    def __init__(self, *masses):
        super().__init__(*masses)
        self.emitted = dict(zip(self.states, self.emission, strict=True))
        self.shorts = [(*group, self.short(*group)) for group in self.groups()]

    def above(self, z, level):
        return 0

    def emission_row(self, z):
        return self.emitted[z]

    def groups(self):
        """The chains that take their steps together, as [first, end)."""
        found, first, states = [], 0, 1
        for level, rows in enumerate(self.initial):
            if level > first and states * len(rows[0]) > 32:
                found.append((first, level))
                first, states = level, 1
            states *= len(rows[0])
        return [*found, (first, self.levels)]

    def short(self, first, end):
        """A group's masses at 15 bits, from states before to next ones."""
        sizes = [range(len(rows[0])) for rows in self.initial[first:end]]
        masses = {}
        for before in cartesian(*sizes):
            for z in cartesian(*sizes):
                w = 2**self.prec
                for level in reversed(range(first, end)):
                    i, j = before[level - first], z[level - first]
                    w = w * self.transition[level][0][i][j] >> self.prec
                if self.prec > 15:
                    w = (w + 2 ** (self.prec - 16)) >> (self.prec - 15)
                else:
                    w <<= 15 - self.prec
                masses[before, z] = min(32767, w)
        return masses

    def step(self, w):
        shift = 16
        for first, end, masses in reversed(self.shorts):
            m = {z: min(32767, (v + 2 ** (shift - 1)) >> shift) for z, v in w.items()}
            sizes = [range(len(rows[0])) for rows in self.initial[first:end]]
            w, shift = dict.fromkeys(m, 0), 15
            for z in m:
                for before in cartesian(*sizes):
                    left = (*z[:first], *before, *z[end:])
                    w[z] += m[left] * masses[before, z[first:end]]
        return {z: max(64, v) for z, v in w.items()}


def hierarchy_tables(model):
    """All rows of masses, in the order of files."""
    rows = []
    for initial, transition in zip(model.initial, model.transition, strict=True):
        rows += initial
        for matrix in transition:
            rows += matrix
    return rows + model.emission


def hierarchy_first(model):
    """The weights of z_1."""
    p = {}
    for z in model.states:
        w = 2 ** (31 - model.prec) * model.initial_row(model.levels - 1, z)[z[-1]]
        for level in reversed(range(model.levels - 1)):
            w = w * model.initial_row(level, z)[z[level]] >> model.prec
        p[z] = w + 1
    return p


def fit_all(weights, b):
    return dict(zip(weights, fit(weights.values(), b), strict=True))


def hierarchy_filter(model, p, x):
    """The filtered weights, and the predicted ones of the next step."""
    f = fit_all({z: p[z] * model.emission_row(z)[x] for z in p}, 31)
    return f, model.step(f)


def hierarchy_levels(model, f, z_next):
    """For each level the weights g of its state and those below, and the masses with
    which its states lead to the next one."""

    def into(level, i):
        if z_next is None:
            return 1
        row = model.transition[level][model.above(z_next, level)][i]
        return row[z_next[level]]

    g = [f]
    for level in reversed(range(1, model.levels)):
        below = {}
        for z, w in g[0].items():
            below[z[:-1]] = below.get(z[:-1], 0) + w * into(level, z[-1])
        g.insert(0, fit_all(below, 31))
    return g, into


def hierarchy_rows(model, f, z_next):
    """The weights of a level's state, given those of the levels below."""
    g, into = hierarchy_levels(model, f, z_next)

    def row(level, below):
        states = range(len(model.initial[level][0]))
        return fit([g[level][(*below, i)] * into(level, i) for i in states], 26)

    return row


def hierarchy_pop_state(model, message, f, z_next):
    row, z = hierarchy_rows(model, f, z_next), ()
    for level in range(model.levels):
        z = (*z, pop_row(message, row(level, z)))
    return z


def hierarchy_push_state(model, message, f, z_next, z):
    row = hierarchy_rows(model, f, z_next)
    for level in reversed(range(model.levels)):
        weights = row(level, z[:level])
        if weights[z[level]] == 0:
            raise Damage("the sender cannot have popped this state")
        push_row(message, weights, z[level])


def hierarchy_prior_row(model, level, before, z):
    if before is None:
        return model.initial_row(level, z)
    return model.transition_row(level, before, z)


def hierarchy_push(model, message, xs):
    """The sender of IconoCLaSM, for at least one symbol."""
    filtered, p = [], hierarchy_first(model)
    for x in xs:
        f, p = hierarchy_filter(model, p, x)
        filtered.append(f)
    z = hierarchy_pop_state(model, message, filtered[-1], None)
    for t in reversed(range(len(xs))):
        push_row(message, model.emission_row(z), xs[t])
        before = None
        if t > 0:
            before = hierarchy_pop_state(model, message, filtered[t - 1], z)
        for level in range(model.levels):
            push_row(message, hierarchy_prior_row(model, level, before, z), z[level])
        z = before


def hierarchy_pop(model, message, n):
    """n >= 1 symbols, and the predicted weights after them."""
    p, before, xs, f = hierarchy_first(model), None, [], None
    for _ in range(n):
        z = [0] * model.levels
        for level in reversed(range(model.levels)):
            z[level] = pop_row(message, hierarchy_prior_row(model, level, before, z))
        if before is not None:
            hierarchy_push_state(model, message, f, z, before)
        xs.append(pop_row(message, model.emission_row(tuple(z))))
        f, p = hierarchy_filter(model, p, xs[-1])
        before = tuple(z)
    hierarchy_push_state(model, message, f, None, before)
    return xs, p


def hierarchy_edges(model, p):
    """Of the predictive distribution."""
    columns = zip(*[edges_of(model.emission_row(z)) for z in p], strict=True)
    weights = list(p.values())
    return [sum(products(weights, column)) // sum(weights) for column in columns]


def hierarchy_range_encode(model, p, xs):
    encoder = RangeEncoder()
    for x in xs:
        encoder.encode(*interval(hierarchy_edges(model, p), x), 2**model.prec)
        _, p = hierarchy_filter(model, p, x)
    return encoder.finish()


def hierarchy_range_decode(model, p, integer, n):
    decoder, xs = RangeDecoder(integer), []
    for _ in range(n):
        found = finder(hierarchy_edges(model, p))
        xs.append(decoder.take(2**model.prec, found))
        _, p = hierarchy_filter(model, p, xs[-1])
    decoder.check()
    return xs


def hierarchy_encode(model, xs, predictive=False):
    n, first = len(xs) - model.tail_length, hierarchy_first(model)
    if predictive or n <= 0:
        return Message.from_int(hierarchy_range_encode(model, first, xs)).to_bytes()
    p = first
    for x in xs[:n]:
        _, p = hierarchy_filter(model, p, x)
    first_bits = hierarchy_range_encode(model, p, xs[n:])
    flag = int(first_bits < model.start)
    if flag:
        first_bits = hierarchy_range_encode(model, first, xs)
    message = Message.from_int(first_bits)
    if not flag:
        hierarchy_push(model, message, xs[:n])
    message.push(*interval(FLAG, flag), 16)
    return message.to_bytes()


def hierarchy_decode(model, data, T, predictive=False):
    n, message = T - model.tail_length, Message.from_bytes(data)
    if predictive or n <= 0 or message.pop(16, finder(FLAG)) == 1:
        first = hierarchy_first(model)
        return hierarchy_range_decode(model, first, message.to_int(), T)
    xs, p = hierarchy_pop(model, message, n)
    first_bits = message.to_int()
    if first_bits < model.start:
        raise Damage("the schedule did not start from this integer")
    return xs + hierarchy_range_decode(model, p, first_bits, T - n)


def hierarchy_file(model, predictive=False):
    """Of integers 0 .. M-1."""
    states = [len(rows[0]) for rows in model.initial]
    numbers = [model.levels, len(model.emission[0]), model.tail_length, *states]
    tables = b"".join(map(words, hierarchy_tables(model)))
    codes = bytes([3, model.type_code, predictive, 0, model.prec, 0, 0, 0])
    return with_crc(b"\x89bbm" + codes + words(numbers) + tables)


# The packed form of model files: docs/format.md, The packed form


class PackedBits:
    """Bits by the states that their tuples name."""

    def __init__(self, data):
        self.range, self.value = 2**64 - 1, int.from_bytes(data[:8].ljust(8, b"\0"))
        self.rest, self.states = iter(data[8:]), {}

    def split(self, s):
        one = self.value < s
        if not one:
            self.value -= s
        self.range = s if one else self.range - s
        if self.range < 2**32:
            self.range *= 2**32
            for _ in range(4):
                self.value = self.value * 2**8 + next(self.rest, 0)
        return int(one)

    def bit(self, a, b=None):
        names = [a] if b is None else [a, b]
        found = [self.states.get(name, (2**21, 0)) for name in names]
        p = (found[0][0] + found[-1][0]) // 2**7
        one = self.split((p | 16) * (self.range // 2**16))
        for name, (q, n) in zip(names, found, strict=True):
            rate = 2**17 // (2 * n + 3)
            if one:
                q += (2**22 - q) // 2**6 * rate // 2**10
            else:
                q -= q // 2**6 * rate // 2**10
            self.states[name] = q, min(n + 1, 62)
        return one

    def raw(self, k):
        value = 0
        for _ in range(k):
            value = 2 * value + self.split(self.range // 2)
        return value

    def tree(self, k, *name):
        node = 1
        for _ in range(k):
            node = 2 * node + self.bit((*name, "tree", node))
        return node - 2**k

    def below(self, length, *name):
        value = 1
        for place in reversed(range(length - 1)):
            value = 2 * value + self.bit((*name, "below", place))
        return value

    def number(self, kind):
        length = 1
        while length < 33 and self.bit((kind, length)):
            length += 1
        return self.below(length, kind, length) - 1

    def gaps(self, count, most):
        found, above = [], -1
        for _ in range(count):
            above += 1 + self.number("gap")
            if above > most:
                raise Damage("a number is too large")
            found.append(above)
        return found


def log_halves(v):
    return (
        v if v < 2 else min(2 * v.bit_length() - 2 + (v >> v.bit_length() - 2) % 2, 15)
    )


def log_quarters(v):
    if v == 0:
        return -4
    return 4 * v.bit_length() - 4 + int(4 * v / 2 ** (v.bit_length() - 1)) % 4


def clipped(v, low, high):
    return min(max(v, low), high)


class PackedContext:
    def __init__(self, label, parent, other, often):
        self.label, self.parent, self.other, self.often = label, parent, other, often
        self.newest = (
            label if parent is None or parent.parent is None else parent.newest
        )
        self.ranks, self.children, self.share, self.hits = {}, [], 256, Counter()

    @property
    def total(self):
        return sum(self.ranks.values())


def unpack_model(packed):
    """The plain file, of a packed one whose checksum is right."""
    if packed[5] == 8:
        return unpack_mixer(packed)
    K, M = (int.from_bytes(packed[at : at + 4], "little") for at in (12, 16))
    r, listed, ends = packed[8], packed[9], packed[11]
    two, bits = packed[5] == 2, PackedBits(packed[36 if packed[5] == 2 else 28 : -4])
    plain = packed[:10] + b"\0" + packed[11:24]
    if listed:
        size = 4 if packed[7] == 2 else 8
        values = [bits.raw(8 * size)]
        while len(values) < M - ends:
            length = 1
            while length < 64 and bits.bit(("alphabet", length)):
                length += 1
            values.append(values[-1] + 2 ** (length - 1) + bits.raw(length - 1))
        plain += words(values, size)

    def masses(rows, n, kind, before):
        found = []
        for _ in range(rows):
            row = []
            for x in range(n - 1):
                near = before[x] if before else row[-1] if row else 0
                length = bits.tree(5, kind, near.bit_length())
                row.append(bits.below(length, "mass", kind, length))
            row.append(2**r - sum(row))
            found.append(row)
            before = row
        return found

    initial = masses(1, K, 0, None)
    transition = masses(K, K, 0, initial[0])
    emission = masses(K, M, 1, None)
    plain += b"".join(map(words, initial + transition))
    if not two:
        return with_crc(plain + b"".join(map(words, emission)))
    plain += b"".join(map(words, [*zip(*map(edges_of, emission), strict=True)][1:]))
    C = int.from_bytes(packed[28:32], "little")
    order, weights, shares = unpacked_contexts(bits, M, C)
    label, children, first, symbol, sums = [], [1], [0], [], []
    for context in order:
        label.append(context.label)
        children.append(children[-1] + len(context.children))
        symbol += context.ranks
        sums += edges_of([weights[context][x] for x in context.ranks])[1:]
        first.append(len(symbol))
    plain += words([C, len(symbol), *children, *first])
    plain += words([*label, *symbol, *sums], 2) + bytes(b - 1 for b in shares)
    return with_crc(plain + bytes(-len(plain) % 4))


def unpacked_contexts(bits, M, C):
    """Contexts level by level, their weights, and their shares."""
    root = PackedContext(0, None, None, 0)
    order, level, weights, cells = [root], [], {root: {}}, {}
    if C > 1:
        if M <= 1024:
            last, labels = (0, 0, 0), []
            for x in range(M + 1):
                there = bits.bit(("root", last))
                last = (*last[1:], there)
                labels += [x] * there
        else:
            labels = bits.gaps(bits.number("foreign"), M)
        level = [PackedContext(x, root, root, 0) for x in labels]
    root.children, depth, hits = level, 0, Counter()
    while level:
        depth += 1
        order += level
        listed = [0]
        for _ in range(bits.number("list")):
            listed.append(listed[-1] + 1 + bits.number("list"))
        foreign, limited, regular = bits.raw(1), bits.raw(1), bits.raw(1)
        for s in level:
            entries_of(bits, s, depth, M, foreign, hits)
            ranks_of(bits, s, depth, len(listed) - 1, limited)
            if s.ranks:
                s.share = share_of(bits, s, depth, regular, cells)
            weights[s] = {x: listed[rank] for x, rank in s.ranks.items()}
        if len(order) < C:
            strangers = bits.raw(1)
            for s in level:
                children_of(bits, s, M, strangers)
        level = [child for s in level for child in s.children]
    assert len(order) == C
    return order, weights, [s.share for s in order]


def entries_of(bits, s, depth, M, foreign, hits):
    n = len(s.parent.ranks)
    most = M if depth == 1 or foreign else n
    around = len(s.other.ranks) if s.other else 0
    m = 0
    while m < min(12, most) and not bits.bit(
        ("entries", min(depth - 1, 3), log_halves(s.often), log_halves(around), m),
    ):
        m += 1
    if m == 12 < most:
        m += bits.number("entries")
    found = []
    if depth == 1 and M > 1024:
        found = bits.gaps(m, M - 1)
    elif depth == 1:
        total, last, before = sum(hits.values()), (0, 0), dict(hits)
        for x in range(M):
            left, w = m - len(found), before.get(x, 0)
            if left == 0:
                break
            share = log_quarters(w) + log_quarters(left) - log_quarters(total) + 40
            there = left == M - x or bits.bit(
                ("symbol A", log_halves(left), log_halves(w)),
                ("symbol B", last, clipped(share, 1, 47) if w else 0),
            )
            total, last = total - w, (last[1], int(there))
            found += [x] * there
        hits.update(found)
    elif m:
        strangers = bits.number("foreign") if foreign else 0
        ranks, own = s.parent.ranks, m - strangers
        total, index = s.parent.total, s.parent.children.index(s)
        candidates = sorted(ranks, key=lambda x: (-log_quarters(ranks[x]), x))
        for i, x in enumerate(candidates):
            left, w = own - len(found), ranks[x]
            if left == 0:
                break
            P = clipped(
                log_quarters(w) + log_quarters(left) - log_quarters(total) + 40, 0, 47
            )
            rest, c = w - s.parent.hits[x], len(s.parent.children) - index
            R = (
                clipped(log_quarters(rest) - log_quarters(c) + 24, 1, 31)
                if rest > 0
                else 0
            )
            if left == n - i or bits.bit(("member", R, P)):
                found.append(x)
            total -= w
        s.parent.hits.update(found)
        found = sorted(found + bits.gaps(strangers, M - 1))
    s.ranks = dict.fromkeys(found, 0)


def ranks_of(bits, s, depth, most, limited):
    g, m = s.often, len(s.ranks)
    if limited and g:
        most = min(most, g)
    for x in s.ranks:
        u = 1
        if most > 1 and m == 1 and 0 < g <= most and bits.bit(("alone", log_halves(g))):
            u = g
        elif most > 1:
            w = 0
            if depth > 1 and x in s.parent.ranks:
                w = log_quarters(s.parent.ranks[x]) + log_quarters(g or 1) + 16
                w = clipped(w - log_quarters(s.parent.total or 1), 1, 31)
            while u < min(most, 16) and not bits.bit(("weight", w, log_halves(g), u)):
                u += 1
            if u == 16 < most:
                u += bits.number("weight")
        s.ranks[x] = u


def share_of(bits, s, depth, regular, cells):
    m, T = len(s.ranks), s.total
    exact = (40503 * depth + 2654435761 * m + 2246822519 * T) % 2**32 // 2**18
    near = depth, log_halves(m), clipped(log_quarters(T), 0, 63)
    b, other = cells.get(exact), cells.get(near)
    if b is None or (not regular and not bits.bit(("same", log_halves(m)))):
        if other in (None, b) or not bits.bit(("near", log_halves(m))):
            other = 1 + bits.tree(8, "share")
        b = other
    cells[exact] = cells[near] = b
    return b


def children_of(bits, s, M, strangers):
    found = {}
    for q in s.other.children if s.other else []:
        w = q.ranks.get(s.newest)
        if w is not None and bits.bit(
            ("label", w if w < 16 else 16 + log_halves(w), log_halves(len(s.ranks)),
             log_halves(s.total)),
        ):  # fmt: skip
            found[q.label] = PackedContext(q.label, s, q, w)
    if strangers:
        for x in bits.gaps(bits.number("foreign"), M):
            found[x] = PackedContext(x, s, None, 0)
    s.children = [found[x] for x in sorted(found)]


class Plane:
    """Bytes that are taken one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n=1):
        self.at += n
        if self.at > len(self.data):
            raise Damage
        return self.data[self.at - n : self.at]

    def number(self):
        """The bytes of a uvarint, as they are."""
        number = self.take()
        while number[-1] > 127:
            number += self.take()
        return number


SEEN_OF = [*range(13), 20, 60, 200]  # about how often slots of a class were seen


def unpack_mixer(packed):
    """The plain file."""
    data, planes = packed[40:-4], []
    while data:
        n, data = uvarint_of(data)
        planes.append(Plane(decode_bytes_block(data[:n])))
        data = data[n:]
    (high, low, match, gaps, check_high, check_low), planes = planes[:6], planes[6:]
    classes, roots, others = planes[:16], planes[16], planes[17:]
    rest = bytes(v for pair in zip(low.data, high.data, strict=True) for v in pair)
    rest += match.data
    rows = int.from_bytes(packed[32:36], "little")
    for _ in range(rows):
        rest += gaps.number() + check_low.take() + check_high.take()
        slots = unpacked_row(classes, roots, others)
        rest += words(
            [sum(2**k for k in slots), *dict(sorted(slots.items())).values()], 2
        )
    if any(plane.at < len(plane.data) for plane in (gaps, *planes)):
        raise Damage
    return with_crc(packed[:10] + b"\0" + packed[11:40] + rest)


def unpacked_row(classes, roots, others):
    """The slots that were seen, by their nodes."""
    slots, left = {}, {1: roots}
    while left:
        node = max(left)
        kind = left.pop(node).take()[0]
        if kind == 0:
            continue
        c = kind - 1
        high, bits = others[c].take(2)
        slots[node] = high << 8 | bits << 4 | c
        p = slots[node] >> 4
        for bit, share in ((0, 4095 - p), (1, p)) if node < 8 else ():
            seen = (SEEN_OF[c] * share + 2**11) >> 12
            expected = (
                seen if seen < 13 else 13 if seen < 32 else 14 if seen < 128 else 15
            )
            left[2 * node + bit] = classes[expected]
    return slots
