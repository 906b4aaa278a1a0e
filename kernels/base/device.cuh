// What differs between NVRTC and the host compiler, and nothing else.
//
// A kernel is a grid-stride loop without barriers. On a GPU its iterations are shared by threads; on the host the
// same text is one plain loop that the compiler vectorises (if loops inside it are UNROLLED, of at most 10 rounds).
// HPCSNN_EMULATED_THREADS (tests only) runs a kernel on the host by that many OpenMP threads with real atomics: what
// would race on a GPU races there.

typedef unsigned int uint32;
typedef unsigned long long uint64;
typedef long long int64;

#if defined(__CUDACC__)

#define KERNEL extern "C" __global__ void
#define SELDOM_KERNEL KERNEL
#define DEVICE __device__ __forceinline__
#define DEVICE_MEMBER __device__ __forceinline__
#define INDEPENDENT_ITERATIONS
#define UNROLLED
#define PREFETCH(address)
constexpr int LANES = GPU_LANES;  // threads that share one row or one outgoing list
constexpr int GROUP = 1;          // neighbouring neurons looked at together for the rare event
constexpr int BLOCK = 1;          // neighbouring neurons updated before their events are looked at
DEVICE int thread_first() { return blockIdx.x * blockDim.x + threadIdx.x; }
DEVICE int thread_stride() { return gridDim.x * blockDim.x; }
DEVICE int atomic_add(int* at, int value) { return atomicAdd(at, value); }
DEVICE int64 atomic_add(int64* at, int64 value) { return (int64)atomicAdd((uint64*)at, (uint64)value); }
DEVICE uint64 atomic_add(uint64* at, uint64 value) { return atomicAdd(at, value); }
DEVICE int atomic_exchange(int* at, int value) { return atomicExch(at, value); }
DEVICE int atomic_swap_if(int* at, int expected, int value) { return atomicCAS(at, expected, value); }
DEVICE int bits_of(const float x) { return __float_as_int(x); }
DEVICE float float_of(const int bits) { return __int_as_float(bits); }
DEVICE double double_of(const int64 bits) { return __longlong_as_double(bits); }
DEVICE int64 bits_of(const double x) { return __double_as_longlong(x); }
DEVICE float square_root(const float x) { return __fsqrt_rn(x); }
constexpr int TOGETHER = 1;          // neighbouring neurons whose gradients go back in time together
constexpr int REPLICAS_A_TEAM = 32;  // whose gradients a team adds up
typedef float Together;              // a value of each of them
DEVICE Together together(const float* at) { return *at; }
DEVICE void put_together(float* at, const Together values) { *at = values; }

#else

#define KERNEL static void
// One that few steps run, or for little: kept out of the loop over steps, where it and others would take registers from
// each other.
#define SELDOM_KERNEL static __attribute__((noinline)) void
#define DEVICE static inline __attribute__((always_inline))
#define DEVICE_MEMBER inline __attribute__((always_inline))
#if defined(__clang__)
#define INDEPENDENT_ITERATIONS _Pragma("clang loop vectorize(assume_safety)")
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#define UNROLLED _Pragma("GCC unroll 10")
#endif
#define PREFETCH(address) __builtin_prefetch(address)
constexpr int GROUP = 32;
constexpr int BLOCK = 1024;
DEVICE int bits_of(const float x) {
    int bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}
DEVICE float float_of(const int bits) {
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}
DEVICE double double_of(const int64 bits) {
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}
DEVICE int64 bits_of(const double x) {
    int64 bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}
DEVICE float square_root(const float x) { return __builtin_sqrtf(x); }  // the nearest float32, as IEEE 754 says

#if defined(HPCSNN_EMULATED_THREADS)
constexpr int LANES = 4;
constexpr int TOGETHER = 1;  // as on a GPU
constexpr int REPLICAS_A_TEAM = 2;
typedef float Together;
DEVICE Together together(const float* at) { return *at; }
DEVICE void put_together(float* at, const Together values) { *at = values; }
static thread_local int emulated_thread = 0;
DEVICE int thread_first() { return emulated_thread; }
DEVICE int thread_stride() { return HPCSNN_EMULATED_THREADS; }
template <class T> DEVICE T atomic_add(T* at, T value) { return __atomic_fetch_add(at, value, __ATOMIC_RELAXED); }
DEVICE int atomic_exchange(int* at, int value) { return __atomic_exchange_n(at, value, __ATOMIC_RELAXED); }
DEVICE int atomic_swap_if(int* at, int expected, int value) {
    __atomic_compare_exchange_n(at, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return expected;
}
#else
constexpr int LANES = 1;
constexpr int TOGETHER = 16;
constexpr int REPLICAS_A_TEAM = 1;
#if defined(__AVX512F__)
constexpr int VECTOR = 16;  // values in the processor's widest vector
#elif defined(__AVX__)
constexpr int VECTOR = 8;
#else
constexpr int VECTOR = 4;
#endif
// Vectors that the processor has, each read and written by itself: compilers keep wider ones, and copies of several, in
// memory, written in smaller pieces than they are read in, for which each read waits.
struct Together {
    typedef float Values __attribute__((vector_size(4 * VECTOR)));
    Values part[TOGETHER / VECTOR];
    DEVICE_MEMBER Together operator*(const float factor) const {
        Together product;
        UNROLLED for (int k = 0; k < TOGETHER / VECTOR; ++k) product.part[k] = part[k] * factor;
        return product;
    }
    DEVICE_MEMBER void operator+=(const Together& other) {
        UNROLLED for (int k = 0; k < TOGETHER / VECTOR; ++k) part[k] += other.part[k];
    }
};
DEVICE Together together(const float* at) {
    Together values;
    UNROLLED for (int k = 0; k < TOGETHER / VECTOR; ++k)
        __builtin_memcpy(&values.part[k], at + k * VECTOR, sizeof(Together::Values));
    return values;
}
DEVICE void put_together(float* at, const Together& values) {
    UNROLLED for (int k = 0; k < TOGETHER / VECTOR; ++k)
        __builtin_memcpy(at + k * VECTOR, &values.part[k], sizeof(Together::Values));
}
DEVICE constexpr int thread_first() { return 0; }
DEVICE constexpr int thread_stride() { return 1; }
template <class T> DEVICE T atomic_add(T* at, T value) {
    const T before = *at;
    *at = before + value;
    return before;
}
DEVICE int atomic_exchange(int* at, int value) {
    const int before = *at;
    *at = value;
    return before;
}
DEVICE int atomic_swap_if(int* at, int expected, int value) {
    const int before = *at;
    if (before == expected) *at = value;
    return before;
}
#endif

#endif

// A team of LANES threads takes a spike; its lanes share the spike's synapses.
DEVICE int team_first() { return thread_first() / LANES; }
DEVICE int team_stride() { return thread_stride() / LANES; }
DEVICE int lane() { return thread_first() % LANES; }
