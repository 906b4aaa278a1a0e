// The first wiring: the connector names each target's sources twice, once to count them and once to write them;
// then the outgoing lists are made from the rows.
{%- set synapse = projection.synapse %}
{%- set variables = projection.variables %}

//% if projection.delays
// The delay of a synapse in steps: whoever makes it, and whenever, its two neurons alone decide.
DEVICE int delay_of_{{ projection.name }}(Network* net, const int source, const int target) {
    const auto& projection = net->projection_{{ projection.name }};
    const uint32 pre = (uint32)net->population_{{ projection.source }}.known_id[source];
    const uint32 post = (uint32)net->population_{{ projection.target }}.global_id[target];
    const Random4 random = philox(post, 1u + pre, {{ projection.stream_connect }}u, 0u, key_of(net->control));
    const uint64 word = ((uint64)random.x << 32) | random.y;
    int reached = 0;
    for (int n = projection.n_delay_threshold; n > 0;) {
        const int half = n >> 1;
        const bool beyond = projection.delay_threshold[reached + half] <= word;
        reached += beyond ? half + 1 : 0;
        n = beyond ? n - half - 1 : half;
    }
    return projection.delay_steps + reached;
}

//% endif
// What a connector's snippet calls for each source of one target neuron.
struct Connect_{{ projection.name }} {
    Network* net;
    int target;
    int n;
    bool writes;
    DEVICE_MEMBER void operator()(const int source_id) {
        (*this)(source_id, net->projection_{{ projection.name }}.initial_weight);
    }
    DEVICE_MEMBER void operator()(const int source_id, const float weight) {
        add(known_index(net->population_{{ projection.source }}, source_id), weight);
    }
    DEVICE_MEMBER void at(const int x, const int y) {
        const int source = known_index(net->population_{{ projection.source }}, x, y);
        add(source, net->projection_{{ projection.name }}.initial_weight);
    }
    // Each source within reach by its chance, row after row, or cell after cell, with a random number for each.
    DEVICE_MEMBER void by_distance(Sequence<EntityBlocks>& random, const Probability* p, const int n_p,
                                   const bool self_connections = true) {
        if (n_p <= 0) return;
        const auto& sources = net->population_{{ projection.source }};
        const auto& targets = net->population_{{ projection.target }};
        const int id = targets.global_id[target], reach = whole_root(n_p - 1);
//% if projection.dimensions
        (void)sources;
        const auto& places = net->projection_{{ projection.name }};
        const int* own = places.target_place + (int64){{ projection.dimensions }} * target;
        const int side = places.cell_side;
        const int64 from_x = (int64)own[0] - places.cell_origin_x, from_y = (int64)own[1] - places.cell_origin_y;
        const int64 from_z = {{ "(int64)own[2] - places.cell_origin_z" if projection.dimensions == 3 else "0" }};
        const int first_x = first_cell(from_x - reach, side);
        const int last_x = last_cell(from_x + reach, side, places.cell_count_x);
        const int last_y = last_cell(from_y + reach, side, places.cell_count_y);
        const int last_z = last_cell(from_z + reach, side, places.cell_count_z);
        if (first_x > last_x) return;
        for (int z = first_cell(from_z - reach, side); z <= last_z; ++z)
            for (int y = first_cell(from_y - reach, side); y <= last_y; ++y) {
                const int row = (z * places.cell_count_y + y) * places.cell_count_x;
                for (int k = places.cell_first[row + first_x]; k < places.cell_first[row + last_x + 1]; ++k) {
                    const int source_id = places.cell_member[k];
                    const int64 squared = free_distance_squared(places, {{ projection.dimensions }}, source_id, target);
                    if (squared >= n_p || (!self_connections && source_id == id)) continue;
                    if (chance(random.next(), p[squared])) (*this)(source_id);
                }
            }
//% else
        const int y = id / targets.nx, x = id - y * targets.nx;
//% if projection.lattice
        const auto& lattice = net->projection_{{ projection.name }};
        const LatticeAxis columns = {lattice.fineness * x - lattice.lattice_offset_x, lattice.lattice_stride_x,
                                     lattice.lattice_period_x, sources.nx, sources.period_x != sources.nx};
        const LatticeAxis rows = {lattice.fineness * y - lattice.lattice_offset_y, lattice.lattice_stride_y,
                                  lattice.lattice_period_y, sources.ny, sources.period_y != sources.ny};
//% else
        const LatticeAxis columns = {x, 1, sources.period_x, sources.nx, sources.period_x != sources.nx};
        const LatticeAxis rows = {y, 1, sources.period_y, sources.ny, sources.period_y != sources.ny};
//% endif
        const int n_rows = rows.count_within(reach), n_columns = columns.count_within(reach);
        for (int row = 0; row < n_rows; ++row) {
            const int source_y = rows.source(rows.first_within(reach) + row), dy = rows.distance(source_y);
            for (int column = 0; column < n_columns; ++column) {
                const int source_x = columns.source(columns.first_within(reach) + column);
                const int dx = columns.distance(source_x);
                const int64 squared = (int64)dx * dx + (int64)dy * dy;
                if (squared >= n_p || (!self_connections && source_y * sources.nx + source_x == id)) continue;
                if (chance(random.next(), p[squared])) at(source_x, source_y);
            }
        }
//% endif
    }
    DEVICE_MEMBER void add(const int source, const float weight) {
        auto& projection = net->projection_{{ projection.name }};
        if (writes) {
            if (n >> projection.row_shift) {
                atomic_add(projection.refused, (uint64)1);
                return;
            }
            const int64 at = ((int64)target << projection.row_shift) + n;
            projection.source[at] = source;
//% for variable in variables
//% if variable.name == "weight"
            projection.synapse_weight[at] = weight;
//% else
            projection.synapse_{{ variable.name }}[at] = projection.initial_{{ variable.name }};
//% endif
//% endfor
//% if projection.delays
            projection.synapse_delay_steps[at] = delay_of_{{ projection.name }}(net, source, target);
//% endif
        }
        ++n;
    }
};

