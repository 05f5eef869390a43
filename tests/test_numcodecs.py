"""The codec of numcodecs: every type and layout by numcodecs' own checks, its settings,
the models it finds, and what it refuses."""

import base64
import json
import pickle
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st
from shared import random_hmm

import bbans
from bbans import HMM
from bbans.errors import FormatError, ModelError, WrongModelError
from bbans.integrations import register

WHY = "needs pip install 'bbans[zarr]'"
numcodecs = pytest.importorskip("numcodecs", reason=WHY)
common = pytest.importorskip("numcodecs.tests.common", reason=WHY)
Bbans = pytest.importorskip("bbans.integrations.numcodecs", reason=WHY).Bbans

DTYPES = [
    "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", ">i2", ">u4", ">i8",
    "f2", "f4", "f8", ">f8", "c8", "?", "M8[ns]", "m8[s]", ">M8[ms]", "S3", "U4", "V5",
]  # fmt: skip


def values(dtype):
    """600 values of a type: a walk."""
    dtype = np.dtype(dtype)
    walk = np.random.default_rng(0).integers(-100, 100, 600).cumsum()
    if dtype.kind == "V":
        return walk.astype("S5").view(dtype)
    if dtype.kind in "SU":
        return walk.astype("S5").astype(dtype)
    return walk.astype("i8").astype(dtype)


def frozen(array):
    array.flags.writeable = False
    return array


