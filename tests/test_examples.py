"""The examples run; the models that they made and that come with bbans code."""

import gzip
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import bbans
from bbans.records import chain, unchain

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name, *options, cwd):
    command = [sys.executable, EXAMPLES / f"{name}.py", *options]
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def random_message():
    return bbans.Message.seeded(np.random.default_rng(0).bytes(20_000), lanes=1)


def shipped(name):
    return bbans.load_model(files("bbans").joinpath(f"data/{name}.bbm"))


def test_the_vae_of_digits():
    model = shipped("digits")
    assert (model.width, model.levels) == (784, 1)
    assert len(model.to_bytes()) <= 300_000
    images = model.sample(random_message(), 100)
    assert 0.05 < images.mean() < 0.3  # ink
    assert images.reshape(-1, 28, 28)[:, :2].mean() < 0.02  # and margins
    data = bbans.encode(images, model)
    assert 8 * len(data) < 0.2 * images.size
    assert np.array_equal(bbans.decode(data, model, length=100), images)


def test_the_deep_state_space_model_of_digits():
    model = shipped("digit_rows")
    assert model.width == 28
    assert len(model.to_bytes()) <= 300_000
    steps, message = model.state_space(), random_message()
    digits = np.empty((40, 28, 28), np.uint8)
    for digit in digits:
        z = belief = None
        for row in digit:
            z = steps.prior(z).pop(message)
            row[:] = steps.likelihood_given(z, belief).pop(message)
            belief = steps.update(belief, row)
    assert 0.05 < digits.mean() < 0.3
    assert digits[:, :2].mean() < 0.02
    data = chain(digits, model)
    assert 8 * len(data) < 0.2 * digits.size
    assert np.array_equal(unchain(data, [28] * 40, model), digits)


def test_a_hyperprior(tmp_path):
    shown = run("hyperprior", cwd=tmp_path)
    assert "the same bytes for batches of 1 and 7" in shown


@pytest.mark.parametrize("name", ["volatility", "tracker"])
def test_models_without_an_exact_filter(name, tmp_path):
    shown = run(name, cwd=tmp_path).splitlines()
    assert len(shown) >= 3
    bits = [float(re.search(r"(\d+\.\d+) bits per step", line)[1]) for line in shown]
    assert bits == sorted(bits, reverse=True)


def test_the_tracker_computes_polar_coordinates():
    code = (
        "import numpy as np, tracker\n"
        "ahead, aside = np.random.default_rng(0).integers(-(2**20), 2**20, (2, 9999))\n"
        "far, angle = tracker.polar(ahead, aside)\n"
        "assert np.abs(far / 2**16 - np.hypot(ahead, aside)).max() < 0.02\n"
        "turns = np.arctan2(aside, ahead) / (2 * np.pi)\n"
        "assert np.abs(angle / 2**16 - turns * 2**16).max() < 0.4\n"
    )
    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Files by the names of the real ones: blurred blots, and random walks."""
    folder, rng = tmp_path_factory.mktemp("made"), np.random.default_rng(0)
    blot = 200 * np.exp(-np.square(np.linspace(-2, 2, 28)))
    for name in ("train", "t10k_first5000"):
        images = np.outer(blot, blot) / 200 + rng.integers(0, 55, (250, 28, 28))
        header = bytes(16)
        with gzip.open(folder / f"mnist_{name}-images-idx3-ubyte.gz", "wb") as file:
            file.write(header + images.astype(np.uint8).tobytes())
    series = np.cumsum(rng.integers(-9, 10, (17070, 6)), axis=0).astype(np.int32)
    np.save(folder / "imu_sample_17070x6_i32.npy", series)
    return folder


@pytest.mark.parametrize(
    ("script", "options"),
    [("train_vae", ["--levels", 2]), ("train_deep_ssm", []), ("train_imu", [])],
)
def test_training(made, tmp_path, script, options):
    pytest.importorskip("torch", reason="these examples train with PyTorch")
    out = tmp_path / "model"
    shown = run(
        script, "--data", made, "--out", out, "--steps", 2, *options, cwd=tmp_path
    )
    assert "step 2, " in shown
    assert "in one message of" in shown
    for suffix in (".pt", ".npz", ".bbm"):
        assert out.with_suffix(suffix).exists()
