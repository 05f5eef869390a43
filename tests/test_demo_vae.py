"""bbans demo vae, run as users run it."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from test_cli import directory, fails, passes, write  # noqa: F401

import bbans


def idx(images):
    """As MNIST's files are."""
    return np.array([0x803, *images.shape], ">u4").tobytes() + images.tobytes()


def test_demo_of_a_vae():
    pytest.importorskip("matplotlib")
    text = passes("demo", "vae", "--images", "40", "-o", "figure.png").decode()
    assert "40 images drawn from the model" in text
    assert [line.split()[0] for line in text.splitlines()[3:8]] == [
        *"13",
        "10",
        "30",
        "40",
    ]
    assert "decoded and compared" in text
    assert Path("figure.png").read_bytes().startswith(b"\x89PNG")
    again = passes("demo", "vae", "--images", "40", "-o", "figure.png").decode()
    assert again == text
    Path("digits").mkdir()
    images = 200 * bbans.frozen.shipped_model("digits").sample(
        bbans.Message.from_bytes(bytes(range(1, 256)) * 60), 30
    ).astype(np.uint8).reshape(30, 28, 28)
    data = gzip.compress(idx(images))
    write("digits/t10k-images-idx3-ubyte.gz", data)
    text = passes("demo", "vae", "--data", "digits", "-o", "figure.png").decode()
    assert "30 test images of MNIST" in text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "has no test images of MNIST"),
        (b"no image", "holds no images of 28 x 28"),
        (idx(np.zeros((3, 28, 27), np.uint8)), "holds no images of 28 x 28"),
        (idx(np.zeros((3, 28, 28), np.uint8))[:-1], "does not hold 3 images"),
    ],
)
def test_demo_of_a_vae_on_what_is_no_mnist(data, text):
    Path("digits").mkdir()
    if data is not None:
        write("digits/t10k-images-idx3-ubyte", data)
    assert text in fails("demo", "vae", "--data", "digits")
