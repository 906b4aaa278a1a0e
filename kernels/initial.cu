// Raw random numbers for the neurons' initial values: word `draw` of neuron global_id, for the host to transform.
KERNEL draw_initial(Network* net) {
    for (int neuron = thread_first(); neuron < net->initial.n; neuron += thread_stride())
        net->initial.words[neuron] = philox((uint32)net->initial.ids[neuron], 0u, net->initial.stream, (uint32)net->initial.draw,
                                            net->control->seed0, net->control->seed1).x;
}
