"""Models as C tables: a program with them codes as Python does."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import bbans
from bbans.cli.main import main
from bbans.errors import ModelError
from bbans.frozen.c_header import c_header
from bbans.models import ARHMM, HMM
from bbans.records import packets

CSRC = Path(__file__).parent.parent / "csrc"
CC = shutil.which("cc")

PROGRAM = """
#include "exported.h"
#include <stdio.h>
#include <string.h>

/* Lines "message N", "packet SIZE" on stdin, then symbols as bytes. */
int main(int argc, char **argv)
{
    static uint8_t x[4000], y[4000], bytes[16000];
    static uint32_t work[4000 * BBANS_TINY_STATES];
    bbans_tiny_decoder dec;
    size_t n = fread(x, 1, sizeof x, stdin), first = 0, size, coded, found;

    if (argc == 2 && strcmp(argv[1], "message") == 0) {
        if (bbans_tiny_encode(&exported, x, n, 0, work, sizeof work / 4, bytes,
                              sizeof bytes, &size) != BBANS_OK ||
            bbans_tiny_decoder_init(&dec, &exported, bytes, size, n, 0) !=
                BBANS_OK ||
            bbans_tiny_decode(&dec, y, n) != BBANS_OK || memcmp(x, y, n) != 0)
            return 1;
        return fwrite(bytes, 1, size, stdout) != size;
    }
    for (; first < n; first += coded)
        if (bbans_tiny_packet_encode(&exported, x + first, n - first, bytes, 32,
                                     &coded) != BBANS_OK ||
            bbans_tiny_packet_decode(&dec, &exported, bytes, 32, y, &found) !=
                BBANS_OK ||
            found != coded || memcmp(x + first, y, found) != 0 ||
            fwrite(bytes, 1, 32, stdout) != 32)
            return 1;
    return 0;
}
"""


RECORDS_PROGRAM = """
#include "exported.h"
#include <stdio.h>
#include <string.h>

