"""Names that a model may give to what it has, and what is said of those that it may not; names of kernels."""

from __future__ import annotations

import itertools
import re

import pytest

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.codegen.learning.structs import whole_struct
from hpcsnn.codegen.program import generate
from hpcsnn.codegen.structs import network_struct
from hpcsnn.models import (
    Connector,
    CurrentModel,
    Derived,
    Gradient,
    LearningRule,
    Loss,
    NeuronModel,
    Optimiser,
    Parameter,
    ReceptorModel,
    RewiringRule,
    SourceModel,
    SpikeTrace,
    SynapseModel,
    Table,
    Variable,
)
from hpcsnn.models.snippet_text import FUNCTIONS, TYPES
from hpcsnn.network.learning import Learning
from hpcsnn.network.learning_network import learning_network
from hpcsnn.shipped_files import kernel_folder
from support.messages import as_pattern
from support.networks import every_rule, everything

NUMBER, TABLE = Parameter(0.0, "", ""), Table("int", lambda context: context.x)
KINDS = (
    *(NeuronModel, SourceModel, CurrentModel, Connector, ReceptorModel, SynapseModel, RewiringRule),
    *(Loss, Optimiser, LearningRule),
)
REFUSED = [
    (
        lambda: NeuronModel("mine", "", parameters={"step": NUMBER}),
        "mine: the parameter 'step' is not allowed; what snippets of a neuron see by these names is something else: "
        "chance, choose, dt_ms, exponential, flushed, input_current, logarithm, neuron, ",
    ),
    (lambda: NeuronModel("mine", "", state=(Variable("u", 0.0), Variable("u"))), "mine: the name 'u' is given twice"),
    (
        lambda: SynapseModel("mine", "", parameters={"weight": NUMBER}),
        "mine: the name 'weight' is given twice, to a parameter and a variable",
    ),
    (
        lambda: Connector("mine", "", parameters={"n_near": NUMBER}, tables={"near": TABLE}),
        "mine: the name 'n_near' is given twice, to a parameter and a table's length",
    ),
    (
        lambda: RewiringRule("mine", "", parameters={"own_u": NUMBER}, target_variables=(Variable("u"),)),
        "mine: the name 'own_u' is given twice, to a parameter and a target variable in per_target",
    ),
    (
        lambda: ReceptorModel("mine", "", derived={"int": Derived("1")}),
        "mine: the derived constant 'int' is not allowed; it is a keyword of C++",
    ),
    (
        lambda: SourceModel("mine", "", tables={"uint32": TABLE}),
        "mine: the table 'uint32' is not allowed; hpcsnn has types and macros that are called DEVICE, ",
    ),
    (
        lambda: SynapseModel("mine", "", parameters={"hpcsnn_x": NUMBER}),
        "mine: the parameter 'hpcsnn_x' is not allowed; names that begin with hpcsnn_ are hpcsnn's own",
    ),
    (
        lambda: RewiringRule("mine", "", sums={"a__b": "1"}),
        "mine: the sum 'a__b' is not allowed; C++ keeps names with __ for compilers",
    ),
    (
        lambda: NeuronModel("mine", "", parameters={"tau-m": NUMBER}),
        "mine: the parameter 'tau-m' is not allowed; snippets are C++: use letters, digits and _",
    ),
    (
        lambda: SynapseModel("mine", "", variables=(Variable("weight"), Variable("source"))),
        "mine: the variable 'source' is not allowed; stored synapses have their neurons by pre, post and source",
    ),
    (
        lambda: SynapseModel("mine", "", parameters={"initial_weight": NUMBER}),
        "mine: the parameter 'initial_weight' is not allowed; `bound` has the weight of a new synapse by it",
    ),
    (
        lambda: RewiringRule("mine", "", parameters={"t": NUMBER}, source_traces=(SpikeTrace("find", "t"),)),
        "mine: the source trace 'find' is not allowed; row.find is something else",
    ),
    (
        lambda: Optimiser("mine", "", parameters={"rate": NUMBER}, of_batch={"rate": "batch"}),
        "mine: the name 'rate' is given twice, to a parameter and a constant of a batch",
    ),
    (
        lambda: Optimiser("mine", "", variables=(Variable("gradient"),)),
        "mine: the variable 'gradient' is not allowed; what snippets of an optimiser see by these names is something ",
    ),
    (
        lambda: CurrentModel("mine", "", parameters={"to_ms": NUMBER}),
        "mine: the parameter 'to_ms' is not allowed; every current has it: when it flows, and onto which neurons",
    ),
    (
        lambda: Loss("mine", "", parameters={"label": NUMBER}),
        "mine: the parameter 'label' is not allowed; what snippets of a loss see by these names is something else: ",
    ),
    (
        lambda: NeuronModel("mine", "", state=(Variable("V"),), gradient=Gradient("V", carry={("V", "U"): "1.0f"})),
        "mine.gradient.carry: unknown name 'U'; allowed: V.",
    ),
    (
        lambda: NeuronModel("mine", "", state=(Variable("V"),), gradient=Gradient(output="V", trained={"bias": "V"})),
        "mine.gradient.trained: unknown name 'bias'; allowed: V.",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[message[:50] for _, message in REFUSED])
def test_a_name_that_a_snippet_could_not_use_is_refused(make, message):
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        make()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.KIND)
def test_what_is_promised_to_a_kind_is_not_its_to_name_and_what_is_promised_to_others_is(kind):
    promised = {*kind.SEES, *FUNCTIONS, "dt_ms"}
    for name in promised:
        with pytest.raises(ConfigurationError, match=f"the parameter '{name}' is not allowed; what snippets of an? "):
            kind("mine", "", parameters={name: NUMBER})
    own = {variable.name for variable in getattr(kind, "variables", ())}  # every synapse has a weight
    for other in KINDS:
        for name in {*other.SEES} - promised - own:
            assert name in kind("mine", "", parameters={name: NUMBER}).parameters


