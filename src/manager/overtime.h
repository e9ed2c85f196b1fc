// What is to be done about a worker whose request takes too long: the rules of
// request_terminate_timeout and request_slowlog_timeout (spec lifecycle §5.7), without the doing.
//
// A request over its limit is interrupted, again and again while it does not react; when the grace
// is over its worker has a last word, then it gets SIGTERM and SIGKILL. The worker shows by its
// stage "ending" that it has reacted; what it does then is bounded by the grace as well. Pure
// functions of the times given; manager side.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "config/settings.h"
#include "scoreboard/layout.h"

namespace muster::manager {

struct TimeRules {
    std::uint64_t slowNs = 0;   ///< 0: off
    std::uint64_t limitNs = 0;  ///< 0: off
    std::uint64_t graceNs = 0;  ///< 0: no interrupt, SIGTERM at once
    bool trackFinished = false;

    [[nodiscard]] static TimeRules of(const config::PoolSettings& pool);
};

/// A request as its worker shows it at this moment.
struct ObservedRequest {
    scoreboard::Stage stage = scoreboard::Stage::idle;
    std::uint64_t name = 0;  ///< its acceptedNs, which tells it from others of this worker; 0: none
    std::uint64_t elapsedNs = 0;
};

/// What was done about a worker's request so far. Starts anew with another request.
struct Overtime {
    enum class Step { none, interrupted, lastWord, terminated };
    std::uint64_t request = 0;
    bool toldSlow = false;
    Step step = Step::none;
    std::uint64_t sinceNs = 0;  ///< it went over the limit
    std::uint64_t actedNs = 0;
};

enum class Act {
    none,
    tellSlow,        ///< WARNING, count, trace
    interrupt,       ///< the first time: WARNING, count
    interruptAgain,  ///< it may have been between two blocking calls
    lastWord,
    terminate,  ///< SIGTERM
    kill,       ///< SIGKILL, every second
};

struct Judgement {
    Act act = Act::none;
    bool overLimit = false;  ///< this act is the first for a request over its limit
    std::optional<std::uint64_t> lookAgainNs;  ///< monotonic; nothing: not because of this one
};

inline constexpr std::uint64_t kInterruptAgainNs = 100 * kNsPerMs;
inline constexpr std::uint64_t kLastWordNs = 100 * kNsPerMs;  ///< from it to SIGTERM
inline constexpr std::uint64_t kTerminateNs = kNsPerSecond;   ///< from SIGTERM to SIGKILL

[[nodiscard]] Judgement judgeRequest(const TimeRules& rules, const ObservedRequest& seen,
                                     Overtime& overtime, std::uint64_t nowNs);

}  // namespace muster::manager
