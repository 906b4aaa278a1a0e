"""Bogdan's rule: Bamford's as published, with another way to draw the partner: one that has just fired."""

from dataclasses import replace

from hpcsnn.models.rewiring.bamford_2010 import Bamford2010
from hpcsnn.models.rewiring.selections import BY_SPIKE, PLACE

LastToFire = replace(
    Bamford2010,
    name="last_to_fire",
    doc="As bamford_2010, but an empty place is offered to a source within reach that has just fired.",
    select=BY_SPIKE.trying(PLACE),
    source="Bogdan, Rowley, Rhodes & Furber 2018, doi 10.3389/fnins.2018.00434",
)
