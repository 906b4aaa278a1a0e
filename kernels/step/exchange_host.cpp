// Spikes between ranks on the host: MPI is called by address, which costs less than through Python.
#include <string.h>

// An MPI handle is an int in MPICH and a pointer in Open MPI: the same call through either.
typedef int (*AllgatherInt)(const void*, int, int, void*, int, int, int);
typedef int (*AllgatherPointer)(const void*, int, void*, void*, int, void*, void*);

static int allgather(const Exchange& e, const void* send, const int count, void* receive) {
    sigjmp_buf* const out = way_out;
    way_out = nullptr;  // what goes wrong in MPI is no snippet's
    int result;
    if (e.handle_bytes == 4)
        result = ((AllgatherInt)e.allgather)(send, count, (int)e.datatype, receive, count, (int)e.datatype,
                                             (int)e.communicator);
    else
        result = ((AllgatherPointer)e.allgather)(send, count, (void*)e.datatype, receive, count, (void*)e.datatype,
                                                 (void*)e.communicator);
    way_out = out;
    return result;
}

// All ranks swap the spikes of the interval that ends with this step: a block of fixed size each, [how many are left,
// spikes ...], and as many more rounds as the fullest rank needs.
static void exchange_spikes(Network* net) {
    if (net->control->halt) return;
    Exchange& e = net->exchange;
    const int first_step = net->control->step + 1 - e.interval;
    const int total = *e.send_count;
    int sent = 0;
    for (bool more = true; more;) {
        const int left = total - sent, n = left < e.block ? left : e.block;
        e.send_block[0] = (uint32)left;
        memcpy(e.send_block + 1, e.send + sent, (size_t)n * sizeof(uint32));
        if (allgather(e, e.send_block, e.block + 1, e.receive_block) != 0) {
            halt(net->control, EXCHANGE_FAILED, 0, 0, 0);
            return;
        }
        sent += n;
        more = false;
        for (int rank = 0; rank < e.n_ranks; ++rank) {
            const uint32* box = e.receive_block + (size_t)rank * (e.block + 1);
            const int there = (int)box[0];
            more |= there > e.block;
            if (rank == e.rank) continue;
            for (int k = 0; k < (there < e.block ? there : e.block); ++k) accept(net, box[1 + k], first_step);
        }
        *e.rounds += 1;
    }
    *e.send_count = 0;
}
