"""A chunk of an array store: any array as one container, and back.

docs/format.md, "Chunks of array stores".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans._records import Buffer
from bbans.api import compress, decompress
from bbans.errors import CorruptError, ModelError, SymbolError
from bbans.formats.axes import Axes, as_axes, axes_text, default_axes, laid
from bbans.formats.coders import (
    LEVEL_DEFAULT,
    LEVEL_MAX,
    ByteCoder,
    Coder,
    ModelCoder,
    SignalCoder,
)
from bbans.formats.container import (
    AXES_MAX,
    BLOCK_BYTES_MAX,
    ContainerReader,
    float_element,
)
from bbans.formats.grid_coder import axes_coder, is_grid
from bbans.frozen.base import FrozenModel
from bbans.integrations.models import as_reference, find_model, is_fingerprint

__all__ = ["ChunkCodec", "ChunkCoder"]

_BYTE = np.dtype(np.uint8)


def _is_number(dtype: np.dtype[Any]) -> bool:
    """Whether elements are coded by their values; else by their bytes."""
    return dtype.kind in "iubmM" or float_element(_real(dtype)) is not None


def _real(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of both parts of complex numbers; another is as it is."""
    if dtype.kind != "c":
        return dtype
    return np.dtype(f"{dtype.str[0]}f{dtype.itemsize // 2}")


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("=")


