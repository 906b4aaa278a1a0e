// A sample in windows of steps: while it is simulated, the state at each window's beginning is set aside; from there
// the window's steps are simulated once more, the last window's first, to record what gradients need of them.
{%- macro copied(population, kernel, to, from) %}
KERNEL {{ kernel }}_{{ population.name }}(Network* net) {
    if (net->control->halt) return;
    auto& population = net->population_{{ population.name }};
    auto& learner = net->learning.population_{{ population.name }};
    const int n_neurons = population.n_simulated;
    const int64 aside = net->learning.aside;
//% for one in population.aside
    {
{%- set slots = "((int64)net->" ~ one.mask ~ " + 1) * " if one.mask else "" %}
        const int64 n = {{ slots }}{{ "n_neurons" if one.of_neurons else "1" }};
        {{ one.copy.ctype }}* copy = learner.{{ one.copy.name }} + aside * n;
        {{ one.copy.ctype }}* state = net->{{ one.owner }}.{{ one.array }};
        for (int64 at = thread_first(); at < n; at += thread_stride()) {{ to }}[at] = {{ from }}[at];
    }
//% endfor
//% if population.remembers
    // Its spikes are remembered by themselves.
    for (int neuron = thread_first(); neuron < n_neurons; neuron += thread_stride()) {
        learner.n_spikes[neuron] = 0;
        learner.first_step[neuron] = net->learning.never;
    }
    if (thread_first() == 0) *learner.most_spikes = 0;
//% endif
}

{% endmacro %}
//% for population in populations
{{ copied(population, "set_aside", "copy", "state") }}
{{- copied(population, "put_back", "state", "copy") }}
//%- endfor
