"""Dense surrogate-gradient BPTT in PyTorch, one thread, on samples from a file that `scaling.training` writes.

``python -m scaling.peers.torch_bptt FILE`` prints JSON: CPU and wall seconds a sample of training steps. Needs torch
and NumPy alone (``pip install torch``); what differs from hpcsnn: `scaling/peers/README.md`.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

TAU_MS, V_THRESHOLD, DAMPENING, LEARNING_RATE = 20.0, 0.61, 0.3, 1e-3
DECAY = math.exp(-1.0 / TAU_MS)


class Spike(torch.autograd.Function):
    """A step at the threshold, whose derivative is taken to be a triangle."""

    @staticmethod
    def forward(ctx: Any, above: Tensor) -> Tensor:
        ctx.save_for_backward(above)
        return (above >= 0.0).to(above.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (above,) = ctx.saved_tensors
        return gradient * (DAMPENING / V_THRESHOLD) * torch.relu(1.0 - above.abs() / V_THRESHOLD)


class Classifier(nn.Module):
    """Feed-forward: dense input, leaky integrate-and-fire neurons with subtractive reset, leaky readout with bias."""

    def __init__(self, n_inputs: int, n_hidden: int, n_outputs: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_inputs, n_hidden, bias=False)
        self.output = nn.Linear(n_hidden, n_outputs)
        nn.init.normal_(self.hidden.weight, std=n_inputs**-0.5)
        nn.init.normal_(self.output.weight, std=n_hidden**-0.5)
        nn.init.zeros_(self.output.bias)

    def forward(self, spikes: Tensor) -> tuple[Tensor, Tensor]:
        """(steps, samples, inputs) to (steps, samples, outputs), and how many spikes the hidden neurons gave."""
        currents = self.hidden(spikes)  # of all steps in one product
        potential = torch.zeros_like(currents[0])
        hidden = []
        for current in currents:
            potential = DECAY * potential + current
            spike = Spike.apply(potential - V_THRESHOLD)
            potential = potential - V_THRESHOLD * spike
            hidden.append(spike)
        given = torch.stack(hidden)
        readout = torch.zeros_like(self.output(given[0]))
        answers = []
        for current in self.output(given):
            readout = DECAY * readout + current
            answers.append(readout)
        return torch.stack(answers), given.sum()


def dense(file: Any, first: int, last: int) -> Tensor:
    """(steps, samples, inputs): the samples [first, last) of a file."""
    ends = file["first_event"][first : last + 1]
    events = slice(ends[0], ends[-1])
    sample = np.repeat(np.arange(last - first), np.diff(ends))
    found = torch.zeros(int(file["n_steps"]), last - first, int(file["n_channels"]))
    found[file["event_steps"][events], sample, file["event_channels"][events]] = 1.0
    return found


def measure(path: Path, n_hidden: int, batch: int, n_batches: int) -> dict[str, Any]:
    """Seconds a sample of `n_batches` training steps after two others; samples are made dense outside of them."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    with np.load(path) as archive:
        file = dict(archive)
    model = Classifier(int(file["n_channels"]), n_hidden, int(file["n_classes"]))
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    cpu_s = wall_s = n_spikes = 0.0
    for number in range(n_batches + 2):
        first = number * batch
        spikes = dense(file, first, first + batch)
        labels = torch.from_numpy(file["labels"][first : first + batch]).long()
        began = time.process_time(), time.perf_counter()
        answers, given = model(spikes)
        loss = nn.functional.cross_entropy(answers.flatten(0, 1), labels.repeat(len(answers)), reduction="sum")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if number >= 2:
            cpu_s += time.process_time() - began[0]
            wall_s += time.perf_counter() - began[1]
            n_spikes += float(given.detach())
    n = n_batches * batch
    hidden_hz = n_spikes / n / n_hidden / (int(file["n_steps"]) * 1e-3)
    return {"cpu_s": cpu_s / n, "wall_s": wall_s / n, "hidden_hz": hidden_hz, "version": torch.__version__}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--batches", type=int, default=10)
    options = parser.parse_args()
    print(json.dumps(measure(options.file, options.hidden, options.batch, options.batches)))
