"""Arrays of other libraries, by DLPack: in and out, without these libraries."""

import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

import bbans
from bbans import Message
from bbans.distributions import (
    Bernoulli,
    Categorical,
    Gaussian,
    Table,
    Uniform,
    UniformRange,
    Weighted,
)
from bbans.message import RangeDecoder, RangeEncoder
from bbans.records import encode_batch


class Tensor:
    """What a library exports that numpy knows nothing of: DLPack alone."""

    def __init__(self, values, device=None, error=None):
        self.values = np.asarray(values)
        self.device, self.error = device, error

    def __dlpack_device__(self):
        return self.device or self.values.__dlpack_device__()

    def __dlpack__(self, **given):
        if self.error is not None:
            raise self.error
        return self.values.__dlpack__(**given)


class Old(Tensor):
    """One that exports capsules of before DLPack 1.0, which say nothing of writing."""

    def __dlpack__(self, **given):
        return self.values.__dlpack__()


SYMBOLS = np.random.default_rng(1).integers(0, 10, 300)
TABLE = Table.from_masses([[5.0, 1, 1, 1, 1, 1, 1, 1, 1, 9], [1.0] * 10])
MODEL = bbans.HMM.fit([SYMBOLS], 2, n_iter=1, progress=False).freeze()


def pushed(law, values):
    message = Message(lanes=8)
    message.push(law, values)
    return message.to_bytes()


def encoded(law, value):
    encoder = RangeEncoder()
    encoder.encode(law, value)
    return encoder.finish().to_bytes()


