"""What a wrong rule is told before anything is compiled: by declarations and of users' files."""

from __future__ import annotations

import re

import pytest

from hpcsnn import ConfigurationError, models
from hpcsnn.configuration.files import load_configuration, write_configuration
from hpcsnn.models import Variable, rewiring
from support.messages import as_pattern
from support.rules import GOOD, network, rule

SPIKES = models.SpikeTrace
PAIRING = models.Pairing(offers="1", demands="1", every="most")
WHERE = "projections.ab.rewiring.mine"
NEVER = [
    (
        {"select": rewiring.WEAKEST},
        'mine.select: "the target\'s weakest synapse" picks a synapse but draws no source; use UNIFORM.trying',
    ),
    ({"eliminate": "true"}, "mine.eliminate: is never asked, since select is 'nobody'; give another select"),
    (
        {"form": "true", "select": rewiring.ALL_SYNAPSES},
        "mine.form: is never asked, since select is 'all synapses'; give",
    ),
    ({"update_if": "p_swap > 0.1f"}, "mine.update_if: is never asked; give an update, for which it is"),
    (
        {"select": models.Selection("bare", "", draw="source_x = x; source_y = y;")},
        "mine.select: parameter: unknown name 'attempts'; allowed: most, p_swap",
    ),
    ({"source_traces": (SPIKES("heard", "tau"),)}, "mine.source_traces: parameter: unknown name 'tau'; allowed: most"),
    (
        {"pairing": PAIRING},
        "mine.pairing.every: 'most' is not allowed; must be a parameter with ctype 'int' and minimum 1",
    ),
    ({"replace": "row"}, "mine.replace: 'row' is not allowed; one of '', 'target', 'projection'"),
]


@pytest.mark.parametrize(("slots", "message"), NEVER, ids=[message[:40] for _, message in NEVER])
def test_what_would_never_run_is_refused(slots, message):
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        rule(**slots)


def with_synapse_variable(name, **slots):
    """A projection whose synapses have a variable of this name, with a rule of these slots."""
    among = network()
    synapse = models.SynapseModel("mine", "", variables=(Variable("weight"), Variable(name)))()
    among.projections.clear()
    return among.add_projection(
        "ab", "a", "b", models.OneToOne(), models.DeltaCurrent(), 0.1, synapse, rewiring=rule(**slots)
    )


UNFIT = [
    (
        lambda: network(rewiring.LocalProposals(block_side=16), side=8),
        "projections.ab.rewiring.local_proposals.block_side: 16 does not fit the grid 8 x 8; both sides must be mult",
    ),
    (
        lambda: network(rule(needs=("tag",))),
        f"{WHERE}: needs a synapse with 'tag'; additive_stdp has weight, pre_trace, post_trace",
    ),
    (
        lambda: network(rule(synapse_variables=(Variable("weight"),))),
        f"{WHERE}: the name 'weight' is used twice among variables, traces, sums and parameters of the rule and the",
    ),
    (
        lambda: network(rule(sums={"most": "1"})),
        "mine: the name 'most' is given twice, to a parameter and a sum",
    ),
    (
        lambda: network(rule(sums={"pre_trace": "1"})),
        f"{WHERE}: the name 'pre_trace' is used twice among variables",
    ),
    (
        lambda: with_synapse_variable("pair_random"),
        f"{WHERE}: does not go with the synapse mine, whose 'pair_random' has a name by which snippets of rules see "
        "something else: any_synapse, distance_squared, dt_ms, ",
    ),
    (
        lambda: with_synapse_variable("size", per_target="row.remove(0);"),
        f"{WHERE}: does not go with the synapse mine, whose 'size' has a name by which snippets of rules see something",
    ),
    (
        lambda: network(rule(target_variables=(Variable("V_mV"),))),
        f"{WHERE}: the variable 'V_mV' is one of lif's too, the model of b; give it another name",
    ),
    (
        lambda: network(rule(initial={"wieght": "1.0f"})),
        f"{WHERE}: initial: unknown name 'wieght'; allowed: weight. Did you mean 'weight'?",
    ),
    (
        lambda: network(rule(bound="top")),
        f"{WHERE}.bound: 'top' is not allowed; name 'top' is not defined, and it may use the rule's parameters only",
    ),
    (
        lambda: network(rule(trigger="stimulus")),
        f"{WHERE}: updates at a change of the stimulus need a source population with a stimulus that changes; a has",
    ),
    (
        lambda: network(rewiring.DeepR(temperature=1e3)),
        "deep_r.temperature: 1000.0 is not allowed; its steps of up to 2.45 in every_ms 1 must stay below w_max (1.0)",
    ),
    (
        lambda: network(rewiring.Homeostatic(dendrite_eta=0.05)),
        "homeostatic.dendrite_eta: 0.05 is not allowed; must be below dendrite_set_point (0.05)",
    ),
]


