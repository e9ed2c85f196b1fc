// The shared memory of one generation of a pool, byte for byte (design §3).
//
// Fixed-size plain data only: no pointer, no length that a reader uses as an index. Writers:
// Header and PoolValues by the pool's manager (identity once by the master before anyone maps it),
// each Slot by its worker only, Order by the manager only. Readers copy under the sequence
// counter, retry a bounded number of times, and check every range: a slot may hold noise.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace muster::scoreboard {

inline constexpr std::uint64_t kMagic = 0x3172'6574'7375'6d00;  // "\0muster1", little endian
inline constexpr std::uint32_t kLayoutVersion = 6;
inline constexpr std::size_t kCacheLine = 64;

/// What a worker does. Ordinals are shared memory; names: stageName() (spec status.md §7).
enum class Stage : std::uint32_t {
    starting = 0,        ///< forked, not yet accepting; shown as Idle
    idle = 1,            ///< blocked in accept
    readingHeaders = 2,  ///< first bytes are there
    gettingInfo = 3,     ///< request known; body and runtime start-up
    running = 4,
    ending = 5,
    finishing = 6,  ///< shutdown functions, sending, closing
    keepAlive = 7,  ///< waits for bytes of a request's head on a connection: not free to accept,
                    ///< so it counts as active and is shown as "Reading headers", as by php-fpm
    offDuty = 8,    ///< waits to take another worker's place, or has left its own: not counted
};

// Sizes of the text fields, contents cut to size-1 (spec status.md §5).
inline constexpr std::size_t kPoolNameSize = 32;
inline constexpr std::size_t kUriSize = 128;
inline constexpr std::size_t kQuerySize = 512;
inline constexpr std::size_t kMethodSize = 16;
inline constexpr std::size_t kScriptSize = 256;
inline constexpr std::size_t kUserSize = 32;

/// Sums that outlive workers and generations.
struct Totals {
    std::uint64_t requests = 0;  ///< request heads begun ("accepted conn")
    std::uint64_t slowRequests = 0;
    std::uint64_t maxChildrenReached = 0;
    std::uint64_t maxActive = 0;  ///< high-water mark, carried as maximum, not as sum
    std::uint64_t maxListenQueue = 0;
    std::uint64_t memoryPeak = 0;  ///< bytes, the most that any request took; a maximum, too
    std::uint64_t timedOut = 0;    ///< requests over request_terminate_timeout
    std::uint64_t maxQueued = 0;   ///< of pm.queue_limit's queue; a maximum, too
    std::uint64_t overLimit = 0;   ///< answered 503: the queue was full
    std::uint64_t overdue = 0;     ///< answered 503: waited longer than pm.queue_timeout
    std::uint64_t hungUp = 0;      ///< left while they waited in the queue
    std::uint64_t failed = 0;      ///< requests answered with a status of 500 or more
};

/// Adds what another generation counted: sums stop at the largest number, maxima stay maxima.
void addTotals(Totals& sum, const Totals& more);

/// The request a worker is at, or was at last. Times: CLOCK_MONOTONIC ns unless said otherwise.
struct RequestFacts {
    std::uint64_t requests = 0;    ///< heads begun by this worker
    std::uint64_t failed = 0;      ///< … answered with a status of 500 or more
    std::uint64_t acceptedNs = 0;  ///< the request's clock: first bytes readable; 0 = none yet
    std::uint64_t acceptedWallNs = 0;
    std::uint64_t durationNs = 0;  ///< of the last finished request
    std::uint64_t cpuNs = 0;       ///< CPU the last finished request took
    std::uint64_t memoryPeak = 0;  ///< bytes, last finished request
    std::uint64_t memoryMost = 0;  ///< bytes, the most that a request of this worker took
    std::int64_t contentLength = 0;
    char method[kMethodSize] = {};
    char uri[kUriSize] = {};
    char query[kQuerySize] = {};
    char user[kUserSize] = {};
    char script[kScriptSize] = {};
};

struct alignas(kCacheLine) Slot {
    std::atomic<std::uint32_t> sequence;  ///< odd while the worker writes
    std::atomic<std::uint32_t> stage;     ///< a Stage, readable without the sequence
    std::atomic<std::int32_t> pid;        ///< as the worker sees itself; a claim, not the truth
    std::uint32_t reserved;
    std::uint64_t startedNs;  ///< worker start, monotonic
    std::uint64_t startedWallNs;
    RequestFacts facts;
};

/// What the manager tells one worker: flags the worker looks at between requests.
struct alignas(kCacheLine) Order {
    std::atomic<std::uint32_t> leave;    ///< not 0: accept no more; one of the following
    std::atomic<std::uint32_t> standBy;  ///< 1: accept nothing yet
};

/// Order::leave: the pool has too many workers …
inline constexpr std::uint32_t kLeaveIdle = 1;
/// … or this one is replaced: it says when it accepts no more.
inline constexpr std::uint32_t kLeaveReplaced = 2;

