// Looks over the scoreboard for requests that take too long, and acts.
#include "manager/request_timeouts.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "base/clock.h"
#include "base/signals.h"
#include "worker/time_limit.h"

namespace muster::manager {
namespace {

using std::chrono::milliseconds;

/// Between two looks: a pool with many requests that are due one after the other.
constexpr std::uint64_t kBreathNs = 5 * kNsPerMs;

/// As php-fpm shows it: nothing but printable ASCII.
std::string printable(const char* script) {
    std::string text(script);
    for (char& c : text) {
        const auto byte = static_cast<unsigned char>(c);
        c = byte < 0x20 || byte >= 0x7f ? '.' : c;
    }
    return text;
}

// One that is not delivered (RLIMIT_SIGPENDING) is followed by the next, the last one by SIGTERM.
void send(pid_t pid, int number, std::uintptr_t request) {
    [[maybe_unused]] const bool sent = queueSignal(pid, number, request);
}

}  // namespace

struct RequestTimeouts::Case {
    Child& child;
    const scoreboard::RequestFacts& facts;
    std::uint64_t elapsedNs;
};

std::optional<milliseconds> heartbeatPeriod(const config::PoolSettings& pool) {
    std::optional<milliseconds> period;
    for (const int limit : {pool.requestTerminateTimeout, pool.requestSlowlogTimeout}) {
        if (limit > 0) {
            const milliseconds third(std::max(130LL, limit * 1000LL / 3));
            period = std::min(period.value_or(third), third);
        }
    }
    return period;
}

RequestTimeouts::RequestTimeouts(const Parts& parts)
    : parts_(parts), rules_(TimeRules::of(*parts.pool)) {}

void RequestTimeouts::start() {
    if (const auto period = heartbeatPeriod(*parts_.pool)) {
        period_ = *period;
        parts_.log->debug(
            fmt::format("heartbeat have been set up with a timeout of {}ms", period_.count()));
        look();
    }
}

void RequestTimeouts::look() {
    const std::uint64_t now = monotonicNs();
    std::uint64_t next = now + static_cast<std::uint64_t>(period_.count()) * kNsPerMs;
    for (Child& child : parts_.children->all()) {
        next = std::min(next, lookAt(child, now).value_or(next));
    }
    // Rounded up: a look that comes too early finds nothing.
    const std::uint64_t wait = std::max(next - std::min(next, now), kBreathNs) + kNsPerMs - 1;
    watch_ = parts_.loop->after(milliseconds(wait / kNsPerMs), [this] { look(); });
}

std::optional<std::uint64_t> RequestTimeouts::lookAt(Child& child, std::uint64_t nowNs) {
    const auto worker = scoreboard::copyWorker(*parts_.segment, child.slot, nowNs);
    if (!worker) {
        return std::nullopt;
    }
    // A request cannot be older than the worker itself.
    const std::uint64_t accepted = std::max(worker->facts.acceptedNs, child.startedNs);
    const std::uint64_t elapsed = nowNs > accepted ? nowNs - accepted : 0;
    const Judgement judgement = judgeRequest(
        rules_, {.stage = worker->stage, .name = worker->facts.acceptedNs, .elapsedNs = elapsed},
        child.overtime, nowNs);
    if (judgement.act != Act::none) {
        carryOut(judgement, {child, worker->facts, elapsed});
    }
    return judgement.lookAgainNs;
}

void RequestTimeouts::carryOut(const Judgement& judgement, const Case& found) {
    const pid_t pid = found.child.pid;
    const auto name = worker::requestName(found.facts.acceptedNs);
    if (judgement.overLimit) {
        warn(found, "execution timed out", "terminating");
        parts_.pen->countTimedOut();
        // Before anything disturbs the script.
        parts_.slowLog->write(found.child, found.facts, found.elapsedNs, SlowReason::timedOut);
    }
    switch (judgement.act) {
        case Act::none:
            break;
        case Act::tellSlow:
            warn(found, "executing too slow", "logging");
            parts_.pen->countSlowRequest();
            parts_.slowLog->write(found.child, found.facts, found.elapsedNs, SlowReason::slow);
            break;
        case Act::interrupt:
        case Act::interruptAgain:
            send(pid, worker::interruptSignal(), name);
            break;
        case Act::lastWord:
            warn(found, "still executing after request_terminate_grace", "ending its worker");
            send(pid, worker::lastWordSignal(), name);
            break;
        case Act::terminate:
            ::kill(pid, SIGTERM);
            break;
        case Act::kill:
            warn(found, "still executing after SIGTERM", "killing");
            ::kill(pid, SIGKILL);
            break;
    }
}

/// "[pool www] child 12, script '/x.php' (request: "GET /x.php?y") executing too slow (1.000000
/// sec), logging"
void RequestTimeouts::warn(const Case& found, const char* what, const char* then) {
    const scoreboard::RequestFacts& facts = found.facts;
    parts_.log->warning(fmt::format(
        "[pool {}] child {}, script '{}' (request: \"{} {}{}{}\") {} ({}.{:06} sec), {}",
        parts_.pool->name, found.child.pid, printable(facts.script), facts.method, facts.uri,
        facts.query[0] != '\0' ? "?" : "", facts.query, what, found.elapsedNs / kNsPerSecond,
        found.elapsedNs % kNsPerSecond / 1000, then));
}

}  // namespace muster::manager
