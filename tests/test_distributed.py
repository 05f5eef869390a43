"""Many machines give the same bits as one, whoever dies meanwhile."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import bbans
from bbans import (
    HMM,
    LGSSM,
    FactorialHMM,
    GaussianHMM,
    HierarchicalHMM,
    MultivariateGaussianHMM,
    PoissonHMM,
    distributed,
    errors,
)
from bbans.distributed import files
from bbans.distributed.workers import Here, WorkerError, added

RNG = np.random.default_rng(0)
LINES = [bytes(RNG.integers(97, 105, n).astype(np.uint8)) for n in range(5, 65)]
TEXT = [line.decode() for line in LINES]
COUNTS = [RNG.poisson(5, 200) - 3 for _ in range(12)]
SHARDS = [LINES[i::11] for i in range(11)]
HOW = {"n_iter": 5, "tol": 0}
KINDS = [
    (HMM, LINES, 3, {}),
    (HMM, TEXT, 3, {"ends": True}),
    (HMM, COUNTS, 2, {"alphabet": np.arange(-3, 20)}),
    (GaussianHMM, COUNTS, 2, {}),
    (PoissonHMM, [x + 3 for x in COUNTS], 2, {}),
    (FactorialHMM, LINES, [2, 2], {}),
    (HierarchicalHMM, LINES, [2, 2], {}),
]


def assert_same(model, other):
    """Of the same class, bits and history."""
    assert type(model) is type(other)
    mine, others = model._arrays(), other._arrays()
    assert mine.keys() == others.keys()
    for name, array in mine.items():
        assert np.array_equal(array, others[name]), name
    assert model.history == other.history


def unfitted(model):
    """The same without a history."""
    return type(model)._from_arrays(model._arrays())


def lines_of(path):
    return Path(path).read_bytes().splitlines(keepends=True)


def slow_lines_of(path):
    time.sleep(0.02)
    return lines_of(path)


@pytest.fixture(scope="module")
def dask():
    found = pytest.importorskip("distributed", reason="needs bbans[dask]")
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # not on their path
    return found


@pytest.fixture(scope="module")
def cluster(dask):
    """Two processes."""
    from dask import config

    config.set({"distributed.scheduler.allowed-failures": 1})
    with dask_cluster(dask, processes=True) as cluster:
        yield cluster


def tasks_of(dask_scheduler):
    return [*dask_scheduler.tasks]


def dask_cluster(dask, **options):
    return dask.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", **options
    )


@pytest.fixture
def client(dask, cluster):
    with dask.Client(cluster) as client:
        client.wait_for_workers(1, timeout=60)
        yield client
        # Nothing is left behind by any test.
        for _ in range(100):
            left = client.run_on_scheduler(
                lambda dask_scheduler: [*dask_scheduler.tasks]
            )
            if not left:
                break
            time.sleep(0.05)
        assert left == []


@pytest.fixture
def paths(tmp_path):
    found = [tmp_path / f"shard{i}" for i in range(11)]
    for path, shard in zip(found, SHARDS, strict=True):
        path.write_bytes(b"\n".join(shard))
    return found


# ---- the order of addition


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 63, 64, 65, 71, 513, 600])
def test_sums_are_a_fixed_tree_in_order(n):
    def add(*parts):
        assert 2 <= len(parts) <= 8
        return f"({' '.join(parts)})"

    tree = added(map(str, range(n)), add)
    assert tree.replace("(", "").replace(")", "").split() == [*map(str, range(n))]
    level = [*map(str, range(n))]
    while len(level) > 1:
        groups = [level[i : i + 8] for i in range(0, len(level), 8)]
        level = [g[0] if len(g) == 1 else f"({' '.join(g)})" for g in groups]
    assert tree == level[0]


# ---- the same bits


@pytest.mark.parametrize(("kind", "data", "states", "how"), KINDS)
def test_one_shard_is_what_fit_gives(kind, data, states, how):
    """A start of its own included."""
    bounds = {"low": -3, "high": 20} if kind is GaussianHMM else {}
    how = how | bounds | HOW
    model = distributed.fit([data], None, states, model=kind, **how)
    assert_same(model, kind.fit(data, states, **how))


@pytest.mark.parametrize(("kind", "data", "states", "how"), KINDS[1::2])
def test_two_processes_give_what_one_does(kind, data, states, how, client):
    shards = [data[i::10] for i in range(10)]
    here = distributed.fit(shards, None, states, model=kind, **how, **HOW)
    there = distributed.fit(shards, client, states, model=kind, **how, **HOW)
    assert_same(there, here)
    flat = [line for shard in shards for line in shard]
    bounds = {"low": -3, "high": max(map(max, data))} if kind is GaussianHMM else {}
    local = kind.fit(flat, states, **bounds, **how, **HOW)
    np.testing.assert_allclose(here.emission, local.emission, rtol=1e-9)


def test_linear_models(client):
    data = [RNG.integers(-40, 40, (150, 2)).cumsum(axis=0) for _ in range(6)]
    how = {"n_iter": 4, "tol": 0, "diagonal": ["observation_cov"]}
    local = LGSSM.fit(data, 1, **how)
    one = distributed.fit([data], None, 1, model=LGSSM, **how)
    bits = [entry.objective for entry in one.history]
    np.testing.assert_allclose(bits, local.history, rtol=1e-12)
    one._history = local.history
    assert_same(one, local)
    shards = [[x] for x in data]
    here = distributed.fit(shards, None, model=LGSSM, init=local, **how)
    assert_same(here, distributed.fit(shards, client, model=LGSSM, init=local, **how))
    further = LGSSM.fit(data, init=local, **how)
    for name, array in here.parameters().items():
        np.testing.assert_allclose(array, further.parameters()[name], 1e-6, 1e-6)


def test_models_of_vectors(client):
    data = [RNG.normal(3 * (i % 2), 1, (40, 2)) for i in range(10)]
    kind = MultivariateGaussianHMM
    local = kind.fit(data, 2, **HOW)
    one = distributed.fit([data], None, 2, model=kind, **HOW)
    np.testing.assert_allclose(one.means, local.means, rtol=1e-9)
    shards = [data[i::5] for i in range(5)]
    here = distributed.fit(shards, None, 2, model=kind, **HOW)
    assert_same(here, distributed.fit(shards, client, 2, model=kind, **HOW))


def test_both_steps_of_linear_models():
    data = [RNG.integers(-40, 40, (150, 2)).cumsum(axis=0) for _ in range(4)]
    start = LGSSM.spectral(data, 1)
    moments = start.expect(data)
    assert (moments.n_sequences, moments.n_symbols) == (4, 1200)
    assert_same(
        start.maximise(moments), unfitted(LGSSM.fit(data, init=start, n_iter=1))
    )
    parts = sum(start.expect(x) for x in data)
    np.testing.assert_allclose(parts.emit, moments.emit, rtol=1e-9)
    assert parts.information_content == pytest.approx(moments.information_content)
    with pytest.raises(errors.ModelError, match=r"moments of shape \(3, 3\) are"):
        LGSSM.spectral(data, 2, lags=4).maximise(moments)
    with pytest.raises(errors.ModelError, match="moments must be Moments, not 3"):
        start.maximise(3)
    with pytest.raises(errors.ModelError, match="there is no parameter x"):
        start.maximise(moments, fixed=["x"])


def test_paths_threads_and_a_start(paths, dask, client):
    init = HMM.random(3, 256, seed=1)
    init = HMM(*init._parameters, alphabet=bbans.Alphabet(256, kind="bytes"))
    here = distributed.fit(paths, init=init, **HOW)
    assert_same(here, distributed.fit(map(str, paths), client, init=init, **HOW))
    here = distributed.fit(paths, None, 3, read=lines_of, **HOW)
    assert_same(here, distributed.fit(paths, client, 3, read=lines_of, **HOW))
    with dask_cluster(dask, processes=False) as threads, dask.Client(threads) as other:
        assert_same(here, distributed.fit(paths, other, 3, read=lines_of, **HOW))


# ---- who dies


def kill(client):
    """Kill one worker, in the middle of what it does."""
    pid = next(iter(client.run(os.getpid).values()))
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("held", [True, False])
def test_a_worker_that_is_killed(held, paths, client):
    """With shards that were sent to workers, and shards that they read."""
    shards, read = (SHARDS, None) if held else (paths, slow_lines_of)
    expected = distributed.fit(shards, None, 3, read=read, **HOW)
    seen = []

    def progress(done):
        seen.append(done)
        if done.update == 2 and done.shards_done == 4:
            kill(client)

    model = distributed.fit(shards, client, 3, read=read, progress=progress, **HOW)
    assert_same(model, expected)
    assert [one.update for one in seen] == [u for u in range(-1, 6) for _ in range(11)]
    assert [one.shards_done for one in seen] == [*range(1, 12)] * 7
    assert seen[-1].objective == expected.history[-2].objective
    assert seen[-1].symbols_per_second > 0


DRIVER = """
import sys, time
from pathlib import Path
import distributed as dask
from bbans import distributed