struct alignas(kCacheLine) PoolValues {
    std::atomic<std::uint32_t> sequence;  ///< odd while the manager writes
    std::uint32_t reserved;
    std::uint64_t startedWallNs;  ///< of the pool, across generations
    Totals retired;               ///< left behind by reaped workers and earlier generations
    std::uint64_t respawnAtNs;  ///< when the next worker is tried, monotonic; 0: none is held back
    std::uint64_t youngDeaths;  ///< … after so many died in a row before they served a request
    std::uint32_t listenPending;
    std::uint32_t listenLimit;
    std::uint32_t queueLimit;     ///< pm.queue_limit; 0: the manager queues nothing
    std::uint32_t queued;         ///< connections that wait in the manager's queue
    std::uint64_t queuedSinceNs;  ///< arrival of the oldest of these; 0: none
};

/// Written by workers, corrected by the manager; believed by nobody.
struct alignas(kCacheLine) Hints {
    std::atomic<std::int32_t> idle;
    std::atomic<std::int32_t> leastIdle;    ///< fewest idle since the manager looked last
    std::atomic<std::uint32_t> activeSeen;  ///< most active workers any status page has shown
};

/// Commands::wakeAtIdle of a pool of fixed size: the idle hint is not kept at all.
inline constexpr std::int32_t kNoHints = INT32_MIN;
/// … of a pool that is as large as it may be: the hint is kept, nobody is woken.
inline constexpr std::int32_t kNeverWake = INT32_MIN + 1;

/// Written by the manager, read by every worker between requests.
struct alignas(kCacheLine) Commands {
    std::atomic<std::uint32_t> draining;   ///< 1: finish what was accepted, accept no more
    std::atomic<std::uint32_t> logEpoch;   ///< grows when a new access log descriptor waits
    std::atomic<std::int32_t> wakeAtIdle;  ///< write the wake-up eventfd when the idle hint falls
                                           ///< to this value or below; or one of the following
    std::atomic<std::uint32_t> handOvers;  ///< not 0: connections wait in the hand-over queue
    std::atomic<std::uint32_t> lineUp;     ///< not 0: only the manager accepts, for connections
                                           ///< wait in its queue that came before
    std::atomic<std::uint32_t> lotFull;    ///< not 0: no room for more idle connections
};

struct alignas(kCacheLine) Header {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t headerSize;
    std::uint32_t slotSize;
    std::uint32_t slotCount;
    std::uint32_t maxChildren;     ///< workers on duty; the other slots are for who replaces them
    std::uint32_t processManager;  ///< config::ProcessManager's ordinal
    char poolName[kPoolNameSize];
    PoolValues pool;
    Commands commands;
    Hints hints;
    // followed by slotCount Slots, then slotCount Orders
};

/// The part of a Slot under its sequence counter, as a plain struct of the same shape.
struct SlotWords {
    std::uint64_t startedNs = 0;
    std::uint64_t startedWallNs = 0;
    RequestFacts facts;
};
/// The part of PoolValues under its sequence counter.
struct PoolWords {
    std::uint64_t startedWallNs = 0;
    Totals retired;
    std::uint64_t respawnAtNs = 0;
    std::uint64_t youngDeaths = 0;
    std::uint32_t listenPending = 0;
    std::uint32_t listenLimit = 0;
    std::uint32_t queueLimit = 0;
    std::uint32_t queued = 0;
    std::uint64_t queuedSinceNs = 0;
};
inline constexpr std::size_t kSlotWordsOffset = offsetof(Slot, startedNs);
inline constexpr std::size_t kPoolWordsOffset = offsetof(PoolValues, startedWallNs);

static_assert(offsetof(Slot, facts) - kSlotWordsOffset == offsetof(SlotWords, facts));
static_assert(offsetof(PoolValues, queuedSinceNs) - kPoolWordsOffset ==
              offsetof(PoolWords, queuedSinceNs));
static_assert(kSlotWordsOffset % 8 == 0 && sizeof(SlotWords) % 8 == 0);
static_assert(kPoolWordsOffset % 8 == 0 && sizeof(PoolWords) % 8 == 0);
static_assert(std::is_standard_layout_v<Slot> && std::is_standard_layout_v<Header>);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(sizeof(Slot) % kCacheLine == 0 && sizeof(Header) % kCacheLine == 0);

[[nodiscard]] constexpr std::size_t segmentSize(std::uint32_t slots) {
    return sizeof(Header) + slots * (sizeof(Slot) + sizeof(Order));
}

/// No worker begins more requests than this in its life: a counter beyond it is noise and counts
/// nothing. A million for every second begun.
[[nodiscard]] constexpr std::uint64_t plausibleRequests(std::uint64_t lifeNs) {
    return (lifeNs / 1'000'000'000 + 1) * 1'000'000;
}

/// No replacement is held back for longer: a larger number is noise.
inline constexpr std::uint64_t kLongestDelayNs = 60ULL * 1'000'000'000;

/// No process has more memory than this: a larger number is noise and counts nothing.
inline constexpr std::uint64_t kPlausibleMemory = std::uint64_t{1} << 47;

/// "Idle", "Reading headers", … for any ordinal, also noise ("Idle").
[[nodiscard]] const char* stageName(Stage stage);

}  // namespace muster::scoreboard
