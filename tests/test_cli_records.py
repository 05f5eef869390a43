"""bbans pack, unpack and get: texts of any lines come back to the byte."""

import io
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cli import directory, fails, passes, run, write  # noqa: F401

import bbans
from bbans import RecordCodec, Records
from bbans.cli.main import main
from bbans.records.file import write_records
from bbans.records.text import FORMS, split_text

LOG = b"".join(b"2026-01-%02d INFO request %d done\n" % (i % 28, i) for i in range(600))
JSON = "".join(json.dumps({"id": i, "name": f"ö{i}"}) + "\n" for i in range(50))
CSV = b'id,text\n1,"two\nlines, and a ""quote"""\n2,plain\n3,"\n\n"\n'

TEXTS = {
    "nothing": b"",
    "a line": b"one\n",
    "no line feed at the end": b"one\ntwo",
    "line feeds": b"\n\n\n",
    "a carriage return": b"one\r\ntwo\r\nthree\r\n",
    "and none at the end": b"one\r\ntwo\r\nthree",
    "and half of it": b"one\r\ntwo\r\nthree\r",
    "some carriage returns": b"one\r\ntwo\nthree\r\n",
    "one alone": b"\r",
    "bytes": bytes(range(256)) * 3,
    "a quote that stays open": b'a,"b\nc\nd',
    "log": LOG,
    "json": JSON.encode(),
    "csv": CSV,
    "csv of Windows": CSV.replace(b"\n", b"\r\n"),
}


# ---- what is a record


def joined(text):
    records, terminator, unterminated = text
    return terminator.join(records if unterminated else [*records, b""])


@pytest.mark.parametrize("form", FORMS)
@given(st.lists(st.sampled_from(["\n", "\r", '"', "a", ",", "\r\n"])).map("".join))
def test_records_make_up_the_text(form, text):
    data = text.encode()
    assert joined(split_text(data, form)) == data
    for terminator in (b"\n", b"\r\n", b"a"):
        assert joined(split_text(data, form, terminator)) == data


def test_lines():
    assert split_text(b"") == ([], b"\n", False)
    assert split_text(b"a\nb\n") == ([b"a", b"b"], b"\n", False)
    assert split_text(b"a\r\nb\r\nc") == ([b"a", b"b", b"c"], b"\r\n", True)
    assert split_text(b"a\r\nb\nc") == ([b"a\r", b"b", b"c"], b"\n", True)


def test_rows_of_a_table():
    rows = [b"id,text", b'1,"two\nlines, and a ""quote"""', b"2,plain", b'3,"\n\n"']
    assert split_text(CSV, "csv") == (rows, b"\n", False)
    # A quote that no other closes is part of its line.
    wrong = b'5" pipe\n' + b"a\n" * 2000
    assert len(split_text(wrong, "csv").records) == 2001


# ---- the commands


@pytest.mark.parametrize("options", [[], ["--checksums"]])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TEXTS)
def test_texts_come_back(name, form, options):
    write("x", TEXTS[name])
    assert main(["pack", "-m", "english", "--as", form, *options, "x"]) == 0
    assert main(["unpack", "x.bbr", "-o", "y"]) == 0
    assert Path("y").read_bytes() == TEXTS[name]
    with Records("x.bbr") as records:
        wanted = split_text(TEXTS[name], form)
        assert records.terminator == wanted.terminator
        assert records.checksums == bool(options)
        texts = [*records]
        if name == "bytes":
            assert texts == wanted.records
        else:
            assert [text.encode() for text in texts] == wanted.records


def test_where_outputs_go():
    write("x.csv", CSV)
    passes("pack", "-m", "english", "x.csv")
    os.rename("x.csv", "y.csv")
    assert fails("unpack", "x.csv.bbr", "-o", "y.csv").endswith(
        "y.csv: exists: -f replaces it\n"
    )
    passes("unpack", "x.csv.bbr")
    assert Path("x.csv").read_bytes() == CSV
    assert len(Records("x.csv.bbr")) == 4  # by its name it is a table
    data = passes("pack", "-m", "english", "-", stdin=CSV)
    assert len(Records(write("-.bbr", data))) == 7
    os.rename("x.csv.bbr", "x")
    assert "does not end in .bbr: say -o" in fails("unpack", "x")
    assert "cannot be a stream" in fails("unpack", "-", "-o", "y")


