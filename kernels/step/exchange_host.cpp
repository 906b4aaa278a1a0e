// Spikes between ranks on the host: MPI is called by address, which costs less than through Python.
#include <sched.h>
#include <string.h>

// An MPI handle is an int in MPICH and a pointer in Open MPI: the same call through either. Requests and statuses are
// memory whose size Python knows.
typedef int (*AllgatherInt)(const void*, int, int, void*, int, int, int, void*);
typedef int (*AllgatherPointer)(const void*, int, void*, void*, int, void*, void*, void*);
typedef int (*BarrierInt)(int);
typedef int (*BarrierPointer)(void*);
typedef int (*StartAll)(int, void*);
typedef int (*WaitAll)(int, void*, void*);
typedef int (*SendInt)(const void*, int, int, int, int, int, void*);
typedef int (*SendPointer)(const void*, int, void*, int, int, void*, void*);
typedef int (*ReceiveInt)(void*, int, int, int, int, int, void*);
typedef int (*ReceivePointer)(void*, int, void*, int, int, void*, void*);

// Messages behind the block that each interval begins with have a tag of their own.
constexpr int REST = 1;

// Of one message to each of so many ranks.
static void count_sent(const Exchange& e, const int ranks, const int words, const int spikes) {
    e.sent[MESSAGES] += ranks;
    e.sent[BYTES] += (int64)ranks * words * (int64)sizeof(uint32);
    e.sent[SPIKES] += (int64)ranks * spikes;
}

static int start_allgather(const Exchange& e) {
    const int count = e.block + 1;
    if (e.handle_bytes == 4)
        return ((AllgatherInt)e.allgather)(e.send_block, count, (int)e.datatype, e.receive_block, count,
                                           (int)e.datatype, (int)e.communicator, e.requests);
    return ((AllgatherPointer)e.allgather)(e.send_block, count, (void*)e.datatype, e.receive_block, count,
                                           (void*)e.datatype, (void*)e.communicator, e.requests);
}

static bool all_done(const Exchange& e, const int n_requests, void* const requests) {
    return n_requests == 0 || ((WaitAll)e.wait_all)(n_requests, requests, e.statuses) == 0;
}

static int start_send(const Exchange& e, const uint32* words, const int count, const int rank, void* request) {
    if (e.handle_bytes == 4)
        return ((SendInt)e.start_send)(words, count, (int)e.datatype, rank, REST, (int)e.communicator, request);
    return ((SendPointer)e.start_send)(words, count, (void*)e.datatype, rank, REST, (void*)e.communicator, request);
}

static int receive(const Exchange& e, uint32* words, const int count, const int rank) {
    if (e.handle_bytes == 4)
        return ((ReceiveInt)e.receive)(words, count, (int)e.datatype, rank, REST, (int)e.communicator, e.statuses);
    return ((ReceivePointer)e.receive)(words, count, (void*)e.datatype, rank, REST, (void*)e.communicator, e.statuses);
}

// Where the box of a neighbour is in this exchange: [how many, spikes ...]. In memory that ranks of a node share a box
// has a twin, since a rank may send once more before others have accepted what it sent last; but not twice, as it
// accepts what they have sent before it sends again. So whoever fills a box has accepted what its reader sent in the
// exchange before, in which the twins were used; and that the reader sent after it had accepted what was in this box.
static uint32* box_of(const Exchange& e, const int k) {
    return (uint32*)e.box_address[k] + (*e.exchanges & 1 ? e.box_twin[k] : 0);
}

// In front of such a box stand the number of the exchange whose spikes are in it and, in front of a rank's box for all,
// how often the rank has met with the others.
constexpr int HEADER = 16, MEETINGS = 15;

static void write_number(uint32* const number, const uint32 value) {
    __atomic_store_n(number, value, __ATOMIC_RELEASE);
}

