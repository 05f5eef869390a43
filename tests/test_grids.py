"""Grids: arrays of any axes come back, lie as their axes say, and are read in part."""

import io
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bbans
from bbans.errors import CorruptError, ModelError, SymbolError
from bbans.formats import ByteCoder, GridCoder, SignalCoder, describe
from bbans.formats.axes import default_axes, kinds_of, laid
from bbans.formats.container import (
    BYTE_BLOCK,
    FLOATS,
    GRID,
    SIGNAL,
    STORED,
    ContainerReader,
    ContainerWriter,
    array_header,
)
from bbans.formats.grid_coder import _sample, default_coder, is_grid
from bbans.formats.grids import Grid, decode_grid, encode_grid

DTYPES = [
    "?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">u2", ">i8", "M8[ns]",
    ">m8[s]", "f2", "f4", "f8", ">f4",
]  # fmt: skip


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def blocks(data):
    reader = ContainerReader(memoryview(data))
    return [block for part in reader.parts() for block in part.blocks()]


def methods(data):
    return [block.method for block in blocks(data)]


def scene(*shape, dtype="u1", seed=0):
    """Something smooth along all axes, with noise."""
    rng = np.random.default_rng(seed)
    places = np.indices(shape)
    smooth = sum(np.sin(place / (5 + 2 * i)) for i, place in enumerate(places))
    array = np.rint(90 + 20 * smooth + rng.normal(size=shape))
    return array.astype("i8").astype(dtype)


def planned(coder, array):
    """The coder of an array, and the shape in the file."""
    laid_out = coder.laid_out(array.shape, array.itemsize)
    axis = laid_out.axis_of(array.shape)
    return laid_out, np.moveaxis(array, axis, 0).shape


# ---- what the axes are


@pytest.mark.parametrize(
    ("axes", "axis", "frames", "image"),
    [
        ("tyx", 0, "t", "yx-"),
        ("yx", 0, "", "yx-"),
        ("xy", 0, "", "xy-"),
        ("yxc", 0, "", "yxc"),
        ("tzyxs", 0, "tz", "yxs"),
        ("TCYX", 0, "TC", "YX-"),
        ("nchw", 0, "nc", "hw-"),
        ("cyxt", 3, "tc", "yx-"),
        ("yxt", 2, "t", "yx-"),
        ("yxtc", 2, "t", "yxc"),
        ("ytx", 1, "t", "yx-"),
        ("ycx", 1, "c", "yx-"),
        ("yzx", 1, "z", "yx-"),
        ("qpr", 0, "q", "pr-"),
        ("qprc", 0, "q", "prc"),
        ("tpc", 0, "", "tpc"),
    ],
)
def test_where_axes_lie(axes, axis, frames, image):
    lengths = {name: 3 + i for i, name in enumerate(axes)}
    layout = laid(tuple(lengths.values()), tuple(axes))
    assert layout.axis == axis
    assert layout.frames == tuple(lengths[name] for name in frames)
    found = layout.rows, layout.columns, layout.bands
    assert found == tuple(lengths.get(name, 1) for name in image)


@pytest.mark.parametrize(
    "names",
    [
        ("time", "lat", "lon"),
        ("Time", "Latitude", "Longitude"),
        ("depth", "northing", "easting"),
        ("frame", "row", "column"),
        ("n", "height", "width"),
        ("plane", "where", "there"),
    ],
)
def test_names(names):
    assert kinds_of(names) == ("frame", "space", "space")
    array = scene(6, 20, 30)
    named = bbans.compress(array, GridCoder(names))
    assert named == bbans.compress(array, GridCoder("tyx"))
    behind = ("wavelength", *names)
    assert kinds_of(behind) == ("band", *kinds_of(names))


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((5,), None),
        ((), None),
        ((20, 30), ("y", "x")),
        ((20, 30, 3), ("y", "x", "c")),
        ((20, 30, 1), ("y", "x", "c")),
        ((20, 30, 5), ("frame0", "y", "x")),
        ((20, 4), ("y", "x")),
        ((7, 6, 20, 30, 2), ("frame0", "frame1", "y", "x", "c")),
    ],
)
def test_axes_by_lengths(shape, names):
    assert default_axes(shape) == names


def test_the_names_of_a_default_are_what_it_is_taken_for():
    for shape in [(9, 20, 30), (20, 30, 3), (2, 3, 20, 30), (2, 3, 20, 30, 4), (9, 70)]:
        assert laid(shape, None) == laid(shape, default_axes(shape))


