// Raw random numbers that the host transforms or sorts by: of an entity (a neuron's number) and a draw.
KERNEL draw_words(Network* net) {
    const auto& random_words = net->random_words;
    for (int n = thread_first(); n < random_words.n; n += thread_stride()) {
        const uint32 id = random_words.ids[n], draw = random_words.draws[n];
        random_words.words[n] = philox(id, random_words.step, random_words.stream, draw, key_of(net->control)).x;
    }
}
