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

JS = Path(__file__).resolve().parent.parent / "js"
NODE = shutil.which("node")
TSC = shutil.which("tsc")
MODULES = ["bbans", "bbans-decoder", "bbans-hmm"]

needs_modules = pytest.mark.skipif(
    not all((JS / f"{name}.wasm").exists() for name in MODULES),
    reason="the .wasm files are not built: python js/build.py",
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The folder of the files that js/test/cases.mjs reads."""
    folder = tmp_path_factory.mktemp("files")
    javascript.write_files(folder)
    return folder


def run(*command, **environment):
    done = subprocess.run(
        command, cwd=JS, capture_output=True, text=True, timeout=300,
        env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_modules
@pytest.mark.skipif(NODE is None, reason="there is no node")
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


@pytest.mark.skipif(TSC is None, reason="there is no TypeScript compiler")
def test_types():
    """js/test/types.ts uses every function, and what it must not pass is refused."""
    options = ("--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom")
    run(TSC, *options, "--moduleResolution", "node16", "test/types.ts")
    used = (JS / "test" / "types.ts").read_text()
    declared = (JS / "bbans.d.ts").read_text()
    for body in re.findall(
        r"export interface (?:Bbans|Model|Records?\w*) .*?\n}", declared, re.S
    ):
        for name in re.findall(r"^  (?:readonly )?(\w+)[(:?]", body, re.M):
            assert re.search(rf"\b{name}\b", used), name


def test_the_package():
    """It has every module, and the version of the library."""
    package = json.loads((JS / "package.json").read_text())
    wanted = {path.name for path in JS.glob("*.js")} | {"bbans.d.ts"}
    assert {*package["files"]} == wanted | {f"{name}.wasm" for name in MODULES}
    assert package["version"] == bbans.__version__
