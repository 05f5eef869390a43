"""Containers opened: slices of what was compressed, by the index, and nothing more."""

import copy
import io
import os
import pickle
import random

import numpy as np
import pytest
from shared import ALL_BYTES, Counting, random_hmm, random_lgssm

import bbans
from bbans.formats import ByteCoder, ContainerFile
from bbans.formats.container import ContainerWriter, Header

LETTERS = random_hmm(3, "abcé😀")
ROWS = random_lgssm(2, 3, seed=1).freeze()


def opened(data, coder=None):
    return bbans.open(io.BytesIO(data), coder)


ARRAY = np.random.default_rng(0).integers(-300, 300, (31, 3))
CASES = {
    "bytes": (bytes(range(31)), None),
    "bytes by a model": (b"thirty-one bytes of plain words", random_hmm(2, ALL_BYTES)),
    "text": ("abcé😀" * 6 + "a", LETTERS),
    "one axis": (ARRAY[:, 0], None),
    "two axes": (ARRAY, None),
    "two axes, by bytes": (ARRAY.astype(">i4"), ByteCoder()),
    "three axes": (np.arange(31 * 6, dtype="u2").reshape(31, 2, 3), None),
    "rows by a model": (ARRAY, ROWS),
    "no columns": (np.empty((31, 0), "i8"), None),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("block_size", "cut"), [(1, 31), (5, 0), (24, 17), (99, 9)])
def test_slices(name, block_size, cut):
    """Of two parts, of which one may be empty."""
    whole, coder = CASES[name]
    parts = [
        bbans.compress(part, coder, block_size=block_size)
        for part in (whole[:cut], whole[cut:])
    ]
    check_slices(opened(b"".join(parts), coder), whole)


def check_slices(file, whole):
    draw = random.Random(0)
    bounds = [None, *range(-40, 41)]
    assert len(file) == 31
    for _ in range(60):
        step = draw.choice([None, 1, 2, 7, -1, -3])
        key = slice(draw.choice(bounds), draw.choice(bounds), step)
        got = file[key]
        assert type(got) is type(whole)
        assert np.array_equal(got, whole[key])
        assert getattr(got, "dtype", None) == getattr(whole, "dtype", None)
    for index in (0, 30, -1, -31, *draw.choices(range(-31, 31), k=9), np.int64(7)):
        assert np.array_equal(file[index], whole[index])
    parts = list(file)
    joined = (
        np.concatenate(parts) if file.dtype is not None else type(whole)().join(parts)
    )
    assert np.array_equal(joined, whole)


def test_text_as_utf_8_is_bytes():
    """Whose positions are known."""
    text = "café 😀 " * 9
    file = opened(bbans.compress(text, block_size=10))
    whole = text.encode()
    assert len(file) == len(whole)
    assert file[:] == whole
    assert file[3:8] == whole[3:8]
    assert file[3] == whole[3]
    assert b"".join(file) == whole
    assert file.dtype is None
    with pytest.raises(bbans.FormatError, match="two forms"):
        opened(bbans.compress("a") + bbans.compress("a", LETTERS), LETTERS)


@pytest.mark.parametrize(
    "data", [b"", "", np.empty((0, 3), "i2"), np.empty((2, 0))[:0].astype("i8")]
)
def test_nothing(data):
    file = opened(bbans.compress(data))
    assert len(file) == 0
    assert list(file) == []
    assert len(file[:]) == 0
    assert len(file[5:9]) == 0
    with pytest.raises(IndexError):
        file[0]


def test_slices_take_no_time_for_their_length():
    whole = np.empty((1 << 40, 0), "i1")
    file = opened(bbans.compress(whole))
    assert file[::-1].shape == whole.shape
    assert file[5::3].shape == whole[5::3].shape


def test_a_scalar():
    file = opened(bbans.compress(np.int16(-5)))
    assert file.shape == ()
    assert file[()] == -5
    assert file[...] == -5
    assert file[()].dtype == np.int16
    with pytest.raises(TypeError, match="no axes"):
        len(file)
    with pytest.raises(TypeError, match="no axes"):
        file[0]
    with pytest.raises(TypeError, match="no axes"):
        list(file)


