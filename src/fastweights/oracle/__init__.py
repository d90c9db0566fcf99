"""The recurrences in NumPy, float64, with gradients derived by hand: the truth that every backend is held against.

So they are written to be compared with the papers, not to be fast.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NORM_EPS = 1e-5
"""ε of every layer norm, the ops' default."""
