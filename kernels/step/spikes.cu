// How a spike leaves its neuron, and how it arrives: the ring of recent steps that the projections read.
//
// Per population the ring holds, for each of its last steps, the neurons that spiked: those of this rank from the
// front of the step's slot, those that other ranks sent from its back. A slot has room for every neuron.
//
// A network that is trained may be there in several replicas, which share weights: neuron k of replica r is at
// r * n_own + k, in the ring and wherever else a neuron has a state of its own.

// Where a rank keeps the neuron at (x, y): below n_own it owns it, above it knows it as a source, -1 it does not.
template <class Population> DEVICE int known_index(const Population& population, const int x, const int y) {
    const int tile_x = x >> population.tile_shift_x, tile_y = y >> population.tile_shift_y;
    int column = tile_x - population.window_x, row = tile_y - population.window_y;
    column += column < 0 ? population.tiles_x : 0;
    row += row < 0 ? population.tiles_y : 0;
    if (column >= population.window_width || row >= population.window_height) return -1;
    const int base = population.tile_base[row * population.window_width + column];
    const int left = population.nx - (tile_x << population.tile_shift_x);
    const int width = left < (1 << population.tile_shift_x) ? left : (1 << population.tile_shift_x);
    const int inside_x = x & ((1 << population.tile_shift_x) - 1), inside_y = y & ((1 << population.tile_shift_y) - 1);
    return base < 0 ? -1 : base + inside_y * width + inside_x;
}

template <class Population> DEVICE int known_index(const Population& population, const int id) {
    const int y = id / population.nx;
    return known_index(population, id - y * population.nx, y);
}

// Which of the rank's neurons is at `index`, in whichever replica.
template <class Population> DEVICE int own_neuron(const Population& population, const int index) {
    return index < population.n_own ? index : index % population.n_own;
}

// Whether spikes of a neuron, one of the rank's own, are recorded where spikes are.
//% for population in populations
DEVICE bool is_logged(const Population_{{ population.name }}& population, const int neuron) {
//% if population.logs_some
    return population.logged[neuron] != 0;
//% else
    (void)population, (void)neuron;
    return true;
//% endif
}
//% endfor

// A spike of neuron `index` of this rank: into the ring, the fingerprint, the rate histogram, the log, the send buffer.
template <class Population> DEVICE void emit(Network* net, Population& population, const int index) {
    const Control& control = *net->control;
    const int slot = control.step & population.ring_mask;
    const int place = atomic_add(&population.own_count[slot], 1);
    population.ring[(int64)slot * population.slot_size + place] = index;
//% if windowed
    if (net->learning.replays) return;  // it was counted when it was simulated first
//% endif
    const int neuron = own_neuron(population, index), id = population.global_id[neuron];
    atomic_add(population.fingerprint, spike_hash(control.step, id));
    atomic_add(&population.spikes_per_bin[control.step / control.bin_steps], (uint64)1);
    if (population.log_size > 0 && is_logged(population, neuron)) {
        const int entry = atomic_add(population.log_count, 1);
        population.log[2 * (int64)entry] = control.step;
        population.log[2 * (int64)entry + 1] = id;
    }
    const Exchange& exchange = net->exchange;
    if (exchange.interval == 0) return;
    uint32 number = population.first_id + id;
    if (exchange.by_neighbours) {
        number = population.first_own + neuron;
        if (exchange.route_start[number] == exchange.route_start[number + 1]) return;  // no other rank knows it
    }
    const uint32 offset = control.step % exchange.interval;
    exchange.send[atomic_add(exchange.send_count, 1)] = offset << exchange.number_bits | number;
}

// Neuron `index`, known here, spiked on another rank in a step.
template <class Population> DEVICE void arrive(Population& population, const int index, const int step) {
    const int slot = step & population.ring_mask;
    const int place = atomic_add(&population.remote_count[slot], 1);
    population.ring[((int64)slot + 1) * population.slot_size - 1 - place] = index;
}

