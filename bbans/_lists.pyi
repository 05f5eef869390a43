from typing import Any

import numpy as np
from numpy.typing import NDArray

def integers(values: list[Any], what: str) -> NDArray[np.int64]: ...
def joined(
    rows: list[Any], sizes: NDArray[np.int64], what: str
) -> NDArray[np.int64]: ...
def listed(array: NDArray[np.int32]) -> list[int]: ...
