"""What training and compressing on the workers of a Dask client cost and gain.

Made data (--data has no effect): lines of a log, under an HMM of 64 states and bytes.
The workers are processes of one thread each on this machine, which must be idle for the
ratios to mean anything. Wall times of updates are medians of the intervals between
callbacks of `distributed.fit`: an E step on the workers and an M step each.
docs/guide/scale.md says what the numbers mean for more machines.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made
from report import Report, parser

import bbans
from bbans import HMM, distributed
from bbans.models._checkpoint import Checkpoint

STATES, SHARDS = 64, 16


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """The median of several calls."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def update_seconds(shards: list[Any], client: Any, init: HMM, updates: int) -> float:
    """The median wall time of an update."""
    ticks: list[float] = []
    distributed.fit(
        shards, client, init=init, n_iter=updates + 1, tol=0, threads=1,
        callback=lambda model: ticks.append(time.perf_counter()), progress=False,
    )  # fmt: skip
    return statistics.median(b - a for a, b in itertools.pairwise(ticks))


def run(rows: Report) -> None:
    dask = rows.peer("distributed", "all rows")
    if dask is None:
        return
    import cloudpickle

    lines = made.lines(2_000)
    init = HMM.fit(lines[:200], STATES, n_iter=1, alphabet=256, progress=False)
    begin = time.process_time()
    counted = init.expect(lines, threads=1)
    cost = (time.process_time() - begin) / counted.n_symbols
    size = int((0.5 if rows.quick else 12.0) / cost)  # CPU seconds of an update
    lines = made.lines(size // (counted.n_symbols // 2_000))
    shards = [lines[i::SHARDS] for i in range(SHARDS)]
    updates = 1 if rows.quick else 3
    rows.add("E step, per symbol", cost * 1e6, "us CPU")

    # ---- what comes on top

    merge = seconds(lambda: counted + counted)
    rows.add("adding two statistics", merge * 1e3, "ms")
    rows.add("M step", seconds(lambda: init.maximise(counted)) * 1e3, "ms")
    rows.add("model, to each worker", len(cloudpickle.dumps(init)), "bytes/update")
    rows.add("statistics, of a task", len(cloudpickle.dumps(counted)), "bytes")
    with tempfile.TemporaryDirectory() as folder:
        saved = Checkpoint(Path(folder) / "state", False, "HMM")
        models = {"best": init, "next": init}
        written = seconds(lambda: saved.write(models, {"history": []}, last=True))
        rows.add("checkpoint", written * 1e3, "ms/update")

    local = update_seconds(shards, None, init, updates)
    rows.add(f"an update of {size / 1e6:.1f} MB, without a client", local, "s wall")
    with (
        dask.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        dask.Client(cluster) as client,
        tempfile.TemporaryDirectory() as folder,
    ):
        client.run(bbans.default_model)  # they have imported it
        few, many = (8, 64) if rows.quick else (8, 512)
        walls, cpus = zip(
            *(empty_shards(n, client, init) for n in (few, many)), strict=True
        )
        more = many - few
        rows.add("an update of 8 shards of a byte, 2 workers", walls[0] * 1e3, "ms")
        rows.add(
            "more for each shard of a byte, 2 workers",
            (walls[1] - walls[0]) / more * 1e3, "ms",
        )  # fmt: skip
        for who, low, high in zip(("driver, scheduler", "workers"), *cpus, strict=True):
            rows.add(f"{who}, for each shard", (high - low) / more * 1e3, "ms CPU")
        small = small_files(Path(folder), lines, 100 if rows.quick else 2000)
        rows.add("files of 60 bytes, without a client", small(None), "files/s")
        rows.add("files of 60 bytes, 2 workers", small(client), "files/s")

        # ---- what is gained

        large = large_files(Path(folder), lines, 1 << 16 if rows.quick else 1 << 20)
        update, files = {}, {}
        for workers in (2, 1):
            cluster.scale(workers)
            while len(client.scheduler_info()["workers"]) != workers:
                time.sleep(0.1)
            update[workers] = update_seconds(shards, client, init, updates)
            rows.add(f"an update, workers: {workers}", update[workers], "s wall")
            files[workers] = large(client)
            rows.add(f"8 files, workers: {workers}", files[workers], "s wall")
        rows.add(
            "an update, 2 workers to the speed of one", update[1] / update[2], "times",
            at_least=None if rows.quick else 1.7,
        )  # fmt: skip
        rows.add("8 files, 2 workers to the speed of one", files[1] / files[2], "times")


def empty_shards(
    n: int, client: Any, init: HMM, updates: int = 6
) -> tuple[float, tuple[float, float]]:
    """The wall time of an update, and the CPU times of this process and the workers."""

    def spent() -> tuple[float, float]:
        return time.process_time(), sum(client.run(time.process_time).values())

    begin = spent()
    wall = update_seconds([[b"x"]] * n, client, init, updates)
    passes = updates + 3  # the survey, and the last E steps
    driver, workers = (b - a for a, b in zip(begin, spent(), strict=True))
    return wall, (driver / passes, workers / passes)


def small_files(folder: Path, lines: list[bytes], n: int) -> Callable[[Any], float]:
    """What compresses n files of a line each; files per second."""
    names = [folder / f"{i}.small" for i in range(n)]
    for name, line in zip(names, lines, strict=False):
        name.write_bytes(line)

    def rate(client: Any) -> float:
        begin = time.perf_counter()
        distributed.compress_tree(names, client, level=1, force=True)
        return n / (time.perf_counter() - begin)

    return rate


def large_files(folder: Path, lines: list[bytes], size: int) -> Callable[[Any], float]:
    """What compresses 8 files of so many bytes; in seconds."""
    names = [folder / f"{i}.large" for i in range(8)]
    for name in names:
        name.write_bytes(b"".join(lines)[:size])
    return lambda client: seconds(
        lambda: distributed.compress_tree(names, client, force=True), 1
    )


if __name__ == "__main__":
    with Report(parser(__doc__).parse_args()) as report:
        run(report)
