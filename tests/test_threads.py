"""Threads that share models, and coders by mistake.

What one thread makes is compared with what one alone makes. Coders that two threads use
by mistake refuse one of them, with the GIL and without.
"""

import threading

import numpy as np
import pytest

import bbans
from bbans.distributions import Categorical, Gaussian, Table
from bbans.errors import MessageError
from bbans.message import RangeDecoder, RangeEncoder

TABLE = Table.from_masses([2.0, 1.0, 1.0])
LINES = [b"state %d, %d.5 C" % (k % 3, 20 + k % 7) for k in range(60)]


@pytest.fixture(scope="module")
def codec():
    model = bbans.HMM.fit(LINES, 4, ends=True, n_iter=2, progress=False)
    return bbans.RecordCodec(model.freeze())


def in_threads(work, count=8):
    """Run `work(k)` in as many threads at once; what they return."""
    start, found = threading.Barrier(count), [None] * count

    def run(k):
        start.wait()
        try:
            found[k] = work(k)
        except BaseException as error:
            found[k] = error

    threads = [threading.Thread(target=run, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def everything(codec):
    """Bytes of some of what the library does."""
    message = bbans.Message.seeded(bytes(range(256)) * 8, 4)
    drawn = Gaussian(np.zeros(200), 3.0).pop(message)
    hmm = bbans.HMM.random(3, 5, seed=1).freeze()
    return (
        codec.encode_many(LINES, threads=1),
        drawn.tobytes(),
        message.to_bytes(),
        hmm.encode([1, 0, 4] * 20),
        bbans.compress(b"".join(LINES) * 20, level=1),
        bbans.compress(np.arange(3000, dtype=np.int16) // 7),
    )


def test_threads_give_what_one_gives(codec):
    expected = everything(codec)
    assert in_threads(lambda _: everything(codec)) == [expected] * 8


# ---- Coders that two threads have by mistake -----------------------------------------


def check_refusals(work, count=4):
    """Each thread does its work, or is told that another one is at it."""
    found = in_threads(lambda _: work(), count)
    for error in found:
        assert error is None or isinstance(error, MessageError), error


def test_a_message_that_threads_share_by_mistake():
    """Values are lost, or an error says why; memory is not."""
    message, table = bbans.Message(lanes=4), Categorical(TABLE)
    short, long = [1, 2, 0], np.ones(3000, np.uint8)

    def work():
        for k in range(200):
            try:
                message.push(table, long if k % 10 == 0 else short)
                message.pop(table, 3)
            except MessageError as error:
                if "in use by another thread" not in str(error):
                    raise

    check_refusals(work)
    assert bbans.Message.from_bytes(message.to_bytes(), 4) == message


def test_an_encoder_that_threads_share_by_mistake():
    encoder, values = RangeEncoder(), np.ones(500, np.uint8)
    codec = Categorical(TABLE, values - 1)

    def work():
        for _ in range(100):
            try:
                encoder.encode(codec, values)
            except MessageError as error:
                if "in use" not in str(error):
                    raise

    check_refusals(work)
    assert isinstance(encoder.finish(), bbans.Message)


def test_a_decoder_that_threads_share_by_mistake():
    encoder, values = RangeEncoder(), np.ones(5000, np.uint8)
    encoder.encode(Categorical(TABLE, values - 1), values)
    decoder, codec = RangeDecoder(encoder.finish()), Categorical(TABLE)

    def work():
        for _ in range(100):
            decoder.decode(codec)

    check_refusals(work)
