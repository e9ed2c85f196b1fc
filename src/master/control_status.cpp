// Snapshots as JSON. Texts are bytes from outside; who writes the JSON sees to their encoding.
#include "master/control_status.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/clock.h"
#include "master/control_commands.h"

namespace muster::master {

using nlohmann::json;

namespace {

double seconds(std::uint64_t fromNs, std::uint64_t toNs) {
    return toNs > fromNs ? static_cast<double>(toNs - fromNs) / 1e9 : 0;
}

double inSeconds(std::chrono::milliseconds time) {
    return static_cast<double>(time.count()) / 1e3;
}

json countsOf(const scoreboard::PoolSnapshot& pool) {
    return {{"idle", pool.idle},
            {"active", pool.active},
            {"max_children", pool.maxChildren},
            {"listen_queue", pool.listenPending},
            {"listen_queue_len", pool.listenLimit},
            {"accepted_conn", pool.totals.requests},
            {"failed_requests", pool.totals.failed},
            {"workers_died_young", pool.youngDeaths},
            {"next_worker_seconds", static_cast<double>(pool.respawnInNs) / 1e9},
            {"slow_requests", pool.totals.slowRequests},
            {"max_children_reached", pool.totals.maxChildrenReached},
            {"max_active_processes", pool.totals.maxActive},
            {"max_listen_queue", pool.totals.maxListenQueue},
            {"memory_peak", pool.totals.memoryPeak}};
}

/// Of a pool with pm.queue_limit.
json queueOf(const scoreboard::PoolSnapshot& pool) {
    return {{"limit", pool.queueLimit},
            {"depth", pool.queued},
            {"oldest_seconds", static_cast<double>(pool.queuedNs) / 1e9},
            {"max_depth", pool.totals.maxQueued},
            {"limit_rejections", pool.totals.overLimit},
            {"timeout_rejections", pool.totals.overdue},
            {"hang_ups", pool.totals.hungUp}};
}

json poolOf(const PoolSet::View& view) {
    const config::PoolSettings& settings = view.plan->inputs.pool;
    json pool = {{"name", view.name},
                 {"state", view.state},
                 {"pm", config::processManagerName(settings.pm)},
                 {"listen", settings.listen},
                 {"manager", view.manager ? json(*view.manager) : json()},
                 {"failed_starts", view.failures},
                 {"last_failure", view.lastFailure.empty() ? json() : json(view.lastFailure)},
                 {"next_try_seconds", view.nextTry ? json(inSeconds(*view.nextTry)) : json()},
                 {"leaving", json::array()}};
    for (const PoolSet::Leaving& leaving : view.leaving) {
        pool["leaving"].push_back({{"manager", leaving.manager}, {"active", leaving.active}});
    }
    if (view.snapshot) {
        pool.update(countsOf(*view.snapshot));
        if (view.snapshot->queueLimit > 0) {
            pool["queue"] = queueOf(*view.snapshot);
        }
    }
    return pool;
}

json workerOf(const scoreboard::WorkerSnapshot& worker, const scoreboard::PoolSnapshot& pool) {
    const scoreboard::RequestFacts& facts = worker.facts;
    const bool idle =
        worker.stage == scoreboard::Stage::idle || worker.stage == scoreboard::Stage::starting;
    return {{"pid", worker.pid},
            {"state", scoreboard::stageName(worker.stage)},
            {"since_seconds", seconds(worker.startedNs, pool.takenNs)},
            {"requests", facts.requests},
            {"request_seconds", idle ? static_cast<double>(facts.durationNs) / 1e9
                                     : seconds(facts.acceptedNs, pool.takenNs)},
            {"method", facts.method},
            {"uri", facts.uri},
            {"query", facts.query},
            {"user", facts.user},
            {"script", facts.script},
            {"content_length", facts.contentLength},
            {"memory_peak", facts.memoryPeak}};
}

}  // namespace

json statusOf(const Operations& operations) {
    json pools = json::array();
    for (const PoolSet::View& view : operations.pools().views()) {
        pools.push_back(poolOf(view));
    }
    return {{"pid", ::getpid()},
            {"version", MUSTER_VERSION},
            {"state", operations.stateText()},
            {"config", operations.configFile()},
            {"pools", std::move(pools)}};
}

json traceOf(pid_t worker, const manager::LiveTrace& trace) {
    json frames = json::array();
    for (const BacktraceFrame& frame : trace.stack.frames) {
        frames.push_back({{"address", fmt::format("0x{:016x}", frame.address)},
                          {"function", frame.function},
                          {"file", frame.file},
                          {"line", frame.line}});
    }
    return {{"pool", trace.pool},
            {"pid", worker},
            {"state", scoreboard::stageName(trace.stage)},
            {"request_seconds", static_cast<double>(trace.elapsedNs) / 1e9},
            {"method", trace.method},
            {"uri", trace.uri},
            {"query", trace.query},
            {"script", trace.script},
            {"frames", std::move(frames)},
            {"cut", trace.cut},
            {"broken", trace.stack.broken},
            {"moving", trace.stack.moving}};
}

json workersOf(const scoreboard::PoolSnapshot& pool) {
    json workers = json::array();
    for (const scoreboard::WorkerSnapshot& worker : pool.workers) {
        workers.push_back(workerOf(worker, pool));
    }
    return {{"pool", pool.name}, {"workers", std::move(workers)}};
}

}  // namespace muster::master
