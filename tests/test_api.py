"""compress, decompress, encode, decode: what goes in comes out, or is refused."""

import io
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import ALL_BYTES, byte_hmm, in_mode, random_hmm

import bbans
from bbans.formats import ByteCoder, MixingCoder
from bbans.formats.container import (
    BYTE_BLOCK,
    MODEL,
    STORED,
    ContainerReader,
    ContainerWriter,
    Header,
)
from bbans.frozen.alphabet import text_of
from bbans.models import HMM, information_content
from bbans.models.freeze_hmm import frozen_hmm

EXACT = settings(derandomize=True, deadline=None)
DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]
TEXT = "caf\u00e9 \u20ac \U0001f600 na\u00efve "  # 2, 3 and 4 bytes in UTF-8


ALPHABET = "".join(sorted({*TEXT, "\0", chr(0xD800), chr(0xDFFF)}))

# Of these bytes it makes less, and of others more, so those are stored.
LIKELY = sorted({*range(16), *range(0, 121, 5), *TEXT.encode()})
FLAT = HMM.from_frozen(random_hmm(3, ALL_BYTES))
EMISSION = FLAT.emission * np.where(np.isin(np.arange(256), LIKELY), 1.0, 1e-3)
BYTES = frozen_hmm(FLAT.initial, FLAT.transition, EMISSION, alphabet=ALL_BYTES)
PREDICTIVE = BYTES.with_mode("predictive")
CHARACTERS = random_hmm(3, ALPHABET)
INTEGERS = random_hmm(3, [-(2**63), -300, -1, 0, 1, 7, 200, 70000, 2**40, 2**63 - 1])
INDICES = random_hmm(3, 5)
UNLIKELY = sorted(set(range(256)) - set(LIKELY))[:20]
# One symbol takes nearly all: the others are better stored than coded.
RARE = frozen_hmm(
    [1], [[1]], [[0, 0, 0, 1, 0]], prec=28, alphabet=bbans.Alphabet([-1, 0, 7, 9, 300])
)


def restored(data, model=BYTES, **options):
    return bbans.decompress(bbans.compress(data, model, **options), model)


def blocks(data):
    return list(next(ContainerReader(io.BytesIO(data)).parts()).blocks())


def same_array(got, expected):
    assert isinstance(got, np.ndarray)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    assert np.array_equal(got, expected)
    assert got.flags.writeable


# ---- types


@pytest.mark.parametrize("data", ["", "a", TEXT, "\0", b"", b"\0", b"\xff\xfe" * 50])
def test_text_and_bytes(data):
    got = restored(data)
    assert type(got) is type(data)
    assert got == data


@pytest.mark.parametrize(
    "data",
    [
        bytearray(b"array"),
        memoryview(b"view"),
        memoryview(b"a-b-c-")[::2],
        memoryview(bytearray(b"")),
    ],
)
def test_bytes_like(data):
    got = restored(data)
    assert type(got) is bytes
    assert got == bytes(data)


def test_a_memoryview_of_integers_is_an_array():
    array = np.array([[1, 2], [3, 200]], dtype=np.int32)
    same_array(restored(memoryview(array)), array)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 0, 3), (2, 3, 4), (1,) * 32])
def test_arrays_of_every_type_and_shape(dtype, order, shape):
    values = np.arange(np.prod(shape, dtype=int)) * 5
    array = values.astype(np.dtype(dtype).newbyteorder(order)).reshape(shape)
    same_array(restored(array), array)


@pytest.mark.parametrize("code", "bBhHiIlLqQ")
def test_the_integer_types_of_c(code):
    same_array(restored(np.arange(3, dtype=code)), np.arange(3, dtype=code))


def test_arrays_that_are_not_contiguous_are_read_in_c_order():
    array = np.arange(120, dtype=np.uint16).reshape(4, 5, 6)
    for view in (array.T, array[::-2, :, 1::3], np.asfortranarray(array)):
        same_array(restored(view), view)
        assert bbans.compress(view, BYTES) == bbans.compress(view.copy("C"), BYTES)