@pytest.mark.parametrize(
    ("shape", "frames", "period"),
    [
        ((9, 20, 30), (9,), 0),
        ((9, 5, 20, 30), (9, 5), 5),
        ((9, 1, 20, 30), (9, 1), 0),
        ((1, 9, 20, 30), (1, 9), 0),
        ((2, 4, 5, 20, 30), (2, 4, 5), 5),
    ],
)
def test_the_frame_before_along_the_axes_before(shape, frames, period):
    layout = laid(shape, None)
    assert (layout.frames, layout.period) == (frames, period)


@pytest.mark.parametrize(
    ("axes", "text"),
    [
        ("", "letter for each axis"),
        ("t,y,x", "letter for each axis"),
        (3, "letter for each axis"),
        (["t", 1], "letter for each axis"),
        (["t", ""], "letter for each axis"),
        ({"y": 1}, "letter for each axis"),
        ("tyy", "a name twice"),
        ("y", "SignalCoder"),
        ([f"a{i}" for i in range(33)], "2 to 32 axes"),
        ("yc", r"no rows and columns.*SignalCoder\(axis="),
    ],
)
def test_axes_that_are_none(axes, text):
    with pytest.raises(ModelError, match=text):
        GridCoder(axes)


def test_levels_that_are_none():
    with pytest.raises(ModelError, match="1 to 9, not 0"):
        GridCoder(level=0)


def test_repr():
    assert repr(GridCoder()) == "GridCoder(level=5)"
    assert repr(GridCoder("tyx", 9)) == "GridCoder('tyx', level=9)"
    named = GridCoder(["time", "lat", "lon"])
    assert repr(named) == "GridCoder(['time', 'lat', 'lon'], level=5)"
    assert eval(repr(named)).axes == named.axes


@pytest.mark.parametrize(
    ("coder", "shape", "text"),
    [
        (GridCoder(), (50,), r"shape \(50,\) has no rows and columns: SignalCoder"),
        (GridCoder(), (), "no rows and columns"),
        (GridCoder("tyx"), (20, 30), r"'tyx' name 3 axes, .* shape \(20, 30\) has 2"),
        (GridCoder("yxtz"), (20, 30, 3, 4), r"x.transpose\(2, 3, 0, 1\).*'tzyx'"),
        (GridCoder("yx"), (2, (1 << 24) + 1), "SignalCoder.. codes it as a series"),
        (GridCoder("yxt"), (5000, 5000, 2), "moves to the front.*np.moveaxis"),
    ],
)
def test_arrays_that_cannot_lie_so(coder, shape, text):
    with pytest.raises(SymbolError, match=text):
        bbans.compress(np.broadcast_to(np.uint8(1), shape), coder)


def test_the_transpose_that_an_error_names_will_do():
    array = scene(20, 30, 3, 4)
    with pytest.raises(SymbolError) as found:
        bbans.compress(array, GridCoder("yxtz"))
    call, axes = str(found.value).split("pass ")[1].split(" with axes ")
    turned = eval(call, {"x": array})
    blob = bbans.compress(turned, GridCoder(eval(axes)))
    assert same(bbans.decompress(blob), np.ascontiguousarray(turned))


@pytest.mark.parametrize("data", ["text", b"bytes"])
def test_text_and_bytes_are_no_grid(data):
    with pytest.raises(SymbolError, match="a grid is an array"):
        bbans.compress(data, GridCoder())


# ---- arrays come back


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axes", [None, "tyx", "yxt", "ytx", "cyx", "yxc"])
def test_types(dtype, axes):
    array = scene(5, 9, 11, dtype=dtype)
    for level in 1, 5:
        blob = bbans.compress(array, GridCoder(axes, level), block_size=300)
        assert same(bbans.decompress(blob), array)


SHAPES = [
    (0, 20, 30), (5, 0, 30), (5, 20, 0), (0, 0), (1, 1), (1, 50), (50, 1), (2, 3, 0, 4),
    (1, 1, 1), (7, 1, 1), (1, 300, 1), (3, 1, 2), (2, 2, 2, 2, 2), (1, 9, 9, 4),
    (40, 8, 8), (2, 65), (33, 70, 3), (2, 3, 10, 11),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["u1", "i4", "f4", "?"])
