"""Names that kernels have, and models that give them to what is theirs."""

from __future__ import annotations

import re
from functools import cache

import numpy as np

from hpcsnn import ConfigurationError
from hpcsnn.models import Parameter, Table
from hpcsnn.models.snippet_text import FUNCTIONS, KEYWORDS, MACROS, TYPES, without_comments
from hpcsnn.shipped_files import kernel_folder

# Names that the tests themselves need; no kernel has them.
OWN = ("zz_wrong", "zz_pre", "zz_post", "zz_tau", "zz_often")
# What kernels read by contract, whoever declares it.
BY_CONTRACT = {"every_ms", "window_steps", "attempts", "block_side", "weight"}
TAU = {"zz_tau": Parameter(1.0, "ms", "")}
WHOLE = {"ctype": "int", "minimum": 0}


# Names that kernels make of the names of models and owners.
MADE = [
    *("all", "now", "each", "constant", "table", "length", "sum", "trace", "traces", "last", "decay", "n", "own"),
    *("receptor0_now", "receptor0_constant", "Post", "Pre", "Places", "Connect", "AnySynapse", "of_synapse", "find"),
]


@cache
def identifiers():
    """Every word of the kernels' code, and names as they make them."""
    texts = [file.read_text() for file in kernel_folder().rglob("*") if file.is_file()]
    jinja = re.compile(r"\{[{%#].*?[}%#]\}|^//%[^\n]*", re.DOTALL | re.MULTILINE)
    code = [without_comments(jinja.sub(" ", text)) for text in texts]
    words = {word for text in code for word in re.findall(r"\b[A-Za-z_]\w*", text)}
    words |= {f"{part}_{name}" for part in MADE for name in ("k", "ab")} | {"population_1_step", "projection_0_deliver"}
    assert {"k", "net", "at", "row", "target", "spike", "entry", "step", "goes", "why", "number", "population"} <= words
    assert not words & set(OWN)
    return sorted(words - BY_CONTRACT)


def free(kind, attribute, one):
    """The identifiers that a model of this kind may give to one of an attribute's; what is refused says why."""
    names = []
    for name in identifiers():
        try:
            kind("mine", "", **{attribute: one(name)}, **({"parameters": TAU} if "traces" in attribute else {}))
        except ConfigurationError as error:
            assert str(error).startswith("mine: the "), error
            length = attribute == "tables" and refused(kind, f"n_{name}")
            assert refused(kind, name) or length, f"{name} is refused: {error}"
        else:
            names.append(name)
    assert len(names) > 300
    return names


def refused(kind, name):
    """Whether a name is promised to snippets of this kind, or C++'s or hpcsnn's own."""
    taken = {*kind.SEES, *FUNCTIONS, "dt_ms", *KEYWORDS, *TYPES, *MACROS, *(kept for _, kept in kind.KEPT)}
    return name in taken or "__" in name or name.lower().startswith(("hpcsnn_", "_"))


def constants(kind, what):
    """A model's constants with all free names, and C++ that counts those that are not what they should be."""
    if what == "parameters":
        names = free(kind, what, lambda name: {name: Parameter(0, "", "", **WHOLE)})
        given = {name: Parameter(number, "", "", **WHOLE) for number, name in enumerate(names)}
        return {what: given}, "(0" + "".join(f" + ({name} != {n})" for n, name in enumerate(names)) + ")"
    names = free(kind, what, lambda name: {name: Table("int", lambda _: np.zeros(1, np.int32))})
    names = [name for name in names if not name.startswith("n_")]
    given = {
        name: Table("int", lambda _, number=number: np.array([0, number], np.int32))
        for number, name in enumerate(names)
    }
    wrong = "".join(f" + ({name}[1] != {n}) + (n_{name} != 2)" for n, name in enumerate(names))
    return {what: given}, f"(0{wrong})"
