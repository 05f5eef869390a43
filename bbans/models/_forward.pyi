from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Real = TypeVar("_Real", np.float32, np.float64)

def columns(K: int, itemsize: int) -> int: ...
def stride(S: int, itemsize: int) -> int: ...
def pack(B: NDArray[_Real], panels: NDArray[_Real]) -> None: ...
def work_size(n: int, K: int, S: int, R: int) -> int: ...
def forward(
    x: NDArray[np.int32],
    runs: NDArray[np.int64],
    previous: int,
    K: int,
    initial: NDArray[_Real],
    A: NDArray[_Real],
    E: NDArray[_Real],
    lowest: float,
    alpha: NDArray[_Real],
    scale: NDArray[np.float64],
) -> int: ...
def backward(
    x: NDArray[np.int32],
    runs: NDArray[np.int64],
    following: int,
    begins: bool,
    K: int,
    A_transposed: NDArray[_Real],
    E: NDArray[_Real],
    alpha: NDArray[_Real],
    scale: NDArray[np.float64],
    carry: NDArray[_Real],
    work: NDArray[_Real],
    initial_count: NDArray[np.float64],
    transition_count: NDArray[np.float64],
    emission_count: NDArray[np.float64],
) -> None: ...
def viterbi(
    rows: NDArray[np.float64],
    begins: NDArray[np.uint8],
    log_initial: NDArray[np.float64],
    log_A: NDArray[np.float64],
    delta: NDArray[np.float64],
    back: NDArray[np.uint16],
) -> float: ...
def trace(back: NDArray[np.uint16], last: int, states: NDArray[np.int64]) -> int: ...
def filter_rows(
    E: NDArray[np.float64],
    begins: NDArray[np.uint8],
    K: int,
    initial: NDArray[np.float64],
    A: NDArray[np.float64],
    lowest: float,
    alpha: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> int: ...
def smooth_rows(
    E: NDArray[np.float64],
    begins: NDArray[np.uint8],
    K: int,
    A_transposed: NDArray[np.float64],
    alpha: NDArray[np.float64],
    scale: NDArray[np.float64],
    high: float,
    carry: NDArray[np.float64],
    gamma: NDArray[np.float64],
) -> int: ...
def filter_logs(
    rows: NDArray[np.float64],
    begins: NDArray[np.uint8],
    log_initial: NDArray[np.float64],
    log_A_transposed: NDArray[np.float64],
    alpha: NDArray[np.float64],
) -> tuple[float, int]: ...
def smooth_logs(
    rows: NDArray[np.float64],
    begins: NDArray[np.uint8],
    log_A: NDArray[np.float64],
    carry: NDArray[np.float64],
    alpha: NDArray[np.float64],
) -> None: ...
def sample(
    initial: NDArray[np.float64],
    A: NDArray[np.float64],
    B: NDArray[np.float64],
    u: NDArray[np.float64],
    x: NDArray[np.int32],
    z: NDArray[np.int64],
) -> None: ...
def sample_contexts(
    initial: NDArray[np.float64],
    A: NDArray[np.float64],
    B: NDArray[np.float64],
    children: NDArray[np.uint32],
    first: NDArray[np.uint32],
    label: NDArray[np.uint16],
    back_off: NDArray[np.uint16],
    symbol: NDArray[np.uint16],
    sums: NDArray[np.int64],
    end: int,
    u: NDArray[np.float64],
    x: NDArray[np.int32],
    z: NDArray[np.int64],
) -> None: ...
