"""How figures look: settings that matplotlib knows, colours that can be told apart, sizes for print."""

from __future__ import annotations

import itertools

import matplotlib
import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from hpcsnn.analysis.drawing.style import COLOUR_MAP, COLOURS, ONE_COLUMN, STYLE, TWO_COLUMNS


def test_matplotlib_takes_every_setting():
    with matplotlib.rc_context(STYLE):
        for name, value in STYLE.items():
            taken = matplotlib.rcParams[name]
            assert taken == ([value] if isinstance(taken, list) else value), name


# Machado, Oliveira & Fernandes 2009, severity 1: what readers without one kind of cone see, in linear RGB.
SEEN_BY = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
# Two colours side by side are told apart from about 2.3 on (Mahy, Van Eycken & Oosterlinck 1994); lines lie apart.
EASILY_APART = 10


def lab(colour, seen=SEEN_BY["all cones"]):
    """CIELAB of an sRGB colour, white at D65."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = XYZ @ np.clip(seen @ linear, 0, 1) / XYZ.sum(axis=1)
    fx, fy, fz = (t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29 for t in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


@pytest.mark.parametrize("reader", SEEN_BY)
def test_every_reader_tells_the_colours_apart(reader):
    for one, other in itertools.combinations(COLOURS, 2):
        assert np.linalg.norm(lab(one, SEEN_BY[reader]) - lab(other, SEEN_BY[reader])) > EASILY_APART, (one, other)


def test_the_colour_map_grows_lighter_all_the_way():
    values = [lab(colour)[0] for colour in colormaps[COLOUR_MAP](np.linspace(0, 1, 32))[:, :3]]
    assert (np.diff(values) > 0).all()


def test_two_columns_are_wider_than_two_of_one_and_narrower_than_a_page():
    assert 2 * ONE_COLUMN < TWO_COLUMNS < 8.5 - 1
    assert STYLE["font.size"] >= 6, "readable in print"