@pytest.mark.parametrize(("make", "message"), UNFIT, ids=[message[:60] for _, message in UNFIT])
def test_a_rule_that_does_not_fit(make, message):
    with pytest.raises(ConfigurationError, match="(?s)^" + as_pattern(message)):
        make()


def test_a_stimulus_is_needed_where_updates_wait_for_it():
    among = network()
    with pytest.raises(ConfigurationError) as error:
        among.add_projection(
            "bb", "b", "b", models.OneToOne(), models.ExponentialCurrent(), 0.1, rewiring=rule(trigger="stimulus")
        )
    assert str(error.value) == (
        "projections.bb.rewiring.mine: updates at a change of the stimulus need a source population with a "
        "stimulus that changes; b has the model lif"
    )


def rewired(path, name="Mine"):
    return load_configuration("topomap", [f"projections.ff.rewiring={path}:{name}", "duration_ms=1"])


def test_a_file_that_is_wrong(tmp_path):
    where = "projections.ff.rewiring: "
    path = tmp_path / "mine.py"

    def refused(text, message, name="Mine"):
        path.write_text(text)
        with pytest.raises(
            ConfigurationError, match="(?s)^" + as_pattern(where + message.format(path=path)) + r" \(--set .*\)$"
        ):
            rewired(path, name)

    with pytest.raises(ConfigurationError, match="^" + as_pattern(f"{where}{path}: no such file")):
        rewired(path)
    refused(GOOD, "{path}: unknown name 'Mien'; allowed: Mine. Did you mean 'Mine'?", "Mien")
    refused(GOOD.replace("RewiringRule(", "RewiringRule((", 1), "{path}: line 5: SyntaxError: .*")
    refused("x = 1\n\ny = z\n", "{path}: line 3: NameError: name 'z' is not defined")
    (tmp_path / "beside.py").write_text("p = 0.1\n")
    alone = "a run keeps a copy of this file alone, so it may import installed packages and no neighbours"
    refused("from beside import p\n", "{path}: line 1: ModuleNotFoundError: No module named 'beside'; " + alone)
    other = "from hpcsnn.models import LIF, Parameter\nMine = LIF\n"
    refused(other, "Mine of {path} is a neuron; must be a rewiring rule")


def test_a_run_keeps_to_its_copy_of_a_file_and_finds_out_if_that_was_changed(tmp_path):
    path, run = tmp_path / "mine.py", tmp_path / "run"
    path.write_text(GOOD)
    run.mkdir()
    write_configuration(run / "config.yaml", rewired(path))
    path.unlink()
    (copy,) = (run / "models").iterdir()
    assert re.fullmatch(r"mine@[0-9a-f]{8}\.py", copy.name)
    moved = run.rename(tmp_path / "moved")
    configuration = load_configuration(moved / "config.yaml")
    assert configuration.network().projections["ff"].rewiring.model.name == "mine"
    changed = moved.rename(tmp_path / "changed")
    copy = changed / "models" / copy.name
    copy.write_text(GOOD.replace("0.2f", "0.3f"))
    message = f"projections.ff.rewiring: {copy} was changed after the run began (its text has the hash .*); a run keeps"
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        load_configuration(changed / "config.yaml")