LAYOUTS = {
    "1-d": lambda x: x,
    "2-d": lambda x: x.reshape(100, 6),
    "2-d, Fortran": lambda x: np.asfortranarray(x.reshape(100, 6)),
    "3-d": lambda x: x.reshape(10, 6, 10),
    "empty": lambda x: x[:0],
    "empty, 2-d": lambda x: x.reshape(100, 6)[:0],
    "one": lambda x: x[:1],
    "0-d": lambda x: x[:1].reshape(()),
    "read-only": lambda x: frozen(x.copy()),
    "strided": lambda x: x[::2],
    "strided, 2-d": lambda x: x.reshape(20, 30)[::2, ::3],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_numcodecs_own_check(dtype, layout):
    array = LAYOUTS[layout](values(dtype))
    if array.flags.c_contiguous or array.flags.f_contiguous:
        common.check_encode_decode(array, Bbans())
    else:  # numcodecs promises nothing here; this codec takes them in C order
        found = Bbans().decode(Bbans().encode(array))
        assert found.view(np.uint8).tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.array([0, 2**64 - 1, 2**63], "u8"),
        np.array([-(2**63), 2**63 - 1, 0], "i8"),
        np.array(["NaT", "2026-01-01", "1677-09-22"], "M8[ns]"),
        np.array([np.nan, -0.0, np.inf, 5e-324]),
        np.array([(1, b"a", 2.0), (2, b"bc", -1.0)] * 50, "i4,S3,>f8"),
        np.arange(850, dtype="i4").reshape(50, 17),
        np.arange(600, dtype="u1").reshape(1, 4, 150),
        np.arange(600, dtype="u1").reshape(1, 4, 150, 1),
        np.arange(600, dtype="u1").reshape(1, 600),
        np.arange(600, dtype="i1").reshape(1, 2, 300),
        np.asfortranarray(np.arange(600, dtype="u1").reshape(150, 4, 1)),
        np.zeros((3, 0, 4), "f4"),
        np.zeros(5, "S0"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_extremes_and_shapes_that_could_be_mistaken(array):
    common.check_encode_decode(array, Bbans())
    common.check_encode_decode(array, Bbans(level=1))


SCALARS = st.one_of(
    np_st.boolean_dtypes(),
    np_st.integer_dtypes(endianness="?"),
    np_st.unsigned_integer_dtypes(endianness="?"),
    np_st.floating_dtypes(endianness="?"),
    np_st.complex_number_dtypes(endianness="?"),
    np_st.datetime64_dtypes(endianness="?"),
    np_st.timedelta64_dtypes(endianness="?"),
    np_st.byte_string_dtypes(endianness="?", max_len=9),
    np_st.unicode_string_dtypes(endianness="?", max_len=5),
)
ARRAYS = np_st.arrays(
    st.one_of(SCALARS, np_st.array_dtypes(SCALARS, max_size=3, allow_subarrays=True)),
    np_st.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6),
)


@settings(max_examples=60, deadline=None)
@given(ARRAYS, st.permutations(range(4)), st.integers(1, 9), st.none() | st.just(0))
def test_any_array(array, order, level, axis):
    array = array.transpose([i for i in order if i < array.ndim])
    codec = Bbans(level=level, axis=axis)
    found = codec.decode(codec.encode(array)).view(np.uint8).tobytes()
    fortran = array.flags.f_contiguous
    assert found == array.tobytes("A" if fortran else "C")


def test_a_chunk_is_a_container():
    walk = values("i4").reshape(100, 6)
    assert (bbans.decompress(Bbans().encode(walk)) == walk).all()
    image = values("u1").reshape(1, 4, 150)
    found = bbans.decompress(Bbans().encode(image))
    assert found.shape == (1, 4, 150, 1)
    text = np.array(["left", "right"] * 300)
    planes = bbans.decompress(Bbans().encode(text))
    assert planes.shape == (1, 20, 600)
    assert planes.dtype == np.uint8
    assert planes[0].T.tobytes() == text.tobytes()


@pytest.mark.parametrize("dtype", [">f2", "<f4", ">f8", "c8", ">c16"])
def test_floats_are_arrays_of_their_type(dtype):
    """Every bit of them; complex numbers are real and imaginary parts."""
    dtype = np.dtype(dtype)
    octets = np.random.default_rng(0).bytes(600 * dtype.itemsize)
    for array in (values(dtype), np.frombuffer(octets, dtype)):
        for shaped in (array, array.reshape(100, 6), array.reshape(4, 5, 30)):
            chunk = Bbans().encode(shaped)
            found = bbans.decompress(chunk)
            assert found.tobytes() == shaped.tobytes()
            pair = (2,) if dtype.kind == "c" else ()
            assert found.shape == shaped.shape + pair
            assert found.dtype.kind == "f"
            assert (found.dtype.str[0] == ">") == (dtype.str[0] == ">")
            assert Bbans().decode(chunk).tobytes() == shaped.tobytes()


def test_floats_that_numpy_does_not_have():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        array = values("f4").astype(getattr(ml_dtypes, name)).reshape(100, 6)
        for laid in (array, np.asfortranarray(array)):
            found = Bbans().decode(Bbans().encode(laid))
            assert found.dtype.kind == "u"  # which has a buffer
            assert found.tobytes() == laid.tobytes("A")


def test_columns_of_complex_numbers_are_channels():
    rng = np.random.default_rng(0)
    pair = np.round(rng.normal(size=(3000, 2)), 1).cumsum(0) @ [[1, 1], [0, 1j]]
    alone = Bbans().encode(pair)
    assert alone == bbans.compress(
        pair[..., None].view("f8"), bbans.formats.SignalCoder(axis=0)
    )


def test_bytes_that_planes_would_lengthen_are_as_they_are():
    noise = np.frombuffer(np.random.default_rng(0).bytes(800), "V8")
    chunk = Bbans().encode(noise)
    assert bbans.decompress(chunk).shape == (800,)
    assert len(chunk) < 800 + 60


def both_channels():
    rng = np.random.default_rng(0)
    left = rng.integers(-9, 9, 4000).cumsum()
    return np.stack([left, left + rng.integers(0, 3, 4000)], 1).astype("i4")


def test_channels_stay_channels_in_either_order():
    both = both_channels()
    c, fortran = (len(Bbans().encode(x)) for x in (both, np.asfortranarray(both)))
    assert c < 0.95 * len(Bbans().encode(both.ravel()))
    assert fortran <= c + 2


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("dtype", "place", "axis"),
    [
        ("i4", 0, 0), ("i4", 1, 1), ("i4", 2, 2), ("i4", 0, -3), ("i4", 2, -1),
        ("u1", 1, -2), (">i8", 1, 1), ("M8[s]", 2, 2), ("?", 0, 0),
    ],
)  # fmt: skip
def test_an_axis_of_time(dtype, place, axis, order):
    cube = both_channels().reshape(2000, 2, 2).astype("i8").astype(dtype)
    cube = np.asarray(np.moveaxis(cube, 0, place), order=order)
    codec = Bbans(axis=axis)
    chunk = codec.encode(cube)
    common.compare_arrays(cube, Bbans().decode(chunk))  # the chunk says which
    out = np.empty_like(cube)
    codec.decode(chunk, out=out)
    assert (out == cube).all()
    rows = np.moveaxis(cube, place, 0).reshape(2000, 4)
    assert len(chunk) <= len(Bbans().encode(rows)) * 1.01 + 8


# ---- settings


