"""What NEST's structural plasticity does exactly, an experiment a fact: ``python -m scaling.peers.nest_semantics``.

Each check stands for a sentence of scaling/peers/README.md, whose letter leads its name, and raises where NEST does
otherwise. In most, elements do not grow (rate 0): z is set by hand, and updates every ms show what becomes of it.
"""

from __future__ import annotations

import argparse

from scaling.peers import nest_neurons, nest_reference, nest_updates


def main() -> None:
    """Runs every check and prints what it saw."""
    argparse.ArgumentParser(
        prog="python -m scaling.peers.nest_semantics",
        description="Small experiments that show what NEST's calcium, synaptic elements, structural updates, "
        "iaf_psc_exp and Poisson input do exactly, for whoever writes the same model elsewhere. Stops at the first "
        "that fails.",
        epilog="Needs NEST 3.10 and NumPy alone; ten seconds. The letters are those of scaling/peers/README.md.",
    ).parse_args()
    checks = {
        name: check
        for module in (nest_neurons, nest_updates, nest_reference)
        for name, check in vars(module).items()
        if name[1:2] == "_" and name[0] in "abcdef"
    }
    for name in sorted(checks, key=lambda name: name[0]):
        print(f"({name[0]}) {name[2:].replace('_', ' ')}:\n    {checks[name]()}", flush=True)


if __name__ == "__main__":
    main()
