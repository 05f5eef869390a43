"""What frozen models made of networks share: docs/maths.md, "VAEs and deep state space
models"."""

from __future__ import annotations

import math
import struct
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans._lib import check, ffi, lib
from bbans.distributions.location_scale import Gaussian
from bbans.errors import CorruptError, ModelError, TruncatedError
from bbans.frozen.alphabet import Rows
from bbans.frozen.base import (
    KINDS,
    MODES,
    FrozenModel,
    Kind,
    Mode,
    Start,
    check_end,
    header_bytes,
    read_header,
)
from bbans.frozen.head import NUMBERS as HEAD_NUMBERS
from bbans.frozen.head import Head, coarse, latents_law
from bbans.frozen.network import FrozenNetwork
from bbans.message.codec import Codec

__all__ = ["ORDERS", "NetworkModel", "NetworkSteps"]

#: Of a VAE's levels, by their numbers in files.
ORDERS = ("markov", "top-down")

NUMBERS = HEAD_NUMBERS + 5  # of the header: head, g, c, start bits, s, order
HEADER_BYTES = header_bytes(NUMBERS)
BODY = struct.Struct("<3I")  # what a network begins with: nodes, outputs, bytes

_Integers = NDArray[Any]


class FileHead(NamedTuple):
    """The header of a model file, after magic and version."""

    start: Start
    head: Head
    grid: int
    start_length: int
    start_bits: int
    start_shift: int
    order: int

    @property
    def n_networks(self) -> int:
        """Networks that follow: of a VAE two a level, of a deep model four."""
        return 2 * self.start.detail or 4

    def facts(self) -> dict[str, Any]:
        """What `bbans info` says of it."""
        law = self.head.law.replace("_", "-")
        if self.head.components:
            law += f" of {self.head.components} ({self.head.family})"
        levels = self.start.detail
        kind = "variational autoencoder" if levels else "deep state space model"
        facts: dict[str, Any] = {"kind": f"frozen {kind}"}
        if levels:
            facts["levels"] = f"{levels}, {ORDERS[self.order]}"
        return facts | {
            "observed": f"{self.head.width} of {self.head.low} .. {self.head.high}",
            "law": law,
            "grid": f"2^-{self.grid}",
        }


def read_head(data: bytes) -> FileHead:
    """Read the header of the model file that these bytes begin, of either type.

    Raises
    ------
    TruncatedError, CorruptError, VersionError, FormatError
        If they begin none of a model made of networks.
    """
    start, numbers = read_header(data, NUMBERS)
    try:
        head = Head.of_numbers(numbers[:HEAD_NUMBERS])
    except ModelError as error:
        raise CorruptError(f"model file is inconsistent: {error}") from error
    if start.listed:
        raise CorruptError("model file is inconsistent: it has an alphabet")
    found = FileHead(start, head, *numbers[HEAD_NUMBERS:])
    if found.order >= (len(ORDERS) if start.detail else 1):
        raise CorruptError("model file is inconsistent: its levels have no order")
    return found