@pytest.mark.parametrize("key", ["a", 1.5, None, (1, 2.5), ([0, 1], 1), (1, None)])
def test_what_is_no_key(key):
    with pytest.raises(TypeError):
        opened(bbans.compress(ARRAY))[key]


def test_indices_out_of_range():
    file = opened(bbans.compress(ARRAY))
    for index in (31, -32, 2**70):
        with pytest.raises(IndexError):
            file[index]


def test_only_what_is_asked_for_is_read():
    data = np.random.default_rng(0).bytes(1 << 20)
    packed = Counting(bbans.compress(data, block_size=1 << 12))
    file = bbans.open(packed)
    assert packed.n_read < 2000
    packed.n_read = 0
    assert file[500_000:500_010] == data[500_000:500_010]
    assert 1 << 12 < packed.n_read < 1.1 * (1 << 12)
    packed.n_read = 0
    assert [file[i] for i in range(500_100, 500_200)] == list(data[500_100:500_200])
    assert packed.n_read == 0  # the last block is at hand
    assert file[8191:20_000] == data[8191:20_000]
    assert packed.n_read < 5 * 1.1 * (1 << 12)


def test_a_file_that_grew_by_appending(tmp_path):
    path, array = tmp_path / "log.bbz", np.arange(1000).reshape(-1, 4) ** 2
    for start in range(0, 250, 50):
        with open(path, "ab") as file:
            file.write(bbans.compress(array[start : start + 50], block_size=64))
    with bbans.open(path) as file:
        assert isinstance(file, ContainerFile)
        assert file.shape == (250, 4)
        assert (file[45:160] == array[45:160]).all()
        assert (file[:] == array).all()
        assert repr(file) == (
            "<ContainerFile: an array of int64, shape (250, 4), 20 blocks>"
        )
    assert (bbans.decompress(path.read_bytes()) == array).all()
    with pytest.raises(ValueError, match="closed"):
        file[0]
    os.remove(path)


def test_files_of_the_caller_stay_open():
    packed = io.BytesIO(bbans.compress(b"data"))
    with bbans.open(packed) as file:
        assert file[:] == b"data"
    assert not packed.closed


def test_what_cannot_be_opened(tmp_path):
    with pytest.raises(FileNotFoundError):
        bbans.open(tmp_path / "missing")
    with pytest.raises(TypeError, match="binary file"):
        bbans.open(5)
    with pytest.raises(bbans.errors.TruncatedError):
        opened(b"")
    with pytest.raises(bbans.ModelError):
        bbans.open(io.BytesIO(bbans.compress(b"x")), "model.bbm")
    for end in (b"x", b"\0", b"\x80", bytes(20)):
        with pytest.raises(bbans.FormatError):
            opened(bbans.compress(b"data") + end)


def test_open_files_are_not_copied():
    file = opened(bbans.compress(b"data"))
    for call in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="open it again"):
            call(file)


def test_damage_is_found_where_it_is():
    packed = bytearray(bbans.compress(bytes(range(100)), block_size=10))
    packed[packed.index(bytes(range(30, 40)))] ^= 1  # in block 3
    file = opened(packed)
    assert file[:30] == bytes(range(30))
    assert file[40:] == bytes(range(40, 100))
    with pytest.raises(bbans.CorruptError, match="block 3 is damaged"):
        file[35]
    for bit in range(8 * len(packed)):
        damaged = bytearray(bbans.compress(bytes(range(100)), block_size=10))
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(bbans.FormatError):
            opened(damaged)[:]


def test_numbers_of_elements_that_are_wrong():
    """The first block, by which the places of all others are known, or the last."""
    for blocks in (
        [(2, 0, b"ab"), (3, 0, b"cde")],
        [(3, 0, b"abc"), (2, 0, b"de"), (3, 0, b"fgh")],
    ):
        out = io.BytesIO()
        writer = ContainerWriter(out, Header(0))
        for block in blocks:
            writer.write(*block)
        writer.finish()
        with pytest.raises(bbans.CorruptError):
            opened(out.getvalue())[:]
