// Copies and range-checks what is in a scoreboard.
#include "scoreboard/snapshot.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/clock.h"
#include "scoreboard/seqlock.h"

namespace muster::scoreboard {
namespace {

// Reads of one slot before it is taken as it stands: its worker writes all the time, or scribbles.
constexpr int kSlotTries = 100;
// Likewise for the pool's values, whose writer writes a few times a second.
constexpr int kPoolTries = 16;

Stage checkedStage(std::uint32_t ordinal) {
    return ordinal <= static_cast<std::uint32_t>(Stage::offDuty) ? static_cast<Stage>(ordinal)
                                                                 : Stage::starting;
}

// Starting counts as idle: such a worker serves nobody and will accept in a moment.
bool isActive(Stage stage) {
    return stage != Stage::starting && stage != Stage::idle;
}

template <std::size_t Size>
void terminate(char (&text)[Size]) {
    text[Size - 1] = '\0';
}

void checkFacts(RequestFacts& facts, std::uint64_t lifeNs, std::uint64_t nowNs,
                std::uint64_t wallNowNs) {
    if (facts.requests > plausibleRequests(lifeNs)) {
        facts.requests = 0;
    }
    facts.failed = std::min(facts.failed, facts.requests);
    facts.acceptedNs = std::min(facts.acceptedNs, nowNs);
    facts.acceptedWallNs = std::min(facts.acceptedWallNs, wallNowNs);
    facts.durationNs = std::min(facts.durationNs, lifeNs);
    facts.memoryMost = facts.memoryMost > kPlausibleMemory ? 0 : facts.memoryMost;
    facts.contentLength = std::max<std::int64_t>(facts.contentLength, 0);
    terminate(facts.method);
    terminate(facts.uri);
    terminate(facts.query);
    terminate(facts.user);
    terminate(facts.script);
}

struct RawSnapshot {
    bool consistent = false;
    PoolWords pool;
    std::vector<WorkerSnapshot> workers;
};

// The whole scoreboard under the pool's counter: a worker that is retired meanwhile is either
// among the living or in the retired sums. Slots have counters of their own.
RawSnapshot copyAll(const Segment& segment, std::uint64_t nowNs) {
    const Header& header = segment.header();
    const auto* words = reinterpret_cast<const std::byte*>(&header.pool) + kPoolWordsOffset;
    RawSnapshot raw;
    raw.workers.reserve(segment.slotCount());
    raw.consistent = readStable(header.pool.sequence, kPoolTries, [&] {
        loadWords(&raw.pool, words, sizeof raw.pool);
        raw.workers.clear();
        for (std::uint32_t index = 0; index < segment.slotCount(); ++index) {
            if (auto worker = copyWorker(segment, index, nowNs)) {
                raw.workers.push_back(*worker);
            }
        }
    });
    return raw;
}

std::string copyName(const Header& header) {
    char name[kPoolNameSize];
    for (std::size_t i = 0; i < kPoolNameSize; ++i) {
        name[i] = __atomic_load_n(&header.poolName[i], __ATOMIC_RELAXED);
    }
    return {name, ::strnlen(name, kPoolNameSize - 1)};
}

}  // namespace

std::optional<WorkerSnapshot> copyWorker(const Segment& segment, std::uint32_t index,
                                         std::uint64_t nowNs, bool* consistent) {
    const Slot& slot = segment.slot(index);
    const auto* shared = reinterpret_cast<const std::byte*>(&slot) + kSlotWordsOffset;
    SlotWords words;
    WorkerSnapshot worker;
    const bool settled = readStable(slot.sequence, kSlotTries, [&] {
        worker.pid = slot.pid.load(std::memory_order_acquire);
        worker.stage = checkedStage(slot.stage.load(std::memory_order_acquire));
        if (worker.pid > 0) {
            loadWords(&words, shared, sizeof words);
        }
    });
    if (consistent != nullptr) {
        *consistent = settled;
    }
    if (worker.pid <= 0) {
        return std::nullopt;
    }
    const std::uint64_t wallNowNs = wallNs();
    worker.slot = index;
    worker.startedNs = std::min(words.startedNs, nowNs);
    worker.startedWallNs = std::min(words.startedWallNs, wallNowNs);
    worker.facts = words.facts;
    checkFacts(worker.facts, nowNs - worker.startedNs, nowNs, wallNowNs);
    return worker;
}

Stage readStage(const Segment& segment, std::uint32_t index) {
    return checkedStage(segment.slot(index).stage.load(std::memory_order_acquire));
}

PoolSnapshot takeSnapshot(const Segment& segment) {
    PoolSnapshot snapshot;
    snapshot.takenNs = monotonicNs();
    snapshot.takenWallNs = wallNs();
    RawSnapshot raw = copyAll(segment, snapshot.takenNs);

    snapshot.name = copyName(segment.header());
    snapshot.processManager = __atomic_load_n(&segment.header().processManager, __ATOMIC_RELAXED);
    snapshot.consistent = raw.consistent;
    snapshot.maxChildren = segment.maxChildren();
    snapshot.startedWallNs = std::min(raw.pool.startedWallNs, snapshot.takenWallNs);
    snapshot.listenPending = raw.pool.listenPending;
    snapshot.listenLimit = raw.pool.listenLimit;
    snapshot.queueLimit = raw.pool.queueLimit;
    snapshot.queued = raw.pool.queued;
    if (raw.pool.queuedSinceNs != 0) {
        snapshot.queuedNs = snapshot.takenNs - std::min(raw.pool.queuedSinceNs, snapshot.takenNs);
    }
    snapshot.totals = raw.pool.retired;
    snapshot.totals.failed = std::min(snapshot.totals.failed, snapshot.totals.requests);
    snapshot.youngDeaths = raw.pool.youngDeaths;
    snapshot.respawnInNs = std::min(
        raw.pool.respawnAtNs - std::min(raw.pool.respawnAtNs, snapshot.takenNs), kLongestDelayNs);
    for (const WorkerSnapshot& worker : raw.workers) {
        const std::uint64_t room =
            std::numeric_limits<std::uint64_t>::max() - snapshot.totals.requests;
        snapshot.totals.requests += std::min(room, worker.facts.requests);
        snapshot.totals.failed += std::min(room, worker.facts.failed);
        snapshot.totals.memoryPeak = std::max(snapshot.totals.memoryPeak, worker.facts.memoryMost);
        if (worker.stage != Stage::offDuty) {
            ++(isActive(worker.stage) ? snapshot.active : snapshot.idle);
        }
    }
    const std::uint32_t seen = segment.header().hints.activeSeen.load(std::memory_order_relaxed);
    snapshot.totals.maxActive = std::max<std::uint64_t>(
        {snapshot.totals.maxActive, snapshot.active, std::min(seen, segment.maxChildren())});
    std::erase_if(raw.workers,
                  [](const WorkerSnapshot& worker) { return worker.stage == Stage::offDuty; });
    snapshot.workers = std::move(raw.workers);
    return snapshot;
}

}  // namespace muster::scoreboard
