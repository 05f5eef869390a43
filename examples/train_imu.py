"""Train a deep state space model of an inertial sensor, and compare it with others.

    python examples/train_imu.py --data DIR --out imu

DIR holds imu_sample_17070x6_i32.npy: gyroscope and accelerometer of a drone's flight,
six integers a step. The model sees the differences of the first 12,000 steps, and codes
those of the rest. examples/README.md has the rates.
"""

from __future__ import annotations

import io
import lzma
from argparse import Namespace
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from train_deep_ssm import StateSpace
from training import arguments, finish, train

import bbans
from bbans.formats import SignalCoder
from bbans.frozen import Head

FILE, TRAINING = "imu_sample_17070x6_i32.npy", 12_000
CHANNELS, LATENTS, STATE, HIDDEN = 6, 6, 64, 64
COMPONENTS = 2  # logistic distributions of a value
LOW, HIGH = -(1 << 15), (1 << 15) - 1
STEP = 2.0**-5  # of values, in the networks
LOG_SCALE = -6.0, 4.0  # in the networks' units
SEQUENCES, LENGTH = 50, 64  # of a batch


class Sensor(StateSpace):
    """A step at a time, each value a mixture of logistic distributions."""

    def __init__(self) -> None:
        outputs = CHANNELS * 3 * COMPONENTS
        super().__init__(CHANNELS, outputs, LATENTS, STATE, HIDDEN, low=-1.0)

    def observed(self, outputs: Tensor, x: Tensor) -> Tensor:
        shaped = outputs.unflatten(-1, (CHANNELS, 3, COMPONENTS))
        log_weight, location, log_scale = shaped.unbind(-2)
        inverse = (-log_scale.clamp(*LOG_SCALE)).exp()
        distance = (x[..., None] - location) * inverse
        half = 0.5 * STEP * inverse
        # log(F(d + half) - F(d - half)) of the logistic function F
        inside = logsigmoid(distance + half) + logsigmoid(half - distance)
        inside = inside + torch.log(-torch.expm1(-2 * half))
        return -(log_weight.log_softmax(-1) + inside).logsumexp(-1).sum(-1)


def cut(series: np.ndarray, seed: int) -> Callable[[float], Tensor]:
    """Batches of sequences from anywhere, for `train`."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.from_numpy(series * STEP).float()

    def batch(_: float) -> Tensor:
        first = torch.randint(len(steps) - LENGTH, (SEQUENCES, 1), generator=generator)
        return steps[first + torch.arange(LENGTH)]

    return batch


def others(series: np.ndarray) -> dict[str, int]:
    """Bytes that other coders take."""
    sizes = {
        "bbans.compress, linear prediction": len(bbans.compress(series, SignalCoder())),
        "xz, a channel at a time": len(lzma.compress(series.T.tobytes(), preset=9)),
    }
    try:
        import soundfile
    except ImportError:
        return sizes
    flac = 0
    for channel in series.T.astype(np.int16):
        file = io.BytesIO()
        soundfile.write(
            file, channel, 8000, format="FLAC", subtype="PCM_16", compression_level=1.0
        )
        flac += len(file.getvalue())
    return {**sizes, "FLAC, a channel at a time": flac}


def main(options: Namespace) -> None:
    torch.manual_seed(options.seed)
    series = np.load(options.data / FILE)
    differences = np.diff(series, axis=0)
    seen, test = differences[: TRAINING - 1], differences[TRAINING - 1 :]
    model = Sensor()
    x = torch.from_numpy(test * STEP).float()
    train(model, cut(seen, options.seed), x[None], options)
    head = Head.mixture(CHANNELS, COMPONENTS, LOW, HIGH)
    float_model = model.exported(head, STEP)
    finish(float_model, seen, test[None], options, grid=4)
    for name, size in others(np.ascontiguousarray(series[TRAINING:])).items():
        print(f"{name}: {8 * size / test.size:.3f} bits/value")


if __name__ == "__main__":
    main(arguments(__doc__, steps=5000).parse_args())
