"""The recurrences in NumPy, float64, with gradients derived by hand: the truth that every backend is held against."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NORM_EPS = 1e-5
"""ε of every layer norm, the ops' default."""
