// What the processor stops in a kernel on the host ends the kernel, not the process.
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

// What a snippet of a user's may do to the process: divide a whole number by zero, leave arrays or the stack. Whoever
// is not in a kernel here is none of our business, and goes to whoever was asked before.
constexpr int SIGNALS[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS};
constexpr int N_SIGNALS = 4;
// Volatile: nobody but a handler reads it, which a compiler does not see.
static thread_local sigjmp_buf* volatile way_out = nullptr;
static struct sigaction asked_before[N_SIGNALS];

static void trapped(const int signal_number) {
    if (way_out) siglongjmp(*way_out, signal_number);
    int which = 0;
    while (which < N_SIGNALS - 1 && SIGNALS[which] != signal_number) ++which;
    const struct sigaction& before = asked_before[which];
    if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN && !(before.sa_flags & SA_SIGINFO))
        before.sa_handler(signal_number);
    else
        sigaction(signal_number, &before, nullptr);
}

static bool set_traps() {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = trapped;
    action.sa_flags = SA_ONSTACK;
    for (int which = 0; which < N_SIGNALS; ++which) sigaction(SIGNALS[which], &action, &asked_before[which]);
    return true;
}

// Where a handler runs if a snippet has used up the stack; a thread has it until it ends.
struct HandlersStack {
    void* memory = nullptr;
    HandlersStack() {
        stack_t stack;
        if (sigaltstack(nullptr, &stack) != 0 || !(stack.ss_flags & SS_DISABLE)) return;
        memset(&stack, 0, sizeof stack);
        stack.ss_size = 1 << 16;
        memory = stack.ss_sp = malloc(stack.ss_size);
        if (memory) sigaltstack(&stack, nullptr);
    }
    ~HandlersStack() {
        if (!memory) return;
        stack_t none;
        memset(&none, 0, sizeof none);
        none.ss_flags = SS_DISABLE;
        sigaltstack(&none, nullptr);
        free(memory);
    }
};

// Once for all kernels: a handler that was asked before itself would never end.
static void get_ready() {
    static const bool traps = set_traps();
    static thread_local const HandlersStack stack;
    (void)traps;
    (void)stack;
}

// The number of the signal that ended `work`; 0 if it came to its end.
template <class Work> static __attribute__((noinline)) int guarded(const Work& work) {
    get_ready();
    sigjmp_buf here;
    const int signal_number = sigsetjmp(here, 1);
    if (signal_number) {
        way_out = nullptr;
        return signal_number;
    }
    way_out = &here;
    asm volatile("" ::: "memory");
    work();
    asm volatile("" ::: "memory");
    way_out = nullptr;
    return 0;
}