def read(path):
    time.sleep(0.02)
    return Path(path).read_bytes().splitlines(keepends=True)


address, checkpoint, *paths = sys.argv[1:]
with dask.Client(address) as client:
    print("begun", flush=True)
    distributed.fit(
        paths, client, 3, read=read, checkpoint=checkpoint, resume=True,
        n_iter=5, tol=0,
    )
"""


def test_a_driver_that_is_killed(paths, cluster, client, tmp_path):
    expected = distributed.fit(paths, None, 3, read=lines_of, **HOW)
    path = tmp_path / "checkpoint"
    command = [sys.executable, "-c", DRIVER, cluster.scheduler_address, path, *paths]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as driver:
        assert driver.stdout.readline() == "begun\n"
        until = time.monotonic() + 30
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.01)
        driver.kill()
    assert driver.returncode == -signal.SIGKILL
    n_read = []
    model = distributed.fit(
        paths, client, 3, read=slow_lines_of, checkpoint=path, resume=True,
        progress=n_read.append, **HOW,
    )  # fmt: skip
    assert_same(model, expected)
    assert len(n_read) < 7 * 11
    again = distributed.fit(
        [*map(str, paths)], None, 3, read=lines_of, checkpoint=path, resume=True, **HOW
    )
    assert_same(again, expected)
    with pytest.raises(errors.ModelError, match="another fit: shards was 11"):
        distributed.fit(
            paths[:9], None, 3, read=lines_of, checkpoint=path, resume=True, **HOW
        )
    with pytest.raises(errors.ModelError, match="another fit: data was"):
        distributed.fit(
            [*paths[:10], paths[0]], None, 3, read=lines_of, checkpoint=path,
            resume=True, **HOW,
        )  # fmt: skip


def test_an_interrupt_leaves_no_tasks(paths, client):
    """The fixture looks for them."""

    def progress(done):
        if done.update == 1 and done.shards_done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distributed.fit(paths, client, 3, read=slow_lines_of, progress=progress, **HOW)


# ---- errors


@pytest.mark.parametrize("where", ["here", "there"])
def test_errors_name_the_shard(where, request, tmp_path):
    client = request.getfixturevalue("client") if where == "there" else None

    def refused(shards, match, error=errors.ModelError, **how):
        with pytest.raises(error, match=match):
            distributed.fit(shards, client, **({"n_states": 2} | how))

    absent = tmp_path / "absent"
    symbols = errors.SymbolError
    refused([absent], "shard 0 .*absent.*: No such file", FileNotFoundError, retries=0)
    refused([[[1]], [[2], [1, 7]]], "shard 1: sequence 1: symbol 7 at position 1",
            symbols, alphabet=5)  # fmt: skip
    init = HMM([1], [[1]], [[1, 0]])
    refused([[[0]], [[0, 0, 1]]], "shard 1: symbol 1 at position 2 of sequence 0 is",
            symbols, init=init)  # fmt: skip
    if where == "here":
        refused(["a"], "shard 0 .*ZeroDivisionError: division", read=lambda p: 1 / 0)
        refused([[[1]], [[-7]]], "shard 1: symbol -7 is negative", symbols)
        refused([["a"], [b"a"]], "shard 0 is of text, shard 1 of bytes")
        refused([[[0]], [[0, 2]]], "shard 1: .*symbol 2 at position 1", symbols,
                init=init)  # fmt: skip
        refused([np.array([0.5, 0.5])], "shard 0: .*float64", symbols)


@pytest.mark.parametrize(
    ("shards", "how", "match"),
    [
        ("path", {}, "shards must be a list, of paths or of sequences, not 'path'"),
        (3, {}, "shards must be a list, not int"),
        ([], {}, "there is no shard"),
        ([[b""], [b""]], {}, "every shard is empty"),
        ([LINES], {"n_states": None}, "give n_states, or a model as init"),
        ([LINES], {"client": 7}, "client must be a dask.distributed.Client"),
        ([LINES], {"model": bbans.ARHMM}, r"distributed\.sample"),
        ([LINES], {"init": 3}, "init must be a model of class HMM, not 3"),
        ([LINES], {"read": 3}, "read must be a function of a shard, not 3"),
        ([LINES], {"tol": -1}, "tol must be at least 0"),
        ([LINES], {"resume": True}, "resume needs a checkpoint"),
        ([COUNTS], {"model": GaussianHMM, "ends": True}, "takes low and high"),
    ],
)
def test_what_fit_refuses(shards, how, match):
    with pytest.raises(errors.ModelError, match=match):
        distributed.fit(shards, **({"n_states": 2} | how))


def test_a_read_that_fails_is_tried_again(tmp_path):
    tries = []

    def read(path):
        tries.append(path)
        if len(tries) in (1, 2, 5):
            raise TimeoutError("slow")
        return LINES

    model = distributed.fit(["a"], None, 3, read=read, **HOW)
    assert_same(model, HMM.fit(LINES, 3, **HOW))
    tries.clear()
    with pytest.raises(OSError, match="shard 0"):
        distributed.fit(["a"], None, 3, read=read, retries=1, **HOW)


# ---- samples


def test_a_sample_is_all_or_about_as_much(client):
    assert distributed.sample(SHARDS) == [line for shard in SHARDS for line in shard]
    assert distributed.sample([[b"one"]], max_symbols=10**400) == [b"one"]
    long = [[bytes(RNG.integers(0, 256, 50_000).astype(np.uint8))] for _ in range(9)]
    one = distributed.sample(long, max_symbols=40_000, seed=3)
    assert one == distributed.sample(long, client, max_symbols=40_000, seed=3)
    assert one != distributed.sample(long, max_symbols=40_000, seed=4)
    assert 30_000 < sum(map(len, one)) < 50_000
    assert len({len(part) for part in one}) > 1  # neighbours stay together
    whole = b"".join(shard[0] for shard in long)
    assert all(part in whole for part in one)
    rows = [[RNG.integers(0, 9, (3000, 4))] for _ in range(3)]
    some = distributed.sample(rows, max_symbols=4000)
    assert all(part.shape[1] == 4 for part in some)
    assert 2000 < sum(part.size for part in some) < 6000


# ---- files


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    (root / "deep").mkdir(parents=True)
    for i, line in enumerate(LINES[:20]):
        (root / f"{i:02}.txt").write_bytes(line * 20)
    (root / "deep" / "empty").write_bytes(b"")
    (root / "link").symlink_to(root / "00.txt")
    return root


@pytest.mark.parametrize("where", ["here", "there"])
def test_a_tree_of_files(where, tree, request):
    client = request.getfixturevalue("client") if where == "there" else None
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    before.pop(tree / "link")
    seen = []
    done = distributed.compress_tree(tree, client, level=1, progress=seen.append)
    assert [one.path for one in done] == sorted(map(str, before))
    assert {*seen} == {*done}
    for one in done:
        assert (one.status, one.output, one.error) == ("done", one.path + ".bbz", "")
        packed = Path(one.output).read_bytes()
        assert bbans.decompress(packed) == before[Path(one.path)]
        assert (one.n_bytes, one.n_output_bytes) == (
            len(before[Path(one.path)]), len(packed),
        )  # fmt: skip
    # Again: what is whole and no older is skipped; the rest is told.
    old, damaged, gone = (Path(done[i].output) for i in range(3))
    os.utime(old, (0, 0))
    damaged.write_bytes(damaged.read_bytes()[:-3])
    gone.unlink()
    again = distributed.compress_tree(tree, client, level=1)
    assert [one.status for one in again[:3]] == ["failed", "failed", "done"]
    assert {one.status for one in again[3:]} == {"skipped"}
    assert "exists, and is older: pass force=True" in again[0].error
    assert "exists, and is not whole" in again[1].error
    forced = distributed.compress_tree(tree, client, level=1, force=True, keep=False)
    assert {one.status for one in forced} == {"done"}
    assert not any(path.exists() for path in before)
    restored = distributed.decompress_tree(tree, client, keep=False)
    assert {one.status for one in restored} == {"done"}
    assert {path: path.read_bytes() for path in before} == before
    assert not [*tree.rglob("*.bbz")]


def test_a_tree_under_a_model(tree, client, tmp_path):
    model = HMM.fit(LINES, 2, n_iter=3, alphabet=256).freeze()
    file = tmp_path / "model.bbm"
    model.save(file)
    done = distributed.compress_tree([tree / "00.txt", tree], client, model=file)
    assert len(done) == 21
    assert {one.status for one in done} == {"done"}
    first = Path(done[0].output).read_bytes()
    assert bbans.decompress(first, model) == LINES[0] * 20
    english = bbans.default_model()
    other = distributed.compress_tree(tree / "00.txt", client, model="english")
    assert "exists, of another model" in other[0].error
    assert "00.txt.bbz" in other[0].error
    (tree / "01.txt").unlink()
    restored = distributed.decompress_tree(tree, client, model=model)
    assert [one.status for one in restored].count("done") == 1
    assert (tree / "01.txt").read_bytes() == LINES[1] * 20
    (tree / "02.txt").unlink()
    failed = distributed.decompress_tree(tree / "02.txt.bbz", model=english)
    assert failed[0].status == "failed"
    assert not (tree / "02.txt").exists()


def test_names_of_a_tree(tree, tmp_path):
    flat = distributed.compress_tree(tree, suffix=".b", recursive=False)
    assert len(flat) == 20
    assert distributed.compress_tree(tree, suffix=".b")[:20] == [
        one._replace(status="skipped") for one in flat
    ]
    assert distributed.decompress_tree(tree / "00.txt", suffix=".b") == []
    with pytest.raises(FileNotFoundError):
        distributed.compress_tree(tmp_path / "absent")
    with pytest.raises(errors.ModelError, match="suffix must be the end of a name"):
        distributed.compress_tree(tree, suffix="")
    with pytest.raises(errors.ModelError, match="model must be frozen, or the path"):
        distributed.compress_tree(tree, model=HMM.random(2, 256, seed=0))


def test_a_file_that_ends_workers_fails_alone(tree, monkeypatch):
    class Dying(Here):
        def each(self, work, items):
            for number, (job, task) in enumerate(items):
                bad = any("03.txt" in path for path, _ in task)
                yield number, WorkerError("died") if bad else work(job, task)

    monkeypatch.setattr("bbans.distributed.files.workers_of", lambda client: Dying())
    done = distributed.compress_tree(tree, level=1)
    assert [one.path for one in done] == sorted(one.path for one in done)
    assert [(one.path[-6:], one.error) for one in done if one.status == "failed"] == [
        ("03.txt", "died")
    ]
    assert [one.status for one in done].count("done") == 20


def test_a_file_that_a_worker_did_before_it_died(tree):
    source = tree / "00.txt"
    job = files._Job(True, None, 1, 1, keep=False, force=False)
    for status in ("done", "skipped"):
        result = files._result(job, str(source), f"{source}.bbz")
        assert (result.status, result.error) == (status, "")
        assert not source.exists()
    assert files._result(job, "absent", "absent.bbz").status == "failed"


def test_an_interrupt_ends_a_tree(tree, client, monkeypatch):
    monkeypatch.setattr("bbans.distributed.files._TASK_FILES", 1)

    def stop(result):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distributed.compress_tree(tree, client, progress=stop)
    for _ in range(100):  # what ran when it was cancelled may still be written
        again = distributed.compress_tree(tree)
        if {one.status for one in again} <= {"done", "skipped"}:
            break
        time.sleep(0.05)
    assert "failed" not in {one.status for one in again}


# ---- last, as Dask may not start a worker again that dies as soon as it has begun


def ends_the_worker(shard):
    if shard == "bad":
        os._exit(1)
    return LINES


def test_a_shard_that_ends_workers_is_given_up(client):
    # Dask counts a death against what waited on the worker as well.
    with pytest.raises(WorkerError, match=r"shard [01]: all workers that took"):
        distributed.fit(["good", "bad"], client, 3, read=ends_the_worker, **HOW)
