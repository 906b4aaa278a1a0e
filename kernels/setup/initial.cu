// Raw random numbers that the host transforms or sorts by: of an entity (a neuron's number) and a draw.
KERNEL draw_words(Network* net) {
    for (int neuron = thread_first(); neuron < net->random_words.n; neuron += thread_stride())
        net->random_words.words[neuron] = philox((uint32)net->random_words.ids[neuron], (uint32)net->random_words.step, net->random_words.stream, (uint32)net->random_words.draws[neuron],
                                            net->control->seed0, net->control->seed1).x;
}