@pytest.mark.parametrize("data", [[], (), [[]], [3], [[1, 2], [3, 4]], range(9), 5])
def test_lists_and_integers_are_arrays(data):
    same_array(restored(data), np.array(data, dtype=np.int64))


def test_the_byte_order_changes_nothing_but_the_header():
    little = np.array([1, 2, 200], dtype="<i4")
    packed = [bbans.compress(x, BYTES) for x in (little, little.astype(">i4"))]
    assert packed[0][5] ^ 0x80 == packed[1][5]
    assert packed[0][19:] == packed[1][19:]


def test_the_input_is_left_alone():
    array = np.arange(50, dtype=np.uint8)
    before = array.copy()
    array.flags.writeable = False
    got = restored(array)
    got[:] = 0
    assert np.array_equal(array, before)


# ---- models


@EXACT
@given(st.text(alphabet=ALPHABET, max_size=99))
def test_characters(text):
    """Lone surrogates too: a str may hold them, and so may the alphabet."""
    assert restored(text, CHARACTERS, block_size=8) == text


@EXACT
@given(st.lists(st.sampled_from(INTEGERS.alphabet.values.tolist()), max_size=50))
def test_integers_to_the_ends_of_int64(values):
    same_array(restored(values, INTEGERS, block_size=16), np.array(values, dtype="i8"))


def test_unsigned_integers_above_int32():
    array = np.array([2**63 - 1, 2**40, 0], dtype=np.uint64)
    same_array(restored(array, INTEGERS), array)


@EXACT
@given(st.binary(max_size=300), st.booleans(), st.integers(1, 400))
def test_bytes(data, predictive, block_size):
    model = in_mode(BYTES, predictive)
    assert restored(data, model, block_size=block_size) == data


def test_bytes_under_models_of_integers():
    assert restored(b"\0\1\2\3\4", INDICES) == b"\0\1\2\3\4"
    assert restored(b"\0\1\7\xc8", INTEGERS) == b"\0\1\7\xc8"


def test_code_points_under_a_model_of_characters_stay_an_array():
    array = np.array([ord(c) for c in TEXT], dtype=np.uint32)
    same_array(restored(array, CHARACTERS), array)


def test_the_default_model():
    """A reader has it, and need not be given it."""
    model = bbans.default_model()
    assert model is bbans.default_model()
    assert bbans.decompress(bbans.compress(TEXT, model)) == TEXT
    everything = bytes(range(256)) * 3
    assert bbans.decompress(bbans.compress(everything, model)) == everything
    english = b"It is a truth universally acknowledged, that a single man " * 20
    assert len(bbans.compress(english, model)) < 0.7 * len(english)


def test_the_statistics_of_a_spreadsheet():
    rng = np.random.default_rng(0)
    data = "".join(f"{a};{b}\r\n" for a, b in rng.integers(10**5, 10**6, (3000, 2)))
    assert len(bbans.compress(data)) < 0.45 * len(data)
    english = bbans.default_model()  # makes more of it, and leaves it to the bytes
    plain = bbans.compress(data, ByteCoder())
    assert len(bbans.compress(data, english)) == len(plain) + 8
    assert len(bbans.compress(data)) < len(plain)


def test_no_model():
    assert bbans.decompress(bbans.compress(TEXT)) == TEXT
    assert bbans.decompress(bbans.compress(TEXT), INDICES) == TEXT


# ---- blocks


@pytest.mark.parametrize("block_size", [1, 7, 2**24])
@pytest.mark.parametrize("length", [0, 1, 6, 7, 8, 14, 15])
def test_block_sizes(block_size, length):
    data = bytes(range(length))
    packed = bbans.compress(data, BYTES, block_size=block_size)
    sizes = [block.n for block in blocks(packed)]
    full, rest = divmod(length, block_size)
    assert sizes == [block_size] * full + [rest] * (rest > 0)
    assert bbans.decompress(packed, BYTES) == data