/* One record on stdin; its code on stdout. */
int main(void)
{
    static uint8_t record[1000], code[1001], copy[1000];
    bbans_tiny_model model;
    size_t n = fread(record, 1, sizeof record, stdin), used, n_copy;

    if (bbans_tiny_model_init(&model, exported, sizeof exported) != BBANS_OK ||
        bbans_tiny_record_encode(&model, record, n, code, sizeof code, &used) !=
            BBANS_OK ||
        bbans_tiny_record_decode(&model, code, used, copy, sizeof copy,
                                 &n_copy) != BBANS_OK ||
        n_copy != n || memcmp(record, copy, n) != 0)
        return 1;
    return fwrite(code, 1, used, stdout) != used;
}
"""
RECORDS = [f"t={20 + i % 7}.{i % 10} h={40 + i % 3}%" for i in range(200)]


def records_model(**options):
    """An autoregressive model of readings."""
    return ARHMM.fit(RECORDS, 3, order=3, n_iter=3, **options).freeze()


@pytest.mark.skipif(CC is None, reason="no C compiler")
@pytest.mark.parametrize("ends", [False, True])
def test_a_c_program_codes_the_same_records(tmp_path, ends):
    model = records_model(ends=ends)
    (tmp_path / "exported.h").write_text(c_header(model, "exported"))
    (tmp_path / "main.c").write_text(RECORDS_PROGRAM)
    program = tmp_path / "main"
    subprocess.run(
        [CC, "-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{CSRC}", "-Os",
         tmp_path / "main.c", CSRC / "device/bbans_tiny_record.c", "-o", program],
        check=True,
    )  # fmt: skip
    codec = bbans.RecordCodec(model)
    for record in ["", RECORDS[7], "t=99.9 h=10% hot", "\N{DEGREE SIGN}"]:
        done = subprocess.run(
            [program], input=record.encode(), capture_output=True, check=True
        )
        assert done.stdout == codec.encode(record)


@pytest.mark.skipif(CC is None, reason="no C compiler")
@pytest.mark.parametrize(("n_states", "n_symbols"), [(1, 2), (16, 64), (32, 256)])
def test_a_c_program_codes_the_same_bytes(tmp_path, n_states, n_symbols):
    model = HMM.random(n_states, n_symbols, concentration=0.3, seed=5).freeze(15)
    x = HMM.from_frozen(model).sample(3000, seed=6)[0].astype(np.uint8)
    (tmp_path / "exported.h").write_text(c_header(model, "exported"))
    (tmp_path / "main.c").write_text(PROGRAM)
    program = tmp_path / "main"
    subprocess.run(
        [CC, "-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{CSRC}", "-Os",
         tmp_path / "main.c", CSRC / "device/bbans_tiny.c", "-o", program],
        check=True,
    )  # fmt: skip

    def run(what):
        return subprocess.run(
            [program, what], input=x.tobytes(), capture_output=True, check=True
        ).stdout

    given = x.tobytes() if model.kind == "bytes" else x
    assert run("message") == model.encode(given)
    assert run("packets") == b"".join(packets.encode(given, model, 32))


def test_the_command_writes_the_header(tmp_path, capsys):
    model = HMM.random(3, 5, seed=0).freeze(12)
    model.save(tmp_path / "m.bbm")
    out = tmp_path / "tables.h"
    command = ["export", str(tmp_path / "m.bbm"), "--name", "sensor"]
    assert main(command) == 0
    assert capsys.readouterr().out == c_header(model, "sensor")
    assert main([*command, "--c-header", str(out)]) == 0
    assert out.read_text() == c_header(model, "sensor")
    assert main([*command, "--c-header", str(out)]) == 1
    assert "exists: -f replaces it" in capsys.readouterr().err
    assert main([*command, "--c-header", str(out), "-f"]) == 0


def test_values_of_the_symbols():
    letters = HMM.fit("abba", n_states=1, alphabet="ab", n_iter=1).freeze(8)
    assert "uint32_t model_alphabet[] = {\n    97, 98};" in c_header(letters)
    values = [-(2**63), -1, 2**62]
    integers = HMM.fit(np.array(values), n_states=1, alphabet=values, n_iter=1)
    assert (
        f"int64_t model_alphabet[] = {{\n    {-(2**63) + 1} - 1, -1, {2**62}}};"
        in c_header(integers.freeze(8))
    )
    assert "alphabet" not in c_header(HMM.random(2, 3, seed=0).freeze(8))


def test_the_end_of_a_record_is_named():
    drawn = HMM.random(2, 3, seed=1)
    for symbols, listed in (("ab", "= {\n    97, 98};"), ([5, 9], "= {\n    5, 9};")):
        alphabet = bbans.Alphabet(symbols, ends=True)
        model = HMM(
            drawn.initial, drawn.transition, drawn.emission, alphabet=alphabet
        ).freeze(15)
        header = c_header(model, "exported")
        assert f"exported_alphabet[] {listed}" in header
        assert "enum { exported_end = 2 };" in header
    every = HMM.random(2, 257, seed=1)
    for alphabet in (
        bbans.Alphabet.utf8(ends=True),
        bbans.Alphabet(256, kind="bytes", ends=True),
    ):
        model = HMM(every.initial, every.transition, every.emission, alphabet=alphabet)
        with pytest.raises(ModelError, match=r"257, with the end .* train it without"):
            c_header(model.freeze(15))


def test_what_a_device_cannot_read():
    with pytest.raises(bbans.ModelError, match="records on devices are bytes"):
        c_header(records_model(alphabet=" %.0123456789=ht"))
    with pytest.raises(bbans.ModelError, match="at most 15 bits, this model has 24"):
        c_header(HMM.random(2, 3, seed=0).freeze())
    with pytest.raises(bbans.ModelError, match="up to 256 symbols"):
        c_header(HMM.random(2, 257, seed=0).freeze(15))
    linear = bbans.LGSSM([[0.5]], [[1.0]], [[1.0]], [[1.0]]).freeze()
    with pytest.raises(bbans.ModelError, match="hidden Markov models, not a linear"):
        c_header(linear)
    for name in ("", "1a", "a-b", "a;", "é", "int", "NULL", "uint16_t"):
        with pytest.raises(bbans.ModelError, match="no C name"):
            c_header(HMM.random(2, 3, seed=0).freeze(15), name)
