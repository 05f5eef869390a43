import numpy as np
from numpy.typing import NDArray

def fill(
    mass: NDArray[np.float64],
    prec: int,
    freq: NDArray[np.uint32],
    share: NDArray[np.float64],
) -> None: ...