// A spike that another rank sent: how many steps behind `first_step`, and the number of the neuron. Where all ranks
// send to all, that is a number in the network. Where neighbours send to each other, it is one among the neurons that
// are known here of `sender`, population by population.
DEVICE void accept(Network* net, const int sender, const uint32 message, const int first_step) {
    const Exchange& exchange = net->exchange;
    const int step = first_step + (int)(message >> exchange.number_bits);
    uint32 number = message & (((uint32)1 << exchange.number_bits) - 1);
    if (exchange.by_neighbours) {
//% for population in populations
        {
            const int at = sender * {{ populations | length }} + {{ loop.index0 }};
            const uint32 n = exchange.known_of_sender[at];
            if (number < n) {
                arrive(net->population_{{ population.name }}, exchange.first_of_sender[at] + (int)number, step);
                return;
            }
            number -= n;
        }
//% endfor
        return;
    }
//% for population in populations
    {
        auto& population = net->population_{{ population.name }};
        if (number >= population.first_id && number < population.first_id + (uint32)(population.nx * population.ny)) {
            const int index = known_index(population, (int)(number - population.first_id));
            if (index >= 0) arrive(population, index, step);
            return;
        }
    }
//% endfor
}

// What spiked in a step as a slot of the ring has it: neurons of this rank, or those of others.
struct Spikes {
    const int* first;
    int stride, n;
    DEVICE_MEMBER int operator[](const int k) const { return first[k * stride]; }
};

template <class Population> DEVICE Spikes own_spikes(const Population& population, const int slot) {
    return {population.ring + (int64)slot * population.slot_size, 1, population.own_count[slot]};
}

template <class Population> DEVICE Spikes spikes_of_others(const Population& population, const int slot) {
    return {population.ring + ((int64)slot + 1) * population.slot_size - 1, -1, population.remote_count[slot]};
}

// The n-th neuron in a slot of the ring, own ones first.
template <class Population> DEVICE int spiking(const Population& population, const int slot, const int n) {
    const int own = population.own_count[slot];
    const int64 first = (int64)slot * population.slot_size;
    return population.ring[n < own ? first + n : first + population.slot_size - 1 - (n - own)];
}

// Sources that spiked in the steps first .. until - 1 and are known here, for rules that look at the last to fire.
struct RecentSpikes {
    const int *ring, *own_count, *remote_count, *known_id;
    int slot_size, ring_mask, first, n_counted;
    DEVICE_MEMBER int count(const int until) {
        for (int step = first; step < until; ++step)
            n_counted += own_count[step & ring_mask] + remote_count[step & ring_mask];
        return n_counted;
    }
    DEVICE_MEMBER int operator()(int n) const {
        for (int step = first;; ++step) {
            const int slot = step & ring_mask, own = own_count[slot], all = own + remote_count[slot];
            const int64 place = (int64)slot * slot_size + (n < own ? n : slot_size - 1 - (n - own));
            if (n < all) return known_id[ring[place]];
            n -= all;
        }
    }
};

// A step starts with room for all that it may log.
KERNEL begin_step(Network* net) {
    if (net->control->halt || thread_first() != 0) return;
//% for population in populations
    {
        const auto& population = net->population_{{ population.name }};
        if (population.log_size > 0 && population.log_size - *population.log_count < population.n_simulated) {
            halt(net->control, LOG_FULL, 0, 0, 0);
            return;
        }
    }
//% for projection in population.incoming if projection.rewiring
    {
        const auto& projection = net->projection_{{ projection.name }};
        const int room = projection.event_log_size - *projection.event_log_count;
        if (projection.event_log_size > 0 && room < projection.most_events) {
            halt(net->control, LOG_FULL, 0, 0, 0);
            return;
        }
    }
//% endfor
//% endfor
//% for recorder in recorders
    {
        const auto& recorder = net->{{ recorder.name }};
        if ((net->control->step + 1) / recorder.every_steps - recorder.rows_taken > recorder.n_rows) {
            halt(net->control, LOG_FULL, 0, 0, 0);
            return;
        }
    }
//% endfor
//% for population in populations
    {
        const auto& population = net->population_{{ population.name }};
        population.own_count[net->control->step & population.ring_mask] = 0;
        population.remote_count[net->control->step & population.ring_mask] = 0;
    }
//% endfor
}

KERNEL end_step(Network* net) {
    if (net->control->halt || thread_first() != 0) return;
    net->control->step += 1;
}

// Spikes of other ranks behind `received`, where the exchange is not in the compiled schedule (GPUs): those of
// neighbours by their numbers among all that are known here, which is as if one rank had sent them all. They come
// whether or not something has halted since they were sent for.
KERNEL accept_received(Network* net) {
    const int first_step = *net->exchange.under_way - net->exchange.interval;
    for (int n = thread_first(); n < *net->exchange.received_count; n += thread_stride())
        accept(net, net->exchange.n_in, net->exchange.received[n], first_step);
}
