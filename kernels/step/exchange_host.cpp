// Spikes between ranks on the host: MPI is called by address, which costs less than through Python.
#include <string.h>

// An MPI handle is an int in MPICH and a pointer in Open MPI: the same call through either. Requests and statuses are
// memory whose size Python knows.
typedef int (*AllgatherInt)(const void*, int, int, void*, int, int, int);
typedef int (*AllgatherPointer)(const void*, int, void*, void*, int, void*, void*);
typedef int (*StartAll)(int, void*);
typedef int (*WaitAll)(int, void*, void*);
typedef int (*SendInt)(const void*, int, int, int, int, int, void*);
typedef int (*SendPointer)(const void*, int, void*, int, int, void*, void*);
typedef int (*ReceiveInt)(void*, int, int, int, int, int, void*);
typedef int (*ReceivePointer)(void*, int, void*, int, int, void*, void*);

// Messages behind the block that each interval begins with have a tag of their own.
constexpr int REST = 1;

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
static bool exchange_with_all(Network* net, const int first_step) {
    Exchange& e = net->exchange;
    const int total = *e.send_count;
    int sent = 0;
    for (bool more = true; more;) {
        const int left = total - sent, n = left < e.block ? left : e.block;
        e.send_block[0] = (uint32)left;
        memcpy(e.send_block + 1, e.send + sent, (size_t)n * sizeof(uint32));
        if (allgather(e, e.send_block, e.block + 1, e.receive_block) != 0) return false;
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
    }
    return true;
}

// Each neighbour gets the spikes that it knows, under the numbers that it knows them by: behind [how many] in a block
// of fixed size, by requests that were made once. What does not fit goes to it alone, in one message more.
static bool exchange_with_neighbours(Network* net, const int first_step) {
    Exchange& e = net->exchange;
    char* const requests = (char*)e.requests;  // those that receive, then those that send
    char* const rests = requests + (size_t)(e.n_in + e.n_out) * e.handle_bytes;
    if (e.n_in > 0 && ((StartAll)e.start_all)(e.n_in, requests) != 0) return false;
    for (int k = 0; k < e.n_out; ++k) e.outgoing[e.out_start[k]] = 0;
    const uint32 own = ((uint32)1 << e.number_bits) - 1;
    for (int n = 0; n < *e.send_count; ++n) {
        const uint32 message = e.send[n], neuron = message & own;
        for (int route = e.route_start[neuron]; route < e.route_start[neuron + 1]; ++route) {
            uint32* const box = e.outgoing + e.out_start[e.route_to[route]];
            box[++box[0]] = (message & ~own) | e.route_number[route];
        }
    }
    if (e.n_out > 0 && ((StartAll)e.start_all)(e.n_out, requests + (size_t)e.n_in * e.handle_bytes) != 0) return false;
    int n_rests = 0;
    for (int k = 0; k < e.n_out; ++k) {
        const uint32* const box = e.outgoing + e.out_start[k];
        const int left = (int)box[0] - e.out_block[k];
        if (left <= 0) continue;
        void* const request = rests + (size_t)n_rests++ * e.handle_bytes;
        if (start_send(e, box + 1 + e.out_block[k], left, e.out_rank[k], request) != 0) return false;
    }
    if (e.n_in > 0 && ((WaitAll)e.wait_all)(e.n_in, requests, e.statuses) != 0) return false;
    bool further = false;
    for (int k = 0; k < e.n_in; ++k) {
        const uint32* const box = e.incoming + e.in_start[k];
        const int there = (int)box[0], block = e.in_block[k], left = there - block;
        for (int n = 0; n < (left < 0 ? there : block); ++n) accept(net, k, box[1 + n], first_step);
        if (left <= 0) continue;
        further = true;
        if (receive(e, e.rest, left, e.in_rank[k]) != 0) return false;
        for (int n = 0; n < left; ++n) accept(net, k, e.rest[n], first_step);
    }
    *e.rounds += 1 + further;
    return (e.n_out == 0 || ((WaitAll)e.wait_all)(e.n_out, requests + (size_t)e.n_in * e.handle_bytes, e.statuses) == 0)
           && (n_rests == 0 || ((WaitAll)e.wait_all)(n_rests, rests, e.statuses) == 0);
}

static void exchange_spikes(Network* net) {
    if (net->control->halt) return;
    sigjmp_buf* const out = way_out;
    way_out = nullptr;  // what goes wrong in MPI is no snippet's
    const int first_step = net->control->step + 1 - net->exchange.interval;
    if (net->exchange.by_neighbours ? exchange_with_neighbours(net, first_step) : exchange_with_all(net, first_step))
        *net->exchange.send_count = 0;
    else
        halt(net->control, EXCHANGE_FAILED, 0, 0, 0);
    way_out = out;
}
