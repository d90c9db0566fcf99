"""MNIST glimpses: the experiment, its settings, typed images, pictures, the paper's table."""
