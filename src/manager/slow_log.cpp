// Trace, entry, write.
#include "manager/slow_log.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/io.h"
#include "log/or_null.h"
#include "log/slow_log_entry.h"
#include "manager/tracing.h"

namespace muster::manager {
namespace {

std::string_view wordFor(SlowReason reason) {
    switch (reason) {
        case SlowReason::slow:
            return "slow";
        case SlowReason::timedOut:
            return "timeout";
    }
    return "";
}

}  // namespace

void SlowLog::write(const Child& child, const scoreboard::RequestFacts& facts,
                    std::uint64_t elapsedNs, SlowReason reason) {
    if (!isOn()) {
        return;
    }
    const config::PoolSettings& pool = inputs_->pool;
    errors_->notice(fmt::format("about to trace {}", child.pid));
    auto stack =
        traceWorker(child, *runtime_, static_cast<std::size_t>(pool.requestSlowlogTraceDepth));
    if (!stack) {
        errors_->error(stack.error().text());
        stack = Backtrace{.script = {}, .frames = {}, .broken = true};
    }
    log::SlowRequest request;
    request.pool = pool.name;
    request.pid = child.pid;
    request.nowWallNs = wallNs();
    request.elapsedNs = elapsedNs;
    request.reason = wordFor(reason);
    request.method = log::orNull(facts.method);
    request.uri = log::orNull(facts.uri);
    request.query = log::orNull(facts.query);
    request.script = log::orNull(facts.script);
    const bool json = inputs_->logFormat == config::LogFormat::json;
    const std::string entry =
        json ? log::slowLogJson(request, *stack)
             : log::slowLogText(request, *stack, inputs_->logLevel == LogLevel::debug);
    if (!writeAll(fd_, entry)) {
        errors_->error(errnoError("unable to write slowlog (" + pool.slowlog + ")").value().text());
    }
    errors_->notice(fmt::format("finished trace of {}", child.pid));
}

}  // namespace muster::manager
