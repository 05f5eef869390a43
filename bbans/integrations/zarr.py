"""The codec of zarr 3, which finds it under the name "bbans"."""

from __future__ import annotations

import asyncio
from typing import Any

from bbans.errors import ModelError
from bbans.integrations.chunks import ChunkCodec, ChunkCoder

try:
    import zarr.dtype  # noqa: F401  there is one from 3.1 on
    from zarr.abc.codec import ArrayBytesCodec
except ImportError as error:
    raise ImportError(
        "bbans.integrations.zarr needs zarr 3.1 or later, and that Python 3.11: "
        "pip install 'bbans[zarr]'"
    ) from error

__all__ = ["BbansCodec"]

NAME = "bbans"


class BbansCodec(ChunkCodec, ArrayBytesCodec):  # type: ignore[misc]
    """Compresses the chunks of an array of any type that is not of objects.

    It takes the place of zarr's `serializer`, as it sees what the values are: numbers,
    booleans, dates and durations are coded by a model of each chunk, which is fitted to
    it, floats to the bit; all else by its bytes. No compressor is needed behind.

    Parameters
    ----------
    level : int
        From 1, fast, to 9, small.
    axis : int, optional
        The axis of a chunk along which it was sampled, the others being channels;
        negative from the last back. By default the first of an array of two axes with
        few columns; other arrays are one series, or images.
    model : FrozenModel or str, optional
        What codes integers. A model goes into the array's metadata whole; a str is the
        fingerprint of one that comes with bbans, was passed to
        `bbans.integrations.register`, or is in a file that the environment variable
        BBANS_MODELS names. What it cannot code is coded as without it.
    axes : str or sequence of str, optional
        What the axes of a chunk are where it is of images, video, volumes or maps: a
        letter each, as "tyx", or names, as ("time", "lat", "lon"), which
        `bbans.formats.GridCoder` explains. By default the last two, but for up to 4
        bands behind them, are rows and columns if they have 8 or more each.

    Raises
    ------
    ModelError
        If these are none.

    Examples
    --------
    >>> import numpy as np, zarr
    >>> array = zarr.create_array(
    ...     {}, data=np.arange(1000), serializer=BbansCodec(), compressors=None
    ... )
    >>> int(array[-1])
    999
    """

    is_fixed_size = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BbansCodec) and self._coder == other._coder

    def __hash__(self) -> int:
        return hash((NAME, self._coder))

    def __repr__(self) -> str:
        return f"BbansCodec{self._coder.shown()}"

    def to_dict(self) -> dict[str, Any]:
        """What zarr.json says of it."""
        return {"name": NAME, "configuration": self._coder.to_config()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> BbansCodec:
        """The codec that zarr.json describes.

        Raises
        ------
        ModelError
            If it is another, or this release has no such settings.
        """
        if data.get("name") != NAME:
            raise ModelError(f"codec must be {NAME!r}, not {data.get('name')!r}")
        coder = ChunkCoder.from_config(data.get("configuration") or {})
        return cls(coder.level, coder.axis, coder.model, coder.axes)

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Refuse an array whose chunks this codec cannot code.

        Raises
        ------
        TypeError
            If its elements are objects.
        ModelError
            If it has not the axis, or the model is for other types.
        """
        self._coder.check(dtype.to_native_dtype(), shape)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """There is none: it depends on the values.

        Raises
        ------
        NotImplementedError
        """
        raise NotImplementedError(
            "the size of a compressed chunk depends on its values"
        )

    async def _encode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        array = chunk_data.as_numpy_array()
        data = await asyncio.to_thread(self._coder.encode_little, array)
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        array = await asyncio.to_thread(
            self._coder.decode_as,
            chunk_data.to_bytes(),
            chunk_spec.dtype.to_native_dtype(),
            chunk_spec.shape,
        )
        return chunk_spec.prototype.nd_buffer.from_numpy_array(array)
