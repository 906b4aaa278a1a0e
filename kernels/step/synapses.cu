// Spikes at a projection's synapses: forward along each source's outgoing list, backward along each target's row.
{%- set synapse = projection.synapse %}
{%- set variables = synapse.variables %}  {#- the rule's own are none of a spike's business #}
{%- set functions = synapse.functions %}
{%- set listed = projection.listed %}  {#- synapses that nothing changes, which lists hold themselves #}
{%- set held, of_synapse = ("listed", "place") if listed else ("synapse", "at") %}

//% macro rows_at_hand()
    const int row_shift = projection.row_shift;
    const int* source_of = projection.source;
//% for variable in variables
    {{ variable.ctype }}* all_{{ variable.name }} = projection.synapse_{{ variable.name }};
//% endfor
//% for trace in synapse.pre_traces
    const Trace* traces_{{ trace.name }} = projection.pre_{{ trace.name }};
    const DecayTable decay_{{ trace.name }} = projection.decay_{{ trace.name }};
//% endfor
{{ bound_constants("projection", synapse, "of_synapse_") }}
//% endmacro

//% macro refuse_a_row_that_is_not_finite()
        int wrong = 0;
        for (int k = lane(); k < in_degree; k += LANES)
            wrong |= {{ any_not_finite("projection.synapse_", variables, "row + k") }};
        if (wrong) {
            halt(net->control, NOT_FINITE, 0, 0, 0);
            return;
        }
//% endmacro

{{ functions.deliver.head }} {
{{ value(synapse, "deliver") }}
}

//% if synapse.on_pre_spike
{{ functions.on_pre_spike.head }} {
{{ paste(synapse, "on_pre_spike") }}
}

//% endif
//% if synapse.on_post_spike
{{ functions.on_post_spike.head }} {
{{ paste(synapse, "on_post_spike") }}
}

//% endif
//% if synapse.on_step.strip()
//% if synapse.on_step_if.strip()
{{ functions.on_step_if.head }} {
{{ value(synapse, "on_step_if") }}
}

//% endif
{{ functions.on_step.head }} {
{{ paste(synapse, "on_step") }}
}

//% endif
//% if synapse.update_target.strip()
{{ functions.update_target.head }} {
{{ paste(synapse, "update_target") }}
}

//% endif
//% if not projection.trained
DEVICE void arrive_{{ projection.name }}(Network* net, const Spikes spikes) {
    const int n_spikes = spikes.n;
    if (n_spikes == 0) return;
    auto& projection = net->projection_{{ projection.name }};
    const int seen = net->control->step - 1;  // the step whose end the synapse sees
    const int row_shift = projection.row_shift;
    const float input_scale = projection.input_scale;
//% if projection.checks_amounts
    const float input_limit = projection.input_limit;
//% endif
    const int* outgoing_of = projection.outgoing;
    {{ projection.input_type }}* input = projection.input;
//% if projection.delays
    // Where in the ring of input it arrives that a synapse with no delay at all would bring.
//% if projection.dendritic
    const uint32 first_arrival =
        (uint32)(net->control->step - projection.delay_steps) + (uint32)projection.dendritic_steps;
//% else
    const uint32 first_arrival = (uint32)(net->control->step - projection.delay_steps);
//% endif
    const uint32 input_mask = projection.input_mask;
    const int64 n_targets = net->population_{{ projection.target }}.n_own;
    const int* delay_steps_of = projection.{{ held }}_delay_steps;
//% elif projection.dendritic
    // All of it arrives in one step.
    const uint32 arrival = (uint32)net->control->step + (uint32)projection.dendritic_steps;
    input += (int64)(arrival & projection.input_mask) * net->population_{{ projection.target }}.n_own;
//% endif
//% for variable in variables
    {{ variable.ctype }}* all_{{ variable.name }} = projection.{{ held }}_{{ variable.name }};
//% endfor
//% for trace in synapse.post_traces
    const Trace* traces_{{ trace.name }} = projection.post_{{ trace.name }};
    const DecayTable decay_{{ trace.name }} = projection.decay_{{ trace.name }};
//% endfor
{{ bound_constants("projection", synapse, "of_synapse_") }}
    for (int spike = team_first(); spike < n_spikes; spike += team_stride()) {
        // In a large network every synapse is a cache miss or three: ask for the lists of spikes to come, then for what
        // they name. (Not in functions of their own: GCC finds those without effect and drops them.)
        if (spike + 8 < n_spikes) {
            const int later = spikes[spike + 8];
            PREFETCH(&projection.outgoing_count[later]);
            PREFETCH(&outgoing_of[(int64)later << projection.outgoing_shift]);
//% for variable in variables if listed
            PREFETCH(&all_{{ variable.name }}[(int64)later << projection.outgoing_shift]);
//% endfor
        }
//% if not listed
        if (spike + 3 < n_spikes) {
            const int next = spikes[spike + 3];
            const int* named = outgoing_of + ((int64)next << projection.outgoing_shift);
            for (int entry = 0; entry < projection.outgoing_count[next]; ++entry) {
                const int at = named[entry] < 0 ? 0 : named[entry];
                PREFETCH(&all_{{ variables[0].name }}[at]);
                PREFETCH(&{{ "delay_steps_of[at" if projection.delays else "input[at >> row_shift" }}]);
//% for trace in synapse.post_traces
                PREFETCH(&traces_{{ trace.name }}[at >> row_shift]);
//% endfor
            }
//% for trace in projection.pre_traces
            PREFETCH(&projection.pre_{{ trace.name }}[next]);
//% endfor
        }
//% endif
//% if projection.delays and not listed
        // Delays are at hand by now: they say where in the ring the next spike's input goes.
        if (spike + 1 < n_spikes) {
            const int next = spikes[spike + 1];
            const int* named = outgoing_of + ((int64)next << projection.outgoing_shift);
            for (int entry = 0; entry < projection.outgoing_count[next]; ++entry) {
                const int at = named[entry] < 0 ? 0 : named[entry];
                const int64 arrival = (first_arrival + (uint32)delay_steps_of[at]) & input_mask;
                PREFETCH(&input[arrival * n_targets + (at >> row_shift)]);
            }
        }
//% endif
        const int source = spikes[spike];
        const int64 first = (int64)source << projection.outgoing_shift;
        const int n_outgoing = projection.outgoing_count[source];
//% if listed
        INDEPENDENT_ITERATIONS  // a source has one synapse with a target
//% endif
        for (int entry = lane(); entry < n_outgoing; entry += LANES) {
            const int64 place = first + entry;
            const int at = outgoing_of[place];
//% if not listed
            if (at < 0) continue;
//% endif
            const int target = at >> row_shift;
//% for variable in variables
            {{ variable.ctype }} now_{{ variable.name }} = all_{{ variable.name }}[{{ of_synapse }}];
//% endfor
            const float delivered = {{ functions.deliver.call }};
//% if projection.checks_amounts
            if (!(delivered <= input_limit && delivered >= -input_limit)) {  // not a number is neither
                const int post_id = net->population_{{ projection.target }}.global_id[target];
                if (halt(net->control, OUTGROWN, {{ projection.stage_of.deliver }}, {{ projection.index }}, post_id)) {
                    net->control->place = net->population_{{ projection.source }}.known_id[source];
                    net->control->amount_bits = bits_of(delivered);
                }
                continue;
            }
//% endif
//% if projection.delays
            const int64 arrival = (first_arrival + (uint32)delay_steps_of[{{ of_synapse }}]) & input_mask;
            add_input(&input[arrival * n_targets + target], delivered, input_scale);
//% else
            add_input(&input[target], delivered, input_scale);
//% endif
//% if synapse.on_pre_spike
//% for trace in synapse.post_traces
            const Trace last_{{ trace.name }} = traces_{{ trace.name }}[target];
            const float trace_{{ trace.name }} = decayed(last_{{ trace.name }}, seen, decay_{{ trace.name }});
//% if loop.first
            const bool coincident = last_{{ trace.name }}.last == seen;
//% endif
//% endfor
//% for trace in projection.own_pre_traces
            const float trace_{{ trace.name }} =
                decayed(projection.pre_{{ trace.name }}[source], seen, projection.decay_{{ trace.name }});
//% endfor
            {{ functions.on_pre_spike.call }};
//% for variable in variables
            all_{{ variable.name }}[at] = now_{{ variable.name }};
//% endfor
            if ({{ any_not_finite("projection.synapse_", variables, "at") }}) {
                halt(net->control, NOT_FINITE, 0, 0, 0);
                return;
            }
//% endif
        }
//% if not projection.own_pre_traces
//% for trace in projection.pre_traces
        if (lane() == 0) {
            Trace& trace = projection.pre_{{ trace.name }}[source];
            trace.value = decayed(trace, seen, projection.decay_{{ trace.name }}) + 1.0f;
            trace.last = seen;
        }
//% endfor
//% endif
    }
}

// Where in the ring of the sources' spikes those are that arrive in this step.
DEVICE int arriving_{{ projection.name }}(Network* net) {
    return (net->control->step - net->projection_{{ projection.name }}.delay_steps)
           & net->population_{{ projection.source }}.ring_mask;
}

KERNEL deliver_{{ projection.name }}(Network* net) {
    if (net->control->halt) return;
    const int slot = arriving_{{ projection.name }}(net);
    arrive_{{ projection.name }}(net, own_spikes(net->population_{{ projection.source }}, slot));
}

//% if shared
// The same for spikes of other ranks, which come later.
SELDOM_KERNEL relay_{{ projection.name }}(Network* net) {
    if (net->control->halt) return;
    const int slot = arriving_{{ projection.name }}(net);
    arrive_{{ projection.name }}(net, spikes_of_others(net->population_{{ projection.source }}, slot));
}

//% endif
//% endif
//% if projection.own_pre_traces
// The rule sees pre traces before the spike: they go up when no lane reads them any more.
KERNEL trace_{{ projection.name }}(Network* net) {
    if (net->control->halt) return;
    auto& projection = net->projection_{{ projection.name }};
    auto& source_population = net->population_{{ projection.source }};
    const int slot = (net->control->step - projection.delay_steps) & source_population.ring_mask;
    const int n_spikes = source_population.own_count[slot] + source_population.remote_count[slot];
    const int seen = net->control->step - 1;
    for (int spike = thread_first(); spike < n_spikes; spike += thread_stride()) {
        const int source = spiking(source_population, slot, spike);
//% for trace in projection.pre_traces
        {
            Trace& trace = projection.pre_{{ trace.name }}[source];
            trace.value = decayed(trace, seen, projection.decay_{{ trace.name }}) + 1.0f;
            trace.last = seen;
        }
//% endfor
    }
}
//% endif

//% if synapse.on_post_spike
KERNEL postsynaptic_{{ projection.name }}(Network* net) {
    if (net->control->halt || net->control->step == 0) return;
    auto& projection = net->projection_{{ projection.name }};
    auto& target_population = net->population_{{ projection.target }};
    const int seen = net->control->step - 1;
//% if projection.dendritic
    // The spikes that are back at the synapses by then.
    const int slot = (seen - projection.dendritic_steps) & target_population.ring_mask;
//% else
    const int slot = seen & target_population.ring_mask;
//% endif
    const int n_spikes = target_population.own_count[slot];
{{ rows_at_hand() }}
    for (int spike = team_first(); spike < n_spikes; spike += team_stride()) {
        const int* spiking_here = target_population.ring + (int64)slot * target_population.slot_size;
        if (spike + 4 < n_spikes) {
            const int64 later = (int64)spiking_here[spike + 4] << row_shift;
            PREFETCH(&source_of[later]);
            PREFETCH(&all_{{ variables[0].name }}[later]);
            PREFETCH(&projection.in_degree[spiking_here[spike + 4]]);
        }
//% if synapse.pre_traces
        if (spike + 2 < n_spikes) {
            const int64 next = (int64)spiking_here[spike + 2] << row_shift;
            for (int k = 0; k < projection.in_degree[spiking_here[spike + 2]]; ++k) {
//% for trace in synapse.pre_traces
                PREFETCH(&traces_{{ trace.name }}[source_of[next + k]]);
//% endfor
            }
        }
//% endif
        const int target = spiking_here[spike];
        const int64 row = (int64)target << row_shift;
        const int in_degree = projection.in_degree[target];
//% for trace in projection.own_post_traces
        // The spike itself is in its neuron's trace already; what is left is as fine as float32 near the trace's value.
        const float trace_{{ trace.name }} =
            decayed(projection.post_{{ trace.name }}[target], seen, projection.decay_{{ trace.name }}) - 1.0f;
//% endfor
        INDEPENDENT_ITERATIONS
        for (int k = lane(); k < in_degree; k += LANES) {
            const int source = source_of[row + k];
//% for variable in variables
            {{ variable.ctype }} now_{{ variable.name }} = all_{{ variable.name }}[row + k];
//% endfor
//% for trace in synapse.pre_traces
            const Trace last_{{ trace.name }} = traces_{{ trace.name }}[source];
            const float trace_{{ trace.name }} = decayed(last_{{ trace.name }}, seen, decay_{{ trace.name }});
//% if loop.first
            const bool coincident = last_{{ trace.name }}.last == seen;
//% endif
//% endfor
            {{ functions.on_post_spike.call }};
//% for variable in variables
            all_{{ variable.name }}[row + k] = now_{{ variable.name }};
//% endfor
        }
{{ refuse_a_row_that_is_not_finite() }}
    }
}
//% endif

//% if synapse.on_step.strip()
// What goes on between spikes, for the synapses of those targets alone that ask for it.
KERNEL change_synapses_{{ projection.name }}(Network* net) {
    if (net->control->halt || net->control->step == 0) return;
    auto& projection = net->projection_{{ projection.name }};
    const int seen = net->control->step - 1, n_targets = net->population_{{ projection.target }}.n_own;
{{ rows_at_hand() }}
    (void)source_of;
    for (int target = team_first(); target < n_targets; target += team_stride()) {
//% if synapse.on_step_if.strip()
        if (!{{ functions.on_step_if.call }}) continue;
//% endif
        const int64 row = (int64)target << row_shift;
        const int in_degree = projection.in_degree[target];
        INDEPENDENT_ITERATIONS
        for (int k = lane(); k < in_degree; k += LANES) {
//% if synapse.pre_traces
            const int source = source_of[row + k];
//% endif
//% for variable in variables
            {{ variable.ctype }} now_{{ variable.name }} = all_{{ variable.name }}[row + k];
//% endfor
//% for trace in synapse.pre_traces
            const float trace_{{ trace.name }} = decayed(traces_{{ trace.name }}[source], seen, decay_{{ trace.name }});
//% endfor
            {{ functions.on_step.call }};
//% for variable in variables
            all_{{ variable.name }}[row + k] = now_{{ variable.name }};
//% endfor
        }
{{ refuse_a_row_that_is_not_finite() }}
    }
}
//% endif

//% if synapse.update_target.strip()
// The synapses' view of each target, at the end of the step.
KERNEL follow_{{ projection.name }}(Network* net) {
    if (net->control->halt) return;
    auto& projection = net->projection_{{ projection.name }};
    const auto& target_population = net->population_{{ projection.target }};
    const int step = net->control->step, n_targets = target_population.n_own;
    const float dt_ms = net->dt_ms;
    (void)dt_ms;
{{ bound_constants("projection", synapse, "of_synapse_") }}
    for (int target = thread_first(); target < n_targets; target += thread_stride()) {
        {{ functions.update_target.call }};
        if ({{ any_not_finite("projection.target_", synapse.target_variables, "target") }})
            halt(net->control, NOT_FINITE, 0, 0, 0);
    }
}
//% endif

//% if projection.late_post_traces
// Post traces are the synapse's view: they go up when a spike is back at the synapses, one step before these handle it.
KERNEL backpropagate_{{ projection.name }}(Network* net) {
    if (net->control->halt) return;
    auto& projection = net->projection_{{ projection.name }};
    const auto& target_population = net->population_{{ projection.target }};
    const int step = net->control->step, slot = (step - projection.dendritic_steps) & target_population.ring_mask;
    const int n_spikes = target_population.own_count[slot];
    for (int spike = thread_first(); spike < n_spikes; spike += thread_stride()) {
        const int target = target_population.ring[(int64)slot * target_population.slot_size + spike];
//% for trace in projection.late_post_traces
        {
            Trace& trace = projection.post_{{ trace.name }}[target];
            trace.value = decayed(trace, step, projection.decay_{{ trace.name }}) + 1.0f;
            trace.last = step;
        }
//% endfor
    }
}
//% endif