def test_getting_records():
    write("log", LOG)
    passes("pack", "-m", "english", "log")
    lines = LOG.splitlines(keepends=True)
    for arguments, numbers in [
        (["5"], [5]), (["-1"], [-1]), (["3", "-2", "3"], [3, -2, 3]),
        (["5:8"], [5, 6, 7]), (["-2:"], [-2, -1]), ([":2", "9"], [0, 1, 9]),
        (["::250"], [0, 250, 500]), (["-1::-300"], [599, 299]), (["7:3"], []),
    ]:  # fmt: skip
        assert passes("get", "log.bbr", *arguments) == b"".join(
            lines[k] for k in numbers
        )
    assert passes("get", "log.bbr", ":") == LOG
    assert "has 600 records, and no 600" in fails("get", "log.bbr", "0", "600")
    assert "has 600 records, and no -601" in fails("get", "log.bbr", "-601")
    for wrong in ("x", "1:2:3:4", "1.5", "::0", ""):
        assert "neither a number nor a range" in fails("get", "log.bbr", wrong, code=2)
    assert "unrecognized" in fails("get", "log.bbr", "0", "-x", code=2)


def test_getting_what_has_no_terminator():
    Records.write("x.bbr", ["a", "b\n"], bbans.default_model(), terminator=b"")
    assert passes("get", "x.bbr", ":") == b"a\nb\n\n"
    assert passes("unpack", "x.bbr", "-o", "-") == b"ab\n"


def test_a_model_is_trained():
    write("x", LOG)
    passes("pack", "--quiet", "x")
    assert passes("unpack", "x.bbr", "-o", "-") == LOG
    size = Path("x.bbr").stat().st_size
    assert size < len(LOG) / 5
    facts = passes("info", "x.bbr").decode()
    assert "in the file: frozen hidden Markov model, autoregressive" in facts
    passes("pack", "-q", "--model-size", "2k", "--sample", "5k", "x", "-o", "y")
    model = int(
        re.search(r"autoregressive, (\d+) bytes", passes("info", "y").decode())[1]
    )
    assert model <= 2048
    assert passes("unpack", "y", "-o", "-") == LOG
    assert "nothing to train a model on" in fails("pack", write("empty", b""))
    data = bytes(range(256)) * 20
    passes("pack", "-q", write("z", data))
    assert passes("unpack", "z.bbr", "-o", "-") == data


def test_a_model_that_is_not_in_the_file():
    model = bbans.default_model()
    write("x", LOG)
    passes("pack", "-m", "english", "--no-model", "x")
    assert Path("x.bbr").stat().st_size < len(LOG)
    for command in (["get", "x.bbr", "0"], ["unpack", "x.bbr", "-o", "y"]):
        assert f"fingerprint {model.fingerprint.hex()} with -m" in fails(*command)
        passes(*command, "-m", "english")
    assert Path("y").read_bytes() == LOG
    facts = passes("info", "x.bbr").decode()
    assert f"{model.fingerprint.hex()}, not in the file" in facts


def test_other_files():
    write("text", LOG)
    for command in (["get", "text", "0"], ["unpack", "text", "-o", "y"]):
        assert fails(*command).startswith("bbans: text: not a bbans record file")
        assert "No such file" in fails(command[0], "missing", *command[2:])
    write("x", LOG)
    passes("pack", "-m", "english", "x")
    assert "a bbans record file; Records and bbans unpack" in fails(
        "decompress", "x.bbr", "-o", "y"
    )
    assert "digits" not in fails("pack", "-m", "missing", "x", "-o", "y")
    assert "codes integers" in fails("pack", "-m", "digits", "x", "-o", "y")
    for option in (["--no-model"], ["-m", "english", "--sample", "9"]):
        fails("pack", *option, "x", "-o", "y", code=2)


def test_appending():
    write("x", LOG)
    passes("pack", "-m", "english", "x")
    before = Path("x.bbr").read_bytes()
    passes("pack", "--append", "-", "-o", "x.bbr", stdin=b"more\nand\nmore")
    passes("pack", "-a", "-", "-o", "x.bbr", stdin=b" of it\n")
    assert Path("x.bbr").read_bytes()[: len(before)] == before
    whole = LOG + b"more\nand\nmore of it\n"
    assert passes("unpack", "x.bbr", "-o", "-") == whole
    assert passes("get", "x.bbr", "-2:") == b"more\n of it\n"
    assert "is not UTF-8, and x.bbr holds text" in fails(
        "pack", "-a", "-", "-o", "x.bbr", stdin=b"\xff\n"
    )
    fails("pack", "-a", "--checksums", "-", "-o", "x.bbr", code=2)
    Records.write("y.bbr", ["a"], bbans.default_model(), terminator=b"")
    assert "what ends a record" in fails("pack", "-a", "x", "-o", "y.bbr")