class NetworkModel(FrozenModel):
    """A model whose conditionals are networks, with latents on a grid.

    Parameters
    ----------
    networks : dict of FrozenNetwork
        By their names, in the order of docs/format.md, "Model file".
    head : Head
        How the likelihood's outputs become the law of an observation.
    grid : int
        Latents are integers, in steps of ``2**-grid``, 0 to 15.
    start_length : int
        Observations at the end of a sequence that start it, 1 to 65535.
    start_bits : int
        The schedule starts from ``2**start_bits`` or more.
    start_shift : int
        Latents of these observations are on a grid that is coarser by
        ``2**start_shift``, 0 to 15.
    kind : {"integers", "bytes"}
        What an observation is given as: bytes, if its integers are.
    mode : {"iconoclasm", "predictive"}
        See `FrozenModel.mode`.

    Raises
    ------
    ModelError
        If an argument is none of these, or networks do not fit.
    """

    exact_predictive = False

    _DTYPE = np.int32
    _SPACE = "base", "space"

    _C: ClassVar[str]
    """The struct of C."""

    def __init__(
        self,
        networks: dict[str, FrozenNetwork],
        head: Head,
        *,
        grid: int,
        start_length: int,
        start_bits: int,
        start_shift: int,
        kind: Kind,
        mode: Mode,
    ) -> None:
        self._networks = networks
        self._head = head
        most = int(lib.BBANS_GRID_MAX)
        grid = as_integer(grid, "grid", 0, most)
        start_shift = as_integer(start_shift, "start_shift", 0, most)
        start_length = as_integer(start_length, "start_length", 1, lib.BBANS_START_MAX)
        start_bits = as_integer(start_bits, "start_bits", 0, lib.BBANS_START_MAX)
        self._alphabet = Rows(head.width, head.low, head.high, kind)
        self._array = ffi.new("bbans_network[]", [n.c[0] for n in networks.values()])
        c, c_head = ffi.new(f"{self._C} *"), ffi.new("bbans_head *")
        width, law, _, _, components, family = head.numbers()
        c_head[0] = (law, width, head.low, head.high, components, family)
        check(self._init(c, c_head, grid, start_length, start_bits, start_shift))
        super().__init__(c, mode)

    @abstractmethod
    def _init(self, c: Any, *arguments: Any) -> int:
        """Fill the struct of C, given head, g, c, start bits and s."""

    # ---- what it is

    @property
    def head(self) -> Head:
        """How the likelihood's outputs become the law of an observation."""
        return self._head

    @property
    def networks(self) -> dict[str, FrozenNetwork]:
        """The conditionals, by their names."""
        return dict(self._networks)

    @property
    def grid(self) -> int:
        """Latents are integers, in steps of ``2**-grid``."""
        return int(self.c.base.grid)

    @property
    def start_shift(self) -> int:
        """By how many bits the grid of the start's latents is coarser."""
        return int(self.c.base.start_shift)

    @property
    def alphabet(self) -> Rows:
        """What it codes: rows of integers within a range."""
        return self._alphabet

    @property
    def width(self) -> int:
        """Integers of an observation."""
        return self._head.width

    def observations(self, x: Any) -> NDArray[np.int32]:
        """Return the observations of a sequence as `state_space` takes them: in rows.

        Raises
        ------
        SymbolError
            If one is out of range, or there are no whole rows.
        """
        return self._observations(x)

    def _observations(self, x: Any) -> NDArray[np.int32]:
        return self._shaped(self.alphabet.encode(x))

    def _run(self, name: str, *given: _Integers) -> _Integers:
        """The outputs of a network, shape (..., outputs), for inputs of shape (...,
        inputs), whose elements are clipped to what it takes."""
        network, batch = self._networks[name], given[0].shape[:-1]
        kept = [
            np.clip(array, low, high).astype(np.int32).reshape(*batch, *shape)
            for array, shape, (low, high) in zip(
                given, network.inputs, network.input_ranges, strict=True
            )
        ]
        made = network(*kept)
        parts = made if isinstance(made, tuple) else (made,)
        return np.concatenate([part.reshape(*batch, -1) for part in parts], axis=-1)

    # ---- its file

    def _body(self, detail: int, order: int) -> bytes:
        header = self._header(
            detail, False, *self._head.numbers(), self.grid, self.start_length,
            self.start_bits, self.start_shift, order,
        )  # fmt: skip
        bodies = (network._body() for network in self._networks.values())
        return b"".join((header, *bodies))

    @classmethod
    def _parts(cls, data: bytes) -> tuple[FileHead, list[FrozenNetwork]]:
        """Header and networks of a model file.

        Raises
        ------
        ModelError, TruncatedError, CorruptError, VersionError
            If it is none.
        """
        head, at, places = read_head(data), HEADER_BYTES, []
        for _ in range(head.n_networks):
            if len(data) < at + BODY.size:
                raise TruncatedError("model file ends within its networks")
            size = BODY.unpack_from(data, at)[2]
            places.append(slice(at, at + size))
            at += size
        check_end(data, at)
        view = memoryview(data)
        return head, [FrozenNetwork._of_body(view[place])[0] for place in places]


