"""What was recorded of a run as a `neo.Block`, which Elephant and others analyse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcsnn.errors import ConfigurationError
from hpcsnn.network.grid import Grid
from hpcsnn.network.recording.asked import configured_spikes
from hpcsnn.runs.stored.exchange.places import places_of
from hpcsnn.runs.stored.times import checked_span

if TYPE_CHECKING:
    import neo
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

    from hpcsnn.runs.stored.opened_run import OpenedRun

# Units of variables that `quantities` has: it would evaluate any other text as Python.
_UNITS = ("mV", "ms", "s", "Hz", "pA", "nA", "nS", "pF")


def neo_block(run: OpenedRun, from_ms: float, to_ms: float | None) -> neo.Block:
    """See `OpenedRun.to_neo`."""
    try:
        import neo
        import quantities as pq
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"to_neo: needs the package {error.name}: pip install 'hpcsnn[interop]', or pip install neo"
        ) from None
    start_ms, end_ms = checked_span(from_ms, to_ms, run.times_ms[-1] if run.times_ms else 0.0)
    configuration, segment = run.configuration, neo.Segment(name=run.path.name)
    block = neo.Block(name=run.path.name, description=configuration.get("description") or None)
    block.segments.append(segment)
    dt_ms = configuration["dt_ms"]
    for name, said in configuration["populations"].items():
        group = neo.Group(name=name)
        block.groups.append(group)
        asked = said.get("record") or {}
        if said.get("record_spikes") or asked.get("spikes"):
            x, y = places_of(neurons := run.neurons(name))
            trains = _by_neuron(run.spikes(name, start_ms, end_ms), neurons.sizes["neuron"])
            ids = configured_spikes(name, said, Grid(int(x.max()) + 1, int(y.max()) + 1))
            for neuron in range(len(trains)) if ids is None else ids.tolist():
                # Times are sums of steps, whose last digit may put the first one before `from_ms`: Neo refuses that.
                times = np.maximum(trains[neuron], start_ms) * pq.ms
                about = {"name": f"{name} {neuron}", "population": name, "neuron": neuron}
                train = neo.SpikeTrain(times, t_start=start_ms * pq.ms, t_stop=end_ms * pq.ms, **about)
                segment.spiketrains.append(train)
                group.add(train)
        for variable, values in (run.recorded(name) if asked.keys() - {"spikes"} else {}).items():
            # A value at `to_ms` is of the state once the last step before it was done.
            within = values.sel(time=slice(start_ms - 0.5 * dt_ms, end_ms + 0.5 * dt_ms))
            if not within.sizes["time"]:
                continue
            signal = _signal(within, {"population": name, "variable": variable})
            regular = isinstance(signal, neo.AnalogSignal)
            (segment.analogsignals if regular else segment.irregularlysampledsignals).append(signal)
            group.add(signal)
    return block


def _by_neuron(spikes: pd.DataFrame, n_neurons: int) -> list[NDArray[np.float64]]:
    """Times of each neuron's spikes, ascending."""
    neurons = spikes["neuron"].to_numpy()
    order = np.argsort(neurons, kind="stable")
    ends = np.cumsum(np.bincount(neurons, minlength=n_neurons))
    return np.split(spikes["time_ms"].to_numpy()[order], ends[:-1])


def _signal(values: xr.DataArray, about: Mapping[str, str]) -> Any:
    """A channel for each neuron, or each statistic; sampled irregularly if at fewer than two times."""
    import neo
    import quantities as pq

    times_ms, unit = values["time"].to_numpy(), str(values.attrs.get("units", ""))
    channels = str(values.dims[1])  # neuron or statistic
    given: dict[str, Any] = {
        "units": getattr(pq, unit) if unit in _UNITS else pq.dimensionless,
        "name": f"{about['population']} {about['variable']}",
        "array_annotations": {channels: values[channels].to_numpy()},
        **about,
        **({} if unit in _UNITS or not unit else {"unit": unit}),
    }
    periods_ms = np.diff(times_ms)
    if len(periods_ms) and np.ptp(periods_ms) < 1e-6 * periods_ms[0]:
        period_ms = (times_ms[-1] - times_ms[0]) / len(periods_ms)
        given |= {"t_start": times_ms[0] * pq.ms, "sampling_period": period_ms * pq.ms}
        return neo.AnalogSignal(values.to_numpy(), **given)
    return neo.IrregularlySampledSignal(times_ms * pq.ms, values.to_numpy(), **given)
