"""What a wrong rule is told: by both compilers, by configurations, by users' files, and by `hpcsnn rules`."""

from __future__ import annotations

import dataclasses
import re

import pytest
from ranks import hpcsnn
from test_errors import as_pattern

from hpcsnn import ConfigurationError, DeviceError, Grid, Network, Simulation, models
from hpcsnn.codegen.diagnostics import explained
from hpcsnn.codegen.program import generate
from hpcsnn.configuration.files import load_configuration, write_configuration
from hpcsnn.devices import HostDevice
from hpcsnn.devices.cuda import NVRTC_FLAGS
from hpcsnn.models import NeuronModel, Parameter, RewiringRule, Variable, rewiring
from hpcsnn.testing.conformance import RuleConformance


def network(rule=None, neuron=None, side=16):
    network = Network(seed=1)
    network.add_population("a", Grid(side, side), models.Poisson(rate_hz=1))
    network.add_population("b", Grid(side, side), neuron or models.LIF())
    network.add_projection(
        "ab", "a", "b", models.OneToOne(), models.ExponentialCurrent(), 0.1, models.AdditiveSTDP(), rewiring=rule
    )
    return network


def rule(**texts):
    parameters = {"p_swap": Parameter(0.1, "", "a chance", ctype="probability"), "most": Parameter(3, "", "", "int")}
    return RewiringRule("mine", "", parameters=parameters, **texts)()


def every(text):
    return network(rule(select=rewiring.ALL_SYNAPSES, update=text))


def neuron(**texts):
    return network(
        neuron=NeuronModel(
            "cell", "", parameters={"tau": Parameter(1.0, "ms", "")}, state=(Variable("u"),),
            **{"update": "u += input_current;", "threshold": "u > 1.0f", "reset": "u = 0.0f;"} | texts,
        )()
    )  # fmt: skip


