import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

def filter(
    x: _Floats,
    A: _Floats,
    b: _Floats,
    C: _Floats,
    d: _Floats,
    gain: _Floats,
    predicted: _Floats,
    filtered: _Floats,
    errors: _Floats,
) -> None: ...
def smooth(predicted: _Floats, back: _Floats, means: _Floats) -> None: ...
def smooth_covs(
    filtered: _Floats,
    posterior: _Floats,
    back: _Floats,
    T: int,
    close: float,
    total: _Floats,
    lag: _Floats,
    ends: _Floats,
    covs: _Floats | None,
) -> None: ...
