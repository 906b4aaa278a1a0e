"""The guide in docs/: its blocks run, its messages are those that come, its pages name everything there is to name."""

from __future__ import annotations

import dataclasses
import re
import runpy
import sys

import pytest

from hpcsnn import ConfigurationError, Grid, Network, Simulation, models
from hpcsnn.configuration.files import load_configuration, parse_configuration, trains, write_configuration
from hpcsnn.devices.host import HostDevice
from hpcsnn.models.registry import registered
from hpcsnn.models.rewiring import Pairing, RewiringRule, Selection
from hpcsnn.models.user_files import module_of
from hpcsnn.testing.conformance import RuleConformance
from support.pages import DOCS, ROOT, blocks, commands, of_reader, says_what_is_shown
from support.processes import completed

# Pages on clusters are about machines that a test has not: test_cluster_page.py and test_first_day_page.py.
PAGES = sorted(page.stem for page in DOCS.glob("*.md") if page.stem not in ("cluster", "first_day"))
_NAME = re.compile(r"# ([\w.]+\.(?:py|yaml))\n")


def written(page, folder):
    """The page's files, written into a folder: their names in order."""
    names = []
    for language, text in blocks(page):
        if language in ("python", "yaml"):
            name = _NAME.match(text)
            assert name, f"{page}.md: a block of {language} does not begin with its file's name:\n{text}"
            (folder / name[1]).write_text(text)
            names.append(name[1])
    return names


@pytest.mark.parametrize("page", PAGES)
def test_commands_say_what_is_shown(page, tmp_path):
    written(page, tmp_path)
    for text in (text for language, text in blocks(page) if language == "console"):
        for command, shown in commands(text):
            says_what_is_shown(command, shown, tmp_path, of_reader())


@pytest.mark.parametrize("page", PAGES)
def test_configurations_and_rules_run(page, tmp_path, monkeypatch):
    """Each simulation of a page for 20 ms, the networks of its tests, and all rules of its files, a projection each."""
    monkeypatch.syspath_prepend(tmp_path)  # as pytest does for its test files
    files = written(page, tmp_path)
    scripts = {word for _, text in blocks(page) for word in re.findall(r"^\$ python (\S+)", text, flags=re.MULTILINE)}
    monkeypatch.chdir(tmp_path)
    for script in scripts:
        if script.startswith("write_"):  # what configurations read
            runpy.run_path(script)
    described = [tmp_path / name for name in files if name.endswith(".yaml") and not trains(tmp_path / name)]
    networks = [load_configuration(path).network() for path in described]
    modules = [vars(module_of(tmp_path / name)) for name in files if name.endswith(".py") and name not in scripts]
    values = [value for module in modules for value in module.values()]
    rules = {value.name: value for value in values if isinstance(value, RewiringRule)}
    classes = [value for value in values if isinstance(value, type) and issubclass(value, RuleConformance)]
    networks += [one().network() for one in classes if one is not RuleConformance]
    if rules:
        network = Network(seed=1)
        network.add_population("input", Grid(16, 16), models.MovingGaussianPoisson())
        network.add_population("cells", Grid(16, 16), models.LIF(), {"V_mV": models.Normal(-60, 5)})
        for rule in rules.values():
            network.add_projection(
                rule.name, "input", "cells", models.FixedProbability(p=0.05), models.ExponentialCurrent(), 0.15,
                synapse=models.AdditiveSTDP(), rewiring=rule(), record_events=True,
            )  # fmt: skip
        networks.append(network)
    for network in networks:
        Simulation(network, device=HostDevice(("-O0",))).run(20)


@pytest.mark.quick
def test_slots_names_every_slot():
    text = (DOCS / "slots.md").read_text()
    for kind in (RewiringRule, Selection, Pairing):
        missing = [field.name for field in dataclasses.fields(kind) if f"`{field.name}`" not in text]
        assert not missing, f"slots.md does not name {', '.join(missing)} of {kind.__name__}"


