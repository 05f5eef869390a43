"""Arrays of xarray, whose dims say what is coded as images, and what as series."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from bbans import api
from bbans._arguments import as_instance, as_integer
from bbans.errors import ModelError, SymbolError
from bbans.formats.axes import as_axes, kinds_of, says_space
from bbans.formats.coders import LEVEL_DEFAULT, LEVEL_MAX, Coder, SignalCoder
from bbans.formats.grid_coder import GridCoder, axes_coder

try:
    import xarray
except ImportError as error:
    raise ImportError(
        "bbans.integrations.xarray needs xarray: pip install 'bbans[zarr]' xarray"
    ) from error

__all__ = ["compress", "encoding"]

# What a variable that was read says of how it is stored, and what stays true.
_KEPT = "dtype scale_factor add_offset _FillValue missing_value units calendar"
_KEPT += " grid_mapping coordinates chunks shards"
# What no codec of numbers takes.
_TEXT = "OUST"
# Places that are channels at the most.
_CHANNELS_MAX = 64


def encoding(
    dataset: Any, level: int = LEVEL_DEFAULT, *, zarr_format: int = 3
) -> dict[Hashable, dict[str, Any]]:
    """The encoding by which ``dataset.to_zarr(path, encoding=..)`` writes with bbans.

    The dims of each variable decide its codec. With rows and columns, such as y and x
    or lat and lon, it is coded as images, one frame per time and level; with a dim of
    time but no rows and columns, as series along that dim. The scale, offset, fill
    value, units and chunks of a variable that was read from a file are kept.

    Parameters
    ----------
    dataset : xarray.Dataset or xarray.DataArray
    level : int
        From 1, fast, to 9, small.
    zarr_format : {3, 2}
        As passed to `to_zarr`.

    Returns
    -------
    dict
        An entry for each variable, except those of text or objects.

    Raises
    ------
    ModelError
        If these are none.

    Examples
    --------
    >>> import numpy as np, xarray
    >>> rain = xarray.DataArray(
    ...     np.zeros((5, 30, 40), "i2"), dims=("time", "lat", "lon"), name="rain"
    ... )
    >>> encoding(rain)["rain"]["serializer"]
    BbansCodec(level=5, axes=['time', 'lat', 'lon'])
    """
    level = as_integer(level, "level", 1, LEVEL_MAX)
    if isinstance(dataset, xarray.DataArray):
        name = "__xarray_dataarray_variable__" if dataset.name is None else dataset.name
        dataset = dataset.to_dataset(name=name)
    as_instance(
        dataset, xarray.Dataset, "dataset", "a Dataset or a DataArray of xarray"
    )
    if zarr_format not in (2, 3):
        raise ModelError(f"zarr_format must be 2 or 3, not {zarr_format!r}")
    found = {}
    for name, variable in dataset.variables.items():
        if variable.dtype.kind in _TEXT:
            continue
        kept = {key: variable.encoding[key] for key in _KEPT.split()
                if variable.encoding.get(key) is not None}  # fmt: skip
        if variable.chunks is not None:  # of dask, which are those that are written
            kept.pop("chunks", None), kept.pop("shards", None)
        coder = _coder_of(variable, dataset, level)
        settings: dict[str, Any] = {"level": level}
        if isinstance(coder, GridCoder):
            settings["axes"] = coder.axes
        elif isinstance(coder, SignalCoder):
            settings["axis"] = coder.axis
        found[name] = kept | _codec(settings, zarr_format)
    return found


def _codec(settings: dict[str, Any], zarr_format: int) -> dict[str, Any]:
    if zarr_format == 2:
        from bbans.integrations.numcodecs import Bbans

        return {"compressors": Bbans(**settings)}
    from bbans.integrations.zarr import BbansCodec

    return {"serializer": BbansCodec(**settings), "compressors": None}


def compress(array: Any, *, level: int = LEVEL_DEFAULT, **options: Any) -> bytes:
    """Compress the values of a DataArray; its dims say what the axes are.

    Parameters
    ----------
    array : xarray.DataArray
    level : int
        From 1, fast, to 9, small.
    **options
        `block_size` and `threads`, as of `bbans.compress`.

    Returns
    -------
    bytes
        `bbans.decompress` restores the values from it, as an array of numpy; names,
        coordinates and attributes are not kept.

    Raises
    ------
    ModelError
        If these are none.
    SymbolError
        If the values are no numbers.

    Examples
    --------
    >>> import bbans, numpy as np, xarray
    >>> y, x = np.mgrid[:40, :50]
    >>> stack = xarray.DataArray(np.stack([y + x, y - x], 2), dims=("y", "x", "time"))
    >>> bool((bbans.decompress(compress(stack)) == stack).all())
    True
    """
    as_instance(
        array, xarray.DataArray, "array", "a DataArray of xarray, as dataset[name]"
    )
    level = as_integer(level, "level", 1, LEVEL_MAX)
    coder = _coder_of(array.variable, array.coords, level)
    level_of_default = level if coder is None else None
    return api.compress(array.to_numpy(), coder, level=level_of_default, **options)


def _coder_of(variable: Any, coords: Any, level: int) -> Coder | None:
    """What the dims of a variable say; None: what its shape does."""
    dims, shape = [str(dim) for dim in variable.dims], variable.shape
    times = [i for i, dim in enumerate(variable.dims) if _is_time(dim, coords)]
    try:
        axes = as_axes(dims)
        assert axes is not None
        kinds = kinds_of(axes)
        in_space = [i for i in times if kinds[i] == "space"]
        if not in_space and (len(shape) > 2 or says_space(axes)):
            return axes_coder(axes, shape, level)
    except (ModelError, SymbolError):  # a single axis, or bands: no images
        in_space = times
    if len(shape) > 1 and in_space:
        axis = in_space[0]
        if int(np.prod(shape)) <= _CHANNELS_MAX * shape[axis]:
            return SignalCoder(level, axis)
    return None


def _is_time(dim: Hashable, coords: Any) -> bool:
    """Whether a dim is time, by its name or its coordinate."""
    if str(dim).lower() in ("time", "t"):
        return True
    return dim in coords and coords[dim].dtype.kind == "M"
