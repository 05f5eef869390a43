"""Stores of zarr 3: bytes on disk and speed, against its other codecs.

The integer series sensors/*.npy of --data (steps x channels), or a made one, in chunks
of 65536 steps of all channels; the last is filled, as zarr does it. Bytes are those of
all files of the store, metadata included. "Apart" is chunks of one channel each. Speed
is of writing and reading the array through zarr, in MB of the array for a second of the
process, all threads counted: the best of three. Needs zarr, and pcodec from PyPI.
--quick takes the start of each series, once.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import made
import numpy as np
from report import Report, parser

STEPS, QUICK_STEPS = 65536, 10_000
CODECS = (
    "bbans",
    "bbans, level 1",
    "bbans, level 9",
    "pcodec 8",
    "pcodec 12",
    "pcodec 12, apart",
    "zstd 3",
    "zstd 19",
    "delta, shuffle, zstd 19",
    "Blosc zstd 9, bitshuffle",
)
# Bytes of each store by version 2 of signals: none may grow, and all shall shrink.
TARGETS = {
    "ecg_100": 559_336,
    "ecg_p10143": 282_373,
    "ecg_v102s": 224_727,
    "imu_sample_17070x6": 49_757,
    "seis_BW_KW1": 384_161,
    "seis_CH_BALST": 92_964,
}
SUM = 0.97


def options(codec: str, dtype: np.dtype[Any]) -> dict[str, Any]:
    """What zarr makes an array by."""
    from zarr import codecs
    from zarr.codecs import numcodecs as others

    from bbans.integrations.zarr import BbansCodec

    found: dict[str, Any] = {"compressors": None}
    match codec.removesuffix(", apart").split():
        case ["bbans"]:
            found["serializer"] = BbansCodec()
        case ["bbans,", "level", level]:
            found["serializer"] = BbansCodec(level=int(level))
        case ["pcodec", level]:
            found["serializer"] = others.PCodec(level=int(level))
        case ["zstd", level]:
            found["compressors"] = codecs.ZstdCodec(level=int(level))
        case ["delta,", "shuffle,", "zstd", level]:
            shuffle = others.Shuffle(elementsize=dtype.itemsize)
            found["filters"] = others.Delta(dtype=dtype.str)
            found["compressors"] = [shuffle, codecs.ZstdCodec(level=int(level))]
        case ["Blosc", "zstd", level, "bitshuffle"]:
            found["compressors"] = codecs.BloscCodec(
                cname="zstd", clevel=int(level.rstrip(",")), shuffle="bitshuffle",
                typesize=dtype.itemsize,
            )  # fmt: skip
    return found


def store(
    codec: str, series: np.ndarray, steps: int, folder: Path, repeats: int
) -> tuple[int, float, float]:
    """Write and read an array: bytes on disk, seconds of each."""
    import zarr

    channels = series.shape[1:] if not codec.endswith("apart") else (1,)
    chunk = (steps, *channels)
    writing, reading = [], []
    for _ in range(repeats):
        shutil.rmtree(folder, ignore_errors=True)
        start = time.process_time()
        array = zarr.create_array(
            folder, shape=series.shape, chunks=chunk, dtype=series.dtype,
            **options(codec, series.dtype),
        )  # fmt: skip
        array[:] = series
        writing.append(time.process_time() - start)
        start = time.process_time()
        found = zarr.open_array(folder)[:]
        reading.append(time.process_time() - start)
        assert np.array_equal(found, series)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files), min(writing), min(reading)


def main() -> None:
    warnings.filterwarnings("ignore", message="Numcodecs codecs are not in the Zarr")
    with (
        Report(parser(__doc__).parse_args()) as rows,
        tempfile.TemporaryDirectory() as folder,
    ):
        if not rows.peer("zarr", "everything"):
            return
        codecs = [*CODECS]
        if not rows.peer("pcodec", "pcodec"):
            codecs = [codec for codec in codecs if not codec.startswith("pcodec")]
        known = {p.stem: np.load(p) for p in rows.files("sensors/*.npy", "sensors")}
        steps, repeats = (QUICK_STEPS, 1) if rows.quick else (STEPS, 3)
        sizes: dict[str, int] = {}
        for name, array in (known or {"made": made.series(50_000, 2)}).items():
            series = array[:QUICK_STEPS] if rows.quick else array
            found: dict[str, int] = {}
            for codec in codecs:
                if codec.endswith("apart") and series.ndim < 2:
                    continue
                size, writing, reading = store(
                    codec, series, steps, Path(folder) / "store", repeats
                )
                found[codec] = size
                what, megabytes = f"{name}, {codec}", series.nbytes / 1e6
                target = next((TARGETS[k] for k in TARGETS if name.startswith(k)), None)
                if codec != "bbans" or rows.quick:
                    target = None
                rows.add(what, size, "bytes", at_most=target)
                rows.add(f"{what}, write", megabytes / writing, "MB/CPU second")
                rows.add(f"{what}, read", megabytes / reading, "MB/CPU second")
            peer = found.get("pcodec 12, apart", found.get("pcodec 12"))
            if peer is not None:
                rows.add(
                    f"{name}, bbans to pcodec 12 with channels apart",
                    found["bbans"] / peer, "times", at_most=1,
                )  # fmt: skip
            for key in TARGETS:
                if name.startswith(key):
                    sizes[key] = found["bbans"]
        if sizes.keys() == TARGETS.keys() and not rows.quick:
            rows.add(
                "the six series together, bbans", sum(sizes.values()), "bytes",
                at_most=round(SUM * sum(TARGETS.values())),
            )  # fmt: skip


if __name__ == "__main__":
    main()
