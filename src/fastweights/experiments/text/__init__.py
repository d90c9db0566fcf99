"""Word language models (Schlag et al. 2021, section 4.3)."""