@dataclass(frozen=True)
class ChunkCoder:
    """Makes bytes of chunks, and chunks of bytes.

    Parameters
    ----------
    level : int
        From 1, fast, to 9, small.
    axis : int, optional
        The axis of a chunk along which its values are sampled; negative from the last
        back. By default as `compress` has it.
    model : FrozenModel or str, optional
        What codes integers. A model goes into the configuration whole; a str is its
        fingerprint, or its file in base64.
    axes : str or sequence of str, optional
        What the axes of a chunk are, as `GridCoder` takes it; not with `axis`.

    Raises
    ------
    ModelError
        If these are none.
    """

    level: int = LEVEL_DEFAULT
    axis: int | None = None
    model: str | None = None
    axes: Axes | None = None

    @classmethod
    def of(
        cls,
        level: int,
        axis: int | None,
        model: FrozenModel | str | None,
        axes: Any = None,
    ) -> ChunkCoder:
        """One of what users pass."""
        if axis is not None and axes is not None:
            raise ModelError(
                f"axis={axis!r} is the time of series, and axes={axes!r} are those of "
                "images: pass one of them"
            )
        return cls(
            as_integer(level, "level", 1, LEVEL_MAX),
            axis if axis is None else as_integer(axis, "axis", -AXES_MAX, AXES_MAX - 1),
            as_reference(model),
            as_axes(axes),
        )

    def to_config(self) -> dict[str, Any]:
        """What JSON says of it: all that is not as by default, and the level."""
        config = asdict(self)
        if self.axes is not None:
            config["axes"] = axes_text(self.axes)
        return {k: v for k, v in config.items() if k == "level" or v is not None}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ChunkCoder:
        """The coder of a configuration.

        Raises
        ------
        ModelError
            If it has keys or values that this release does not know.
        """
        if unknown := config.keys() - {"level", "axis", "model", "axes"}:
            raise ModelError(
                "the codec 'bbans' of this release has no setting "
                f"{sorted(unknown)[0]!r}: it knows level, axis, model and axes"
            )
        return cls.of(**{"level": LEVEL_DEFAULT, "axis": None, "model": None, **config})

    def shown(self) -> str:
        """Its settings, as after the name of a class."""
        config = self.to_config()
        if self.model is not None and not is_fingerprint(self.model):
            config["model"] = find_model(self.model)
        return f"({', '.join(f'{key}={value!r}' for key, value in config.items())})"

    def transposed(self, shape: tuple[int, ...]) -> ChunkCoder:
        """For the transpose of an array of this shape: the same axes."""
        axes = self.axes
        if axes is None and self.axis is None and is_grid(shape):
            axes = default_axes(shape)
        if axes is not None:
            behind = axes[::-1]
            try:
                laid(shape[::-1], behind)
            except SymbolError:  # as it is in memory, it can be no grid of these
                return replace(self, axes=None)
            return replace(self, axes=behind)
        axis = self._axis(shape)
        if axis is None and SignalCoder(self.level).width(shape) > 1:
            axis = 0
        return self if axis is None else replace(self, axis=len(shape) - 1 - axis)

    def check(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        """Refuse chunks that cannot be coded.

        Raises
        ------
        TypeError
            If their elements are objects.
        ModelError
            If they have no such axes, or elements that a model does not code.
        """
        if dtype.hasobject or dtype.kind == "T":
            raise TypeError(
                f"an array of {dtype} cannot be coded: give text a fixed width, as by "
                ".astype('U16'), or the codec vlen-utf8; give numbers one type, as by "
                ".astype('i8')"
            )
        if self.model is not None and dtype.kind not in "iu":
            raise ModelError(f"a model codes integers, not {dtype}")
        self._axis(shape)
        if self.axes is not None:
            try:
                laid(shape, self.axes)
            except SymbolError as error:
                raise ModelError(str(error)) from None

    # ---- chunks

    def encode(self, array: NDArray[Any]) -> bytes:
        """Code an array in C order.

        Raises
        ------
        TypeError
            If it holds objects.
        ModelError
            If it has no such axes, or elements that a model does not code.
        WrongModelError
            If the model is not at hand.
        """
        self.check(array.dtype, array.shape)
        if not _is_number(array.dtype):
            return self._encode_bytes(array)
        coder = replace(self, axis=self._axis(array.shape))
        if array.dtype.kind == "c":  # both parts are channels, as columns are, or bands
            by_default = coder.axis is None and coder.axes is None
            if by_default and SignalCoder(self.level).width(array.shape) > 1:
                coder = replace(coder, axis=0)
            coder = coder._with_band()
            array = np.array(array, order="C")[..., None].view(_real(array.dtype))
        if array.dtype == _BYTE and array.ndim == 3 and array.shape[0] == 1:
            array = array[..., None]  # three axes from 1 on are planes
            coder = coder._with_band()
        if self.model is not None:
            try:
                return compress(array, ModelCoder(find_model(self.model), self.level))
            except SymbolError:
                pass  # as what fills a chunk at the edge
        return coder._encode_values(array)

    def _with_band(self) -> ChunkCoder:
        """For an array with one more axis behind."""
        if self.axes is None:
            return self
        bands = ("c", "s", "band", "channel", "sample")
        band = next((name for name in bands if name not in self.axes), "rgba")
        return replace(self, axes=(*self.axes, band))

    def _encode_values(self, array: NDArray[Any]) -> bytes:
        """Code an array by its values."""
        found: Coder | None = None
        if self.axis is not None:
            found = SignalCoder(self.level, self.axis)
        elif self.axes is not None:
            found = axes_coder(self.axes, array.shape, self.level)
        return compress(array, found, level=self.level if found is None else None)

    def encode_little(self, array: NDArray[Any]) -> bytes:
        """Code an array whose byte order is no part of it: as `encode`."""
        return self.encode(array.astype(array.dtype.newbyteorder("<"), copy=False))

    def _axis(self, shape: tuple[int, ...]) -> int | None:
        """The axis of time of an array of this shape."""
        if self.axis is None or not shape:
            return None
        if not -len(shape) <= self.axis < len(shape):
            raise ModelError(f"a chunk of shape {shape} has no axis {self.axis}")
        return self.axis % len(shape)

    def _encode_bytes(self, array: NDArray[Any]) -> bytes:
        """Code elements by their bytes: as they are, or the first of all of them, then
        the second, and so on, each under frequencies of its own."""
        width = array.dtype.itemsize
        data = np.frombuffer(array.tobytes(), np.uint8)
        coder = ByteCoder(level=self.level)
        plain = compress(data, coder)
        n = data.size // max(width, 1)
        if not 2 <= width <= n:
            return plain
        planes = np.ascontiguousarray(data.reshape(1, n, width).swapaxes(1, 2))
        apart = compress(planes, coder, block_size=min(n, BLOCK_BYTES_MAX))
        return min(plain, apart, key=len)

    def decode(self, data: Buffer, max_bytes: int | None = None) -> NDArray[Any]:
        """Restore the elements of a chunk: one axis, in C order.

        Returns
        -------
        ndarray
            Elements that were coded by their bytes are returned as bytes, and complex
            numbers as floats, two for each.

        Raises
        ------
        WrongModelError
            If the chunk names a model that is not at hand.
        TruncatedError, CorruptError, VersionError, FormatError, LimitError
            If it is damaged, no chunk, or takes more bytes.
        """
        data = bytes(data)
        header = ContainerReader(memoryview(data)).header
        coder = None
        if header.fingerprint and not header.name:
            coder = ModelCoder(find_model(self.model, header.fingerprint.hex()))
        array = decompress(data, coder, kind=np.ndarray, max_bytes=max_bytes)
        if array.dtype == _BYTE and array.ndim == 3 and array.shape[0] == 1:
            array = np.ascontiguousarray(array[0].T)
        return array.reshape(-1)

    def decode_as(
        self, data: Buffer, dtype: np.dtype[Any], shape: tuple[int, ...]
    ) -> NDArray[Any]:
        """Restore what `encode_little` coded, of this type and shape.

        Raises
        ------
        CorruptError
            If it is of another; other errors are those of `decode`.
        """
        size = math.prod(shape)
        values = self.decode(data, size * dtype.itemsize)
        if not _is_number(dtype):
            little = dtype.newbyteorder("<")
            if values.dtype == _BYTE and values.size == size * dtype.itemsize:
                return values.view(little).astype(dtype, copy=False).reshape(shape)
        elif values.nbytes == size * dtype.itemsize and (
            _native(values.dtype) == _native(_real(dtype))
        ):
            values = values.astype(_real(dtype), copy=False)
            return values.view(dtype).reshape(shape)
        raise CorruptError(
            f"a chunk holds {values.size} elements of {values.dtype}, not those of an "
            f"array of {dtype} and shape {shape}"
        )


class ChunkCodec:
    """The settings of a codec of a library, as those of its `ChunkCoder`."""

    def __init__(
        self,
        level: int = LEVEL_DEFAULT,
        axis: int | None = None,
        model: FrozenModel | str | None = None,
        axes: str | Sequence[str] | None = None,
    ) -> None:
        self._coder = ChunkCoder.of(level, axis, model, axes)

    @property
    def level(self) -> int:
        """From 1, fast, to 9, small."""
        return self._coder.level

    @property
    def axis(self) -> int | None:
        """The axis along which a chunk was sampled."""
        return self._coder.axis

    @property
    def model(self) -> str | None:
        """The model's fingerprint, or its file in base64."""
        return self._coder.model

    @property
    def axes(self) -> str | list[str] | None:
        """What the axes of a chunk are."""
        axes = self._coder.axes
        return None if axes is None else axes_text(axes)
