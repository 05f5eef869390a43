"""Float models of every class: their files, and copies; what was damaged is noticed."""

import copy
import io
import pickle

import numpy as np
import pytest
from shared import random_network

import bbans
from bbans import (
    ARHMM,
    HMM,
    LGSSM,
    FactorialHMM,
    GaussianHMM,
    HierarchicalHMM,
    LatentTree,
    PoissonHMM,
)
from bbans.errors import (
    CorruptError,
    FormatError,
    ModelError,
    TruncatedError,
    VersionError,
)
from bbans.models.base import FloatModel

CHAIN = ([0.25, 0.75], [[0.5, 0.5], [0.125, 0.875]])
MODELS = {
    "HMM": HMM.random(7, 3, concentration=0.3, seed=1),
    "characters": HMM(*CHAIN, [[0.5, 0.25, 0.25]] * 2, alphabet="\0aé"),
    "surrogate": HMM([1], [[1]], [[0.5, 0.5]], alphabet="a\ud800"),
    "integers": HMM(*CHAIN, [[0.5, 0.5]] * 2, alphabet=[-5, 2**63 - 1]),
    "GaussianHMM": GaussianHMM(*CHAIN, [0, 3.5], [2, 0], -5, 6),
    "far GaussianHMM": GaussianHMM([1], [[1]], [-(2.0**63)], [9], -(2**63), 9 - 2**63),
    "PoissonHMM": PoissonHMM(*CHAIN, [0, 3.5], 9),
    "FactorialHMM": FactorialHMM(
        [CHAIN, ([1, 0, 0], np.full((3, 3), 1 / 3))],
        np.full((2, 3, 2), 0.5),
        alphabet="xy",
    ),
    "HierarchicalHMM": HierarchicalHMM.random([3, 1, 2], 5, seed=4),
    "levels of characters": HierarchicalHMM(
        [[[0.25, 0.75]] * 2, CHAIN[0]],
        [[CHAIN[1], CHAIN[1][::-1]], CHAIN[1]],
        [[0.5, 0.5], [0.25, 0.75]],
        alphabet="xy",
    ),
    "ARHMM": ARHMM.fit(["abcabdab", "abdabcab"], 2, order=2, n_iter=2),
    "LatentTree": LatentTree(
        [-1, 0, 0],
        [1, -1, 0],
        [0.25, 0.75],
        np.full((2, 2, 2), 0.5),
        [np.full((2, 3), 1 / 3), [[0.5, 0.5], [0.25, 0.75]]],
    ),
    "LGSSM": LGSSM([[0.9, 0.1], [0, 0.5]], [[3, 1]], np.eye(2), [[4]]),
    "LGSSM in time": LGSSM(
        np.full((4, 1, 1), 0.5), [[1], [2]], [[1]], np.eye(2), [3], [[2]], [1], [0, 7]
    ),
}
CLASSES = [HMM, GaussianHMM, FactorialHMM, HierarchicalHMM, ARHMM, LGSSM, LatentTree]


KINDS = [
    (b"abcabc", "bytes"),
    ("abcabc", "text"),
    ([97, 98, 255, 97], "integers"),
    (np.array([97, 255, 97], np.uint8), "integers"),
    ([memoryview(b"abc"), bytearray(b"ab")], "bytes"),
    (lambda: iter([b"ab", b"ba"]), "bytes"),
]


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


def check_same(a, b):
    """To the last bit, and with it what they freeze to."""
    assert type(a) is type(b)
    assert repr(a) == repr(b)
    ours, theirs = a._arrays(), b._arrays()
    assert list(ours) == list(theirs)
    for name, array in ours.items():
        assert array.dtype == theirs[name].dtype
        np.testing.assert_array_equal(array, theirs[name])
    assert a.freeze() == b.freeze()