def test_the_default_block_size():
    sizes = [b.n for b in blocks(bbans.compress(bytes(70000), BYTES))]
    assert sizes == [65536, 70000 - 65536]
    sizes = [b.n for b in blocks(bbans.compress(bytes(2**20 + 5), level=2))]
    assert sizes == [2**20, 5]
    for level, size in ((3, 2**22), (4, 2**22), (5, 2**24), (9, 2**24)):
        assert MixingCoder(level).block_size(1, 1) == size
        assert MixingCoder(level).block_size(4, 1) == size // 4
    sizes = [b.n for b in blocks(bbans.compress(np.zeros(2**17 + 5, int), ByteCoder()))]
    assert sizes == [2**17, 5]
    for columns, steps in ((1, 2**18), (3, 2**18 // 3), (64, 2**13)):
        array = np.zeros((steps + 5, columns), "i2")
        sizes = [b.n for b in blocks(bbans.compress(array))]
        assert sizes == [columns * steps, columns * 5]


@pytest.mark.parametrize("block_size", [2.5, "a", [3]])
def test_block_sizes_are_integers(block_size):
    with pytest.raises(bbans.ModelError, match=re.escape(repr(block_size))):
        bbans.compress(b"data", BYTES, block_size=block_size)
    assert bbans.compress(b"data", BYTES, block_size=np.int64(3))


@pytest.mark.parametrize("block_size", [0, -1, 2**24 + 1])
@pytest.mark.parametrize("data", [b"", b"data"])
def test_block_sizes_out_of_range(block_size, data):
    with pytest.raises(
        bbans.ModelError, match=f"block_size must be .*not {block_size}"
    ):
        bbans.compress(data, BYTES, block_size=block_size)
    sink = io.BytesIO()
    with pytest.raises(
        bbans.ModelError, match=f"block_size must be .*not {block_size}"
    ):
        bbans.compress_file(io.BytesIO(data), sink, BYTES, block_size=block_size)
    assert sink.getvalue() == b""


def test_blocks_do_not_depend_on_each_other():
    """A block is the bare message of its symbols, whatever stands around it."""
    data = bytes(LIKELY) * 3
    for model in (BYTES, PREDICTIVE):
        packed = bbans.compress(data, model, block_size=20)
        for block in blocks(packed)[:-1]:
            part = data[block.start : block.start + 20]
            assert block.method == MODEL
            assert block.data == bbans.encode(part, model)


@pytest.mark.parametrize(
    ("data", "model", "size"),
    [
        (bytes(UNLIKELY), BYTES, 20),
        (bytes(UNLIKELY[:10]).decode("ascii") * 2, BYTES, 20),
        (np.array(UNLIKELY, dtype=np.uint8), BYTES, 20),
        (np.array([7, -1, 0], dtype=np.int8), RARE, 3),
        (np.array([300, -1, 0], dtype=">i2"), RARE, 6),
    ],
)
def test_what_the_model_would_make_longer_is_stored(data, model, size):
    packed = bbans.compress(data, model)
    (block,) = blocks(packed)
    assert block.method == STORED
    assert len(block.data) == size
    got = bbans.decompress(packed, model)
    assert type(got) is type(data)
    assert np.array_equal(got, data)


def test_what_the_model_would_make_longer_is_coded_as_bytes():
    data = bytes(UNLIKELY[:3]) * 200
    packed = bbans.compress(data, BYTES)
    (block,) = blocks(packed)
    assert block.method == BYTE_BLOCK
    assert len(block.data) < 200
    assert bbans.decompress(packed, BYTES) == data


@pytest.mark.skipif(not os.path.exists("/bin/ls"), reason="needs /bin/ls")
def test_programs_under_a_model_of_english():
    """Bytes by their own frequencies, where English does worse than nothing."""
    data = Path("/bin/ls").read_bytes()
    packed = bbans.compress(data, bbans.default_model(), block_size=8192)
    methods = [block.method for block in blocks(packed)]
    assert BYTE_BLOCK in methods
    assert len(packed) < 0.85 * len(data)
    assert bbans.decompress(packed) == data


def test_stored_and_coded_blocks_side_by_side():
    data = bytes(LIKELY)[:20] + bytes(UNLIKELY) + bytes(LIKELY)[20:40]
    packed = bbans.compress(data, BYTES, block_size=20)
    assert [block.method for block in blocks(packed)] == [MODEL, STORED, MODEL]
    assert bbans.decompress(packed, BYTES) == data


@pytest.mark.parametrize("coder", [None, bbans.default_model()], ids=["bytes", "model"])
@pytest.mark.parametrize("size", [0, 1, 127, 128, 65535, 65536, 65537, 200_000])
def test_the_worst_length_is_as_documented(size, coder):
    """Beyond the data 44 bytes, 9 an axis, 17 a block: docstring of compress."""
    data = np.random.default_rng(0).bytes(size)
    for block_size in (1, 100, 65536):
        if size // block_size < 2000:
            packed = bbans.compress(data, coder, block_size=block_size)
            assert len(packed) <= size + 44 + 17 * -(-size // block_size)


def test_salvage_of_a_block_that_does_not_decode():
    """Its checksum is right, its message is none."""
    model, out, errors = bbans.default_model(), io.BytesIO(), []
    writer = ContainerWriter(out, Header(0, False, model.fingerprint))
    writer.write(5, MODEL, bbans.encode(b"hello", model))
    writer.write(5, MODEL, bytes(5))
    writer.write(5, STORED, b"short")
    writer.write(5, STORED, b"shor")
    writer.write(5, MODEL, bbans.encode(b"there", model))
    writer.finish()
    sink = io.BytesIO()
    bbans.decompress_file(io.BytesIO(out.getvalue()), sink, salvage=errors.append)
    assert sink.getvalue() == b"helloshortthere"
    assert [str(error).split(" is")[0] for error in errors] == ["block 1", "block 3"]
    with pytest.raises(bbans.CorruptError, match="block 1 "):
        bbans.decompress(out.getvalue())


@pytest.mark.parametrize("block_size", [1, 2, 3, 5, 64])
def test_characters_cut_by_block_borders(block_size):
    text = TEXT * 40
    assert restored(text, block_size=block_size) == text
    assert restored(text, CHARACTERS, block_size=block_size) == text


def test_a_big_text():
    text = TEXT * 20000  # of 320000 characters, 560000 bytes
    assert restored(text) == text


def test_same_input_same_bytes():
    packed = {
        bbans.compress(TEXT * 50, random_hmm(3, ALL_BYTES), block_size=99)
        for _ in range(3)
    }
    assert len(packed) == 1


def test_threads_share_a_model():
    data = [os.urandom(5000) for _ in range(8)]
    expected = [bbans.compress(d, BYTES) for d in data]
    got = [None] * len(data)

    def work(i):
        packed = bbans.compress(data[i], BYTES)
        assert bbans.decompress(packed, BYTES) == data[i]
        got[i] = packed

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(data))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == expected


# ---- bare messages


@pytest.mark.parametrize("predictive", [False, True])
@pytest.mark.parametrize("length", [0, 1, 2, 50, 1000])
@pytest.mark.parametrize("model", [BYTES, CHARACTERS, INTEGERS, INDICES])
def test_encode_and_decode(model, length, predictive):
    rng = np.random.default_rng(length)
    x = model.alphabet.decode(rng.integers(0, model.n_symbols, length))
    data = {
        "text": text_of,
        "bytes": lambda x: bytes(x.tolist()),
        "integers": np.array,
    }[model.kind](x)
    message = bbans.encode(data, in_mode(model, predictive))
    got = bbans.decode(message, in_mode(model, predictive), length)
    assert type(got) is type(data)
    assert np.array_equal(got, data)


def test_a_bare_message_is_near_the_information_content():
    model = random_hmm(8, 64)
    x, _ = HMM.from_frozen(model).sample(4000, seed=1)
    for predictive in (False, True):
        bits = 8 * len(bbans.encode(x, in_mode(model, predictive)))
        assert 0 <= bits - information_content(x, model) < 20


def test_nothing_is_one_byte():
    assert bbans.encode(b"", BYTES) == b"\1"


@pytest.mark.parametrize("length", [2**50, 2**62, 2**70, 2.5])
def test_decode_takes_no_length_beyond_memory(length):
    linear = bbans.LGSSM([[0.5]], [[1.0]], [[1.0]], [[1.0]]).freeze()
    for model in (BYTES, linear):
        with pytest.raises(bbans.ModelError, match=f"length.* {length}"):
            bbans.decode(b"\1", model, length)


def test_decode_takes_no_negative_length():
    with pytest.raises(bbans.ModelError, match=r"length must be .* -1"):
        bbans.decode(b"\1", BYTES, -1)


@pytest.mark.parametrize("data", [b"", b"\0", b"\1\0"])
def test_decode_refuses_what_no_encoder_writes(data):
    with pytest.raises(bbans.CorruptError):
        bbans.decode(data, BYTES, 3)


# ---- what is refused

CALLS = [bbans.compress, bbans.encode]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "data",
    [
        1.5, [1.0, 2.0], np.zeros(2), np.array([], dtype=float), 1j, np.float32(1),
        None, [None], ..., {1: 2}, {3}, ["a", "b"], [b"a"], [2**64],
        np.zeros(2, "i4,i4"),
    ],
    ids=repr,
)  # fmt: skip
def test_anything_but_text_bytes_and_integers(call, data):
    with pytest.raises(bbans.SymbolError):
        call(data, BYTES)


@pytest.mark.parametrize(
    "data", [True, [True, False], np.zeros(2, dtype=bool), np.zeros(2, "M8[s]")]
)
def test_a_message_does_not_say_that_they_are_no_integers(data):
    with pytest.raises(bbans.SymbolError, match="integers"):
        bbans.encode(data, INDICES)
    same_array(restored(data, INDICES), np.array(data))


@pytest.mark.parametrize("call", CALLS)
def test_a_ragged_list(call):
    with pytest.raises(bbans.SymbolError):
        call([[1], [2, 3]], BYTES)


def test_more_axes_than_the_container_has():
    """Refused when writing, not when it is too late."""
    try:
        array = np.zeros((1,) * 33, dtype=np.uint8)
    except ValueError:  # numpy 1 has at most 32 axes itself
        return
    with pytest.raises(bbans.BbansError, match="axes"):
        bbans.compress(array, BYTES)


OUTSIDE = [
    ("caf\u00e9 na?", CHARACTERS, "'?' (U+003F)", 7),
    ([0, 1, 5, -2], INDICES, "5", 2),
    ([0, 2], INTEGERS, "2", 1),
    (np.array([0, 2**64 - 1], dtype=np.uint64), INTEGERS, str(2**64 - 1), 1),
]
# What a container takes, but no bare message under the model.
OTHER_KINDS = [
    ("ab\ud800", BYTES, "'\\ud800' (U+D800)", 2),
    (b"\0\1\2\3\4\5", INDICES, "5", 5),
    ([0, 1, -1, -2], BYTES, "-1", 2),
    (np.array([[0, 1], [2, 256]]), BYTES, "256", 3),
    (np.array([-1], dtype=np.int8), BYTES, "-1", 0),
]


@pytest.mark.parametrize(
    ("call", "case"),
    [(call, case) for call in CALLS for case in OUTSIDE]
    + [(bbans.compress, case) for case in OTHER_KINDS],
)
def test_symbols_outside_the_alphabet(call, case):
    data, model, symbol, position = case
    with pytest.raises(bbans.SymbolError) as caught:
        call(data, model)
    assert f"symbol {symbol} at position {position}" in str(caught.value)


@pytest.mark.parametrize("call", CALLS)
def test_text_and_bytes_under_models_that_have_none(call):
    with pytest.raises(bbans.SymbolError, match="str"):
        call("text", INDICES)
    with pytest.raises(bbans.SymbolError, match="bytes"):
        call(b"bytes", CHARACTERS)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (byte_hmm(2), "freeze"),
        ("model.bbm", "frozen model, not a str"),
        (5, "frozen model, not 5"),
    ],
)
def test_models_that_are_not_frozen(model, text):
    packed = bbans.compress(b"a", BYTES)
    for call in (
        lambda: bbans.compress(b"a", model),
        lambda: bbans.decompress(packed, model),
        lambda: bbans.encode(b"a", model),
        lambda: bbans.decode(b"\1", model, 1),
        lambda: bbans.compress_file(io.BytesIO(), io.BytesIO(), model),
        lambda: bbans.decompress_file(io.BytesIO(packed), io.BytesIO(), model),
    ):
        with pytest.raises(bbans.ModelError, match=text):
            call()


