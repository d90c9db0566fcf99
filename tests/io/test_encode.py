"""What is written as JSON: plain values, in UTF-8, with a line end."""

from math import inf, nan
from pathlib import Path

from fastweights.io.encode import to_json


def test_it_is_as_by_hand():
    value = {"π": nan, 1: (2.5, -inf), "folder": [Path("a", "b"), None, True]}
    assert (
        to_json(value) == '{"π": null, "1": [2.5, null], "folder": ["a/b", null, true]}\n'.encode()
    )
    assert to_json({"a": [1]}, indent=1) == b'{\n "a": [\n  1\n ]\n}\n'
