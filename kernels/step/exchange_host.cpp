// Spikes between ranks on the host: MPI is called by address, which costs less than through Python.
#include <string.h>

// An MPI handle is an int in MPICH and a pointer in Open MPI: the same call through either. Requests and statuses are
// memory whose size Python knows.
typedef int (*AllgatherInt)(const void*, int, int, void*, int, int, int);
typedef int (*AllgatherPointer)(const void*, int, void*, void*, int, void*, void*);
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

// Until all ranks are here; whoever stands in for MPI may have none.
static bool all_here(const Exchange& e) {
    if (!e.barrier) return true;
    if (e.handle_bytes == 4) return ((BarrierInt)e.barrier)((int)e.communicator) == 0;
    return ((BarrierPointer)e.barrier)((void*)e.communicator) == 0;
}

// Of one message to each of so many ranks.
static void count_sent(const Exchange& e, const int ranks, const int words, const int spikes) {
    e.sent[MESSAGES] += ranks;
    e.sent[BYTES] += (int64)ranks * words * (int64)sizeof(uint32);
    e.sent[SPIKES] += (int64)ranks * spikes;
}

static int allgather(const Exchange& e, const void* send, const int count, void* receive) {
    if (e.handle_bytes == 4)
        return ((AllgatherInt)e.allgather)(send, count, (int)e.datatype, receive, count, (int)e.datatype,
                                           (int)e.communicator);
    return ((AllgatherPointer)e.allgather)(send, count, (void*)e.datatype, receive, count, (void*)e.datatype,
                                           (void*)e.communicator);
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

// All ranks swap the spikes of the interval that ends with this step: a block of fixed size each, [how many are left,
// spikes ...], and as many more rounds as the fullest rank needs.
static bool exchange_with_all(Network* net, const int first_step, Laps& laps) {
    Exchange& e = net->exchange;
    const int total = *e.send_count;
    int sent = 0;
    for (bool more = true; more;) {
        const int left = total - sent, n = left < e.block ? left : e.block;
        e.send_block[0] = (uint32)left;
        memcpy(e.send_block + 1, e.send + sent, (size_t)n * sizeof(uint32));
        if (allgather(e, e.send_block, e.block + 1, e.receive_block) != 0) return false;
        laps.end(TRANSFER);
        count_sent(e, e.n_ranks - 1, e.block + 1, n);
        sent += n;
        more = false;
        for (int rank = 0; rank < e.n_ranks; ++rank) {
            const uint32* box = e.receive_block + (size_t)rank * (e.block + 1);
            const int there = (int)box[0];
            more |= there > e.block;
            if (rank == e.rank) continue;
            for (int k = 0; k < (there < e.block ? there : e.block); ++k) accept(net, rank, box[1 + k], first_step);
        }
        *e.rounds += 1;
        laps.end(ACCEPT);
    }
    return true;
}

// Where neighbours are not there, and this rank is looked at by itself: what they would have sent in these steps. More
// is made up by routes of own spikes into the boxes of neighbours.
static void make_up(Exchange& e, const int first_step) {
    for (int offset = 0; offset < e.interval; ++offset) {
        const int step = first_step + offset - e.made_up_first;
        if (step < 0 || step >= e.made_up_steps) continue;
        for (int64 n = e.made_up_start[step]; n < e.made_up_start[step + 1]; ++n) {
            uint32* const box = e.boxes + e.box_start[e.made_up_from[n]];
            box[++box[0]] = (uint32)offset << e.number_bits | e.made_up_number[n];
        }
    }
}

// Each neighbour gets the spikes that it knows, under the numbers that it knows them by: behind [how many] in a block
// of fixed size, by requests that were made once. What does not fit goes to it alone, in one message more.
static bool exchange_with_neighbours(Network* net, const int first_step, Laps& laps) {
    Exchange& e = net->exchange;
    const bool are_there = e.start_all != 0;
    char* const receives = (char*)e.requests;
    char* const sends = receives + (size_t)e.n_in * e.handle_bytes;
    char* const rests = sends + (size_t)e.n_out * e.handle_bytes;
    if (are_there && e.n_in > 0 && ((StartAll)e.start_all)(e.n_in, receives) != 0) return false;
    for (int k = 0; k < (are_there ? e.n_out : e.n_out + e.n_in); ++k) e.boxes[e.box_start[k]] = 0;
    const uint32 own = ((uint32)1 << e.number_bits) - 1;
    for (int n = 0; n < *e.send_count; ++n) {
        const uint32 message = e.send[n], neuron = message & own;
        for (int route = e.route_start[neuron]; route < e.route_start[neuron + 1]; ++route) {
            uint32* const box = e.boxes + e.box_start[e.route_to[route]];
            box[++box[0]] = (message & ~own) | e.route_number[route];
        }
    }
    if (!are_there) make_up(e, first_step);
    if (are_there && e.n_out > 0 && ((StartAll)e.start_all)(e.n_out, sends) != 0) return false;
    int n_rests = 0;
    for (int k = 0; k < e.n_out; ++k) {
        const uint32* const box = e.boxes + e.box_start[k];
        const int left = (int)box[0] - e.box_block[k];
        count_sent(e, 1, 1 + e.box_block[k], (int)box[0]);
        if (left <= 0) continue;
        count_sent(e, 1, left, 0);
        if (!are_there) continue;
        void* const request = rests + (size_t)n_rests++ * e.handle_bytes;
        if (start_send(e, box + 1 + e.box_block[k], left, e.box_rank[k], request) != 0) return false;
    }
    if (are_there && e.n_in > 0 && ((WaitAll)e.wait_all)(e.n_in, receives, e.statuses) != 0) return false;
    laps.end(TRANSFER);
    bool further = false;
    for (int k = 0; k < e.n_in; ++k) {
        const uint32* const box = e.boxes + e.box_start[e.n_out + k];
        const int there = (int)box[0], block = e.box_block[e.n_out + k], left = there - block;
        for (int n = 0; n < (left < 0 ? there : block); ++n) accept(net, k, box[1 + n], first_step);
        if (left <= 0) continue;
        further = true;
        laps.end(ACCEPT);
        if (receive(e, e.rest, left, e.box_rank[e.n_out + k]) != 0) return false;
        laps.end(TRANSFER);
        for (int n = 0; n < left; ++n) accept(net, k, e.rest[n], first_step);
    }
    laps.end(ACCEPT);
    *e.rounds += 1 + further;
    const bool gone = !are_there
                      || ((e.n_out == 0 || ((WaitAll)e.wait_all)(e.n_out, sends, e.statuses) == 0)
                          && (n_rests == 0 || ((WaitAll)e.wait_all)(n_rests, rests, e.statuses) == 0));
    laps.end(TRANSFER);
    return gone;
}

// Where the parts of an exchange are told apart, no rank begins it before all are here.
static void exchange_spikes(Network* net, Laps laps) {
    Exchange& e = net->exchange;
    sigjmp_buf* const out = way_out;
    way_out = nullptr;  // what goes wrong in MPI is no snippet's
    const int first_step = net->control->step + 1 - e.interval;
    const bool here = !laps.sums || all_here(e);
    laps.end(WAIT);
    if (here && (e.by_neighbours ? exchange_with_neighbours : exchange_with_all)(net, first_step, laps))
        *e.send_count = 0;
    else
        halt(net->control, EXCHANGE_FAILED, 0, 0, 0);
    way_out = out;
}