def test_shapes(shape, dtype):
    array = scene(*shape, dtype=dtype)
    for coder in (GridCoder(), None):
        assert same(bbans.decompress(bbans.compress(array, coder)), array)
    for block_size in 1, 17, 100:
        blob = bbans.compress(array, GridCoder(level=1), block_size=block_size)
        assert same(bbans.decompress(blob), array)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(DTYPES),
    st.lists(st.integers(1, 9), min_size=2, max_size=5),
    st.permutations(range(5)),
    st.permutations("tzyxc"),
    st.integers(1, 9),
    st.integers(1, 400),
    st.integers(0, 2**32),
)
def test_any_array(dtype, shape, order, names, level, block_size, seed):
    """Of any layout in memory; what cannot lie so is refused and no more."""
    rng = np.random.default_rng(seed)
    array = rng.integers(-3, 4, shape).cumsum(-1).astype("i8").astype(dtype)
    array = array.transpose([i for i in order if i < array.ndim])[::-1]
    for axes in None, "".join(names[: array.ndim]):
        try:
            coder = GridCoder(axes, level)
            blob = bbans.compress(array, coder, block_size=block_size)
        except (ModelError, SymbolError):
            assert axes is not None
            continue
        assert same(bbans.decompress(blob), np.ascontiguousarray(array))
        out = np.empty_like(np.ascontiguousarray(array))
        bbans.decompress(blob, out=out)
        assert same(out, np.ascontiguousarray(array))


def test_views_and_orders_in_memory():
    array = scene(12, 40, 50, dtype="i2")
    wanted = bbans.compress(array, GridCoder())
    frozen = array.copy()
    frozen.flags.writeable = False
    wide = np.zeros((24, 80, 50), "i2")
    wide[::2, ::-2] = array
    for view in (
        frozen, np.asfortranarray(array), wide[::2, ::-2], array.tolist(),
        array.astype(">i2"),
    ):  # fmt: skip
        view = np.asarray(view).astype("i2") if isinstance(view, list) else view
        found = bbans.compress(view, GridCoder())
        assert same(bbans.decompress(found), np.ascontiguousarray(view))
        assert found[6:-1] == wanted[6:-1] or view.dtype != array.dtype


def test_an_axis_that_moves_gives_the_blocks_of_the_one_that_has():
    array = scene(6, 20, 30)
    plain = bbans.compress(array, GridCoder("tyx"))
    for axes, view in [
        ("yxt", array.transpose(1, 2, 0)),
        ("ytx", array.swapaxes(0, 1)),
    ]:
        moved = bbans.compress(view, GridCoder(axes))
        found = [bytes(block.data) for block in blocks(moved)]
        assert found == [bytes(block.data) for block in blocks(plain)]
        assert same(bbans.decompress(moved), np.ascontiguousarray(view))


# ---- blocks


def test_a_block_has_whole_frames():
    array = scene(10, 20, 30)
    coder, shape = planned(GridCoder(), array)
    assert coder.width(shape) == 600
    assert coder.block_size(1, 600) == array.size
    for block_size, sizes in [(1, [600] * 10), (1900, [1800] * 3 + [600])]:
        blob = bbans.compress(array, GridCoder(), block_size=block_size)
        assert [block.n for block in blocks(blob)] == sizes


@pytest.mark.parametrize(
    ("shape", "dtype", "axes", "width", "size"),
    [
        # frames of 2**22 elements at most together, and of about the same number
        ((40, 424, 640), "u1", "tyx", 424 * 640, 14 * 424 * 640),
        ((16, 512, 512), "u2", "tyx", 1 << 18, 16 << 18),
        ((17, 512, 512), "u2", "tyx", 1 << 18, 9 << 18),
        ((3, 3000, 2000), "u1", "tyx", 6_000_000, 6_000_000),
        # a frame by itself, or of more than a block: rows that end where it does
        ((4000, 4000), "u1", "yx", 4000, 1000 * 4000),
        ((4000, 4000, 3), "u2", "yxc", 12000, 334 * 12000),
        ((3, 4000, 3000), "u2", "tyx", 3000, 1000 * 3000),
        ((2, 4096, 4096), "u4", "tyx", 4096, 1024 * 4096),
        # periods that fit
        ((50, 20, 512, 512), "u1", "tzyx", 1 << 18, 60 << 18),
        ((50, 20, 512, 512), "u2", "tzyx", 1 << 18, 20 << 18),
        ((50, 100, 512, 512), "u2", "tzyx", 1 << 18, 32 << 18),
        ((9, 2, 100, 100), "u2", "tcyx", 10_000, 180_000),
        ((40, 424, 640), "u1", "tyx 8", 424 * 640, 40 * 424 * 640),
        ((40, 424, 640), "u4", "tyx 9", 424 * 640, 14 * 424 * 640),
        # an axis that moves
        ((2, 300, 400, 9), "u1", "cyxt", 240_000, 9 * 240_000),
        ((0, 300, 400), "u1", "tyx", 400, 300 * 400),
    ],
)
def test_sizes_of_blocks(shape, dtype, axes, width, size):
    array = np.broadcast_to(np.zeros((), dtype), shape)
    names, _, level = axes.partition(" ")
    coder, shape = planned(GridCoder(names, int(level or 5)), array)
    assert coder.width(shape) == width
    found = coder.block_size(array.itemsize, width)
    assert found // width * width == size
    assert size * array.itemsize <= 1 << 24