@pytest.mark.parametrize(
    "statement", ["Bbans(level=5)", "Bbans(level=9)", "Bbans(level=1, axis=-1)"]
)
def test_settings_are_shown(statement, monkeypatch):
    monkeypatch.setattr(common, "Bbans", Bbans, raising=False)
    common.check_repr(statement)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"level": 1},
        {"axis": 2},
        {"axis": -1},
        {"model": "0123456789abcdef"},
        {"model": bbans.default_model()},
        {"model": random_hmm(3, [-5, 0, 7]), "level": 9, "axis": 0},
    ],
    ids=str,
)
def test_settings_go_through_json(options):
    codec = Bbans(**options)
    common.check_config(codec)
    config = json.loads(json.dumps(codec.get_config()))
    again = numcodecs.get_codec(config)
    assert type(again) is Bbans
    assert (again.level, again.axis, again.model) == (
        codec.level, codec.axis, codec.model,
    )  # fmt: skip
    assert hash(again) == hash(codec)
    assert again != Bbans(level=4)
    assert pickle.loads(pickle.dumps(codec)) == codec


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"level": 0}, "level must be an integer, 1 to 9, not 0"),
        ({"level": "5"}, "level must be an integer"),
        ({"axis": 0.5}, "axis must be an integer"),
        ({"axis": 99}, "axis must be an integer"),
        ({"model": "x"}, "model must be a frozen model, the 16 hexadecimal digits"),
        ({"model": "0123456789ABCDEF"}, "16 hexadecimal digits"),
        ({"model": base64.b64encode(b"junk").decode()}, "or a model file in base64"),
        ({"model": 7}, "model"),
    ],
)
def test_settings_that_are_none(options, text):
    with pytest.raises(ModelError, match=text):
        Bbans(**options)


def test_a_setting_of_a_later_release_is_named():
    with pytest.raises(ModelError, match="no setting 'flavour'"):
        numcodecs.get_codec({"id": "bbans", "level": 5, "flavour": "x"})


def test_backwards_compatibility(tmp_path, monkeypatch):
    """Twice: the first call writes the files that the second reads."""
    monkeypatch.chdir(tmp_path)
    arrays = [values(dtype) for dtype in ("i2", "f4", "U4")]
    codecs = [Bbans(), Bbans(level=1)]
    for _ in range(2):
        common.check_backwards_compatibility("bbans", arrays, codecs)


# ---- models

FLOAT_HMM = HMM.random(3, 3, concentration=0.1, seed=0)
MODEL = FLOAT_HMM.freeze()


@pytest.fixture
def nothing_registered(monkeypatch):
    monkeypatch.setattr("bbans.integrations.models._registered", {})


def sequence(n=2000, dtype="i4"):
    return FLOAT_HMM.sample(n, seed=0)[0].astype(dtype)


def fingerprint_of(chunk):
    return bbans.open(BytesIO(chunk), MODEL)._header.fingerprint


def test_a_model_inside(nothing_registered):
    codec = Bbans(model=MODEL)
    common.check_encode_decode(sequence(600), codec)
    common.check_encode_decode(sequence(600, ">i2").reshape(100, 6), codec)
    x = sequence()
    assert fingerprint_of(codec.encode(x)) == MODEL.fingerprint
    assert len(codec.encode(x)) < len(Bbans().encode(x))
    again = numcodecs.get_codec(json.loads(json.dumps(codec.get_config())))
    assert (again.decode(codec.encode(x)) == x).all()
    assert MODEL.fingerprint.hex() in repr(codec) or "FrozenHMM" in repr(codec)


def test_a_model_by_its_fingerprint(nothing_registered):
    name = MODEL.fingerprint.hex()
    codec, x = Bbans(model=name), sequence()
    needs = f"needs the model {name}.*bbans.integrations.register.*BBANS_MODELS"
    with pytest.raises(WrongModelError, match=needs):
        codec.encode(x)
    assert register(MODEL) == name
    chunk = codec.encode(x)
    assert fingerprint_of(chunk) == MODEL.fingerprint
    assert (codec.decode(chunk) == x).all()
    assert (Bbans().decode(chunk) == x).all()  # the chunk says which


def test_a_chunk_whose_model_is_missing(nothing_registered):
    chunk = Bbans(model=MODEL).encode(sequence())
    with pytest.raises(WrongModelError, match=MODEL.fingerprint.hex()):
        Bbans().decode(chunk)
    with pytest.raises(WrongModelError, match=MODEL.fingerprint.hex()):
        Bbans(model=random_hmm(2, 3)).decode(chunk)


def test_models_that_are_shipped_need_nothing(nothing_registered):
    text = np.frombuffer(b"All happy families are alike. " * 20, np.uint8)
    name = bbans.default_model().fingerprint.hex()
    chunk = Bbans(model=name).encode(text)
    assert len(chunk) < 0.6 * text.size
    assert (Bbans().decode(chunk) == text).all()


