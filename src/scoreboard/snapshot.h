// A consistent, checked copy of a scoreboard for those who show it.
//
// Any process that has a segment mapped. Bounded time: a slot whose counter never settles (its
// worker was killed in the middle of a write, or scribbles) is copied as it stands and its values
// are range-checked like all others. Texts in a snapshot are NUL-terminated, cut to size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scoreboard/segment.h"

namespace muster::scoreboard {

struct WorkerSnapshot {
    std::uint32_t slot = 0;
    std::int32_t pid = 0;
    Stage stage = Stage::starting;
    std::uint64_t startedNs = 0;
    std::uint64_t startedWallNs = 0;
    RequestFacts facts;
};

struct PoolSnapshot {
    std::string name;
    std::uint32_t processManager = 0;
    std::uint64_t startedWallNs = 0;
    std::uint64_t takenNs = 0;  ///< monotonic, when the copy was made
    std::uint64_t takenWallNs = 0;
    Totals totals;  ///< retired + living slots
    std::uint32_t listenPending = 0;
    std::uint32_t listenLimit = 0;
    std::uint64_t youngDeaths = 0;  ///< in a row, while the next worker is held back
    std::uint64_t respawnInNs = 0;  ///< … for so long
    std::uint32_t queueLimit = 0;   ///< pm.queue_limit; 0: the pool's manager queues nothing
    std::uint32_t queued = 0;
    std::uint64_t queuedNs = 0;  ///< how long the oldest of these has waited
    std::uint32_t idle = 0;      ///< counted from the stages now
    std::uint32_t active = 0;
    std::uint32_t maxChildren = 0;
    bool consistent = false;  ///< false: taken as it stands, the manager never left it alone
    std::vector<WorkerSnapshot> workers;  ///< on duty, slot order
};

/// One slot, checked; nothing when the slot is unused. `consistent` (may be null) tells whether
/// the sequence counter settled.
[[nodiscard]] std::optional<WorkerSnapshot> copyWorker(const Segment& segment, std::uint32_t index,
                                                       std::uint64_t nowNs,
                                                       bool* consistent = nullptr);

/// The stage word of a slot, noise mapped to a valid stage. One load.
[[nodiscard]] Stage readStage(const Segment& segment, std::uint32_t index);

[[nodiscard]] PoolSnapshot takeSnapshot(const Segment& segment);

}  // namespace muster::scoreboard