@pytest.mark.parametrize(
    ("shape", "axes", "size", "grid"),
    [
        ((9, 20, 30), "tyx", 5400, Grid(20, 30)),
        ((9, 20, 30), "tyx", 600, Grid(20, 30)),
        ((20, 30, 3), "yxc", 1800, Grid(20, 30, 3)),
        ((20, 30, 3), "yxc", 450, Grid(5, 30, 3)),
        ((9, 4, 20, 30), "tcyx", 21600, Grid(20, 30, 1, 4)),
        ((9, 4, 20, 30), "tcyx", 2400, Grid(20, 30)),
        ((3, 8000, 3000), "tyx", 3000 * 700, Grid(700, 3000)),
        ((4, 20, 30, 9), "cyxt", 21600, Grid(20, 30, 1, 4)),
    ],
)
def test_the_grid_of_a_block(shape, axes, size, grid):
    coder = GridCoder(axes).laid_out(shape, 1)
    assert coder._planned.grid(size) == grid


def test_frames_that_are_divided_come_back():
    """Blocks of rows, of which some begin inside of a frame."""
    array = np.zeros((2, 2100, 8200), "u1")
    array[:, ::3] = np.arange(8200) % 251
    array[1, 1000:1005] += np.arange(5, dtype="u1")[:, None]
    coder, shape = planned(GridCoder(), array)
    assert coder.width(shape) == 8200
    blob = bbans.compress(array, GridCoder(level=1))
    assert len(blocks(blob)) > 2
    assert same(bbans.decompress(blob), array)
    with bbans.open(io.BytesIO(blob)) as file:
        assert same(file[1, 900:1100, 5:9000:7], array[1, 900:1100, 5:9000:7])


@pytest.mark.parametrize("axes", ["tyx", "yxt"])
def test_threads_give_the_same_bytes(axes):
    array = scene(12, 30, 40)
    one = bbans.compress(array, GridCoder(axes), block_size=1200)
    assert bbans.compress(array, GridCoder(axes), block_size=1200, threads=3) == one
    assert same(bbans.decompress(one, threads=3), array)


# ---- what is chosen


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((), SignalCoder), ((500,), SignalCoder), ((500, 64), SignalCoder),
        ((500, 65), GridCoder), ((7, 65), SignalCoder), ((8, 65), GridCoder),
        ((64, 8, 8), GridCoder), ((64, 7, 8), SignalCoder), ((64, 8, 7), SignalCoder),
        ((20, 30, 3), GridCoder), ((20, 7, 3), SignalCoder), ((20, 8, 3), GridCoder),
        ((2, 2, 100, 100, 4), GridCoder), ((0, 20, 30), GridCoder),
        ((8, 1 << 18), GridCoder), ((8, (1 << 18) + 1), SignalCoder),
    ],
)  # fmt: skip
def test_the_default_by_shape(shape, wanted):
    assert default_coder(array_header(np.dtype("u1")), shape) is wanted
    assert is_grid(shape) == (wanted is GridCoder)


def test_the_default_is_that():
    array = scene(6, 40, 50)
    assert bbans.compress(array) == bbans.compress(array, GridCoder())
    assert bbans.compress(array, level=2) == bbans.compress(array, GridCoder(level=2))
    table = scene(400, 20)
    assert bbans.compress(table) == bbans.compress(table, SignalCoder())


