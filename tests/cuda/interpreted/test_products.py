"""Products of tiles and their precision."""

import pytest
import torch
from tensor_cores import emulated
from toy_kernel import multiply


@pytest.mark.parametrize("dtype, largest", [(torch.float64, 1e-15), (torch.float32, 1e-6)], ids=str)
def test_a_product_is_exact(dtype, largest):
    a, b = torch.randn(2, 2, 5, 5, dtype=torch.float64)
    found = multiply(a.to(dtype), b.to(dtype))
    assert (found - a @ b).abs().max() <= largest * (a @ b).abs().max()


def test_three_products_of_tf32_are_as_exact_as_float32_and_one_is_not():
    a, b = torch.randn(2, 1, 64, 64)
    true, errors = a.double() @ b.double(), {}
    for precision in ("ieee", "tf32x3", "tf32"):
        with emulated() as asked:
            found = multiply(a, b, precision)
        assert asked == {precision}
        errors[precision] = ((found - true).norm() / true.norm()).item()
    assert errors["tf32x3"] <= 2 * errors["ieee"] < 1e-5 < errors["tf32"]
