// Fills a PoolStatus from a snapshot.
#include "worker/pool_report.h"

#include <utility>

#include "base/clock.h"
#include "scoreboard/status_values.h"

namespace muster::worker {
namespace {

std::int64_t secondsOf(std::uint64_t wallNs) {
    return static_cast<std::int64_t>(wallNs / kNsPerSecond);
}

WorkerStatus statusOf(const scoreboard::WorkerSnapshot& worker, std::uint64_t nowNs) {
    const scoreboard::RequestFacts& facts = worker.facts;
    const scoreboard::ShownRequest request = scoreboard::shownRequest(worker, nowNs);
    WorkerStatus status;
    status.pid = worker.pid;
    status.state = scoreboard::stageName(worker.stage);
    status.startTime = secondsOf(worker.startedWallNs);
    status.startSince = scoreboard::secondsSinceStart(worker, nowNs);
    status.requests = facts.requests;
    status.requestDurationUs = request.durationUs;
    status.method = scoreboard::orDash(facts.method);
    status.uri = facts.uri;
    status.query = facts.query;
    status.contentLength = facts.contentLength;
    status.user = scoreboard::orDash(facts.user);
    status.script = scoreboard::orDash(facts.script);
    status.cpuPercent = request.cpuPercent;
    status.memory = request.memoryPeak;
    return status;
}

}  // namespace

PoolReport::PoolReport(scoreboard::PoolSnapshot snapshot) : snapshot_(std::move(snapshot)) {
    workers_.reserve(snapshot_.workers.size());
    for (const scoreboard::WorkerSnapshot& worker : snapshot_.workers) {
        workers_.push_back(statusOf(worker, snapshot_.takenNs));
    }
    const scoreboard::Totals& totals = snapshot_.totals;
    status_.pool = snapshot_.name.c_str();
    status_.processManager = scoreboard::processManagerName(snapshot_.processManager);
    status_.startTime = secondsOf(snapshot_.startedWallNs);
    status_.startSince = scoreboard::secondsSinceStart(snapshot_);
    status_.acceptedConnections = totals.requests;
    status_.listenQueue = snapshot_.listenPending;
    status_.maxListenQueue = totals.maxListenQueue;
    status_.listenQueueLength = snapshot_.listenLimit;
    status_.idle = snapshot_.idle;
    status_.active = snapshot_.active;
    status_.maxActive = totals.maxActive;
    status_.maxChildrenReached = totals.maxChildrenReached;
    status_.slowRequests = totals.slowRequests;
    status_.memoryPeak = totals.memoryPeak;
    status_.workers = workers_.data();
    status_.workerCount = workers_.size();
}

}  // namespace muster::worker
