"""The recipes of docs/guide/records.md, against more stores than the guide has."""

import dbm.dumb
import shutil
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from test_readme import blocks

import bbans

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "records.md"
LINES = [f"line {i}: the spring of hope" for i in range(50)]


def recipe(start, end):
    """What a block of the guide defines: its code from one line up to another."""
    for language, code, *_ in blocks(GUIDE.read_text("utf-8")):
        if language == "python" and start in code:
            names = {}
            exec(code[: code.index(end)], names)
            return names
    raise AssertionError(f"the guide has no {start}")


@pytest.fixture(scope="module")
def codec():
    return bbans.RecordCodec(bbans.default_model())


# ---- key-value stores


@pytest.fixture
def plain():
    return {}


@pytest.fixture
def dumb(tmp_path):
    with dbm.dumb.open(str(tmp_path / "store"), "n") as store:
        yield store


@pytest.fixture
def sqlite(tmp_path):
    module = pytest.importorskip("dbm.sqlite3", reason="Python 3.13 has it")
    with module.open(str(tmp_path / "store"), "n") as store:
        yield store


@pytest.fixture
def rocksdb(tmp_path):
    store = pytest.importorskip("rocksdict").Rdict(str(tmp_path / "store"))
    yield store
    store.close()


@pytest.fixture
def redis(tmp_path):
    module = pytest.importorskip("redis")
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("no redis-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        [server, *options], cwd=tmp_path, stdout=subprocess.DEVNULL
    ) as process:
        store = module.Redis(port=port)
        for _ in range(100):
            try:
                store.ping()
                break
            except module.ConnectionError:
                time.sleep(0.1)
        yield store
        store.close()
        process.terminate()


@pytest.mark.parametrize("name", ["plain", "dumb", "sqlite", "rocksdb", "redis"])
def test_a_mapping_of_packed_values(name, codec, request):
    values = recipe("class PackedValues", "import dbm")["PackedValues"]
    store = request.getfixturevalue(name)
    packed = values(store, codec)
    for i, line in enumerate(LINES):
        packed[b"%d" % i] = line
    assert packed[b"7"] == LINES[7].encode()
    assert len(packed) == 50
    assert {*packed} == {b"%d" % i for i in range(50)}
    if name == "plain":
        assert sum(map(len, store.values())) < sum(map(len, LINES)) / 2
    packed[b"7"] = b"\xff another"
    assert packed.pop(b"7") == b"\xff another"
    assert b"7" not in packed
    with pytest.raises(KeyError):
        packed[b"7"]
    assert packed.get(b"7") is None
    assert bytes(store[b"8"]) == codec.encode(LINES[8])


# ---- SQLite


def test_functions_of_sqlite(codec):
    database = sqlite3.connect(":memory:")
    recipe("def add_codec", "database = ")["add_codec"](database, codec)
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, line BLOB)")
    database.execute("CREATE INDEX i ON t (line)")
    rows = [*LINES, None, ""]
    database.executemany("INSERT INTO t (line) VALUES (pack(?))", [[r] for r in rows])
    found = [row for (row,) in database.execute("SELECT unpack(line) FROM t")]
    assert found == [None if r is None else r.encode() for r in rows]
    query = "SELECT id FROM t WHERE line = pack(?)"
    assert database.execute(query, [LINES[9]]).fetchall() == [(10,)]
    (plan,) = database.execute(f"EXPLAIN QUERY PLAN {query}", [LINES[9]]).fetchall()
    assert "USING COVERING INDEX i" in plan[-1]
    database.close()
