// What the values of a status mean, for everybody who shows them: pages, fpm_get_status().
//
// Pure functions on snapshots.
#pragma once

#include <cstdint>

#include "scoreboard/snapshot.h"

namespace muster::scoreboard {

/// "static", "dynamic", "ondemand"; ordinals of config::ProcessManager, which this room does not
/// know.
[[nodiscard]] const char* processManagerName(std::uint32_t ordinal);

/// A text of a slot, or "-" when there is none.
[[nodiscard]] const char* orDash(const char* text);

/// The request part of a worker as it is shown: an idle worker tells of its last request.
struct ShownRequest {
    std::uint64_t durationUs = 0;
    double cpuPercent = 0;         ///< of one processor; idle workers only
    std::uint64_t memoryPeak = 0;  ///< bytes; idle workers only
};
[[nodiscard]] ShownRequest shownRequest(const WorkerSnapshot& worker, std::uint64_t nowNs);

[[nodiscard]] std::uint64_t secondsSinceStart(const PoolSnapshot& pool);
[[nodiscard]] std::uint64_t secondsSinceStart(const WorkerSnapshot& worker, std::uint64_t nowNs);

}  // namespace muster::scoreboard