{{ projection.connector.functions.connect.head }} {
{{ paste(projection.connector, "connect") }}
}

DEVICE int row_sources_{{ projection.name }}(Network* net, const int target, const bool writes) {
    auto& projection = net->projection_{{ projection.name }};
    auto& source_population = net->population_{{ projection.source }};
    auto& target_population = net->population_{{ projection.target }};
    const int nx = source_population.nx, ny = source_population.ny, n_sources = nx * ny;
    const int period_x = source_population.period_x, period_y = source_population.period_y;
    const int id = target_population.global_id[target];
    const int y = id / target_population.nx, x = id - y * target_population.nx;
    auto random = sequence_of(id, 0u, {{ projection.stream_connect }}u, key_of(net->control));
    Connect_{{ projection.name }} connect = {net, target, 0, writes};
{{ bound_constants("projection", projection.connector, "of_connector_") }}
    {{ projection.connector.functions.connect.call }};
    return connect.n;
}

KERNEL count_sources_{{ projection.name }}(Network* net) {
    auto& projection = net->projection_{{ projection.name }};
    const int n_targets = net->population_{{ projection.target }}.n_own;
    for (int target = thread_first(); target < n_targets; target += thread_stride())
        projection.in_degree[target] = row_sources_{{ projection.name }}(net, target, false);
}

KERNEL connect_{{ projection.name }}(Network* net) {
    auto& projection = net->projection_{{ projection.name }};
    const int n_targets = net->population_{{ projection.target }}.n_own;
    for (int target = thread_first(); target < n_targets; target += thread_stride())
        projection.in_degree[target] = row_sources_{{ projection.name }}(net, target, true);
}

KERNEL count_outgoing_{{ projection.name }}(Network* net) {
    auto& projection = net->projection_{{ projection.name }};
    const int n_targets = net->population_{{ projection.target }}.n_own;
    for (int target = thread_first(); target < n_targets; target += thread_stride())
        for (int k = 0; k < projection.in_degree[target]; ++k)
            atomic_add(&projection.outgoing_count[projection.source[((int64)target << projection.row_shift) + k]], 1);
}

// Expects the counts at zero and lists long enough.
KERNEL list_outgoing_{{ projection.name }}(Network* net) {
    auto& projection = net->projection_{{ projection.name }};
    const int n_targets = net->population_{{ projection.target }}.n_own;
    for (int target = thread_first(); target < n_targets; target += thread_stride())
        for (int k = 0; k < projection.in_degree[target]; ++k) {
            const int at = (target << projection.row_shift) + k;
            const int source = projection.source[at];
            const int entry = atomic_add(&projection.outgoing_count[source], 1);
            const int64 place = ((int64)source << projection.outgoing_shift) + entry;
            projection.outgoing[place] = at;
            projection.entry[at] = entry;
//% for column in projection.listed
            projection.listed_{{ column.name }}[place] = projection.synapse_{{ column.name }}[at];
//% endfor
        }
}