// Until the number is this one, or a later one: then all is there that its writer wrote before.
static void wait_for(const Exchange& e, const uint32* const number, const uint32 value) {
    for (int n = 0; (int)(__atomic_load_n(number, __ATOMIC_ACQUIRE) - value) < 0; ++n) {
        if (n >= e.patience) sched_yield();
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
}

static void publish(const Exchange& e, const int k) { write_number(box_of(e, k) - HEADER, *e.exchanges + 1); }

static void wait_for_box(const Exchange& e, const int k) { wait_for(e, box_of(e, k) - HEADER, *e.exchanges + 1); }

// Until all ranks are here; whoever stands in for MPI may have none.
static bool all_here(const Exchange& e) {
    if (e.n_together > 0) {
        *e.meetings += 1;
        write_number((uint32*)e.together[0] - MEETINGS, *e.meetings);
        for (int rank = 1; rank < e.n_together; ++rank) wait_for(e, (uint32*)e.together[rank] - MEETINGS, *e.meetings);
        return true;
    }
    if (!e.barrier) return true;
    if (e.handle_bytes == 4) return ((BarrierInt)e.barrier)((int)e.communicator) == 0;
    return ((BarrierPointer)e.barrier)((void*)e.communicator) == 0;
}

// The next block of this rank's: [how many are left, spikes ...].
static bool send_block(const Exchange& e, const uint32* const spikes, const int left) {
    const int n = left < e.block ? left : e.block;
    e.send_block[0] = (uint32)left;
    memcpy(e.send_block + 1, spikes, (size_t)n * sizeof(uint32));
    count_sent(e, e.n_ranks - 1, e.block + 1, n);
    return start_allgather(e) == 0;
}

// All ranks send to all, in a block of fixed size each, and as many more rounds as the fullest rank needs follow when
// the first is accepted; what they send is kept until then.
static bool send_to_all(const Exchange& e) {
    const int left = *e.send_count - e.block;
    if (left > 0) memcpy(e.rest, e.send + e.block, (size_t)left * sizeof(uint32));
    return send_block(e, e.send, *e.send_count);
}

static bool accept_from_all(Network* net, const int first_step, Laps& laps) {
    Exchange& e = net->exchange;
    for (const uint32* next = e.rest;; next += e.block) {
        if (!all_done(e, 1, e.requests)) return false;
        laps.end(TRANSFER);
        bool more = false;
        for (int rank = 0; rank < e.n_ranks; ++rank) {
            const uint32* box = e.receive_block + (size_t)rank * (e.block + 1);
            const int there = (int)box[0];
            more |= there > e.block;
            if (rank == e.rank) continue;
            for (int k = 0; k < (there < e.block ? there : e.block); ++k) accept(net, rank, box[1 + k], first_step);
        }
        *e.rounds += 1;
        laps.end(ACCEPT);
        if (!more) return true;
        const int left = (int)e.send_block[0] - e.block;
        if (!send_block(e, next, left > 0 ? left : 0)) return false;
    }
}

// The same where all ranks are on one node: each reads what the others have for all.
static void send_within_node(const Exchange& e) {
    uint32* const own = box_of(e, 0);
    own[0] = (uint32)*e.send_count;
    memcpy(own + 1, e.send, (size_t)own[0] * sizeof(uint32));
    publish(e, 0);
    count_sent(e, e.n_in, 1 + (int)own[0], (int)own[0]);
}

static void accept_within_node(Network* net, const int first_step, Laps& laps) {
    Exchange& e = net->exchange;
    for (int k = 1; k <= e.n_in; ++k) {
        wait_for_box(e, k);
        laps.end(TRANSFER);
        const uint32* const box = box_of(e, k);
        for (uint32 n = 0; n < box[0]; ++n) accept(net, e.box_rank[k], box[1 + n], first_step);
        laps.end(ACCEPT);
    }
    *e.rounds += 1;
}

// Where neighbours are not there, and this rank is looked at by itself: what they would have sent in these steps. More
// is made up by routes of own spikes into the boxes of neighbours.
static void make_up(Exchange& e, const int first_step) {
    for (int offset = 0; offset < e.interval; ++offset) {
        const int step = first_step + offset;
        if (step < 0 || step >= e.made_up_steps) continue;
        for (int64 n = e.made_up_start[step]; n < e.made_up_start[step + 1]; ++n) {
            uint32* const box = box_of(e, e.made_up_from[n]);
            box[++box[0]] = (uint32)offset << e.number_bits | e.made_up_number[n];
        }
    }
}

// Requests that were made once, to receive and to send blocks, and behind them those to send what does not fit.
static char* requests_of(const Exchange& e, const int first) {
    return (char*)e.requests + (size_t)first * e.handle_bytes;
}

// Each neighbour gets the spikes that it knows, under the numbers that it knows them by: behind [how many] in a block
// of fixed size, by requests that were made once. What does not fit goes to it alone, in one message more. Neighbours
// on the same node read them where they are written.
static bool send_to_neighbours(Network* net, const int first_step) {
    Exchange& e = net->exchange;
    const bool are_there = e.start_all != 0;
    if (e.n_receives > 0 && ((StartAll)e.start_all)(e.n_receives, requests_of(e, 0)) != 0) return false;
    for (int k = 0; k < (are_there ? e.n_out : e.n_out + e.n_in); ++k) *box_of(e, k) = 0;
    const uint32 own = ((uint32)1 << e.number_bits) - 1;
    for (int n = 0; n < *e.send_count; ++n) {
        const uint32 message = e.send[n], neuron = message & own;
        for (int route = e.route_start[neuron]; route < e.route_start[neuron + 1]; ++route) {
            uint32* const box = box_of(e, e.route_to[route]);
            box[++box[0]] = (message & ~own) | e.route_number[route];
        }
    }
    if (!are_there) make_up(e, first_step);
    if (e.n_sends > 0 && ((StartAll)e.start_all)(e.n_sends, requests_of(e, e.n_receives)) != 0) return false;
    int n_rests = 0;
    for (int k = 0; k < e.n_out; ++k) {
        const uint32* const box = box_of(e, k);
        const int n = (int)box[0], left = n - e.box_block[k];
        if (e.box_twin[k]) {
            publish(e, k);
            count_sent(e, 1, 1 + n, n);
            continue;
        }
        count_sent(e, 1, 1 + e.box_block[k], n);
        if (left <= 0) continue;
        count_sent(e, 1, left, 0);
        if (!are_there) continue;
        void* const request = requests_of(e, e.n_receives + e.n_sends + n_rests++);
        if (start_send(e, box + 1 + e.box_block[k], left, e.box_rank[k], request) != 0) return false;
    }
    *e.n_rests = n_rests;
    return true;
}

static bool accept_from_neighbours(Network* net, const int first_step, Laps& laps) {
    Exchange& e = net->exchange;
    if (!all_done(e, e.n_receives, requests_of(e, 0))) return false;
    laps.end(TRANSFER);
    bool further = false;
    for (int k = e.n_out; k < e.n_out + e.n_in; ++k) {
        const bool is_shared = e.box_twin[k] != 0;
        if (is_shared) {
            wait_for_box(e, k);
            laps.end(TRANSFER);
        }
        const uint32* const box = box_of(e, k);
        const int there = (int)box[0], left = is_shared ? 0 : there - e.box_block[k];
        for (int n = 0; n < (left > 0 ? e.box_block[k] : there); ++n) accept(net, k - e.n_out, box[1 + n], first_step);
        laps.end(ACCEPT);
        if (left <= 0) continue;
        further = true;
        if (receive(e, e.rest, left, e.box_rank[k]) != 0) return false;
        laps.end(TRANSFER);
        for (int n = 0; n < left; ++n) accept(net, k - e.n_out, e.rest[n], first_step);
        laps.end(ACCEPT);
    }
    *e.rounds += 1 + further;
    // Sends are done too before their boxes are filled again.
    const bool gone = all_done(e, e.n_sends, requests_of(e, e.n_receives))
                      && all_done(e, *e.n_rests, requests_of(e, e.n_receives + e.n_sends));
    laps.end(TRANSFER);
    return gone;
}

// Whatever goes wrong in MPI is no snippet's.
template <class Work> static void in_mpi(Network* net, const Work& work) {
    sigjmp_buf* const out = way_out;
    way_out = nullptr;
    if (!work()) halt(net->control, EXCHANGE_FAILED, 0, 0, 0);
    way_out = out;
}

// Send this rank's spikes of the interval that ends with this step. Where the parts of an exchange are told apart, no
// rank begins it before all are here.
static void send_spikes(Network* net, Laps laps) {
    Exchange& e = net->exchange;
    in_mpi(net, [&] {
        if (laps.sums && !all_here(e)) return false;
        laps.end(WAIT);
        if (e.by_neighbours) {
            if (!send_to_neighbours(net, net->control->step + 1 - e.interval)) return false;
        } else if (e.n_in > 0) {
            send_within_node(e);
        } else if (!send_to_all(e)) {
            return false;
        }
        *e.send_count = 0;
        *e.under_way = net->control->step + 1;
        laps.end(TRANSFER);
        return true;
    });
}

// Wait for the spikes that others sent of the same interval, and put them into the rings.
static void accept_spikes(Network* net, Laps laps) {
    Exchange& e = net->exchange;
    in_mpi(net, [&] {
        const int first_step = *e.under_way - e.interval;
        bool done = true;
        if (e.by_neighbours)
            done = accept_from_neighbours(net, first_step, laps);
        else if (e.n_in > 0)
            accept_within_node(net, first_step, laps);
        else
            done = accept_from_all(net, first_step, laps);
        *e.under_way = 0;
        *e.exchanges += 1;
        return done;
    });
}