def test_files_give_the_model_back(model, path):
    path.write_bytes(b"an older file")
    model.save(path)
    check_same(type(model).load(str(path)), model)
    check_same(FloatModel.load(path), model)
    assert [p.name for p in path.parent.iterdir()] == ["model.npz"]
    with np.load(path, allow_pickle=False) as arrays:  # anyone can read it
        assert arrays["model"] == type(model).__name__.encode()
        for name, array in model._arrays().items():
            np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.parametrize(
    "way",
    [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_are_the_model(model, way):
    again = way(model)
    check_same(again, model)
    assert again.history == model.history


def test_a_copy_keeps_the_history_and_stays_read_only():
    fitted = pickle.loads(pickle.dumps(HMM.fit("abcab", 2, n_iter=2)))
    assert len(fitted.history) == 3
    assert not fitted.emission.flags.writeable


@pytest.mark.parametrize(("data", "kind"), KINDS)
@pytest.mark.parametrize(
    ("fit", "n_states"),
    [(HMM.fit, 2), (ARHMM.fit, 2), (HierarchicalHMM.fit, [2, 2])],
    ids=["HMM", "ARHMM", "HierarchicalHMM"],
)
def test_the_kind_is_that_of_the_data(path, data, kind, fit, n_states):
    model = fit(data, n_states, n_iter=1)
    assert model.kind == model.freeze().kind == kind
    model.save(path)
    assert type(model).load(path).kind == kind
    frozen = model.freeze()
    x = next(data()) if callable(data) else data
    if isinstance(data, list):
        x = np.array(data) if kind == "integers" else data[0]
    again = frozen.decode(frozen.encode(x), len(x))
    assert np.array_equal(again, x) if kind == "integers" else again == x


def test_kinds_of_gaussians_and_of_alphabets_that_are_given():
    assert GaussianHMM.fit(b"\0\xff" * 9, 1, n_iter=1).kind == "bytes"
    assert GaussianHMM.fit([0, 255] * 9, 1, n_iter=1).freeze().kind == "integers"
    assert GaussianHMM.fit(b"aaa", 1, n_iter=1, high=300).kind == "integers"
    assert HMM.fit(b"aba", 1, n_iter=1, alphabet=[97, 98]).kind == "bytes"
    assert HMM.fit("aba", 1, n_iter=1, alphabet=256).kind == "bytes"  # as UTF-8
    assert HMM.fit(b"aba", 1, n_iter=1, alphabet=[97, 98, 256]).kind == "integers"
    online = HMM.fit_online(iter([[b"aba"], [b"ba"]]), 1)
    assert online.kind == "bytes"
    with pytest.raises(ModelError, match="0 to 255, not of 0 to 256"):
        GaussianHMM([1], [[1]], [0], [1], 0, 256, kind="bytes")


def test_the_mode_is_chosen_when_freezing(model):
    assert model.freeze().mode == "iconoclasm"
    predictive = model.freeze(predictive=True)
    assert predictive.mode == "predictive"
    assert predictive == model.freeze().with_mode("predictive")
    assert predictive != model.freeze()


def test_a_class_loads_its_own_kinds_only(model, path):
    model.save(path)
    for kind in CLASSES:
        if isinstance(model, kind):
            assert type(kind.load(path)) is type(model)
        else:
            name = type(model).__name__
            with pytest.raises(FormatError, match=rf"not a saved .*{name}\.load"):
                kind.load(path)


def test_files_open_for_writing_will_do(model, path):
    file = io.BytesIO()
    model.save(file)
    path.write_bytes(file.getvalue())
    check_same(type(model).load(path), model)


def test_a_failed_save_leaves_the_old_file(path, monkeypatch):
    path.write_bytes(b"an older file")

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        HMM.random(2, 2, seed=0).save(path)
    assert path.read_bytes() == b"an older file"
    assert [p.name for p in path.parent.iterdir()] == ["model.npz"]


@pytest.mark.parametrize("name", [kind.__name__ for kind in CLASSES])
def test_every_cut_and_flip_is_noticed(name, path):
    model = MODELS[name]
    model.save(path)
    content = path.read_bytes()
    for size in range(0, len(content), 1 if name == "HMM" else 13):
        path.write_bytes(content[:size])
        with pytest.raises(TruncatedError):
            type(model).load(path)
    harmless = 0
    flips = [(p, f) for p in range(len(content)) for f in (0x01, 0xFF)]
    for position, flip in flips if name == "HMM" else flips[::7]:
        damaged = bytearray(content)
        damaged[position] ^= flip
        path.write_bytes(damaged)
        try:
            again = type(model).load(path)
        except FormatError:
            continue
        harmless += 1  # dates and attributes of the archive's members
        check_same(again, model)
    assert harmless < len(flips) / 2


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format_version": np.array(1)}, VersionError),
        ({"format_version": np.array(3)}, VersionError),
        ({"format_version": np.array([2])}, CorruptError),
        ({"format_version": np.array(2.0)}, CorruptError),
        ({"format_version": None}, FormatError),
        ({"model": np.array(b"HMMM")}, VersionError),
        ({"model": np.array("HMM")}, CorruptError),
        ({"model": np.array(b"LGSSM")}, FormatError),
        ({"model": np.array(b"GaussianHMM")}, CorruptError),
        ({"model": np.array(b"ARHMM")}, FormatError),
        ({"model": None}, CorruptError),
        ({"initial": np.array([0.5, 0.6])}, CorruptError),
        ({"initial": np.array([0.5, 0.5], dtype=np.float32)}, CorruptError),
        ({"initial": np.array([None, None])}, CorruptError),
        ({"transition": np.full((2, 2), np.nan)}, CorruptError),
        ({"transition": np.asfortranarray([[0.1, 0.9], [1, 0]])}, CorruptError),
        ({"emission": np.full((2, 0), 0.5)}, CorruptError),
        ({"emission": None}, CorruptError),
        ({"emissions": np.full((2, 2), 0.5)}, CorruptError),
        ({"alphabet": np.array([2, 1])}, CorruptError),
        ({"alphabet": np.array([2**31, 2**32 - 1], dtype=np.uint32)}, CorruptError),
    ],
)
def test_well_formed_nonsense_is_refused(path, change, error):
    HMM.random(2, 2, seed=0).save(path)
    with np.load(path) as arrays:
        content = {**arrays, **change}
    with open(path, "wb") as file:
        np.savez(file, **{k: v for k, v in content.items() if v is not None})
    with pytest.raises(error):
        HMM.load(path)


