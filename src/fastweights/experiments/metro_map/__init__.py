"""The metro maps: the experiment, the paper's settings, tests, pictures, the comparison of models."""
