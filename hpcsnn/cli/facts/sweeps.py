"""What ``hpcsnn sweep --report`` says: what the runs of a sweep have come to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcsnn.atomic_files import refuse_link
from hpcsnn.jobs.run_index import read_run, without_forgotten

if TYPE_CHECKING:
    import xarray as xr


def results_of(folder: Path) -> dict[str, Any]:
    """The results of a sweep over the varied keys, which are left as ``results.zarr`` and a figure too.

    ``states`` counts runs by their state. ``results`` has an entry for each combination of the varied keys, without
    the seed where others vary too: its ``settings``, and by number of the runs' summaries the ``mean`` over ``seeds``
    (null where they do not vary so) and the ``standard_deviation`` (null too); what no run has come to is not a number.

    Raises:
        StorageError: no sweep there.
    """
    from hpcsnn.jobs.sweep_results import averaged, collect
    from hpcsnn.jobs.sweeps import read_sweep

    sweep = read_sweep(folder)
    results = collect(sweep)
    states = [entry.state for entry in without_forgotten([read_run(run) for run, _ in sweep.members()])]
    mean, spread = averaged(results)
    keys = [str(key) for key in sweep.vary if key in mean.dims]
    numbers = [str(name) for name in mean]
    means, spreads = _rows(mean), [] if spread is None else _rows(spread)
    return {
        "folder": str(folder),
        "states": dict(Counter(states)),
        "seeds": results.sizes["seed"] if "seed" in results.dims and len(results.dims) > 1 else None,
        "results": [
            {
                "settings": {key: row[key] for key in keys},
                "mean": {name: row[name] for name in numbers},
                "standard_deviation": {name: spreads[number][name] for name in numbers} if spreads else None,
            }
            for number, row in enumerate(means)
        ],
        "files": [str(path) for path in _written(results, folder)],
    }


def _rows(of: xr.Dataset) -> list[dict[str, Any]]:
    """Keys and numbers of each combination."""
    rows = of.to_dataframe().reset_index().to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _written(results: xr.Dataset, folder: Path) -> list[Path]:
    """The files that are left of it."""
    if not results.data_vars:
        return []
    import matplotlib  # which nothing else here needs

    from hpcsnn.analysis.drawing.figures import save
    from hpcsnn.analysis.drawing.style import STYLE
    from hpcsnn.jobs.sweep_results import sweep_figure

    refuse_link(folder / "results.zarr")
    results.to_zarr(folder / "results.zarr", mode="w", consolidated=False)
    with matplotlib.rc_context(STYLE):
        figure = sweep_figure(results)
        return [folder / "results.zarr", *([save(figure, folder / "figures", "results")] if figure is not None else [])]
