"""The figure of the table of learning rules: accuracy over connectivity, a panel each data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

_MARKS = "os^Dv<>Pp*X"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the figure: means over seeds, bars of one standard deviation."""
    sets = list(dict.fromkeys(row["data"] for row in rows))
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    figure = Figure(figsize=(3.4 * len(sets), 3.6), layout="constrained")
    for axes, data in zip(figure.subplots(1, len(sets), squeeze=False)[0], sets, strict=True):
        for number, rule in enumerate(rules):
            own = [row for row in rows if (row["data"], row["rule"]) == (data, rule)]
            by_p = {p: [100 * row["accuracy"] for row in own if row["connectivity"] == p] for p in
                    sorted({row["connectivity"] for row in own})}  # fmt: skip
            if not by_p:
                continue
            shift = 1.0 + 0.03 * (number - len(rules) / 2)  # so that bars can be told apart
            axes.errorbar(
                [100 * p * shift for p in by_p],
                [np.mean(values) for values in by_p.values()],
                [np.std(values, ddof=1) if len(values) > 1 else 0.0 for values in by_p.values()],
                marker=_MARKS[number % len(_MARKS)],
                markersize=4,
                linewidth=1,
                label=rule,
            )
        axes.set_xscale("log")
        axes.set_xlabel("connectivity (%)")
        axes.set_title(data, fontsize=10)
    figure.axes[0].set_ylabel("test accuracy (%)")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(rules), fontsize=8)
    figure.savefig(path, dpi=110)
