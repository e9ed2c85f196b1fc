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

void endRequest(Child& child, const scoreboard::WorkerSnapshot& worker, std::uint64_t elapsed,
                const config::PoolSettings& pool, log::ErrorLog& log) {
    const auto& facts = worker.facts;
    log.warning(
        fmt::format("[pool {}] child {}, script '{}' (request: \"{} {}{}{}\") execution timed out "
                    "({}.{:06} sec), terminating",
                    pool.name, child.pid, printable(facts.script), facts.method, facts.uri,
                    facts.query[0] != '\0' ? "?" : "", facts.query, elapsed / kNsPerSecond,
                    elapsed % kNsPerSecond / 1000));
    const std::uint64_t now = monotonicNs();
    if (child.timedOutNs == 0) {
        child.timedOutNs = now;
    }
    ::kill(child.pid, now - child.timedOutNs > kNsPerSecond ? SIGKILL : SIGTERM);
}

}  // namespace

std::optional<std::chrono::milliseconds> heartbeatPeriod(const config::PoolSettings& pool) {
    if (pool.requestTerminateTimeout <= 0) {
        return std::nullopt;
    }
    const long long third = pool.requestTerminateTimeout * 1000LL / 3;
    return std::chrono::milliseconds(std::max(130LL, third));
}

void endOverdueRequests(Children& children, const scoreboard::Segment& segment,
                        const config::PoolSettings& pool, log::ErrorLog& log) {
    const std::uint64_t limit =
        static_cast<std::uint64_t>(pool.requestTerminateTimeout) * kNsPerSecond;
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
        if (elapsed >= limit) {
            endRequest(child, *worker, elapsed, pool, log);
        }
    }
}

}  // namespace muster::manager