def test_a_damaged_file():
    write("x", LOG)
    passes("pack", "-m", "english", "--checksums", "x")
    data = bytearray(Path("x.bbr").read_bytes())
    view = Records("x.bbr")._view
    place = view._place(1)
    data[place.messages + 70] ^= 1
    write("x.bbr", data)
    lines = LOG.splitlines(keepends=True)
    (bad,) = (s.number for s in Records("x.bbr").salvage() if not s.intact)
    assert f"x.bbr: record {bad} cannot be read" in fails("get", "x.bbr", ":")
    assert passes("get", "x.bbr", "5", "-1") == lines[5] + lines[-1]
    assert f"record {bad} cannot" in fails("unpack", "x.bbr", "-o", "y")
    assert "group 1, of records 256 to 511" in fails("info", "x.bbr")
    done = run("unpack", "--salvage", "x.bbr", "-o", "y")
    assert done.returncode == 1
    assert done.stderr.decode() == (f"bbans: x.bbr: not as written: record {bad}\n")
    salvaged = Path("y").read_bytes().splitlines(keepends=True)
    assert salvaged[:bad] == lines[:bad]
    assert salvaged[bad + 1 - 600 :] == lines[bad + 1 :]
    data[place.at + 9] ^= 1
    write("x.bbr", data)
    done = run("unpack", "--salvage", "x.bbr", "-o", "z")
    assert b"not as written: record 256 to 511\n" in done.stderr
    assert Path("z").read_bytes().splitlines(keepends=True) == lines[:256] + lines[512:]
    assert "256 records are lost" in fails("info", "x.bbr")


def test_info():
    write("x", CSV)
    passes("pack", "-m", "english", "x", "--as", "csv")
    size = Path("x.bbr").stat().st_size
    facts = dict(
        line.split(":", 1) for line in passes("info", "x.bbr").decode().splitlines()
    )
    facts = {name: value.strip() for name, value in facts.items()}
    messages = RecordCodec(bbans.default_model()).encode_many(
        split_text(CSV, "csv").records
    )
    assert facts["kind"] == "bbans record file of text"
    assert (facts["records"], facts["bytes"]) == ("4", str(size))
    assert facts["terminator"] == r"'\n'"
    assert f"{sum(map(len, messages)) / 4:.2f} bytes/record" in facts["rate"]
    assert "in the file: frozen hidden Markov model" in facts["model"]
    data = Path("x.bbr").read_bytes()
    assert passes("info", "-", stdin=data) == passes("info", "x.bbr")
    assert "damaged" in fails("info", "-", stdin=data[:-1] + b"\0")
    write("x.bbr", data + data[-90:-30])
    assert b"60 bytes of an append" in passes("info", "x.bbr")
    assert "ends in its header" in fails("info", "-", stdin=data[:20])


def test_what_is_written_to_a_stream():
    file = io.BytesIO()
    write_records(file, ["a", "b"], bbans.default_model(), unterminated=lambda: True)
    with Records(write("x.bbr", file.getvalue())) as records:
        assert b"".join(records.texts()) == b"a\nb"


def test_unpack_says_that_a_group_is_not_whole(tmp_path, capsys):
    """As after an interrupted append; and a flipped bit in the last group's header
    looks like one."""
    path, out = tmp_path / "x.bbr", tmp_path / "x"
    Records.write(path, ["a", "b"], bbans.default_model())
    whole = path.read_bytes()
    with Records(path) as records:
        assert records.unfinished == 0
        records.append("c")
    data = bytearray(path.read_bytes())
    data[len(whole) + 5] ^= 1
    path.write_bytes(data)
    with Records(path) as records:
        assert [*records] == ["a", "b"]
        assert records.unfinished == len(data) - len(whole)
    for words in ([], ["--salvage"]):
        assert main(["unpack", "-f", *words, str(path)]) == 1
        assert f"the last {len(data) - len(whole)} bytes" in capsys.readouterr().err
        assert out.read_text() == "a\nb\n"