def test_another_model():
    other = random_hmm(3, ALL_BYTES, seed=1)
    for coder, text in (
        (other, f"not with model {other.fingerprint.hex()}"),
        (ByteCoder(), "which ByteCoder.* does not have"),
        (None, "pass it as `coder`"),
    ):
        for restore in (
            bbans.decompress,
            lambda data, coder: bbans.open(io.BytesIO(data), coder),
        ):
            with pytest.raises(bbans.WrongModelError, match=text) as caught:
                restore(bbans.compress(b"a", BYTES), coder)
            assert f"with model {BYTES.fingerprint.hex()}, " in str(caught.value)


def test_an_error_is_a_value_error_too():
    with pytest.raises(ValueError, match="not a bbans container"):
        bbans.decompress(b"PK\3\4 is something else")


# ---- files


class Short(io.RawIOBase):
    """A pipe without a buffer: reads give what there is, a few bytes."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        part = self._file.read(min(3, len(buffer)))
        buffer[: len(part)] = part
        return len(part)


def compressed(source, model=BYTES, **options):
    sink = io.BytesIO()
    bbans.compress_file(source, sink, model, **options)
    return sink.getvalue()


def decompressed(source, model=BYTES, **options):
    sink = io.BytesIO()
    bbans.decompress_file(source, sink, model, **options)
    return sink.getvalue()


@pytest.mark.parametrize("open_file", [io.BytesIO, Short])
@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 95])
def test_files_are_as_compress_would(open_file, size):
    data = bytes(range(size))
    packed = compressed(open_file(data), block_size=10)
    assert packed == bbans.compress(data, BYTES, block_size=10)
    assert decompressed(open_file(packed)) == data


@pytest.mark.parametrize("open_file", [io.BytesIO, Short])
def test_files_of_characters(open_file):
    packed = compressed(open_file(TEXT.encode()), CHARACTERS, block_size=3)
    assert packed == bbans.compress(TEXT, CHARACTERS, block_size=3)
    assert decompressed(open_file(packed), CHARACTERS) == TEXT.encode()


def test_a_file_of_characters_that_is_not_utf_8():
    sink = io.BytesIO()
    with pytest.raises(bbans.SymbolError, match="UTF-8"):
        bbans.compress_file(io.BytesIO(b"ab\xff"), sink, CHARACTERS)
    assert sink.getvalue() == b""


def test_arrays_are_written_as_they_are_in_memory():
    array = np.array([[1, -1], [7, 0]], dtype=">i4")
    packed = bbans.compress(array, INTEGERS)
    assert decompressed(io.BytesIO(packed), INTEGERS) == array.tobytes()


@pytest.mark.parametrize("buffering", [-1, 0])
def test_from_pipe_to_pipe(buffering):
    """Compressor and decompressor at work at once, with memory for a few blocks."""
    ends = [os.pipe() for _ in range(3)]
    (a_read, a_write), (b_read, b_write), (c_read, c_write) = [
        (os.fdopen(r, "rb", buffering), os.fdopen(w, "wb")) for r, w in ends
    ]
    data = np.random.default_rng(0).bytes(300_000)
    faults = []

    def run(call, source, sink, *arguments):
        try:
            with source, sink:
                call(source, sink, *arguments)
        except Exception as error:
            faults.append(error)

    def feed(_, sink):
        sink.write(data)

    threads = [
        threading.Thread(target=run, args=arguments, daemon=True)
        for arguments in (
            (feed, io.BytesIO(), a_write),
            (bbans.compress_file, a_read, b_write, BYTES),
            (bbans.decompress_file, b_read, c_write, BYTES),
        )
    ]
    for thread in threads:
        thread.start()
    with c_read:
        got = c_read.read()
    for thread in threads:
        thread.join()
    assert faults == []
    assert got == data


class Silent:
    """A sink that writes all and does not say how much, as many do."""

    def __init__(self):
        self.parts = []

    def write(self, data):
        assert len(self.parts) < 100, "written again and again"
        self.parts.append(bytes(data))


def test_a_sink_that_does_not_count():
    packed, plain = Silent(), Silent()
    bbans.compress_file(io.BytesIO(b"data"), packed, BYTES)
    packed = b"".join(packed.parts)
    assert packed == bbans.compress(b"data", BYTES)
    bbans.decompress_file(io.BytesIO(packed), plain, BYTES)
    assert b"".join(plain.parts) == b"data"


class Little(io.RawIOBase):
    """A sink without a buffer that takes three bytes at a time."""

    def __init__(self):
        self.taken = b""

    def writable(self):
        return True

    def write(self, data):
        self.taken += bytes(data[:3])
        return min(3, len(data))


def test_a_sink_that_takes_a_little_at_a_time():
    packed, plain = Little(), Little()
    bbans.compress_file(io.BytesIO(b"some data"), packed, BYTES)
    assert packed.taken == bbans.compress(b"some data", BYTES)
    bbans.decompress_file(io.BytesIO(packed.taken), plain, BYTES)
    assert plain.taken == b"some data"


def test_progress():
    done = []
    packed = compressed(io.BytesIO(bytes(25)), block_size=10, progress=done.append)
    assert done == [10, 10, 5]
    done.clear()
    assert decompressed(io.BytesIO(packed), progress=done.append) == bytes(25)
    assert done == [10, 10, 5]


def test_a_symbol_is_located():
    data = b"\0" * 15 + b"\5"
    with pytest.raises(bbans.SymbolError, match=r"element 10: symbol 5 at position 5"):
        bbans.compress(data, INDICES, block_size=10, threads=2)
    with pytest.raises(bbans.SymbolError, match=r"element 10: symbol 5 at position 5"):
        compressed(io.BytesIO(data), INDICES, block_size=10)


def test_salvage():
    data = bytes(range(30))
    packed = bytearray(bbans.compress(data, BYTES, block_size=10))
    middle = packed.index(bytes(blocks(bytes(packed))[1].data))
    packed[middle] ^= 1
    done, lost = [], []
    with pytest.raises(bbans.CorruptError, match=r"block 1 .*elements 10 to 19"):
        decompressed(io.BytesIO(packed))
    kept = decompressed(io.BytesIO(packed), salvage=lost.append, progress=done.append)
    assert kept == data[:10] + data[20:]
    assert [type(error) for error in lost] == [bbans.CorruptError]
    assert "block 1" in str(lost[0])
    assert done == [10, 10]  # what is lost is not


def test_blocks_before_a_fault_have_been_written():
    packed = bbans.compress(bytes(range(30)), BYTES, block_size=10)
    sink = io.BytesIO()
    with pytest.raises(bbans.errors.TruncatedError):
        bbans.decompress_file(io.BytesIO(packed[:-25]), sink, BYTES)
    assert sink.getvalue() == bytes(range(20))


def test_another_model_writes_nothing():
    sink = io.BytesIO()
    packed = bbans.compress(b"data", BYTES)
    with pytest.raises(bbans.WrongModelError):
        bbans.decompress_file(
            io.BytesIO(packed), sink, random_hmm(3, ALL_BYTES, seed=1)
        )
    assert sink.getvalue() == b""