# What is wrong; where it is, as both compilers must say, with the column of the host's if NVRTC points elsewhere; what
# is said, of which the compilers' own words are left out; what is advised.
MISTAKES = {
    "near name": (
        lambda: network(rule(select=rewiring.UNIFORM, eliminate="wieght < 0.5f")),
        "rewiring rule mine, eliminate, line 1, column 1: .*wieght.*\n    1 | wieght < 0.5f\n        ^\n"
        "  did you mean weight?\n  eliminate sees: weight, .*",
    ),
    "near name in a body of several lines": (
        lambda: every("\n\n        const float half = 0.5f;  // (\n\n        weight = half * p_swop;\n    "),
        "rewiring rule mine, update, line 3, column 17: .*p_swop.*\n    3 | weight = half * p_swop;\n"
        + " " * 24 + "^\n  did you mean p_swap?\n.*",
    ),
    "name that is near to none": (
        lambda: every("weight = zyzzyva;"),
        "rewiring rule mine, update, line 1, column 10: .*zyzzyva.*\n  update sees: weight, .*",
    ),
    "method of a row": (
        lambda: network(rule(per_target="for (int k = 0; k < row.size(); ++k)\n    row.remve(k);")),
        "rewiring rule mine, per_target, line 2, column 9: .*remve.*did you mean row.remove?.*",
    ),
    "part of a mapping": (
        lambda: network(rule(select=rewiring.UNIFORM, form="p_swap", initial={"weight": "0.1f * post.V_mw"})),
        "rewiring rule mine, initial, line 1, column 13: .*V_mw.*did you mean post.V_mV?.*",
    ),
    "semicolon at the end": (
        lambda: every("weight = 0.5f;\nweight = 0.25f"),
        "rewiring rule mine, update, line 2, column 15: expected .*;.*\n    2 | weight = 0.25f\n" + " " * 22 + "^\n"
        "  is a semicolon missing at the end of this line?",
    ),
    "semicolon in the middle": (
        lambda: every("weight = 0.5f\n\nweight = 0.25f;"),
        "rewiring rule mine, update, line 1, column 14: expected .*;.*is a semicolon missing at the end of this line?",
    ),
    "bracket inside another": (
        lambda: every("if (weight > 0.5f) {\n    weight = (0.5f;\n}"),
        "rewiring rule mine, update, line 2, column 14: ( is not closed before }",
    ),
    "bracket never closed": (
        lambda: every("if (weight > 0.5f) {\n    weight = 0.5f;  // }"),
        "rewiring rule mine, update, line 1, column 20: { is never closed",
    ),
    "bracket never opened": (
        lambda: every("weight = 0.5f;\n}"),
        "rewiring rule mine, update, line 2, column 1: } without { before it",
    ),
    "read-only parameter": (
        lambda: every("weight = 1.0f;\nmost = 2;"),
        "rewiring rule mine, update, line 2, column .*: .*\n    2 | most = 2;\n.*may read this but not change it",
    ),
    "read-only neuron": (
        lambda: every("post.V_mV = 1.0f;"),
        "rewiring rule mine, update, line 1, column .*: .*  update may read this but not change it",
    ),
    "whole number as a chance": (
        lambda: network(rule(select=rewiring.UNIFORM, form="const uint32 n = 3u;\nreturn n;")),
        "rewiring rule mine, form, line 2, column .*: .*Probability.*\n"
        "  a chance is a float such as 0.5f, true or false, or a parameter or table of probabilities",
    ),
    "neuron: near name": (
        lambda: neuron(update="u += inptu_current;"),
        "neuron cell, update, line 1, column 6: .*inptu_current.*did you mean input_current?\n  update sees: u, .*",
    ),
    "neuron: semicolon": (
        lambda: neuron(reset="u = 0.0f"),
        "neuron cell, reset, line 1, column 9: expected .*is a semicolon missing at the end of this line?",
    ),
    "neuron: read-only": (
        lambda: neuron(update="u += input_current;\ntau = 3.0f;"),
        "neuron cell, update, line 2, column .*: .*  update may read this but not change it",
    ),
    "neuron: bracket": (
        lambda: neuron(threshold="(u > 1.0f"),
        "neuron cell, threshold, line 1, column 1: ( is never closed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_hosts_compiler_finds(mistake):
    make, message = MISTAKES[mistake]
    with pytest.raises(DeviceError) as error:
        Simulation(make(), device=HostDevice(("-O0",)))
    first, _, rest = str(error.value).partition("\n")
    assert re.search(r"could not compile the kernels \(source kept in .*\):$", first)
    assert re.search("(?s)^" + as_pattern(message) + "$", rest), rest


@pytest.mark.parametrize("mistake", MISTAKES)
def test_nvrtc_finds(mistake):
    nvrtc = pytest.importorskip(
        "cupy_backends.cuda.libs.nvrtc", reason="needs cupy-cuda13x and nvidia-cuda-nvrtc (extra gpu)"
    )
    make, message = MISTAKES[mistake]
    program = generate(make(), 1)
    compiled = nvrtc.createProgram(program.kernels, "kernels.cu", (), ())
    with pytest.raises(nvrtc.NVRTCError):
        nvrtc.compileProgram(compiled, (*NVRTC_FLAGS, "--gpu-architecture=compute_80"))
    said = explained(nvrtc.getProgramLog(compiled), program.kernels, program.snippets)
    nvrtc.destroyProgram(compiled)
    assert said is not None
    assert re.search("(?s)^" + as_pattern(message) + "$", said), said


def test_a_mistake_in_the_templates_is_quoted_as_the_compiler_says_it():
    program = generate(network(), 1)
    assert explained("kernels:7:3: error: something of hpcsnn's own", program.kernels, program.snippets) is None


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
        f"{WHERE}: the name 'most' is used twice among variables",
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


def test_updates_on_call_are_asked_for_once_a_step():
    simulation = Simulation(network(rule(trigger="call")), device=HostDevice(("-O0",)))
    simulation.rewire("ab")
    with pytest.raises(ConfigurationError, match=r"^projections\.ab: rewired in step 0 already; advance first$"):
        simulation.rewire("ab")
    with pytest.raises(ConfigurationError, match=r"^projection with a rule on call: unknown name 'ba'; allowed: ab"):
        simulation.rewire("ba")


# -- users' files ------------------------------------------------------------------------------------------------------

GOOD = """
from hpcsnn.models import RewiringRule, rewiring
from hpcsnn.testing.conformance import RuleConformance

Mine = RewiringRule(
    "mine", "Synapses go by chance and come back at their target.", select=rewiring.ALL_SYNAPSES,
    eliminate="0.2f", replace="target", initial="0.1f",
)

class TestMine(RuleConformance):
    rule = Mine()
    duration_ms = 20.0
    ranks = (2,)
"""


def rewired(path, name="Mine"):
    return load_configuration("topomap", [f"projections.ff.rewiring={path}:{name}", "duration_ms=1"])


def test_a_file_that_is_wrong(tmp_path):
    where = "projections.ff.rewiring: "
    path = tmp_path / "mine.py"

    def refused(text, message, name="Mine"):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match="(?s)^" + as_pattern(where + message.format(path=path)) + "$"):
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


def test_a_run_from_a_configuration_calls_no_rule(tmp_path):
    called = GOOD.replace('"mine", ', '"mine", trigger="call", doc=', 1)
    (tmp_path / "mine.py").write_text(called)
    refused = hpcsnn("run", "topomap", "--set", "projections.ff.rewiring=mine.py:Mine", cwd=tmp_path)
    assert refused.returncode == 2
    assert "projections.ff.rewiring.mine: updates when it is called (Simulation.rewire, in Python)" in refused.stderr


# -- hpcsnn rules ------------------------------------------------------------------------------------------------------


def test_rules_are_listed_and_shown(tmp_path):
    listed = hpcsnn("rules").stdout
    for name in (
        "bamford",
        "bamford_2010",
        "last_to_fire",
        "local_proposals",
        "deep_r",
        "homeostatic",
        "lif",
        "gaussian",
    ):
        assert re.search(rf"^{name} ", listed, re.MULTILINE), name
    shown = hpcsnn("rules", "show", "homeostatic").stdout
    for words in (
        "vacant_loss",
        "elements / s",
        "pairing.offers:",
        "(int)axon_elements - out_degree",
        "10.1371/journal",
    ):
        assert words in shown, words
    (tmp_path / "mine.py").write_text(GOOD)
    shown = hpcsnn("rules", "show", "mine.py", cwd=tmp_path).stdout
    assert "mine (rewiring rule): Synapses go by chance" in shown
    assert "initial.weight:\n  0.1f" in shown
    wrong = hpcsnn("rules", "show", "bamfort")
    assert wrong.returncode == 2
    assert "unknown name 'bamfort'" in wrong.stderr
    assert "Did you mean 'bamford'?" in wrong.stderr


def test_rules_are_tested(tmp_path):
    (tmp_path / "good.py").write_text(GOOD)
    bad = GOOD.replace(
        'eliminate="0.2f"', 'eliminate="false", per_target="net->populations.cells.state_V_mV[target] += 1;"'
    )
    (tmp_path / "bad.py").write_text(bad.replace("(2,)", "()"))
    good = hpcsnn("rules", "test", "good.py", cwd=tmp_path)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "11 of 11 tests pass" in good.stdout
    bad = hpcsnn("rules", "test", "bad.py", cwd=tmp_path)
    assert bad.returncode == 1
    assert "fails  an update changes only what it may" in bad.stdout
    assert "the update has changed cells.state_V_mV" in bad.stdout
    assert "fails  something comes or goes" in bad.stdout
    assert "give the rule more to do" in bad.stdout


def conformance(per_target, **more):
    tested = RewiringRule("bad", "", per_target=per_target, proposals=2, initial="0.1f", **more)
    return type("Tested", (RuleConformance,), {"rule": tested(), "duration_ms": 20.0})()


COMES = "row.propose((int)(random() & 255u)); row.propose((int)(random() & 255u));"


def test_a_rule_that_depends_on_the_order_of_rows_is_caught():
    by_place = conformance(COMES + "if (row.size() > 4) row.remove(2);")
    by_place.test_tiles_do_not_matter()
    with pytest.raises(AssertionError):
        by_place.test_a_restart_does_not_matter()
    by_number = conformance(COMES + "if (row.size() > 0 && projection.source[row.at(0)] & 1) row.remove(0);")
    with pytest.raises(AssertionError):
        by_number.test_tiles_do_not_matter()


def test_a_rule_that_reads_what_other_threads_write_or_what_no_one_has_written_is_caught():
    others = "const int other = target + 1 < target_population.n_own ? target + 1 : 0;"
    racing = conformance(COMES + others + "if (projection.in_degree[other] & 1) row.propose(other);")
    with pytest.raises(AssertionError):
        racing.test_tiles_do_not_matter()
    kept = dataclasses.replace(racing.rule.model, replace="target", per_target="if (row.size()) row.propose(5);")
    with pytest.raises(AssertionError):
        type("Tested", (RuleConformance,), {"rule": kept()})().test_numbers_are_kept()
    infinite = dataclasses.replace(racing.rule.model, initial="1e38f * 1e10f", per_target=COMES, bound="1")
    with pytest.raises(AssertionError, match="weight is not finite"):
        type("Tested", (RuleConformance,), {"rule": infinite(), "duration_ms": 2.0})().test_values_are_finite()
