import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fastweights.training.engine.meter import Meter, NotFinite

losses = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40)


@given(values=losses, hold=st.integers(1, 9), looks=st.sets(st.integers(0, 39)))
def test_means_never_depend_on_when_they_are_fetched_or_looked_at(values, hold, looks):
    plain, held = Meter(), Meter(hold)
    for step, value in enumerate(values):
        plain.add(step + 1, {"loss": torch.tensor(value), "half": torch.tensor(value / 2)})
        held.add(step + 1, {"loss": torch.tensor(value), "half": torch.tensor(value / 2)})
        if step in looks:
            held.recent()
    held.flush()
    assert held.means() == plain.means()
    assert plain.means()["loss"] == sum(values) / len(values)


def test_recent_means_are_of_what_came_since():
    meter = Meter()
    assert meter.recent() == {}
    for step, value in enumerate([1.0, 3.0]):
        meter.add(step + 1, {"loss": torch.tensor(value)})
    assert meter.recent() == {"loss": 2.0}
    assert meter.recent() == {}
    meter.add(3, {"loss": torch.tensor(5.0)})
    assert meter.recent() == {"loss": 5.0}
    assert meter.means() == {"loss": 3.0}


@pytest.mark.parametrize("hold", [1, 4, 100])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_first_bad_step_is_named_however_late_it_is_fetched(hold, bad):
    meter = Meter(hold)
    with pytest.raises(NotFinite) as caught:
        for step in range(1, 10):
            reading = torch.tensor(bad if step in (6, 7) else 1.0)
            meter.add(step, {"loss": torch.tensor(1.0), "gradient_norm": reading})
        meter.flush()
    assert caught.value.step == 6
    assert "gradient norm" in str(caught.value)


def test_a_meter_goes_on_from_its_state():
    meter, other = Meter(3), Meter()
    for step, value in enumerate([0.1, 0.2, 0.3, 0.4]):
        meter.add(step + 1, {"loss": torch.tensor(value)})
    other.restore(meter.state())
    for each in (meter, other):
        each.add(5, {"loss": torch.tensor(0.5)})
        each.flush()
    assert meter.means() == other.means()
