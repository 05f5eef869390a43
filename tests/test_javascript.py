"""The npm package, js/: its tests in node and in Chromium, and its types."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
JS = ROOT / "js"
VECTORS = ROOT / "tests" / "vectors"
NODE = shutil.which("node")
MODULES = [JS / f"{name}.wasm" for name in ("bbans", "bbans-decoder", "bbans-hmm")]

needs_modules = pytest.mark.skipif(
    not all(path.exists() for path in MODULES),
    reason="the .wasm files are not built: python js/build.py",
)
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node")


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory):
    """The folder of the files that js/test/cases.mjs reads."""
    folder = tmp_path_factory.mktemp("fixtures")
    for name in ("container_v3", "records_v1"):
        shutil.copy(VECTORS / f"{name}.json", folder)
    return folder


@needs_modules
@needs_node
def test_in_node(fixtures):
    done = subprocess.run(
        [NODE, "--test", "test/"], cwd=JS, capture_output=True, text=True,
        env=os.environ | {"FIXTURES": str(fixtures)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