def test_what_lies_flat_in_rows_is_a_series():
    """Rows that are images of their own: what is above in them is in the row itself."""
    rng = np.random.default_rng(0)
    image = rng.integers(-9, 10, (90, 60, 12)).cumsum(2).cumsum(1)
    flat = image.reshape(90, 720).astype("i2")
    for array in (flat, flat.T[::-1].T, flat.astype(">i2"), flat.astype("f4")):
        wanted = bbans.compress(array, SignalCoder())
        assert bbans.compress(array) == wanted
        assert len(wanted) < 0.95 * len(bbans.compress(array, GridCoder()))
    images = scene(60, 5000, dtype="i2")
    for array in (images, images[:, ::-1], images.astype("f4")):
        assert bbans.compress(array) == bbans.compress(array, GridCoder())


@pytest.mark.parametrize(
    "shape",
    [(8, 65), (8, 1 << 17), (1 << 13, 65), (3, 8, 9000), (2, 3, 90, 80), (700, 8, 8),
     (1, 1, 300, 300), (9, 90, 90, 3), (200, 300, 4)],
)  # fmt: skip
def test_the_sample_of_a_default(shape):
    """It is a part of the array, neither too large nor too small."""
    array = np.arange(math.prod(shape)).reshape(shape)
    sample, layout = _sample(array, laid(shape, None))
    assert np.isin(sample, array).all()
    assert sample.size % layout.row == 0
    assert sample.size >= min(array.size, 1 << 13) // 2
    assert sample.size <= max(1 << 16, layout.rows * layout.row)
    rows = sample.reshape(-1, layout.columns, layout.bands)
    assert (np.diff(rows, axis=1) == layout.bands).all()


@pytest.mark.parametrize("level", [1, 3, 4, 9])
def test_a_grid_wins_where_there_is_one(level):
    """A texture that moves from level 4 on, which is in the frame before alone."""
    rng = np.random.default_rng(0)
    texture = rng.integers(20, 200, (80, 90))
    places = range(9) if level > 3 else 9 * [0]
    array = np.array([texture[t : t + 60, t : t + 70] for t in places])
    array = (array + rng.integers(-1, 2, array.shape)).astype("u1")
    blob = bbans.compress(array, level=level)
    assert methods(blob) == [GRID]
    assert len(blob) < 0.6 * len(bbans.compress(array, SignalCoder(level)))
    assert len(blob) < 0.6 * len(bbans.compress(array, ByteCoder(level=level)))


def test_floats_are_grids_of_their_own():
    array = scene(8, 60, 70, dtype="f4") / np.float32(8)
    blob = bbans.compress(array, GridCoder("tyx"))
    assert methods(blob) == [FLOATS]
    assert same(bbans.decompress(blob), array)


def test_noise_is_not_made_longer():
    noise = np.frombuffer(np.random.default_rng(0).bytes(60_000), "u1")
    blob = bbans.compress(noise.reshape(10, 60, 100), level=5)
    assert methods(blob) == [STORED]
    assert len(blob) < noise.size + 60


def test_bytes_win_where_nothing_has_neighbours():
    rng = np.random.default_rng(0)
    array = rng.choice([3, 77, 190, 201], (10, 40, 50), p=[0.97, 0.01, 0.01, 0.01])
    blob = bbans.compress(array.astype("u1"))
    assert methods(blob)[0] in (GRID, BYTE_BLOCK)
    assert len(blob) < 0.35 * array.size / 8 + 200


# ---- containers


def test_info():
    facts = describe(io.BytesIO(bbans.compress(scene(8, 60, 70))))
    assert facts["blocks"] == "1 grid"
    assert facts["shape"] == "8 x 60 x 70"
    moved = bbans.compress(scene(60, 70, 8), GridCoder("yxt"))
    facts = describe(io.BytesIO(moved))
    assert "axis 2 first" in facts["kind"]
    assert facts["shape"] == "60 x 70 x 8"


@pytest.mark.parametrize(
    ("axes", "axis"), [("tyx", 0), ("yxt", 2), ("ytx", 1), ("cyx", 0), ("yxc", 0)]
)
def test_parts_are_read(axes, axis):
    array = scene(14, 15, 16, dtype=">i2")
    blob = bbans.compress(array, GridCoder(axes), block_size=500)
    keys = [3, -1, slice(2, 9), slice(None, None, -3), (slice(None), 4), (..., 5),
            (slice(1, 5), slice(3, 12, 2), 7), (slice(0, 0),), ()]  # fmt: skip
    with bbans.open(io.BytesIO(blob)) as file:
        assert file.axis == axis
        for key in keys:
            assert same(np.asarray(file[key]), np.ascontiguousarray(array[key])), key
        whole = np.concatenate([*file], axis=axis)
        assert same(whole.astype(array.dtype), array)


