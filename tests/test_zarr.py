"""Stores of zarr, versions 2 and 3, that this codec writes and anyone reads."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

import bbans
from bbans import HMM
from bbans.errors import CorruptError, ModelError, WrongModelError
from bbans.integrations import register

WHY = "needs pip install 'bbans[zarr]', and Python 3.11 or later"
zarr = pytest.importorskip("zarr", minversion="3.1", reason=WHY)
BbansCodec = pytest.importorskip("bbans.integrations.zarr", reason=WHY).BbansCodec
Bbans = pytest.importorskip("bbans.integrations.numcodecs", reason=WHY).Bbans

pytestmark = pytest.mark.filterwarnings(
    "ignore:The data type .* does not have a Zarr V3 specification"
)


def walk(*shape, dtype="i4"):
    rng = np.random.default_rng(0)
    return rng.integers(-9, 10, shape).cumsum(axis=0).astype(dtype)


def written(path, array, codec=None, **options):
    """A store of version 3 whose chunks the codec makes."""
    codec = BbansCodec() if codec is None else codec
    options = {"serializer": codec, "compressors": None, **options}
    return zarr.create_array(path, data=array, **options)


def size(path):
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def chunks(path):
    return sorted(p for p in path.rglob("*") if p.is_file() and p.name != "zarr.json")


def size_of_chunks(path):
    return sum(chunk.stat().st_size for chunk in chunks(path))


DTYPES = [
    "?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4", ">u8", "f2", "f4", "f8",
    ">f8", "c8", "c16", "M8[ns]", "M8[25s]", ">M8[ms]", "m8[s]", "S3", "U4", ">U4",
    "V5",
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_types(dtype, tmp_path):
    path = tmp_path / "x.zarr"
    array = walk(30, 4)
    kind = np.dtype(dtype).kind
    if kind in "SV":
        array = array.astype("S5")
    array = array.view("V5") if kind == "V" else array.astype(dtype)
    for order in "C", "F":
        made = written(path, np.asarray(array, order=order), chunks=(8, 3),
                       overwrite=True)  # fmt: skip
        for found in (made[:], zarr.open_array(path)[:]):
            assert found.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
            assert (found == array).all()


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", "<c8", ">c16"])
def test_every_bit_of_floats(dtype, tmp_path):
    """NaNs with their payloads, signed zeros, infinities, in any order of axes."""
    dtype = np.dtype(dtype)
    octets = np.random.default_rng(0).bytes(600 * dtype.itemsize)
    array = np.frombuffer(octets, dtype).reshape(100, 6).copy()
    array[5] = [np.nan, -0.0, np.inf, -np.inf, 0.1, 1e-7]
    for order in "C", "F":
        laid = np.asarray(array, order=order)
        written(tmp_path / "x", laid, chunks=(30, 4), overwrite=True)
        found = zarr.open_array(tmp_path / "x")[:]
        assert found.astype(dtype).tobytes() == array.tobytes()


def test_structures(tmp_path):
    dtype = np.dtype([("time", "i8"), ("value", "f4"), ("flag", "S2")])
    array = np.zeros(100, dtype)
    array["time"], array["value"] = np.arange(100), np.arange(100) / 7
    array["flag"][::3] = b"ok"
    written(tmp_path / "x", array, chunks=(30,))
    assert (zarr.open_array(tmp_path / "x")[:] == array).all()


@pytest.mark.parametrize(
    ("shape", "cut"),
    [((), ()), ((0,), (1,)), ((5,), (5,)), ((7, 3, 5), (4, 2, 5)), 2 * ((1, 40, 20),)],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["u1", "i4", "f8"])
def test_shapes(shape, cut, dtype, tmp_path):
    array = walk(*shape, dtype=dtype) if shape else np.array(7, dtype)
    written(tmp_path / "x", array, chunks=cut)
    found = zarr.open_array(tmp_path / "x")[...]
    assert np.asarray(found).shape == shape
    assert (found == array).all()


def test_parts_are_written_and_read(tmp_path):
    array = walk(100, 3)
    made = written(tmp_path / "x", array, chunks=(16, 3))
    made[10:50, 1] = 7
    array[10:50, 1] = 7
    again = zarr.open_array(tmp_path / "x")
    assert (again[5:60:7, 1:] == array[5:60:7, 1:]).all()
    assert (again[:] == array).all()
    made.resize((40, 3))
    assert (zarr.open_array(tmp_path / "x")[:] == array[:40]).all()


def test_chunks_that_are_all_fill_are_not_there(tmp_path):
    array = np.full((64, 3), -1, "i4")
    array[3] = 5
    written(tmp_path / "x", array, chunks=(16, 3), fill_value=-1)
    assert len(chunks(tmp_path / "x")) == 1
    assert (zarr.open_array(tmp_path / "x")[:] == array).all()


@pytest.mark.parametrize("compressed", [False, True])
def test_inside_shards(compressed, tmp_path):
    array = walk(400, 3)
    options = {} if not compressed else {"compressors": zarr.codecs.ZstdCodec()}
    made = written(tmp_path / "x", array, chunks=(50, 3), shards=(200, 3), **options)
    assert "sharding_indexed" in (tmp_path / "x/zarr.json").read_text()
    assert len(chunks(tmp_path / "x")) == 2
    assert (zarr.open_array(tmp_path / "x")[60:260] == array[60:260]).all()
    made[70:80] = array[70:80] = 0
    assert (made[40:100] == array[40:100]).all()


def test_behind_a_transpose(tmp_path):
    array = walk(60, 4)
    transposed = zarr.codecs.TransposeCodec(order=(1, 0))
    written(tmp_path / "x", array, filters=[transposed], chunks=(20, 4))
    assert (zarr.open_array(tmp_path / "x")[:] == array).all()


@pytest.mark.parametrize("axis", [0, -2, 2])
def test_an_axis_of_time(axis, tmp_path):
    cube = np.moveaxis(walk(600, 4, 3), 0, axis)
    written(tmp_path / "x", cube, BbansCodec(axis=axis))
    assert (zarr.open_array(tmp_path / "x")[:] == cube).all()
    [chunk] = chunks(tmp_path / "x")
    assert (bbans.decompress(chunk.read_bytes()) == cube).all()
    with chunk.open("rb") as file:
        facts = str(bbans.formats.describe(file))
    assert (f"axis {axis % 3} first" in facts) == (axis != 0)


def images(*shape, dtype="u1"):
    """Frames of something smooth that moves, with noise."""
    places = np.indices(shape)
    smooth = 90 + sum(20 * np.sin(place / (7 + i)) for i, place in enumerate(places))
    noise = np.random.default_rng(0).normal(size=shape)
    return np.rint(smooth + noise).astype("i8").astype(dtype)


def facts_of(chunk):
    with chunk.open("rb") as file:
        return bbans.formats.describe(file)


@pytest.mark.parametrize("dtype", ["u1", ">i2", "u4", "?", "M8[s]", "f4", "c8"])
@pytest.mark.parametrize(
    ("axes", "shape", "cut"),
    [
        ("tyx", (6, 30, 40), (4, 30, 25)),
        ("yxt", (30, 40, 6), (30, 40, 5)),
        ("tyx", (1, 30, 40), (1, 30, 40)),  # of bytes with an axis behind
        ("tyxc", (2, 20, 30, 3), (2, 20, 30, 3)),
        (("depth", "band", "lat", "lon"), (3, 2, 20, 30), (2, 2, 20, 30)),
        ("tyx", (300, 2, 3), (200, 2, 3)),  # few places: series
        ("tyx", (300, 4, 40), (200, 4, 40)),
        ("yx", (30, 3), (20, 3)),
    ],
)
def test_axes(axes, shape, cut, dtype, tmp_path):
    array = images(*shape, dtype=dtype)
    written(tmp_path / "x", array, BbansCodec(axes=axes), chunks=cut)
    assert (zarr.open_array(tmp_path / "x")[:] == array).all()


def test_what_codes_a_chunk_of_images(tmp_path):
    array = images(12, 60, 70)
    frames = images(1, 60, 70)
    for name, x, axes, wanted in [
        ("named", array, "tyx", "1 grid"),
        ("by lengths", array, None, "1 grid"),
        ("a frame", frames, "tyx", "1 grid"),
        ("a frame by lengths", frames, None, "1 grid"),
        ("moved", array.transpose(1, 2, 0), "yxt", "1 grid"),
        ("few", images(600, 5, 6), "tyx", "1 signal"),
    ]:
        written(tmp_path / name, x, BbansCodec(axes=axes))
        assert (zarr.open_array(tmp_path / name)[:] == x).all()
        [chunk] = chunks(tmp_path / name)
        assert facts_of(chunk)["blocks"] == wanted, name
    series = size_of_chunks(tmp_path / "by lengths"), tmp_path / "series"
    written(series[1], array, BbansCodec(axis=0))
    assert series[0] < 0.9 * size_of_chunks(series[1])


def test_axes_that_a_chunk_cannot_have_are_refused(tmp_path):
    array = images(9, 10, 2, 3)
    with pytest.raises(ModelError, match=r"x\.transpose\(2, 3, 0, 1\)"):
        written(tmp_path / "x", array, BbansCodec(axes="yxtz"))


def test_axes_of_chunks_in_fortran_order(tmp_path):
    """Its transpose is what is coded, with the same axes."""
    array = images(7, 30, 40, dtype="u2")
    for number, axes in enumerate(["tyx", None]):
        sizes = []
        for order in "C", "F":
            path = tmp_path / f"{number}{order}"
            zarr.create_array(path, data=array, zarr_format=2, order=order,
                              compressors=Bbans(axes=axes))  # fmt: skip
            assert (zarr.open_array(path)[:] == array).all()
            sizes.append((path / "0.0.0").stat().st_size)
        assert abs(sizes[0] - sizes[1]) < 0.03 * sizes[0]
    four = images(2, 3, 20, 30)
    zarr.create_array(tmp_path / "4", data=four, zarr_format=2, order="F",
                      compressors=Bbans(axes="tzyx"))  # fmt: skip
    assert (zarr.open_array(tmp_path / "4")[:] == four).all()


def test_a_group_of_the_second_format(tmp_path):
    group = zarr.open_group(tmp_path / "x", mode="w", zarr_format=2)
    array = walk(300, 2, dtype=">i2")
    for order in "C", "F":
        group.create_array(order, data=array, chunks=(70, 2), order=order,
                           compressors=Bbans(level=3))  # fmt: skip
    again = zarr.open_group(tmp_path / "x", mode="r")
    for order in "C", "F":
        assert (again[order][:] == array).all()
        assert again[order].dtype == array.dtype
    meta = json.loads((tmp_path / "x/C/.zarray").read_text())
    assert meta["compressor"] == {"id": "bbans", "level": 3}


@pytest.mark.parametrize("version", [2, 3])
def test_a_process_that_never_imports_bbans(version, tmp_path):
    array = walk(500, 3)
    options = (
        {"zarr_format": 2, "compressors": Bbans()}
        if version == 2
        else {"serializer": BbansCodec(), "compressors": None}
    )
    zarr.create_array(tmp_path / "x", data=array, chunks=(100, 3), **options)
    code = (
        "import sys, zarr; assert 'bbans' not in sys.modules; "
        "print(zarr.open_array(sys.argv[1])[:].sum())"
    )
    out = subprocess.check_output(
        [sys.executable, "-c", code, tmp_path / "x"], text=True, cwd="/"
    )
    assert int(out) == array.sum()


def test_it_is_smaller_than_zstd(tmp_path):
    t = np.arange(20_000)[:, None]
    noise = np.random.default_rng(0).normal(size=(20_000, 2))
    array = np.rint(3000 * np.sin(t / [40, 55]) + 3 * noise).astype("i2")
    written(tmp_path / "mine", array, chunks=(10_000, 2))
    zarr.create_array(tmp_path / "zstd", data=array, chunks=(10_000, 2),
                      compressors=zarr.codecs.ZstdCodec(level=19))  # fmt: skip
    assert size(tmp_path / "mine") < 0.7 * size(tmp_path / "zstd")


# ---- settings


@pytest.mark.parametrize(
    "codec",
    [
        BbansCodec(),
        BbansCodec(level=1),
        BbansCodec(axis=-1),
        BbansCodec(axes="tyx"),
        BbansCodec(axes=("time", "lat", "lon")),
        BbansCodec(model="0123456789abcdef"),
        BbansCodec(2, 0, HMM.random(2, 3, seed=0).freeze()),
    ],
    ids=repr,
)
def test_settings_go_through_json(codec):
    data = json.loads(json.dumps(codec.to_dict()))
    assert data["name"] == "bbans"
    again = BbansCodec.from_dict(data)
    assert again == codec
    assert hash(again) == hash(codec)
    assert again != BbansCodec(level=4)
    assert (again.level, again.axis, again.model, again.axes) == (
        codec.level, codec.axis, codec.model, codec.axes,
    )  # fmt: skip
    assert pickle.loads(pickle.dumps(codec)) == codec


def test_it_is_shown():
    assert repr(BbansCodec(level=3, axis=1)) == "BbansCodec(level=3, axis=1)"
    shown = repr(BbansCodec(model=HMM.random(2, 3, seed=0).freeze()))
    assert len(shown) < 200


def test_a_name_without_settings_is_enough():
    assert BbansCodec.from_dict({"name": "bbans"}) == BbansCodec()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"name": "zstd"}, "codec must be 'bbans', not 'zstd'"),
        ({"name": "bbans", "configuration": {"speed": 1}}, "no setting 'speed'"),
        ({"name": "bbans", "configuration": {"level": 12}}, "1 to 9, not 12"),
        ({"name": "bbans", "configuration": {"axes": "tyy"}}, "a name twice"),
        ({"name": "bbans", "configuration": {"axes": ["t", 3]}}, "letter for each"),
        ({"name": "bbans", "configuration": {"axes": "tyx", "axis": 0}}, "one of them"),
    ],
)
def test_settings_that_are_none(data, text):
    with pytest.raises(ModelError, match=text):
        BbansCodec.from_dict(data)


def test_the_size_of_a_chunk_is_not_known_before():
    with pytest.raises(NotImplementedError):
        BbansCodec().compute_encoded_size(100, None)
    assert not BbansCodec.is_fixed_size


# ---- models


MODEL = HMM.random(3, 3, concentration=0.1, seed=0)
FROZEN = MODEL.freeze()


@pytest.fixture
def nothing_registered(monkeypatch):
    monkeypatch.setattr("bbans.integrations.models._registered", {})


def test_a_model_inside_the_metadata(tmp_path, nothing_registered):
    array = MODEL.sample(5000, seed=0)[0].astype("u1")
    written(tmp_path / "with", array, BbansCodec(model=FROZEN), chunks=(2000,))
    written(tmp_path / "without", array, chunks=(2000,))
    assert size_of_chunks(tmp_path / "with") < size_of_chunks(tmp_path / "without")
    code = "import sys, zarr; print(zarr.open_array(sys.argv[1])[:].sum())"
    out = subprocess.check_output(
        [sys.executable, "-c", code, tmp_path / "with"], text=True, cwd="/"
    )
    assert int(out) == array.sum()


def test_a_model_by_its_fingerprint(tmp_path, nothing_registered):
    array = MODEL.sample(5000, seed=0)[0].astype("u1")
    written(tmp_path / "x", array, BbansCodec(model=register(FROZEN)), chunks=(2000,))
    assert FROZEN.fingerprint.hex() in (tmp_path / "x/zarr.json").read_text()
    assert (zarr.open_array(tmp_path / "x")[:] == array).all()
    FROZEN.save(tmp_path / "model.bbm")
    command = [
        sys.executable, "-c",
        "import sys, zarr; print(zarr.open_array(sys.argv[1])[:].sum())",
        tmp_path / "x",
    ]  # fmt: skip
    lost = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert lost.returncode == 1
    assert f"needs the model {FROZEN.fingerprint.hex()}" in lost.stderr
    found = subprocess.check_output(
        command, text=True, cwd="/", env={"BBANS_MODELS": str(tmp_path / "model.bbm")}
    )
    assert int(found) == array.sum()


def test_a_model_that_is_missing(tmp_path, nothing_registered):
    codec = BbansCodec(model="0123456789abcdef")
    with pytest.raises(WrongModelError, match=r"bbans\.integrations\.register"):
        written(tmp_path / "x", walk(10), codec)


# ---- faults


def test_damaged_chunks_are_named(tmp_path):
    array = walk(100, 3)
    written(tmp_path / "x", array, chunks=(50, 3))
    damaged, whole = chunks(tmp_path / "x")
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    again = zarr.open_array(tmp_path / "x")
    with pytest.raises(CorruptError, match="block 0 is damaged"):
        again[:]
    assert (again[50:] == array[50:]).all()
    damaged.write_bytes(whole.read_bytes()[:-5])
    with pytest.raises(bbans.FormatError):
        again[:50]


@pytest.mark.parametrize(
    "other",
    [walk(150).reshape(50, 3)[:40], walk(50, 3).astype("i8"), walk(50, 3) / 2],
    ids=["shape", "type", "floats"],
)
@pytest.mark.parametrize("dtype", ["i4", "f8"])
def test_chunks_of_another_array(other, dtype, tmp_path):
    written(tmp_path / "x", walk(50, 3).astype(dtype))
    if other.dtype == dtype and other.shape == (50, 3):
        other = other[:10]
    [chunk] = chunks(tmp_path / "x")
    chunk.write_bytes(Bbans().encode(other))
    with pytest.raises((CorruptError, bbans.LimitError)):
        zarr.open_array(tmp_path / "x")[:]


def test_text_of_any_length_is_refused(tmp_path):
    text = np.array(["a", "bcd"], np.dtypes.StringDType())
    with pytest.raises(ValueError, match="VLenUTF8Codec"):  # zarr sees to it
        written(tmp_path / "x", text)
    dtype = zarr.dtype.VariableLengthUTF8()
    with pytest.raises(TypeError, match="the codec vlen-utf8"):
        BbansCodec().validate(shape=(2,), dtype=dtype, chunk_grid=None)


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        (BbansCodec(axis=2), r"has no axis 2"),
        (BbansCodec(axes="tyx"), r"'tyx' name 3 axes, but an array of shape \(10, 2\)"),
        (BbansCodec(model=FROZEN), "a model codes integers, not float64"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(codec, text, tmp_path):
    with pytest.raises(ModelError, match=text):
        written(tmp_path / "x", walk(10, 2) / 2, codec)
    assert not chunks(tmp_path / "x")


# ---- what stands above zarr


def test_dask_and_xarray(tmp_path):
    xarray = pytest.importorskip("xarray")
    dask = pytest.importorskip("dask.array")
    times = np.datetime64("2026-01-01", "ns") + np.arange(500) * np.timedelta64(1, "m")
    data = xarray.Dataset(
        {
            "level": (("time", "place"), walk(500, 4)),
            "wind": (("time", "place"), walk(500, 4) / 8),
        },
        coords={"time": times, "place": ["a", "bb", "c", "d"]},
    )
    codec = {"serializer": BbansCodec(), "compressors": None}
    lazy = data.chunk(time=120)
    lazy.to_zarr(
        tmp_path / "x", zarr_format=3, encoding={"level": codec, "wind": codec}
    )
    again = xarray.open_zarr(tmp_path / "x", consolidated=False)
    assert isinstance(again.level.data, dask.Array)
    xarray.testing.assert_identical(again.load(), data)
    part = xarray.open_zarr(tmp_path / "x", consolidated=False).level[130:300:7, 1:3]
    assert (part.compute() == data.level[130:300:7, 1:3]).all()
    again = xarray.open_zarr(tmp_path / "x", consolidated=False)
    assert float(again.wind.mean()) == float(data.wind.mean())


def weather():
    xarray = pytest.importorskip("xarray")
    times = np.datetime64("2026-01-01", "ns") + np.arange(30) * np.timedelta64(1, "h")
    where = ("lat", "lon")
    data = xarray.Dataset(
        {
            "rain": (("time", *where), images(30, 20, 25, dtype="i2")),
            "heat": ((*where, "time"), images(20, 25, 30, dtype="f4") / np.float32(4)),
            "land": (where, images(20, 25) > 90),
            "station": (("place", "time"), walk(5, 30)),
            "wide": (("time", "place"), walk(30, 5)),
            "name": (("place",), np.array(["a", "b", "c", "d", "e"], object)),
            "packed": (("time", *where), images(30, 20, 25, dtype="f8") / 8 + 1),
            "one": ((), 7),
        },
        coords={"time": times, "lat": np.arange(20.0), "lon": np.arange(25.0)},
    )
    data.packed.encoding = {"dtype": "int16", "scale_factor": 0.125, "add_offset": 1.0,
                            "_FillValue": -9, "source": "elsewhere"}  # fmt: skip
    return xarray, data


@pytest.mark.parametrize("version", [2, 3])
def test_encodings_from_the_dims_of_xarray(version, tmp_path):
    xarray, data = weather()
    from bbans.integrations.xarray import encoding

    found = encoding(data, 3, zarr_format=version)
    assert found.keys() == {*data.variables} - {"name"}
    of = "compressors" if version == 2 else "serializer"
    codecs = {name: found[name][of] for name in found}
    assert {codec.level for codec in codecs.values()} == {3}
    assert codecs["rain"].axes == ["time", "lat", "lon"]
    assert codecs["heat"].axes == ["lat", "lon", "time"]
    assert codecs["land"].axes == ["lat", "lon"]
    assert (codecs["station"].axis, codecs["station"].axes) == (1, None)
    assert (codecs["wide"].axis, codecs["wide"].axes) == (0, None)
    assert (codecs["time"].axis, codecs["time"].axes) == (None, None)
    kept = found["packed"].keys() - {"compressors", "serializer"}
    assert kept == {"dtype", "scale_factor", "add_offset", "_FillValue"}
    data = data.drop_vars("name")
    data.to_zarr(
        tmp_path / "x", zarr_format=version, consolidated=False, encoding=found
    )
    again = xarray.open_zarr(tmp_path / "x", consolidated=False).load()
    xarray.testing.assert_identical(again, data)
    assert again.packed.encoding["dtype"] == np.dtype("i2")
    chunked = again.chunk(time=7)
    chunked.to_zarr(tmp_path / "y", zarr_format=version, consolidated=False,
                    encoding=encoding(chunked, zarr_format=version))  # fmt: skip
    again = xarray.open_zarr(tmp_path / "y", consolidated=False).load()
    xarray.testing.assert_identical(again, data)


def test_an_array_of_xarray_by_its_dims():
    _, data = weather()
    from bbans.integrations.xarray import compress, encoding

    for name in {*data.data_vars} - {"name"}:
        blob = compress(data[name], level=4)
        found = bbans.decompress(blob)
        assert found.dtype == data[name].dtype
        assert (found == data[name].values).all()
    wanted = bbans.compress(
        data.rain.values.transpose(1, 2, 0), bbans.formats.GridCoder("yxt")
    )
    assert compress(data.rain.transpose("lat", "lon", "time")) == wanted
    assert len(compress(data.rain, block_size=3000)) > len(wanted)
    assert encoding(data.rain).keys() == {"rain", "time", "lat", "lon"}
    nameless = data.rain.rename(None)
    assert "__xarray_dataarray_variable__" in encoding(nameless)


def test_what_is_nothing_of_xarray():
    _, data = weather()
    from bbans.integrations.xarray import compress, encoding

    with pytest.raises(ModelError, match="a Dataset or a DataArray of xarray"):
        encoding(np.zeros(3))
    with pytest.raises(ModelError, match="zarr_format must be 2 or 3, not 4"):
        encoding(data, zarr_format=4)
    with pytest.raises(ModelError, match="1 to 9, not 0"):
        encoding(data, 0)
    with pytest.raises(ModelError, match="a DataArray of xarray"):
        compress(np.zeros((3, 4)))
    with pytest.raises(bbans.SymbolError):
        compress(data.name)


def test_dask_in_processes(tmp_path):
    dask = pytest.importorskip("dask.array")
    array = walk(600, 2)
    lazy = dask.from_array(array, chunks=(150, 2))
    target = zarr.create_array(
        tmp_path / "x", shape=array.shape, dtype=array.dtype, chunks=(150, 2),
        serializer=BbansCodec(), compressors=None,
    )  # fmt: skip
    dask.store(lazy, target, scheduler="processes", num_workers=2, lock=False)
    assert (zarr.open_array(tmp_path / "x")[:] == array).all()
    again = dask.from_zarr(str(tmp_path / "x"))
    assert (again.sum(axis=0).compute(scheduler="processes", num_workers=2)
            == array.sum(axis=0)).all()  # fmt: skip