@pytest.mark.parametrize("folder", [False, True])
def test_models_of_the_environment(folder, tmp_path, monkeypatch, nothing_registered):
    random_hmm(2, 3).save(tmp_path / "another.bbm")
    MODEL.save(tmp_path / "mine.bbm")
    named = tmp_path if folder else tmp_path / "mine.bbm"
    monkeypatch.setenv("BBANS_MODELS", str(named))
    codec = Bbans(model=MODEL.fingerprint.hex())
    assert (codec.decode(codec.encode(sequence())) == sequence()).all()


def test_a_file_of_the_environment_that_is_no_model(tmp_path, monkeypatch):
    (tmp_path / "x.bbm").write_bytes(b"junk")
    monkeypatch.setenv("BBANS_MODELS", str(tmp_path))
    with pytest.raises(WrongModelError, match=r"x\.bbm, which BBANS_MODELS names"):
        Bbans(model="0123456789abcdef").encode(sequence())


def test_what_the_model_cannot_code_is_coded_without(nothing_registered):
    x = sequence()
    x[-3:] = 3  # no symbol, as what fills a chunk
    codec = Bbans(model=MODEL)
    assert codec.encode(x) == Bbans().encode(x)
    assert (codec.decode(codec.encode(x)) == x).all()


@pytest.mark.parametrize("dtype", ["f8", "M8[s]", "?", "S3"])
def test_a_model_codes_integers_only(dtype):
    with pytest.raises(ModelError, match="a model codes integers, not"):
        Bbans(model=MODEL).encode(values(dtype))


# ---- faults


def test_objects_are_refused():
    common.check_err_encode_object_buffer(Bbans())
    common.check_err_decode_object_buffer(Bbans())
    for array in (
        np.array(["a", "bc"], object),
        np.zeros(3, [("a", "i4"), ("b", object)]),
    ):
        with pytest.raises(TypeError, match=r"\.astype\('U16'\), or the codec vlen"):
            Bbans().encode(array)


def test_masks_are_not_lost():
    masked = np.ma.masked_array([1, 2, 3], [0, 1, 0])
    with pytest.raises(ModelError, match=r"\.filled\(value\)"):
        Bbans().encode(masked)


def test_an_axis_that_a_chunk_has_not():
    with pytest.raises(ModelError, match=r"shape \(600,\) has no axis 1"):
        Bbans(axis=1).encode(values("i4"))


@pytest.mark.parametrize("dtype", ["i4", "f8", "U4"])
def test_damage_is_found(dtype):
    chunk = Bbans().encode(values(dtype))
    for at in range(len(chunk)):
        damaged = bytearray(chunk)
        damaged[at] ^= 1 << at % 8
        with pytest.raises(FormatError):
            Bbans().decode(damaged)
        with pytest.raises(FormatError):
            Bbans().decode(chunk[:at])


def test_what_is_no_chunk():
    with pytest.raises(FormatError):
        Bbans().decode(b"no chunk at all")
    with pytest.raises(FormatError, match="holds text"):
        Bbans().decode(bbans.compress("text"))


def test_out_of_another_size():
    chunk = Bbans().encode(values("i4"))
    with pytest.raises(bbans.LimitError):
        Bbans().decode(chunk, out=bytearray(2399))
    with pytest.raises(ValueError, match="out holds 2401 bytes, the chunk 2400"):
        Bbans().decode(chunk, out=bytearray(2401))
    with pytest.raises(ValueError, match="read-only"):
        Bbans().decode(chunk, out=frozen(np.empty(600, "i4")))


# ---- entry points


def test_numcodecs_finds_it_by_itself():
    """In a process that never imports bbans."""
    chunk = Bbans().encode(values("i4"))
    code = (
        "import numcodecs, sys; assert 'bbans' not in sys.modules; "
        "codec = numcodecs.get_codec({'id': 'bbans', 'level': 5}); "
        f"print(codec.decode(bytes.fromhex('{chunk.hex()}')).sum())"
    )
    out = subprocess.check_output([sys.executable, "-c", code], text=True, cwd="/")
    assert int(out) == values("i4").sum()


def test_bbans_imports_neither():
    code = (
        "import bbans, bbans.integrations, sys; bbans.compress; bbans.HMM; "
        "print({'numcodecs', 'zarr', 'xarray'} & {*sys.modules})"
    )
    out = subprocess.check_output([sys.executable, "-c", code], text=True, cwd="/")
    assert out == "set()\n"


@pytest.mark.parametrize("name", ["numcodecs", "zarr", "xarray"])
def test_what_is_missing_is_named(name):
    code = f"import sys; sys.modules['{name}'] = None\nimport bbans.integrations.{name}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 1
    assert f"bbans.integrations.{name} needs {name}" in done.stderr
    assert "pip install 'bbans[zarr]'" in done.stderr