def test_a_frame_is_read_alone():
    """What is not asked for may be damaged."""
    array = scene(6, 40, 50)
    blob = bytearray(bbans.compress(array, block_size=2000))
    assert methods(blob) == [GRID] * 6
    at = bytes(blob).index(bytes(blocks(blob)[2].data))
    blob[at + 30] ^= 1
    with bbans.open(io.BytesIO(blob)) as file:
        assert same(file[3], array[3])
        assert same(file[:2], array[:2])
        with pytest.raises(CorruptError, match="block 2 is damaged"):
            file[2]


def test_joined():
    array = scene(9, 30, 40)
    coder = GridCoder("tyx")
    blob = bbans.compress(array[:5], coder) + bbans.compress(array[5:], coder)
    assert same(bbans.decompress(blob), array)
    with bbans.open(io.BytesIO(blob)) as file:
        assert same(file[3:7], array[3:7])
    mixed = bbans.compress(array[:5]) + bbans.compress(array[5:], SignalCoder())
    assert same(bbans.decompress(mixed), array)
    moved = array.transpose(1, 2, 0)
    coder = GridCoder("yxt")
    halves = moved[..., :4], moved[..., 4:]
    blob = b"".join(bbans.compress(half, coder) for half in halves)
    assert same(bbans.decompress(blob), np.ascontiguousarray(moved))


def test_salvage():
    array = scene(6, 40, 50)
    blob = bytearray(bbans.compress(array, block_size=2000))
    blob[bytes(blob).index(bytes(blocks(blob)[2].data)) + 30] ^= 1
    found, sink = [], io.BytesIO()
    bbans.decompress_file(io.BytesIO(blob), sink, salvage=found.append)
    assert [str(error).split(":")[0] for error in found] == ["block 2 is damaged"]
    assert sink.getvalue() == np.delete(array, 2, axis=0).tobytes()


def test_every_cut_and_flipped_bit_is_found():
    blob = bbans.compress(scene(2, 9, 10), GridCoder())
    assert methods(blob) == [GRID]
    for cut in range(len(blob)):
        with pytest.raises(bbans.FormatError):
            bbans.decompress(blob[:cut])
    for bit in range(8 * len(blob)):
        damaged = bytearray(blob)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(bbans.FormatError):
            bbans.decompress(damaged)


def contained(method, data, n, dtype="u1", shape=None):
    """A container of one block, of any making."""
    sink = io.BytesIO()
    writer = ContainerWriter(sink, array_header(np.dtype(dtype)))
    writer.write(n, method, data)
    writer.finish((n,) if shape is None else shape)
    return sink.getvalue()


def test_a_block_says_its_own_geometry():
    """The shape of the array need not be that of its grids."""
    array = scene(60, 70)
    data = bytes(encode_grid(array, Grid(60, 70), 5))
    for shape in [(4200,), (70, 60), (4200, 1), (3, 1400)]:
        found = bbans.decompress(contained(GRID, data, 4200, shape=shape))
        assert same(found, array.reshape(shape))


def test_blocks_that_do_not_belong():
    data = bytes(encode_grid(scene(60, 70), Grid(60, 70), 5))
    for n, dtype in [(4130, "u1"), (4199, "u1"), (4201, "u1"), (8400, "u1")]:
        with pytest.raises(CorruptError, match="is damaged"):
            bbans.decompress(contained(GRID, data, n, dtype))
    with pytest.raises(CorruptError, match="method grid cannot be in this part"):
        bbans.decompress(contained(GRID, data, 4200, "f2"))
    series = bytes(data)
    with pytest.raises(CorruptError):
        bbans.decompress(contained(SIGNAL, series, 4200))
    text = bytearray(bbans.compress(b"some bytes " * 30))
    block = blocks(text)[0]
    sink = io.BytesIO()
    writer = ContainerWriter(sink, ContainerReader(memoryview(bytes(text))).header)
    writer.write(block.n, GRID, block.data)
    writer.finish()
    with pytest.raises(CorruptError, match="method grid cannot be in this part"):
        bbans.decompress(sink.getvalue())


