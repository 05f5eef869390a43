"""The codec of numcodecs and zarr 2, which they find under the name "bbans"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bbans._arguments import as_array
from bbans.formats.arrays import stored
from bbans.formats.container import FIRST_EXTENSION, float_element
from bbans.integrations.chunks import ChunkCodec, ChunkCoder

try:
    from numcodecs.abc import Codec
    from numcodecs.compat import ensure_contiguous_ndarray, ensure_ndarray
except ImportError as error:
    raise ImportError(
        "bbans.integrations.numcodecs needs numcodecs: pip install 'bbans[zarr]'"
    ) from error

__all__ = ["Bbans"]


class Bbans(ChunkCodec, Codec):  # type: ignore[misc]
    """Compresses arrays of any type that is not of objects; sensors above all.

    Numbers, booleans, dates and durations are coded by a model of each chunk, which is
    fitted to it, floats to the bit; all else by its bytes.

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
    >>> import numpy as np
    >>> codec = Bbans(level=5)
    >>> data = codec.encode(np.arange(1000))
    >>> int(codec.decode(data)[-1])
    999
    """

    codec_id = "bbans"

    def encode(self, buf: Any) -> bytes:
        """Compress an array.

        Parameters
        ----------
        buf : array or buffer
            In C or Fortran order, which is that of the elements when they are
            restored; any other is taken in C order.

        Raises
        ------
        TypeError
            If it holds objects.
        ModelError
            If it has not the axis, or the model is for other types.
        WrongModelError
            If the model is not at hand.
        """
        if isinstance(buf, np.ndarray):
            array = as_array(buf, "a chunk")  # refuses a mask, which would be lost
        else:
            array = ensure_ndarray(buf)
        coder = self._coder
        if array.flags.f_contiguous and not array.flags.c_contiguous:
            array, coder = array.T, coder.transposed(array.shape)
        return coder.encode(array)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Restore the elements of an array, in their order in memory.

        Parameters
        ----------
        buf : buffer
            What `encode` returned.
        out : array or writable buffer, optional
            Of as many bytes as the array.

        Returns
        -------
        ndarray
            Of one axis; dates and durations as int64, complex numbers as pairs of
            floats, floats that numpy does not have as the unsigned integers of their
            bits, text and structures as bytes. Or `out`.

        Raises
        ------
        WrongModelError
            If a model is needed that is not at hand.
        TruncatedError, CorruptError, VersionError, FormatError
            If `buf` is damaged, or no chunk.
        ValueError
            If `out` has another size.
        """
        data = ensure_contiguous_ndarray(buf).view(np.uint8).data
        if out is None:
            values = self._coder.decode(data)
            if (
                values.dtype.kind in "mM"
                or (float_element(values.dtype) or 0) >= FIRST_EXTENSION
            ):
                values = stored(values, 0)  # as these have no buffer
            return values
        target = ensure_contiguous_ndarray(out).view(np.uint8)
        values = self._coder.decode(data, target.size).view(np.uint8)
        if values.size != target.size:
            raise ValueError(f"out holds {target.size} bytes, the chunk {values.size}")
        target[:] = values
        return out

    def get_config(self) -> dict[str, Any]:
        """Everything that makes this codec, for JSON."""
        return {"id": self.codec_id, **self._coder.to_config()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Bbans:
        """The codec of a configuration.

        Raises
        ------
        ModelError
            If this release has no such settings.
        """
        coder = ChunkCoder.from_config(config)
        return cls(coder.level, coder.axis, coder.model, coder.axes)

    def __hash__(self) -> int:
        return hash(self._coder)

    def __repr__(self) -> str:
        return f"Bbans{self._coder.shown()}"
