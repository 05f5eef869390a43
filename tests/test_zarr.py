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
    assert (again.level, again.axis, again.model) == (
        codec.level, codec.axis, codec.model,
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