def test_hostile_blocks():
    """Anyone's bytes, past the checksums: an error or other values, never a crash."""
    rng, taken, array = np.random.default_rng(0), 0, scene(3, 12, 14)
    for grid in (Grid(12, 14), Grid(4, 7, 2, 3), Grid(2, 1, 1), Grid(40, 252)):
        for level in 1, 5, 9:
            block = bytes(encode_grid(array, grid, level))
            for _ in range(150):
                damaged = bytearray(block)
                for _ in range(int(rng.integers(1, 4))):
                    place = int(rng.integers(0, min(len(block), 60)))
                    damaged[place] = int(rng.integers(0, 256))
                if rng.integers(4) == 0:
                    damaged = damaged[: int(rng.integers(1, len(block)))]
                out = np.empty(array.size, "u1")
                try:
                    decode_grid(bytes(damaged), out)
                except CorruptError:
                    continue
                taken += 1
    assert taken > 0
    for data in (b"", b"\0", b"\xff" * 50, bytes(300), bytes(range(256))):
        with pytest.raises(CorruptError):
            decode_grid(data, np.empty(77, "i4"))


@pytest.mark.parametrize(
    ("array", "grid", "text"),
    [
        (np.zeros(10), Grid(2, 5), "a grid is of integers, not of float64"),
        (np.zeros(10, "u1"), Grid(2, 4), "10 elements are no Grid"),
        (np.zeros(10, "u1"), Grid(0, 5), "10 elements are no Grid"),
        (np.zeros(10, "u1"), Grid(2, 0), "10 elements are no Grid"),
        (np.zeros(10, "u1"), Grid(2, 5, 1, -1), "10 elements are no Grid"),
        (np.zeros(0, "u1"), Grid(2, 5), "a block of 0 bytes is no grid"),
        (np.zeros(1 << 22, "i8"), Grid(1, 1 << 22), "bytes is no grid"),
    ],
)
def test_grids_that_are_none(array, grid, text):
    with pytest.raises(SymbolError, match=text):
        encode_grid(array, grid, 5)


# ---- files and the shell


@pytest.mark.parametrize("dtype", ["u1", ">i2", "f4", "?"])
def test_files_of_frames(dtype):
    array = scene(7, 20, 30, dtype=dtype)
    for shape in (-1, 20, 30), (7, 20, 30), [np.int64(7), 20, 30]:
        for coder in (None, GridCoder("tyx")):
            sink = io.BytesIO()
            source = io.BytesIO(array.tobytes())
            bbans.compress_file(
                source, sink, coder, dtype=dtype, shape=shape, block_size=1200
            )
            wanted = bbans.compress(array, GridCoder(), block_size=1200)
            assert sink.getvalue() == wanted
            assert same(bbans.decompress(sink.getvalue()), array)


def test_files_of_rows():
    array = scene(700, 80, dtype="u2")
    sink = io.BytesIO()
    bbans.compress_file(
        io.BytesIO(array.tobytes()), sink, dtype="u2", shape=(-1, 80), block_size=16000
    )
    assert methods(sink.getvalue()) == [GRID] * 4
    assert same(bbans.decompress(sink.getvalue()), array)
    sink = io.BytesIO()
    bbans.compress_file(io.BytesIO(array.tobytes()), sink, dtype="u2", shape=(-1, 8))
    assert same(bbans.decompress(sink.getvalue()), array.reshape(-1, 8))
    for coder in (ByteCoder(), SignalCoder(axis=0), SignalCoder()):
        sink = io.BytesIO()
        source = io.BytesIO(array.tobytes())
        bbans.compress_file(source, sink, coder, dtype="u2", shape=(70, 8, 100))
        assert same(bbans.decompress(sink.getvalue()), array.reshape(70, 8, 100))


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"shape": (-1, 20, 31)}, SymbolError, "no rows of 620 uint8"),
        ({"shape": (6, 20, 30)}, SymbolError, r"no array of shape \(6, 20, 30\)"),
        ({"shape": (-1, 20, 30), "channels": 2}, ModelError, "without it"),
        ({"shape": ()}, ModelError, "1 to 32 axes"),
        ({"shape": 5}, ModelError, "1 to 32 axes"),
        ({"shape": (-1, 0)}, ModelError, r"shape\[1\]"),
        ({"shape": (-2, 5)}, ModelError, r"shape\[0\]"),
        ({"shape": (-1, 30), "dtype": None}, ModelError, "say their dtype too"),
        (
            {"shape": (-1, 30, 9), "coder": GridCoder("yxt")},
            ModelError,
            "would move axis 2 to the front",
        ),
        ({"coder": GridCoder("tyx")}, SymbolError, "pass their shape too"),
        ({"coder": GridCoder("tyx"), "dtype": None}, ModelError, "say their dtype too"),
    ],
)
def test_files_that_are_no_such_array(options, error, text):
    source = io.BytesIO(bytes(7 * 20 * 30))
    with pytest.raises(error, match=text):
        bbans.compress_file(source, io.BytesIO(), **{"dtype": "u1", **options})


