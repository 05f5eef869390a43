"""Threads, processes and interpreters: what is shared, what is forked, how they end.

What one thread makes is compared with what one alone makes. Coders that two threads use
by mistake refuse one of them, with the GIL and without.
"""

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor

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


# ---- Processes -----------------------------------------------------------------------


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_give_what_one_gives(codec, method):
    """Forked ones too, though others have coded in threads before."""
    in_threads(lambda _: everything(codec), 2)
    expected = codec.encode_many(LINES, threads=1)
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert [*pool.map(codec.encode, LINES, chunksize=20)] == expected
        assert [*pool.map(codec.decode, expected, chunksize=20)] == LINES


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_while_other_threads_code(codec):
    """What a child does with models and new messages needs no thread of the parent."""
    expected, done, failed = everything(codec), threading.Event(), []

    def work():
        while not done.is_set():
            everything(codec)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            child = os.fork()
            if child == 0:
                os._exit(0 if everything(codec) == expected else 1)
            failed.append(os.waitpid(child, 0)[1])
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not any(failed)


# ---- How programs end ----------------------------------------------------------------


def run(code):
    done = subprocess.run(  # from elsewhere: here are the sources
        [sys.executable, "-c", code], capture_output=True, timeout=120, cwd="/"
    )
    return done.returncode, done.stdout, done.stderr


DAEMONS = """
import threading, time
import numpy as np
import bbans
model = bbans.HMM.random(4, 256, seed=1).freeze()
x, data = np.zeros(5000, np.uint8), bytes(100_000)
started = [threading.Event() for _ in range(3)]
def work(k):
    while True:
        bbans.decompress(bbans.compress(data, level=1), threads=2)
        model.decode(model.encode(x), x.size)
        started[k].set()
for k in range(3):
    threading.Thread(target=work, args=(k,), daemon=True).start()
for event in started:
    event.wait()
print("end")
"""


def test_a_program_ends_while_daemon_threads_code():
    status, out, error = run(DAEMONS)
    assert (status, out) == (0, b"end\n"), error


AT_EXIT = """
import atexit
import bbans
model = bbans.HMM.random(4, 9, seed=1).freeze()
class Late:
    def __del__(self):
        model.encode([1, 2, 3])
late = Late()
@atexit.register
def last():
    blob = bbans.compress(b"data " * 300)
    assert bbans.decompress(blob) == b"data " * 300
    assert model.decode(model.encode([1, 2, 3]), 3).tolist() == [1, 2, 3]
    print("end")
"""


def test_coding_at_exit():
    assert run(AT_EXIT)[:2] == (0, b"end\n")


SUBINTERPRETER = """
try:
    import _interpreters as interpreters
    create = lambda: interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    create = lambda: interpreters.create(isolated=False)
import bbans
bbans.compress(b"x")
code = '''
try:
    import bbans
    assert bbans.decompress(bbans.compress(b"data " * 300)) == b"data " * 300
    print("works")
except ImportError as error:
    numpys = "once per process", "support loading in subinterpreters"
    known = "cannot be loaded here", *numpys
    assert any(words in str(error) for words in known), error
    print("refused")
'''
one = create()
failed = interpreters.run_string(one, code)
assert failed is None, failed
interpreters.destroy(one)
assert bbans.decompress(bbans.compress(b"data " * 300)) == b"data " * 300
"""


def test_subinterpreters_work_or_say_why_not():
    status, out, error = run(SUBINTERPRETER)
    assert status == 0, error
    assert out in (b"works\n", b"refused\n")


# ---- Without the GIL -----------------------------------------------------------------

FREE = hasattr(sys, "_is_gil_enabled")


@pytest.mark.skipif(not FREE, reason="this Python has a GIL for good")
def test_importing_leaves_the_gil_as_it_is():
    code = "import sys; before = sys._is_gil_enabled(); import bbans, bbans.models\n"
    code += "from bbans import Records, RecordCodec, compress; compress(b'x')\n"
    assert run(f"{code}assert sys._is_gil_enabled() == before")[0] == 0
