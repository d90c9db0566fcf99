"""The fused kernels for a decay of each feature of the key, and for erase keys; the equations are in `..channels`.

One key factor, no clamp and no chain of reads, so they have a layout of their own: chunks of 32 steps in two halves,
all arrays by step, F [key, value] as it is. Within a half the products of decays are made pair by pair, between the
halves by one product of scaled rows and columns; nothing is divided by a decay.
"""
