import numpy as np
from numpy.typing import NDArray

def filter_exact(
    hmm: int,
    predicted: NDArray[np.uint32],
    symbols: NDArray[np.uint32],
    filtered: NDArray[np.uint32],
) -> None: ...
def posterior_exact(
    hmm: int,
    filtered: NDArray[np.uint32],
    next_state: int,
    weight: NDArray[np.uint32],
) -> None: ...
def predictive_exact(
    hmm: int, predicted: NDArray[np.uint32], cdf: NDArray[np.uint32]
) -> None: ...