REALS = np.linspace(0.1, 0.9, 300)
TAKES = {
    "push": (lambda x: pushed(Uniform(10), x), SYMBOLS),
    "encode": (lambda x: encoded(UniformRange(0, 9, 300), x), SYMBOLS),
    "rows": (lambda x: pushed(Categorical(TABLE, x), SYMBOLS), SYMBOLS % 2),
    "weights": (lambda x: pushed(Weighted(x), SYMBOLS), np.full((300, 10), 0.1)),
    "locations": (lambda x: pushed(Gaussian(x, 2.0), SYMBOLS), REALS),
    "scales": (lambda x: pushed(Gaussian(0.0, x), SYMBOLS), REALS),
    "probabilities": (lambda x: pushed(Bernoulli(x), SYMBOLS % 2), REALS),
    "masses": (lambda x: Table.from_masses(x).cdf.tobytes(), REALS),
    "cdf": (lambda x: Table(x, 24).cdf.tobytes(), TABLE.cdf),
    "frozen encode": (lambda x: bbans.encode(x, MODEL), SYMBOLS),
    "encode_batch": (lambda x: encode_batch([x, x], MODEL), SYMBOLS),
    "fit": (
        lambda x: bbans.HMM.fit([x], 2, n_iter=1, progress=False).freeze().to_bytes(),
        SYMBOLS,
    ),
    "compress series": (bbans.compress, SYMBOLS),
    "compress floats": (bbans.compress, REALS),
    "compress image": (bbans.compress, SYMBOLS.reshape(15, 20).astype(np.uint8)),
    "compress under a model": (lambda x: bbans.compress(x, MODEL), SYMBOLS),
    "compress bfloat16": (
        lambda x: bbans.compress(x, dtype="bfloat16"), SYMBOLS.astype(np.uint16)
    ),
    "decompress": (
        bbans.decompress,
        np.frombuffer(bbans.compress(b"All happy families"), np.uint8),
    ),
    "from_bytes": (
        lambda x: Message.from_bytes(x).to_bytes(),
        np.frombuffer(pushed(Uniform(10), SYMBOLS), np.uint8),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKES)
@pytest.mark.parametrize("kind", [Tensor, Old])
def test_a_tensor_is_an_array(name, kind):
    take, values = TAKES[name]
    array = np.ascontiguousarray(values)
    assert str(take(kind(array.copy()))) == str(take(array))


@pytest.mark.parametrize("name", TAKES)
def test_a_tensor_of_a_gpu_is_refused(name):
    take, values = TAKES[name]
    with pytest.raises((bbans.BbansError, TypeError), match=r"CUDA GPU.*\.cpu\(\)"):
        take(Tensor(values, device=(2, 0)))


@pytest.mark.parametrize(("device", "text"), [
    ((2, 1), "a CUDA GPU"), ((8, 0), "a Metal GPU"), ((10, 0), "a ROCm GPU"),
    ((14, 3), "device 14:3 of DLPack"),
])  # fmt: skip
def test_the_device_is_named(device, text):
    with pytest.raises(bbans.SymbolError, match=f"values are on {text}: copy"):
        Message().push(Uniform(10), Tensor([1], device=device))


@pytest.mark.parametrize("name", TAKES)
def test_a_tensor_that_requires_a_gradient_is_refused(name):
    take, values = TAKES[name]
    error = BufferError("Can't export tensors that require gradient")
    with pytest.raises((bbans.BbansError, TypeError), match=r"gradient.*\.detach\(\)"):
        take(Tensor(values, error=error))


def test_an_array_that_numpy_has_no_type_for_is_refused():
    tensor = Tensor(np.zeros(3), error=BufferError("bfloat16 is not supported"))
    with pytest.raises(bbans.SymbolError, match=r"bfloat16, which numpy.*dtype="):
        bbans.compress(tensor)
    if not hasattr(ml_dtypes.bfloat16, "__dlpack__"):
        with pytest.raises(bbans.SymbolError, match=r"x\.view"):
            bbans.compress(Tensor(np.zeros(3, ml_dtypes.bfloat16)))


def test_values_are_popped_into_a_tensor():
    message = Message(lanes=8)
    message.push(Uniform(10), SYMBOLS)
    before, out = message.copy(), Tensor(np.zeros(300, np.int32))
    assert message.pop(Uniform(10), out=out) is out
    assert (out.values == SYMBOLS).all()
    for bad, text in [
        (Tensor(np.zeros(299, np.int32)), "shape"),
        (Tensor(np.zeros(300)), "writable, contiguous"),
        (Tensor(np.zeros(600, np.int32)[::2]), "writable, contiguous"),
        (Old(np.zeros(300, np.int32)), "writable, contiguous"),
        (Tensor(np.zeros(300, np.int32), device=(2, 0)), r"out are on a CUDA GPU"),
    ]:
        again = before.copy()
        with pytest.raises(bbans.SymbolError, match=text):
            again.pop(Uniform(10), 300, out=bad)
        assert again == before


def test_a_range_decoder_decodes_into_a_tensor():
    decoder = RangeDecoder(Message.from_bytes(encoded(Uniform(10, 300), SYMBOLS)))
    out = Tensor(np.zeros(300, np.uint8))
    assert decoder.pop(Uniform(10), out=out) is out
    assert (out.values == SYMBOLS).all()


@pytest.mark.parametrize("values", [SYMBOLS, REALS, SYMBOLS.astype(">i4")])
def test_a_container_is_restored_into_a_tensor(values):
    out = Tensor(np.zeros(values.nbytes, np.uint8))
    restored = bbans.decompress(bbans.compress(values), out=out)
    assert (restored == values).all()
    assert out.values.tobytes() == values.tobytes()
    text = Tensor(np.zeros(20, np.uint8))
    part = bbans.decompress(bbans.compress(b"All happy families"), out=text)
    assert bytes(part) == text.values[:18].tobytes() == b"All happy families"


def test_what_starts_without_random_bits_pops_into_a_tensor():
    def posterior(x):
        class Posterior:
            def push(self, message, z):
                message.push(Uniform(4), z)

            def pop(self, message):
                out = Tensor(np.zeros(2, np.int64))
                assert message.pop(Uniform(4), out=out) is out
                return out.values

        return Posterior()

    codec = bbans.codecs.BitsBack(
        Uniform(4, 2), lambda z: Categorical(TABLE, z % 2), posterior
    )
    values = [np.array([1, 2])] * 5
    message = bbans.codecs.encode_iid(values, codec)
    assert np.array_equal(bbans.codecs.decode_iid(message, codec, 5), values)


def test_results_are_exporters_themselves():
    message = Message(lanes=8)
    message.push(Uniform(10), SYMBOLS)
    for array in (
        message.pop(Uniform(10), 300),
        bbans.decompress(bbans.compress(REALS)),
        bbans.decode(bbans.encode(SYMBOLS, MODEL), MODEL, 300),
    ):
        again = np.from_dlpack(Tensor(array))
        assert np.shares_memory(again, array)
        assert array.__dlpack_device__()[0] == 1


def test_no_library_is_imported():
    code = "import bbans, sys; print({'torch', 'jax', 'scipy'} & set(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout == "set()\n"


def test_tensors_of_torch():
    torch = pytest.importorskip("torch")
    values = torch.from_numpy(SYMBOLS)
    assert pushed(Uniform(10), values) == pushed(Uniform(10), SYMBOLS)
    out = torch.zeros(300, dtype=torch.int32)
    message = Message.from_bytes(pushed(Uniform(10), SYMBOLS), 8)
    assert message.pop(Uniform(10), out=out) is out
    assert (out.numpy() == SYMBOLS).all()
    assert (torch.from_dlpack(message.pop(Uniform(1), 3)) == 0).all()
    with pytest.raises(bbans.SymbolError, match="detach"):
        Gaussian(torch.zeros(3, requires_grad=True), 1.0)
    halves = torch.linspace(0, 1, 300).to(torch.bfloat16)
    with pytest.raises(bbans.SymbolError, match="bfloat16"):
        bbans.compress(halves)
    bits = halves.view(torch.uint16)
    restored = bbans.decompress(bbans.compress(bits, dtype="bfloat16"))
    assert (restored.view(np.uint16) == bits.numpy()).all()


def test_arrays_of_jax():
    jnp = pytest.importorskip("jax.numpy")
    assert pushed(Uniform(10), jnp.asarray(SYMBOLS)) == pushed(
        Uniform(10), SYMBOLS.astype(np.int32)
    )
    values = jnp.linspace(0, 1, 300, dtype=jnp.bfloat16)
    restored = bbans.decompress(bbans.compress(values))
    assert (np.asarray(restored) == np.asarray(values)).all()
