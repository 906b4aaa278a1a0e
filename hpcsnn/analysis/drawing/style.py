"""How figures look: neutral, for print; 8 pt sans, thin axes, colours that colour-blind readers can tell apart."""

from __future__ import annotations

from typing import Any

# Okabe & Ito 2008.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
COLOUR_MAP = "viridis"
# Widths of one and two columns of a journal page, in inches.
ONE_COLUMN, TWO_COLUMNS = 3.4, 7.0

# Of files of figures.
FORMATS = ("png", "pdf", "svg")

STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "lines.linewidth": 1.2,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    "text.parse_math": False,  # a varied value may hold dollars
}


def with_unit(what: str, unit: str) -> str:
    """What a label says of a quantity; an empty unit is none."""
    return f"{what} ({unit})" if unit else what
