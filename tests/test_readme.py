"""The documents keep their word: their code runs, and prints what they say.

In README.md and docs/ every ```python block runs, and so does every ```sh block with
`<!-- test -->` on the line before it: in order, in one directory and one namespace for
each document. ```c blocks are compiled. A ```text block after `<!-- output -->` is what
the block before it prints, but for `...`. Other blocks of code say why they are not
run, `<!-- not run: why -->`, or what runs them, `<!-- test: a file of tests -->`.
Examples in docstrings are checked too.
"""

import contextlib
import doctest
import importlib
import inspect
import io
import operator
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest

import bbans
from bbans.codecs.check import ModelReport

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"^(?:[ ]*<!-- (?P<mark>[^\n]*) -->\n)?"
    r"(?P<indent>[ ]*)```(?P<language>python|py|sh|c|js|ts|html)\n"
    r"(?P<code>.*?)^(?P=indent)```$"
    r"(?:\n\n<!-- output -->\n```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
NEEDS_CC = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
NEEDS = re.compile(r"^<!-- needs (.*) -->$", re.MULTILINE)
DIRECTORIES = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]


def blocks(text):
    """Yield (language, code, line number, output) of each block that must run."""
    for match in BLOCK.finditer(text):
        if runs(match):
            line = text.count("\n", 0, match.start("code")) + 1
            code = textwrap.dedent(match["code"])
            yield match["language"], code, line, match["output"]


def runs(block):
    language, mark = block["language"], block["mark"] or ""
    reason = mark.startswith(("not run: ", "test: "))
    return language == "python" or (language == "c" and not reason) or mark == "test"


def says_why_not(block):
    """Whether a block that does not run has a reason, or names a test that there is."""
    mark = block["mark"] or ""
    if mark.startswith("test: "):
        return (ROOT / mark.removeprefix("test: ")).is_file()
    return bool(re.fullmatch(r"not run: \S.{5,}", mark))


def run_python(code, names, where, line):
    """Run a block, and return what it prints."""
    printed = io.StringIO()
    if ">>>" not in code:
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (line - 1) + code, where, "exec"), names)
        return printed.getvalue()
    report = io.StringIO()
    test = doctest.DocTestParser().get_doctest(code, names, where, where, line - 1)
    test.globs = names  # not the copy: later blocks use these names
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    if runner.run(test, out=report.write, clear_globs=False).failed:
        pytest.fail(report.getvalue())
    return printed.getvalue()