def guide(name):
    return (kernel_folder().parent / "docs" / name).read_text()


def test_the_guide_has_what_each_kind_sees():
    section = guide("models.md").split("## Names\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| ([\w ]+) \| (.*) \|$", section, re.M))
    for kind in KINDS:
        names = re.findall(r"`(\w+)`", rows[kind.KIND])
        assert names == ([] if kind is RewiringRule else list(kind.SEES)), kind.KIND
    assert sorted(re.findall(r"`(\w+)`", rows["all of them"])) == sorted((*FUNCTIONS, *TYPES))


def test_the_guide_has_what_snippets_of_rules_see():
    words = set(re.findall(r"`[^`]*`", guide("slots.md")))
    named = {name for word in words for name in re.findall(r"\w+", word)}
    assert set(RewiringRule.SEES) <= named


def owners():
    """Names of populations and projections that come close to each other, to kernels and to C++."""
    return [
        *(
            "a",
            "b",
            "a_b",
            "and",
            "int",
            "hash",
            "input",
            "row_x",
            "outgoing_x",
            "x",
            "surplus_x",
            "new",
            "step",
            "own",
        ),
        *("words", "attempts_x", "hooked_x", "proposed_x", "synapse_x", "of_x", "out_degree_x", "source_x", "target"),
    ]


def test_kernels_and_structs_have_one_name_each():
    network = Network(seed=1)
    names = owners()
    for name in names[:4]:
        network.add_population(name, Grid(4, 4), models.LIF())
    for name in names[4:]:
        network.add_projection(
            name, "a", "and", models.OneToOne(), models.DeltaCurrent(), 0.1, rewiring=models.Homeostatic()
        )
    check_names(generate(network, 2), network_struct(network))


def check_names(program, whole):
    """Each function, kernel and member once."""
    found = re.findall(r"^(?:template <[^>]*> )?(?:KERNEL|DEVICE (?:const )?[\w*]+) (\w+)\(", program.kernels, re.M)
    once = [name for name in found if name not in TAKING_SEVERAL_TYPES]
    assert sorted(once) == sorted(set(once))
    kernels = [*(stage.kernel for stage in program.stages), *program.setup_kernels]
    assert len(kernels) == len(set(kernels))
    for struct in structs_in(whole):
        members = [name for name, _ in struct.fields]
        assert len(members) == len(set(members)), struct.name


def a_network_that_learns(names, loss=None, rule=None):
    """Populations and projections by all of `names`; the first four are populations, the fourth of them the readout."""
    network = Network(seed=1, dt_ms=1.0)
    for name, model in zip(names, (models.SampleInput, models.ALIFSubtractive, models.LIFSubtractive), strict=False):
        network.add_population(name, 4, model())
    network.add_population(names[3], 3, models.LeakyReadout())
    ends = [(0, 1), (0, 2), (1, 2), (2, 1), (1, 3), (2, 3)]
    for number, name in enumerate(names[4:]):
        # Only one projection goes from a population onto the readout.
        source, target = (names[end] for end in ends[number if number < len(ends) else number % 4])
        network.add_projection(
            name, source, target, models.AllToAll(), models.DeltaCurrent(), 0.1, models.Trained(),
            rewiring=models.DeepRByGradient() if number % 2 else None,
        )  # fmt: skip
    by = Learning(names[3], 10, rule or models.EProp(), models.Adam(), loss or models.CrossEntropy())
    return learning_network(network, by)


