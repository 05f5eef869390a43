import numpy as np
from numpy.typing import NDArray

def exchange(
    order: NDArray[np.int32],
    follows: NDArray[np.int32],
    leads: NDArray[np.int32],
    first_follows: NDArray[np.int32],
    first_leads: NDArray[np.int32],
    weight: NDArray[np.int32],
    symbol: NDArray[np.int32],
    L: NDArray[np.float64],
    of_item: NDArray[np.int32],
    C: NDArray[np.int32],
    E: NDArray[np.int32],
    work: NDArray[np.int32],
) -> int: ...
