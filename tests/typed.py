"""What type checkers know of programs that use bbans: test_types.py checks this file.

It never runs. An error that is expected has its `type: ignore`, which is an error
itself if there is none.
"""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_type

import bbans
from bbans import RecordCodec, Records
from bbans.codecs import BitsBack, Codec, Dependent, Serial, decode_iid, encode_iid
from bbans.distributions import Categorical, Distribution, Gaussian, Table, Uniform
from bbans.formats import ByteCoder
from bbans.frozen import FrozenHierarchicalHMM, FrozenHMM, FrozenModel
from bbans.message import Message, RangeDecoder, RangeEncoder


class Letter:
    """A codec of the user's own: one of four letters."""

    def push(self, message: Message, value: str) -> None:
        message.push(Uniform(4), "abcd".index(value))

    def pop(self, message: Message) -> str:
        return "abcd"[message.pop(Uniform(4))]


def files(blob: bytes, model: FrozenModel) -> None:
    assert_type(bbans.compress("text"), bytes)
    assert_type(bbans.decompress(blob, kind=str), str)
    assert_type(bbans.decompress(blob, model, kind=bytes), bytes)
    assert_type(bbans.load_model("model.bbm"), FrozenModel)
    bbans.save("counts.bbz", [1, 2, 3], model, threads=2)
    assert_type(bbans.load("counts.bbz", model), NDArray[Any])
    bbans.compress_file(io.BytesIO(blob), io.BytesIO(), dtype=np.dtype(">i2"))
    bits = np.zeros(3, np.uint16)
    assert_type(bbans.compress(bits, dtype="bfloat16"), bytes)
    assert_type(bbans.compress([1.5], ByteCoder(level=3)), bytes)
    bbans.compress_file(io.BytesIO(blob), io.BytesIO(), dtype="bfloat16")
    text: str = bbans.decompress(blob, kind=bytes)  # type: ignore[assignment]
    bbans.compress(text, "model.bbm")  # type: ignore[arg-type]


def models() -> None:
    hmm = bbans.HMM.fit(["abc", "abd"], n_states=2)
    assert_type(hmm, bbans.HMM)
    frozen = hmm.freeze()
    assert_type(frozen, FrozenHMM)
    assert_type(frozen.encode("abc"), bytes)
    assert_type(frozen.with_mode("predictive"), FrozenHMM)
    frozen.with_mode("forward")  # type: ignore[arg-type]
    hmm.encode("abc")  # type: ignore[attr-defined]
    levels = bbans.HierarchicalHMM.fit(["abc", "abd"], [2, 2])
    assert_type(levels, bbans.HierarchicalHMM)
    assert_type(levels.freeze(), FrozenHierarchicalHMM)


def messages(values: NDArray[np.int64]) -> None:
    message, law = Message.seeded(bytes(100)), Gaussian(0.0, [1.0, 2.0])
    message.push(law, values)
    assert_type(message.pop(law, (2,)), NDArray[Any])
    assert_type(message.pop(law, out=values), NDArray[np.int64])
    assert_type(message.pop(Uniform(4), ()), int)
    message.push(Letter(), "a")  # type: ignore[arg-type]


def codecs(table: Table) -> None:
    letter: Codec[str] = Letter()
    number: Codec[int] = Letter()  # type: ignore[assignment]
    law: Distribution = Categorical(table, 0)
    number = law
    hidden = BitsBack(number, lambda z: letter, lambda x: Categorical(table, ord(x)))
    assert_type(hidden.pop(Message()), str)
    hidden.push(Message(), 3)  # type: ignore[arg-type]
    assert_type(Serial([letter, law]).pop(Message()), tuple[Any, ...])
    Dependent([law, lambda a: Uniform(a + 1), lambda a, b: Uniform(a + b)])
    message = encode_iid(["a", "d"], hidden)
    assert_type(decode_iid(message, hidden, 2), list[str])
    encode_iid([3], hidden)  # type: ignore[misc]

    encoder = RangeEncoder()
    encoder.encode(letter, "a")
    encoder.encode(law, 3)
    encoder.encode(letter, 3)  # type: ignore[misc]
    assert_type(RangeDecoder(encoder.finish()).decode(letter), str)


def records(path: str) -> None:
    codec = RecordCodec.train(["a", "b"], max_bytes=4096)
    assert_type(codec.encode("a"), bytes)
    Records.write(path, ["a", b"b"], codec, checksums=True)
    Records.write(path, [1], codec)  # type: ignore[list-item]
    with Records(path) as file:
        assert_type(len(file), int)
        assert_type(file[0], Any)
        assert_type(file[1:], list[Any])
        assert_type(file[[0, -1]], list[Any])
        assert_type(file[np.arange(2)], list[Any])
        file.append("a")
        file.append(3)  # type: ignore[arg-type]
