"""The fast-weights RNN in NumPy, A written out, with back-propagation through time derived by hand.

z(t)     = drive(t) + W h(t-1)                          drive(t) = C x(t) + bias
h_0(t)   = f(z(t))            form "inner" (Ba et al. 2016), or f(LN'[z(t)]) with a preliminary LN
h_0(t)   = h(t-1)             form "flat": one nonlinearity a step
h_s+1(t) = f(LN[z(t) + A(t-1) h_s(t)])                  s = 0 … S-1,   h(t) = h_S(t)
A(t)     = λ A(t-1) + η h(t) h(t)ᵀ
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fastweights.oracle import NORM_EPS, Array


@dataclass
class Norm:
    """LN over the last axis with gain and bias, and the gradients it has gathered."""

    gain: Array
    bias: Array
    d_gain: Array = field(init=False)
    d_bias: Array = field(init=False)

    def __post_init__(self) -> None:
        self.d_gain, self.d_bias = np.zeros_like(self.gain), np.zeros_like(self.bias)

    def forward(self, z: Array) -> Array:
        return self.gain * self._standard(z)[0] + self.bias

    def backward(self, z: Array, dy: Array) -> Array:
        standard, deviation = self._standard(z)
        self.d_gain += (dy * standard).sum(axis=0)
        self.d_bias += dy.sum(axis=0)
        dx = dy * self.gain
        mean, slope = dx.mean(-1, keepdims=True), (dx * standard).mean(-1, keepdims=True)
        return (dx - mean - standard * slope) / deviation

    def _standard(self, z: Array) -> tuple[Array, Array]:
        deviation = np.sqrt(z.var(-1, keepdims=True) + NORM_EPS)
        return (z - z.mean(-1, keepdims=True)) / deviation, deviation


@dataclass
class Step:
    """What the backward pass needs of one time step."""

    previous: Array  # h(t-1)                         [batch, hidden]
    memory: Array  # A(t-1)                           [batch, hidden, hidden]
    slow: Array  # z(t)                               [batch, hidden]
    settled: list[Array]  # h_0(t) … h_S(t)           [batch, hidden] each
    inputs: list[Array]  # z(t) + A(t-1) h_s(t)       [batch, hidden] each


@dataclass
class Outcome:
    """outputs [batch, time, hidden], the final h and A (h(T)'s own write included), and every step."""

    outputs: Array
    hidden: Array
    memory: Array
    steps: list[Step]


@dataclass
class FastWeightRNN:
    """The recurrence with its parameters; argument names, shapes and defaults are `ops.fast_weight_rnn`'s.

    Example:
        >>> network = FastWeightRNN(np.eye(2), decay=0.9, rate=0.5)
        >>> outcome = network.forward(np.ones((1, 3, 2)))
        >>> network.backward(outcome, np.ones((1, 3, 2)))["recurrent_weight"].shape
        (2, 2)
    """

    recurrent_weight: Array
    decay: float | Array
    rate: float | Array
    norm_weight: Array | None = None
    norm_bias: Array | None = None
    preliminary_norm_weight: Array | None = None
    preliminary_norm_bias: Array | None = None
    inner_steps: int = 1
    nonlinearity: str = "relu"
    form: str = "inner"

    def forward(
        self, drive: Array, hidden: Array | None = None, memory: Array | None = None
    ) -> Outcome:
        """Run the sequence `drive` [batch, time, hidden] from h(0) and A(0) (None: zeros)."""
        batch, time, size = drive.shape
        h = np.zeros((batch, size)) if hidden is None else hidden
        A = np.zeros((batch, size, size)) if memory is None else memory
        norm, preliminary = self._norms()
        outputs, steps = np.zeros_like(drive), []
        for t in range(time):
            step = Step(h, A, drive[:, t] + h @ self.recurrent_weight.T, [], [])
            first = preliminary.forward(step.slow) if preliminary else step.slow
            h_s = h if self.form == "flat" else self._f(first)
            step.settled.append(h_s)
            for _ in range(self.inner_steps):
                z = step.slow + matvec(A, h_s)
                h_s = self._f(norm.forward(z) if norm else z)
                step.inputs.append(z)
                step.settled.append(h_s)
            h = h_s
            A = self.decay * A + self.rate * outer(h, h)
            outputs[:, t] = h
            steps.append(step)
        return Outcome(outputs, h, A, steps)

    def backward(
        self,
        outcome: Outcome,
        d_outputs: Array,
        d_hidden: Array | None = None,
        d_memory: Array | None = None,
    ) -> dict[str, Array]:
        """Back-propagate from gradients on the outputs and on the final state (None: zeros).

        Returns:
            The gradient of every argument, by name: "drive", "recurrent_weight", "decay", "rate", "hidden",
            "memory", and those of the norms that there are.
        """
        norm, preliminary = self._norms()
        dh = np.zeros_like(outcome.hidden) if d_hidden is None else d_hidden
        dA = np.zeros_like(outcome.memory) if d_memory is None else d_memory
        d_drive, dW = np.zeros_like(d_outputs), np.zeros_like(self.recurrent_weight)
        d_decay = d_rate = 0.0
        for t in reversed(range(len(outcome.steps))):
            step = outcome.steps[t]
            h, A = step.settled[-1], step.memory
            dh = dh + d_outputs[:, t]

            # A(t) = λ A(t-1) + η h(t) h(t)ᵀ: h enters twice, so both dA and its transpose reach it.
            d_decay += (dA * A).sum()
            d_rate += (dA * outer(h, h)).sum()
            dh = dh + self.rate * matvec(dA + dA.transpose(0, 2, 1), h)
            dA = self.decay * dA

            # h_s+1(t) = f(LN[z(t) + A(t-1) h_s(t)])
            d_slow = np.zeros_like(dh)
            for s in reversed(range(self.inner_steps)):
                dz = dh * self._slope(step.settled[s + 1])
                if norm:
                    dz = norm.backward(step.inputs[s], dz)
                d_slow += dz
                dA = dA + outer(dz, step.settled[s])
                dh = matvec(A.transpose(0, 2, 1), dz)

            # h_0(t), then z(t) = drive(t) + W h(t-1)
            straight = dh if self.form == "flat" else np.zeros_like(dh)
            if self.form == "inner":
                dz = dh * self._slope(step.settled[0])
                d_slow += preliminary.backward(step.slow, dz) if preliminary else dz
            d_drive[:, t] = d_slow
            dW += d_slow.T @ step.previous
            dh = d_slow @ self.recurrent_weight + straight

        gradients = {
            "drive": d_drive,
            "recurrent_weight": dW,
            "decay": np.array(d_decay),
            "rate": np.array(d_rate),
            "hidden": dh,
            "memory": dA,
        }
        if norm:
            gradients |= {"norm_weight": norm.d_gain, "norm_bias": norm.d_bias}
        if preliminary:
            gradients |= {
                "preliminary_norm_weight": preliminary.d_gain,
                "preliminary_norm_bias": preliminary.d_bias,
            }
        return gradients

    def clearance(self, outcome: Outcome) -> tuple[float, float]:
        """Return how far the run stayed from where it is not smooth.

        Returns:
            The least distance of any argument of f from 0 (infinite for tanh, which has no kink), and the least
            standard deviation that an LN divided by (infinite without LN).
        """
        norm, preliminary = self._norms()
        reads = [(norm, z) for step in outcome.steps for z in step.inputs]
        if self.form == "inner":
            reads += [(preliminary, step.slow) for step in outcome.steps]
        kink = deviation = np.inf
        for its_norm, z in reads:
            if self.nonlinearity == "relu":
                kink = min(kink, float(np.abs(its_norm.forward(z) if its_norm else z).min()))
            if its_norm:
                deviation = min(deviation, float(z.std(-1).min()))
        return kink, deviation

    def _norms(self) -> list[Norm | None]:
        arrays = (
            (self.norm_weight, self.norm_bias),
            (self.preliminary_norm_weight, self.preliminary_norm_bias),
        )
        return [None if g is None or b is None else Norm(g, b) for g, b in arrays]

    def _f(self, z: Array) -> Array:
        return np.maximum(z, 0) if self.nonlinearity == "relu" else np.tanh(z)

    def _slope(self, h: Array) -> Array:
        """f'(z) where h = f(z)."""
        return (h > 0).astype(h.dtype) if self.nonlinearity == "relu" else 1 - h * h


def matvec(A: Array, h: Array) -> Array:
    """A h for every row: [batch, rows, columns], [batch, columns] → [batch, rows]."""
    return np.einsum("bij,bj->bi", A, h)


def outer(a: Array, b: Array) -> Array:
    """a bᵀ for every row: [batch, rows], [batch, columns] → [batch, rows, columns]."""
    return np.einsum("bi,bj->bij", a, b)
