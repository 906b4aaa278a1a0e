//% if population.removes
                if (population.removed[neuron]) continue;
//% endif
                emit(net, population, neuron);
//% for projection in population.incoming
//% for trace in projection.post_traces if trace not in projection.late_post_traces
                {
                    auto& projection = net->projection_{{ projection.name }};
                    Trace& trace = projection.post_{{ trace.name }}[neuron];
                    trace.value = decayed(trace, step, projection.decay_{{ trace.name }}) + 1.0f;
                    trace.last = step;
                }
//% endfor
//% endfor
