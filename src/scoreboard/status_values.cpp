// Derives what is shown from what was copied.
#include "scoreboard/status_values.h"

#include <array>

#include "base/clock.h"

namespace muster::scoreboard {

const char* processManagerName(std::uint32_t ordinal) {
    constexpr std::array kNames = {"unknown", "static", "dynamic", "ondemand"};
    return ordinal < kNames.size() ? kNames[ordinal] : kNames[0];
}

const char* orDash(const char* text) {
    return *text == '\0' ? "-" : text;
}

ShownRequest shownRequest(const WorkerSnapshot& worker, std::uint64_t nowNs) {
    const RequestFacts& facts = worker.facts;
    if (worker.stage != Stage::idle && worker.stage != Stage::starting) {
        return {(nowNs - facts.acceptedNs) / 1000, 0, 0};
    }
    ShownRequest shown{facts.durationNs / 1000, 0, facts.memoryPeak};
    if (facts.durationNs > 0) {  // a request too short to measure took nothing
        shown.cpuPercent =
            static_cast<double>(facts.cpuNs) / static_cast<double>(facts.durationNs) * 100;
    }
    return shown;
}

std::uint64_t secondsSinceStart(const PoolSnapshot& pool) {
    return (pool.takenWallNs - pool.startedWallNs) / kNsPerSecond;
}

std::uint64_t secondsSinceStart(const WorkerSnapshot& worker, std::uint64_t nowNs) {
    return (nowNs - worker.startedNs) / kNsPerSecond;
}

}  // namespace muster::scoreboard
