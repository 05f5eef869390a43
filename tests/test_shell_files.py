"""The man page and the completions: current, shipped, and what they complete."""

import importlib.metadata
import shutil
import subprocess
from pathlib import Path

import pytest
from shared import program

from bbans.cli.main import parser
from bbans.cli.shell import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
SHARE = ROOT / "share"
made = program("tools/shell_files.py")


@pytest.mark.parametrize("name", made.FILES_OF)
def test_they_are_current(name):
    """python tools/shell_files.py makes them so."""
    assert (SHARE / name).read_text("utf-8") == made.FILES_OF[name]()


@pytest.mark.parametrize("name", made.FILES_OF)
def test_they_are_installed(name):
    shipped = [
        path
        for path in importlib.metadata.files("bbans")
        if path.as_posix().endswith(f"share/{name}")
    ]
    assert len(shipped) == 1
    assert shipped[0].locate().read_text() == (SHARE / name).read_text("utf-8")


def flags_of(command):
    return {
        flag
        for action in parser(command)._actions
        for flag in action.option_strings
    }  # fmt: skip


def section_of(page, command):
    """The part of the page about a command, or about none."""
    if command is None:
        return page[page.index(".SH OPTIONS") : page.index(".SH COMMANDS")]
    start = page.index(f".SS {command}\n")
    return page[start : page.index("\n.S", start + 1)]


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_the_page_has_every_option(command):
    page = (SHARE / "man/man1/bbans.1").read_text("utf-8")
    section = section_of(page, command).replace("\\-", "-")
    hidden = {f"-{level}" for level in range(2, 9)} | {"-h", "--help"}
    for flag in flags_of(command) - hidden:
        assert f"\\fB{flag}\\fR" in section, flag


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_the_page_is_good_roff():
    page = SHARE / "man/man1/bbans.1"
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-P-cbu", page],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    for words in ("BBANS_MODEL", "--decompress", "bbans train", "EXIT STATUS"):
        assert words in text


# ---- bash

BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
_bbans
(( ${#COMPREPLY[@]} )) && printf '%s\\n' "${COMPREPLY[@]}"
true
"""


def complete(*words):
    """What bash offers for the last of these words."""
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH, "-", SHARE / "bash-completion/completions/bbans",
         "bbans", *words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_what_bash_completes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("data.txt", "a b.bbz", "english.log"):
        Path(name).write_bytes(b"")
    Path("folder").mkdir()
    files = ["a b.bbz", "data.txt", "english.log", "folder"]
    assert sorted(complete("")) == sorted([*COMMANDS, *files])
    assert complete("comp") == ["compress"]
    assert sorted(complete("d")) == ["data.txt", "decompress", "demo"]
    assert complete("--dec") == ["--decompress"]
    assert complete("-d", "a") == ["a b.bbz"]
    assert complete("-m", "eng") == ["english", "english.log"]
    assert complete("--model", "=", "dig") == ["digits", "digit_rows"]
    models = ["english", "text", "digits", "digit_rows"]
    assert sorted(complete("--model", "=")) == sorted([*models, *files])
    assert complete("compress", "--as", "w") == ["wav"]
    assert complete("compress", "--type", "float3") == ["float32"]
    assert complete("compress", "da") == ["data.txt"]
    assert complete("compress", "comp") == []
    assert complete("demo", "--data", "") == ["folder"]
    assert complete("demo", "v") == ["vae"]
    assert complete("-T", "") == []
    assert complete("get", "d") == ["data.txt"]
    for command in (None, *COMMANDS):
        words = [] if command is None else [command]
        assert {*complete(*words, "-")} == flags_of(command)


def words_of(name):
    return (SHARE / name).read_text("utf-8")


@pytest.mark.parametrize(
    ("shell", "name"),
    [
        ("zsh", "zsh/site-functions/_bbans"),
        ("fish", "fish/vendor_completions.d/bbans.fish"),
    ],
)
def test_the_other_shells_have_every_option(shell, name):
    text = words_of(name)
    for command, about in COMMANDS.items():
        assert command in text
        assert about in text
    for flag in flags_of(None) | {f for name in COMMANDS for f in flags_of(name)}:
        word = flag
        if shell == "fish":
            word = f" -l {flag[2:]} " if flag.startswith("--") else f" -s {flag[1:]}"
        assert word in text, flag
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n", SHARE / name], check=True)
