// Raw random numbers that the host transforms or sorts by: of an entity (a neuron's number) and a draw.
KERNEL draw_words(Network* net) {
    for (int neuron = thread_first(); neuron < net->initial.n; neuron += thread_stride())
        net->initial.words[neuron] = philox((uint32)net->initial.ids[neuron], (uint32)net->initial.step, net->initial.stream, (uint32)net->initial.draws[neuron],
                                            net->control->seed0, net->control->seed1).x;
}
