// The heartbeat over the scoreboard.
#include "manager/request_timeouts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"

namespace muster::manager {
namespace {

using scoreboard::Stage;

bool isTimed(Stage stage, bool trackFinished) {
    switch (stage) {
        case Stage::readingHeaders:
        case Stage::gettingInfo:
        case Stage::running:
            return true;
        case Stage::ending:
        case Stage::finishing:
            return trackFinished;
        case Stage::starting:
        case Stage::idle:
        case Stage::keepAlive:
            break;
    }
    return false;
}

/// As php-fpm shows it: nothing but printable ASCII.
std::string printable(const char* script) {
    std::string text(script);
    for (char& c : text) {
        const auto byte = static_cast<unsigned char>(c);
        c = byte < 0x20 || byte >= 0x7f ? '.' : c;
    }
    return text;
}

/// "[pool www] child 12, script '/x.php' (request: "GET /x.php?y") executing too slow (1.000000
/// sec)"
std::string report(const Child& child, const scoreboard::RequestFacts& facts, const char* what,
                   std::uint64_t elapsed, const config::PoolSettings& pool) {
    return fmt::format("[pool {}] child {}, script '{}' (request: \"{} {}{}{}\") {} ({}.{:06} sec)",
                       pool.name, child.pid, printable(facts.script), facts.method, facts.uri,
                       facts.query[0] != '\0' ? "?" : "", facts.query, what, elapsed / kNsPerSecond,
                       elapsed % kNsPerSecond / 1000);
}

void endRequest(Child& child, const scoreboard::WorkerSnapshot& worker, std::uint64_t elapsed,
                const config::PoolSettings& pool, log::ErrorLog& log) {
    log.warning(report(child, worker.facts, "execution timed out", elapsed, pool) +
                ", terminating");
    const std::uint64_t now = monotonicNs();
    if (child.timedOutNs == 0) {
        child.timedOutNs = now;
    }
    ::kill(child.pid, now - child.timedOutNs > kNsPerSecond ? SIGKILL : SIGTERM);
}

/// Over a limit of whole seconds; 0: there is none.
bool isOver(std::uint64_t elapsed, int limitSeconds) {
    return limitSeconds > 0 && elapsed >= static_cast<std::uint64_t>(limitSeconds) * kNsPerSecond;
}

}  // namespace

std::optional<std::chrono::milliseconds> heartbeatPeriod(const config::PoolSettings& pool) {
    std::optional<std::chrono::milliseconds> period;
    for (const int limit : {pool.requestTerminateTimeout, pool.requestSlowlogTimeout}) {
        if (limit > 0) {
            const std::chrono::milliseconds third(std::max(130LL, limit * 1000LL / 3));
            period = std::min(period.value_or(third), third);
        }
    }
    return period;
}

void judgeRequests(Children& children, const scoreboard::Segment& segment,
                   scoreboard::PoolWriter& pen, const config::PoolSettings& pool,
                   log::ErrorLog& log, SlowLog& slowLog) {
    const std::uint64_t now = monotonicNs();
    for (Child& child : children.all()) {
        const auto worker = scoreboard::copyWorker(segment, child.slot, now);
        if (!worker || worker->facts.acceptedNs == 0 ||
            !isTimed(worker->stage, pool.requestTerminateTimeoutTrackFinished)) {
            child.timedOutNs = 0;
            continue;
        }
        // The slot is the worker's word: a request cannot be older than the worker itself.
        const std::uint64_t accepted = std::max(worker->facts.acceptedNs, child.startedNs);
        const std::uint64_t elapsed = now > accepted ? now - accepted : 0;
        if (child.slowSinceNs != worker->facts.acceptedNs && worker->stage == Stage::running &&
            isOver(elapsed, pool.requestSlowlogTimeout)) {
            child.slowSinceNs = worker->facts.acceptedNs;
            log.warning(report(child, worker->facts, "executing too slow", elapsed, pool) +
                        ", logging");
            pen.countSlowRequest();
            slowLog.write(child, worker->facts, elapsed, SlowReason::slow);
        } else if (isOver(elapsed, pool.requestTerminateTimeout)) {
            endRequest(child, *worker, elapsed, pool, log);
        }
    }
}

}  // namespace muster::manager
