"""Tests whose process has TRITON_INTERPRET=1: `test_interpreted.py` starts it; to run one of them by hand, set it."""

from fastweights.kernels.triton import ready

collect_ignore_glob = ["conftest.py"] if ready.INTERPRETED else ["*.py"]