def options_of(head: FileHead) -> dict[str, Any]:
    """What a header says of the arguments of its model."""
    return {
        "head": head.head,
        "grid": head.grid,
        "start_length": head.start_length,
        "start_bits": head.start_bits,
        "start_shift": head.start_shift,
        "kind": KINDS[head.start.kind],
        "mode": MODES[head.start.mode],
    }


def size_of(shapes: Iterable[tuple[int, ...]]) -> int:
    """Elements of tensors of these shapes together."""
    return sum(map(math.prod, shapes))


def check_fit(name: str, network: Any, inputs: Sequence[int], outputs: int) -> None:
    """That a network takes inputs of so many elements each, and gives so many.

    Raises
    ------
    ModelError
        If it does not.
    """
    given = [math.prod(shape) for shape in network.inputs]
    if given != list(inputs):
        raise ModelError(
            f"{name} takes inputs of {given} elements, where there are {list(inputs)}"
        )
    made = size_of(network.outputs)
    if made != outputs:
        raise ModelError(f"{name} has {made} outputs, where {outputs} are needed")


# ---- step by step


class Plain:
    """An observation without bits back: its latents are modes, which are coded too.

    Parameters
    ----------
    latents : Codec
        Of what `modes` returns.
    modes : callable
        ``modes(x)`` are the latents of x.
    likelihood : callable
        ``likelihood(modes)`` is the codec of x.
    """

    def __init__(
        self,
        latents: Any,
        modes: Callable[[_Integers], Any],
        likelihood: Callable[[Any], Any],
    ) -> None:
        self._latents, self._modes, self._likelihood = latents, modes, likelihood

    def push(self, message: Any, value: Any) -> None:
        """Push an observation, and then its modes."""
        modes = self._modes(value)
        self._likelihood(modes).push(message, value)
        self._latents.push(message, modes)

    def pop(self, message: Any) -> Any:
        """Pop an observation.

        Raises
        ------
        CorruptError
            If what is popped before it are not its modes.
        """
        modes = self._latents.pop(message)
        value = self._likelihood(modes).pop(message)
        if not all(map(np.array_equal, modes, self._modes(value))):
            raise CorruptError("latents are not the modes of what was decoded")
        return value


class NetworkSteps:
    """What the conditionals of models made of networks share.

    Parameters
    ----------
    frozen : NetworkModel
    batch : tuple of int
        Leading axes of observations and states: sequences that are coded in step.
    """

    exact_predictive = False
    """Whether `predictive` is P(x_t | x_1 .. x_t-1), or a code that is longer."""

    def __init__(self, frozen: Any, batch: tuple[int, ...] = ()) -> None:
        self._frozen, self._batch = frozen, batch
        self._run: Callable[..., _Integers] = frozen._run
        self.start_length = frozen.start_length
        self.start_bits = frozen.start_bits

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._frozen!r}, {self._batch})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._frozen, self._batch)

    def _standard(self, n: int, *, shift: int = 0) -> Gaussian:
        """N(0, 1) of n latents."""
        outputs = np.zeros((*self._batch, 2 * n), np.int32)
        outputs[..., n:] = 256 * self._frozen.grid
        return latents_law(outputs, leak=True, shift=shift)

    def _observed(self, outputs: _Integers) -> Codec[Any]:
        law: Codec[Any] = self._frozen.head.distribution(outputs)
        return law

    def _values(self, x: Any) -> NDArray[np.int32]:
        """Observations as networks take them, shape (..., width)."""
        shape = (*self._batch, self._frozen.width)
        rows: NDArray[np.int32] = self._frozen.alphabet.encode(x).reshape(shape)
        return rows

    def _mode(self, outputs: _Integers) -> _Integers:
        """The mode of a posterior, on the grid of the start."""
        location, _ = np.split(outputs, 2, axis=-1)
        return coarse(coarse(location.astype(np.int64), 16), self._frozen.start_shift)