def test_an_entry_that_another_hides_is_missed(path):
    """A length in the directory of the archive that takes the entry behind it in, too:
    a bias that a network may have or not."""
    network = random_network([3], 2, np.random.default_rng(1))
    network.save(path)
    content = path.read_bytes()
    start = int.from_bytes(content[-6:-2], "little")  # of the directory
    refused = 0
    for position in range(start, len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0x80
        path.write_bytes(damaged)
        try:
            again = type(network).load(path)
        except FormatError:
            refused += 1
            continue
        found, arrays = again._arrays(), network._arrays()
        assert found.keys() == arrays.keys()
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert refused > 100


@pytest.mark.parametrize("kind", CLASSES)
def test_files_of_other_kinds_are_refused(path, kind):
    name = kind.__name__
    arrays = MODELS[name]._arrays()
    np.savez_compressed(path, format_version=2, model=name.encode(), **arrays)
    with pytest.raises(CorruptError, match="compressed"):
        kind.load(path)
    np.savez(path, **arrays)
    with pytest.raises(FormatError, match="other arrays"):
        kind.load(path)
    file = io.BytesIO()  # a header that promises more than there is
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f8", "fortran_order": False, "shape": (2**20, 2**20)}
    )
    path.write_bytes(file.getvalue())
    with pytest.raises(FormatError, match=f"not a saved {name}: this is a numpy array"):
        kind.load(path)
    path.write_bytes(bbans.HMM([1], [[1]], [[1]]).freeze().to_bytes())
    with pytest.raises(FormatError, match="load_model reads it"):
        kind.load(path)
    with pytest.raises(FileNotFoundError):
        kind.load(path.with_name("missing.npz"))