def run_shell(code, where, line):
    """Run a block, and return what it prints."""
    path = os.pathsep.join([*DIRECTORIES, os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        pytest.fail(f"{where}, line {line}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def compile_c(code, where, line):
    """Compile statements, as within a function after the headers of the library."""
    includes = [text for text in code.splitlines() if text.startswith("#include")]
    body = "\n".join("" if text in includes else text for text in code.split("\n"))
    headers = ["#include <bbans.h>", "#include <bbans_tiny.h>", *includes]
    if "main(" not in body:
        body = f'void example(void) {{\n#line {line} "{Path(where).name}"\n{body}}}\n'
    compiler = ["cc", "-std=c99", "-Wall", "-Werror", "-Wno-unused", "-fsyntax-only"]
    done = subprocess.run(
        [*compiler, f"-I{ROOT / 'csrc'}", "-I.", "-xc", "-"],
        input="\n".join([*headers, body]),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.fail(f"{where}, line {line}:\n{done.stderr}")
    return ""


def run_document(text, where):
    names = {"__name__": "__main__"}
    for language, code, line, output in blocks(text):
        if language == "python":
            printed = run_python(code, names, where, line)
        elif language == "c":
            printed = compile_c(code, where, line) if shutil.which("cc") else ""
        else:
            printed = run_shell(code, where, line)
        if output is not None and not matches(output, printed):
            pytest.fail(f"{where}, line {line}: expected\n{output}\nnot\n{printed}")


def matches(output, printed):
    return doctest.OutputChecker().check_output(output, printed, doctest.ELLIPSIS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_document(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = path.read_text(encoding="utf-8")
    for packages in NEEDS.findall(text):
        for package in packages.split():
            pytest.importorskip(package, reason=f"{path.name} needs {package}")
    for beside in path.parent.glob(f"{path.stem}.npz"):  # what it reads
        shutil.copy(beside, tmp_path)
    run_document(text, str(path))


@pytest.mark.parametrize(
    "path",
    [*DOCUMENTS, *ROOT.glob("[!R]*.md"), *ROOT.glob("[ejc]*/**/README.md")],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_what_does_not_run_says_why(path):
    text = path.read_text(encoding="utf-8")
    silent = [
        text.count("\n", 0, block.start("code")) + 1
        for block in BLOCK.finditer(text)
        if not says_why_not(block) and not (path in DOCUMENTS and runs(block))
    ]
    assert silent == []


# ---- the rules themselves

RIGHT = """
```python
import bbans
data = bbans.compress("text")
open("data", "wb").write(data)
```
  ```python
  >>> bbans.decompress(data)
  'text'
  >>> bbans.decompress(data[:9])
  Traceback (most recent call last):
      ...
  bbans.errors.TruncatedError: container ends early, in its header

  ```
<!-- test -->
```sh
bbans decompress data -o - > text    # the file that Python wrote
test "$(cat text)" = text
```
<!-- not run: the test would fail -->
```sh
exit 1
```
```python
assert open("text").read() == "text"
```
"""


def test_a_right_document(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [language for language, _, _, _ in blocks(RIGHT)] == [
        "python", "python", "sh", "python",
    ]  # fmt: skip
    run_document(RIGHT, "right.md")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\n1 / 0\n```\n", "division by zero"),
        ("```python\nx = (\n```\n", "was never closed"),
        ("```python\n>>> 1 + 1\n3\n```\n", "Expected:\n    3\nGot:\n    2"),
        ("```python\n>>> 1 + 1\n2\n>>> no_such_name\n```\n", "no_such_name"),
        ("```python\nx = 1\n```\n```python\n>>> x\n2\n```\n", "Expected:\n    2"),
        ("<!-- test -->\n```sh\nfalse\ntrue\n```\n", "line 3: exit code 1"),
        ("<!-- test -->\n```sh\nfalse | true\n```\n", "exit code 1"),
        ("<!-- test -->\n```sh\nbbans info missing\n```\n", "missing: No such file"),
        ("<!-- test -->\n```sh\necho $no_such_name\n```\n", "unbound"),
        ("```python\nprint(2)\n```\n\n<!-- output -->\n```text\n3\n```\n", "expected"),
        pytest.param(
            "```c\nbbans_message_push(0);\n```\n", "wrong.md:2", marks=NEEDS_CC
        ),
    ],
)
def test_a_wrong_document(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((Exception, pytest.fail.Exception)) as caught:
        run_document("# Title\n" * ("```python" in text) + text, "wrong.md")
    assert message in str(caught.value)


def test_errors_have_the_line_of_the_document():
    with pytest.raises(ZeroDivisionError) as caught:
        run_document("one\n\n```python\nx = 1\nx / 0\n```\n", "wrong.md")
    last = caught.traceback[-1]
    assert (str(last.path).endswith("wrong.md"), last.lineno + 1) == (True, 5)


@pytest.mark.parametrize(
    ("mark", "right"),
    [
        ("not run: needs another machine", True),
        ("not run: ", False),
        ("test: tests/test_readme.py", True),
        ("test: tests/no_such_file.py", False),
        ("other", False),
    ],
)
def test_reasons(mark, right):
    block = BLOCK.search(f"<!-- {mark} -->\n```sh\nexit 1\n```\n")
    assert (says_why_not(block), runs(block)) == (right, False)


# ---- docstrings


def modules():
    yield "bbans"
    for found in pkgutil.walk_packages(bbans.__path__, "bbans."):
        if found.name.rsplit(".", 1)[1] not in ("__main__", "_core_build"):
            yield found.name


@pytest.mark.parametrize("name", list(modules()))
def test_docstrings(name):
    report = io.StringIO()
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        # Of what is not installed.
        assert name.startswith(("bbans.integrations.", "bbans.sklearn"))
        pytest.skip(str(error))
    with contextlib.redirect_stdout(report):
        failed, _ = doctest.testmod(module)
    assert failed == 0, report.getvalue()


@pytest.mark.parametrize(
    "name", sorted({*bbans.distributions.__all__} - {"Distribution", "Family", "Table"})
)
def test_distributions_say_what_they_take_and_raise(name):
    codec = getattr(bbans.distributions, name)
    for section in ("Parameters\n    ---", "Raises\n    ---"):
        assert section in codec.__doc__
    for parameter in inspect.signature(codec).parameters:
        assert re.search(rf"^    ([\w, ]+, )?\*?{parameter}(,| :)", codec.__doc__, re.M)


@pytest.mark.parametrize("name", [
    "LGSSM.fit", "LGSSM.spectral", "records.unchain", "records.decode_batch",
    "codecs.decode_sequence", "frozen.FrozenHMM.decode", "records.packets.encode",
    "Message.advance", "models.Topology.banded", "frozen.FrozenARHMM.step",
])  # fmt: skip
def test_parameters_are_described(name):
    function = operator.attrgetter(name)(bbans)
    for parameter in inspect.signature(function).parameters:
        if parameter != "self":
            pattern = rf"^ +([\w, ]+, )?{parameter}(,| :|$)"
            assert re.search(pattern, function.__doc__, re.M), parameter


def test_fields_of_reports_are_described():
    for field in ModelReport._fields:
        assert f"\n    {field} : " in ModelReport.__doc__


def test_there_are_examples_in_docstrings():
    finder = doctest.DocTestFinder()
    for name in (
        "bbans",
        "bbans.frozen.alphabet",
        "bbans.api",
        "bbans.distributions.table",
    ):
        tests = finder.find(importlib.import_module(name))
        assert any(test.examples for test in tests), name


def test_the_mathematics_list_their_sections():
    text = (ROOT / "docs/maths.md").read_text(encoding="utf-8")
    contents, _ = re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)
    listed = re.findall(r"\[([^]]+)\]\(#[\w-]+\)", contents)
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert sorted(listed) == sorted({*sections} - {"From here on, integers"})