@pytest.mark.parametrize(
    ("loss", "rule"),
    [
        (models.SummedCrossEntropy(), models.EProp(pairing="mlgenn", regularisation=0.1)),
        (models.SquaredError(), models.EProp(feedback="random")),
        (models.CrossEntropy(), models.EProp(feedback="adaptive", gradient="online", regularisation=0.1)),
    ],
    ids=["symmetric", "random", "adaptive"],
)
def test_kernels_and_structs_of_a_network_that_learns_have_one_name_each(loss, rule):
    network = a_network_that_learns(owners(), loss, rule)
    program = generate(network, 1)
    check_names(program, whole_struct(network))
    online = rule.values["gradient"] == "online"
    added_up = ("online_and", "online_int", "adapt_b") if online else ("backward_and", "gradient_int")
    played = ("play_a", "remember_b", "score_and", *added_up, "freeze_int", "optimise_and")
    feedback = ("feedback_b", "feedback_a_b") if rule.values["feedback"] == "symmetric" else ()
    kernels = {stage.kernel for stage in program.stages} | set(program.setup_kernels)
    assert {*played, *feedback} <= kernels
    assert {name for name in kernels if name.startswith("feedback_")} == set(feedback)


def test_what_learns_is_known_by_model_and_slot():
    program = generate(a_network_that_learns(owners(), models.SummedCrossEntropy()), 1)
    known = {(snippet.model, snippet.slot) for snippet in program.snippets}
    assert known >= {
        *(("summed_cross_entropy", slot) for slot in ("step", "sample")),
        *(("adam", "update"), ("deep_r_by_gradient", "gradient"), ("lif_subtractive", "update")),
    }


# Functions that C++ tells apart by what they are given.
TAKING_SEVERAL_TYPES = {
    *("add_input", "known_index", "atomic_add", "atomic_exchange", "atomic_swap_if", "thread_first", "thread_stride"),
    *(
        "comparable",
        "is_logged",
        "bits_of",
        "float_of",
        "double_of",
        "float_of_sum",
        "not_finite",
        "square_root",
        "together",
        "put_together",
    ),
}


def structs_in(struct):
    yield struct
    for _, kind in struct.fields:
        if not isinstance(kind, str):
            yield from structs_in(kind)


def test_no_kind_of_kernel_begins_another():
    """Else two names of owners could make one of two kinds, as ``outgoing_x`` and ``x`` of count and count_outgoing."""
    texts = [file.read_text() for file in kernel_folder().rglob("*.cu")]
    kinds = {kind for text in texts for kind in re.findall(r"\b(\w+)_\{\{ (?:projection|population)\.name", text)}
    assert {"deliver", "update", "count_outgoing", "new_synapse", "Row" if "Row" in kinds else "Connect"} <= kinds
    for one, other in itertools.permutations(kinds, 2):
        assert not other.startswith(f"{one}_"), (one, other)
    plain = {word for file in kernel_folder().rglob("*.cuh") for word in re.findall(r"\b(\w+)\(", file.read_text())}
    for kind, word in itertools.product(kinds, plain):
        assert not word.startswith(f"{kind}_"), (kind, word)


@pytest.mark.parametrize("make", [everything, every_rule])
def test_members_of_structs_are_there_once(make):
    for struct in structs_in(network_struct(make())):
        members = [name for name, _ in struct.fields]
        assert len(members) == len(set(members)), struct.name


def test_names_of_members_do_not_meet():
    """A constant like a variable of another model, a constant ``state_x`` beside the state ``x`` of a receptor ..."""
    network = Network(seed=1)
    network.add_population("a", Grid(4, 4), models.LIF())
    receptor = ReceptorModel("r", "", parameters={"state_x": NUMBER}, state=(Variable("x"),))
    synapse = SynapseModel(
        "s", "", parameters={"w_max": NUMBER, "delay_steps": NUMBER, "t": Parameter(1.0, "", "")},
        variables=(Variable("weight"), Variable("start"), Variable("in_degree_"), Variable("post_x"), Variable("x")),
        pre_traces=(SpikeTrace("pre_x", "t"),), post_traces=(SpikeTrace("x_of", "t"),),
    )  # fmt: skip
    rule = RewiringRule(
        "mine", "", parameters={"interval": NUMBER, "every_steps": NUMBER, "reach_squared": NUMBER},
        synapse_variables=(Variable("model_w_max"), Variable("state_x")), select=models.BY_SPIKE,
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="whose 'x' has a name by which"):
        network.add_projection(
            "x", "a", "a", models.OneToOne(), receptor(), 0.1, synapse(), rewiring=rule(block_side=4)
        )
    synapse = SynapseModel("s", "", synapse.parameters, variables=synapse.variables[:-1])
    network.add_projection(
        "aa", "a", "a", models.OneToOne(), receptor(), 0.1, synapse(), models.Uniform(1.0, 2.0), rule(block_side=4)
    )
    for struct in structs_in(network_struct(network)):
        members = [name for name, _ in struct.fields]
        assert len(members) == len(set(members)), struct.name
