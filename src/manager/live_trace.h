// What a worker does right now, for the operator: taken by its manager, shown by the master.
//
// The answer is plain data of fixed size in a sealed memfd of the master's own, which travels to
// the manager with the question. The master copies it out and believes nothing of it: counts are
// range-checked, texts cut; who shows them escapes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/backtrace.h"
#include "manager/children.h"

namespace muster::manager {

struct LiveTrace {
    std::string pool;  ///< known to the master, which fills it in
    scoreboard::Stage stage = scoreboard::Stage::idle;
    std::uint64_t elapsedNs = 0;  ///< since the request's first byte
    std::string method;
    std::string uri;
    std::string query;
    std::string script;  ///< of the scoreboard, when the stack does not tell
    Backtrace stack;
    bool cut = false;  ///< there are calls further out than kMostFrames
};

inline constexpr std::size_t kMostFrames = 100;

/// Bytes of the memfd that the longest answer needs.
[[nodiscard]] std::size_t liveTraceSize();

/// Manager side: what the worker does. An error says why there is nothing to tell.
[[nodiscard]] Result<LiveTrace> traceNow(const Child& child, const scoreboard::Segment& segment,
                                         Runtime& runtime);
Result<void> writeLiveTrace(int fd, const LiveTrace& trace);

/// Master side. Never blocks when `fd` is of createSegment().
[[nodiscard]] Result<LiveTrace> readLiveTrace(int fd);

}  // namespace muster::manager