# What slots.md says each slot sees, as expressions.
_ALL = "step dt_ms n_sources n_targets limit n_wired chance(7u,0.5f) exponential(1.0f) torus_distance(1,2,16)"
_TARGET = "post.V_mV post.of_target post_trace target_trace"
_PAIR = f"pre_id post_id pre.of_source pre_trace source_trace pair_random(0) random() random.uniform() {_TARGET}"
_SYNAPSE = "weight of_synapse"
_SEES = {
    "update": f"{_PAIR} {_SYNAPSE} distance_squared in_degree",
    "eliminate": f"{_PAIR} {_SYNAPSE} distance_squared in_degree",
    "reason": f"{_PAIR} {_SYNAPSE} distance_squared in_degree",
    "form": f"{_PAIR} distance_squared in_degree",
    "initial": f"{_PAIR} distance_squared",
    "update_source": "id out_degree of_source source_trace pre_trace random() random.uniform()",
    "update_target": "id in_degree of_target target_trace post_trace post.V_mV random() random.uniform()",
    "per_target": f"post_id {_TARGET} random() random.uniform() row.size() row.find(0) own_of_target"
    " (row.size()?row.source_trace(0):0.0f)",
    "sums": f"post_id in_degree {_TARGET}",
    "draw": "x y nx ny squared_to(0,0) random.y random.w",
    "pick": f"found in_degree post_id any_synapse() weakest() random() {_TARGET}",
    "offers": "id out_degree of_source",
    "demands": "id in_degree of_target",
    "after_source": "id out_degree of_source vacant",
    "after_target": "id in_degree of_target vacant",
}


@pytest.mark.parametrize("every_synapse", [False, True])
def test_every_slot_sees_what_the_page_says(every_synapse):
    def uses(slot, value=""):
        statements = "".join(f"(void)({name});\n" for name in f"{_ALL} {_SEES[slot]}".split())
        return statements + (f"return {value};" if value else "")

    of = {name: (models.Variable(f"of_{name}"),) for name in ("synapse", "source", "target")}
    traces = {name: (models.SpikeTrace(f"{name}_trace", "tau_ms"),) for name in ("source", "target")}
    attempts = models.UNIFORM.parameters
    select = (
        models.ALL_SYNAPSES
        if every_synapse
        else Selection(
            "", "", parameters=attempts, draw=uses("draw") + "source_x = x; source_y = y;", pick=uses("pick")
        )
    )
    rule = RewiringRule(
        "sees_all",
        "",
        parameters={
            "tau_ms": models.Parameter(10.0, "ms", ""),
            "limit": models.Parameter(1.0, "", ""),
            "every": models.Parameter(2, "", "", ctype="int", minimum=1),
        },
        select=select,
        **{slot: uses(slot, "false") for slot in (["eliminate"] if every_synapse else ["eliminate", "form"])},
        reason=uses("reason", "0"),
        initial=uses("initial", "0.1f"),
        **{slot: uses(slot) for slot in ("update", "update_source", "update_target", "per_target")},
        sums={"n_wired": uses("sums", "in_degree")},
        pairing=Pairing(
            uses("offers", "0"), uses("demands", "0"), "every", uses("after_source"), uses("after_target")
        ),
        **{f"{name}_variables": variables for name, variables in of.items()},
        **{f"{name}_traces": trace for name, trace in traces.items()},
    )  # fmt: skip
    network = Network(seed=1)
    network.add_population("input", Grid(16, 16), models.Poisson(rate_hz=40))
    network.add_population("cells", Grid(16, 16), models.LIF())
    network.add_projection(
        "rewired", "input", "cells", models.FixedProbability(p=0.05), models.ExponentialCurrent(), 0.15,
        synapse=models.AdditiveSTDP(), rewiring=rule(),
    )  # fmt: skip
    Simulation(network, device=HostDevice(("-O0",))).run(4)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("slot", "allowed"),
    [("replace", "'', 'target', 'projection'"), ("trigger", "'every_ms', 'stimulus', 'call'")],
)
def test_a_slot_with_few_values_takes_no_other(slot, allowed):
    with pytest.raises(ConfigurationError, match=re.escape(f"mine.{slot}: 'row' is not allowed; one of {allowed}")):
        RewiringRule("mine", "", **{slot: "row"})


@pytest.mark.quick
def test_rules_names_every_rule():
    text = (DOCS / "rules.md").read_text()
    assert not [name for name, rule in registered("rewiring").items() if f"## {name}\n" not in text]
    assert not [rule.source for rule in registered("rewiring").values() if not rule.source]


@pytest.mark.quick
def test_a_stored_configuration_finds_the_runs_own_files(tmp_path):
    """As `hpcsnn analyze` reads it, from anywhere."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "run").mkdir()
    written("first_rule", tmp_path / "mine")
    configuration = load_configuration(tmp_path / "mine" / "my_map.yaml")
    write_configuration(tmp_path / "run" / "config.yaml", configuration)
    again = parse_configuration(configuration.resolved(), tmp_path / "run")
    assert again.network().projections["ff"].rewiring.values["farthest"] == 4


def test_the_pages_are_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = completed(command, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.parent.name for path in (tmp_path / "site").glob("*/index.html")} >= set(PAGES) - {"index"}