@pytest.fixture
def shell(tmp_path):
    array = scene(12, 48, 64)
    array.tofile(tmp_path / "video.raw")
    np.save(tmp_path / "video.npy", array)

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "bbans", *arguments], cwd=tmp_path,
            capture_output=True, text=True,
        )  # fmt: skip

    return array, tmp_path, run


@pytest.mark.parametrize(
    "options",
    [
        "--type uint8 --shape n,48,64 --axes tyx",
        "--type uint8 --shape=-1,48,64",
        "--type uint8 --shape 12,48,64 --axes time,lat,lon",
    ],
)
def test_the_shell(options, shell):
    array, path, run = shell
    assert run("compress", *options.split(), "video.raw").returncode == 0
    assert same(bbans.load(path / "video.raw.bbz"), array)
    assert "1 grid" in run("info", "video.raw.bbz").stdout
    assert run("decompress", "video.raw.bbz", "-o", "again").returncode == 0
    assert (path / "again").read_bytes() == array.tobytes()


def test_the_shell_with_arrays(shell):
    array, path, run = shell
    done = run("compress", "--axes", "tyx", "-2", "video.npy")
    assert done.returncode == 0
    wanted = bbans.compress(array, GridCoder("tyx", 2))
    assert (path / "video.npy.bbz").read_bytes() == wanted


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ("--shape n,4 video.raw", 2, "--shape needs --type"),
        ("--axes tyx video.raw", 2, "--axes is for a .npy file"),
        ("--axes tyy video.npy", 2, "a name twice"),
        ("--axes tyx -m english video.npy", 2, "--axes is for arrays without -m"),
        ("--axes tyxc video.npy", 1, "'tyxc' name 4"),
        ("--type uint8 --shape n,n video.raw", 2, "is no shape"),
        ("--type uint8 --shape n,9 --channels 2 video.raw", 2, "leave out --channels"),
        ("--type uint8 --shape n,48,65 video.raw", 1, "no rows of 3120 uint8"),
        ("--type uint8 --shape n,48,64 --axes yxt video.raw", 1, "would move axis 2"),
    ],
)
def test_the_shell_refuses(options, code, text, shell):
    _, path, run = shell
    done = run("compress", *options.split(), "-o", "x.bbz")
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr
    assert not (path / "x.bbz").exists()


def test_no_array_is_longer_than_it_may_be():
    rng = np.random.default_rng(0)
    for shape in [(1, 1), (2, 3), (1, 8, 8), (3, 9, 17)]:
        array = rng.integers(0, 256, shape).astype("u1")
        for size in 1, 9, 64:
            blob = bbans.compress(array, GridCoder(), block_size=size)
            n = len(blocks(blob))
            assert len(blob) <= math.prod(shape) + 57 + 9 * len(shape) + 17 * n


@pytest.mark.parametrize("level", [1, 4, 5, 6, 8, 9])
@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "u8"])
def test_a_few_values_among_zeros(dtype, level):
    """Of any size, at any place, in grids of any few rows, columns and bands."""
    rng, info = np.random.default_rng(level), np.iinfo(dtype)
    for _ in range(60):
        frames, rows, columns = rng.integers(1, (4, 12, 12))
        bands = rng.integers(1, 4)
        array = np.zeros(int(frames * rows * columns * bands), dtype)
        places = rng.integers(0, array.size, rng.integers(1, 20))
        wide = info.min, int(info.max) + 1
        low, high = wide if rng.random() < 0.5 else (0, 100)
        array[places] = rng.integers(low, high, places.size, dtype)
        block = encode_grid(array, Grid(int(rows), int(columns), int(bands)), level)
        out = np.empty(array.size, dtype)
        decode_grid(block, out)
        assert (out == array).all()
