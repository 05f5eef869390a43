"""The npm package, js/: its tests in node and in Chromium, and its types."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import browser
import javascript
import pytest

import bbans
from bbans.frozen import shipped_model

JS = Path(__file__).resolve().parent.parent / "js"
NODE = shutil.which("node")
TSC = shutil.which("tsc")
MODULES = ["bbans", "bbans-decoder", "bbans-hmm"]
LARGEST = [700_000, 400_000, 60_000]  # bytes

needs_modules = pytest.mark.skipif(
    not all((JS / f"{name}.wasm").exists() for name in MODULES),
    reason="the .wasm files are not built: python js/build.py",
)
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The folder of the files that js/test/cases.mjs reads."""
    folder = tmp_path_factory.mktemp("files")
    javascript.write_files(folder)
    return folder


def run(*command, cwd=JS, **environment):
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300,
        env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_modules
@needs_node
def test_in_node(files):
    tests = sorted(map(str, JS.glob("test/*.test.mjs")))
    assert "# fail 0" in run(NODE, "--test", *tests, FILES=str(files))


@needs_modules
@pytest.mark.skipif(browser.find() is None, reason="there is no Chromium")
def test_in_chromium(files, tmp_path):
    """The same, in a page and in a worker, under a strict content security policy."""
    shutil.copytree(JS, tmp_path / "js")
    shutil.copytree(files, tmp_path / "files")
    policy = {"Content-Security-Policy": browser.STRICT}
    with browser.serve(tmp_path, policy) as url, browser.Chromium() as chromium:
        tab = chromium.open(f"{url}/js/test/page.html")
        for where in ("page", "worker"):
            results = tab.evaluate(f"await globalThis.runIn('{where}')")
            assert len(results) > 10
            assert [each for each in results if each["error"]] == []
        assert tab.console == []


GUIDE = (JS.parent / "docs" / "guide" / "browser.md").read_text("utf-8")


@needs_modules
@needs_node
@pytest.mark.parametrize("script", re.findall(r"```js\n(.*?)```", GUIDE, re.S))
def test_guide(script, tmp_path):
    """What a snippet prints is what stands behind it."""
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "bbans").symlink_to(JS)
    shipped_model("english").save(tmp_path / "english.bbm")
    path = tmp_path / "snippet.mjs"
    path.write_text(script, "utf-8")
    wanted = re.findall(r"console\.log.*; // (.*)", script)
    assert wanted
    assert run(NODE, str(path), cwd=tmp_path).splitlines() == wanted


@pytest.mark.skipif(TSC is None, reason="there is no TypeScript compiler")
def test_types():
    """js/test/types.ts uses every function, and what it must not pass is refused."""
    options = ("--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom")
    run(TSC, *options, "--moduleResolution", "node16", "test/types.ts")
    used = (JS / "test" / "types.ts").read_text()
    declared = (JS / "bbans.d.ts").read_text()
    functions = re.findall(r"^  (\w+)(?:<.*>)?\(", declared, re.M)
    assert len({*functions}) > 12
    assert [name for name in functions if f".{name}(" not in used] == []


def test_the_package():
    """It has every module, and the version of the library."""
    package = json.loads((JS / "package.json").read_text())
    wanted = {path.name for path in JS.glob("*.js")} | {"bbans.d.ts"}
    assert {*package["files"]} == wanted | {f"{name}.wasm" for name in MODULES}
    assert package["version"] == bbans.__version__


@needs_modules
def test_the_modules_are_small():
    sizes = [(JS / f"{name}.wasm").stat().st_size for name in MODULES]
    assert [size <= most for size, most in zip(sizes, LARGEST, strict=True)] == [
        True
    ] * 3


def test_what_is_exported_is_called():
    """The functions of C that build.py names are those that the modules call."""
    text = "".join(path.read_text("utf-8") for path in sorted(JS.glob("*.js")))
    build = (JS / "build.py").read_text("utf-8")
    lists = re.findall(
        r"^(?:SEQUENCES|CONTAINERS|ENCODERS) = \((.*?)^\)", build, re.S | re.M
    )
    exported = {name for names in lists for name in re.findall(r'"(\w+)"', names)}
    # Calls by name, by the name of a family of coders, and those of core.js itself.
    named = {*re.findall(r'"([a-z0-9_]+)"', text), *re.findall(r"bbans_(\w+)\b", text)}
    families = re.findall(r"`\$\{family\}_(\w+)`", text)
    named |= {f"{x}_{y}" for x in ("signal", "grid", "float") for y in families}
    assert exported - named == set()
    declared = {
        *re.findall(r"\bbbans_(\w+)\(", (JS.parent / "csrc/bbans.h").read_text())
    }
    assert (named & declared) - exported == set()
