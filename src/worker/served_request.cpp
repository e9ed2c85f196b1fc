// A request from its first byte to its last, and the record of it.
#include "worker/served_request.h"

#include <sys/resource.h>
#include <unistd.h>

#include <new>

#include "base/clock.h"
#include "base/io.h"
#include "log/or_null.h"
#include "log/worker_output.h"
#include "scoreboard/snapshot.h"

namespace muster::worker {
namespace {

std::uint64_t nsOf(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * kNsPerSecond +
           static_cast<std::uint64_t>(time.tv_usec) * 1000;
}

}  // namespace

ServedRequest::ServedRequest(const WorkerInputs& inputs, fastcgi::ServerConnection& connection,
                             scoreboard::SlotWriter& slot, AccessLog& accessLog)
    : inputs_(&inputs),
      connection_(&connection),
      slot_(&slot),
      accessLog_(&accessLog),
      pid_(::getpid()),
      cpuBeforeNs_(cpuNs()) {
    if (inputs.pool->requestAbortOnDisconnect) {
        auto watch = ClientWatch::start(*inputs.runtime);
        if (watch) {
            clientWatch_ = std::move(*watch);
        } else {
            inputs.log->error("[pool " + inputs.pool->name + "] " + watch.error().text());
        }
    }
}

void ServedRequest::begin(const char* peer) {
    peer_ = peer;
    slot_->requestBegun(monotonicNs(), wallNs());
    if (accessLog_->needsCpu()) {
        timesBefore_ = cpuTimes();
    }
}

void ServedRequest::resume(const char* peer, std::uint64_t sinceNs, std::uint64_t sinceWallNs) {
    peer_ = peer;
    slot_->requestResumed(sinceNs, sinceWallNs);
    if (accessLog_->needsCpu()) {
        timesBefore_ = cpuTimes();
    }
}

RunOutcome ServedRequest::run() {
    const RequestInfo info = inputs_->runtime->resolve(*this);
    slot_->requestKnown(info.method, info.uri, info.query, info.user, info.script,
                        info.contentLength);
    isHead_ = isHead(info);
    page_ = timeoutPage(info);
    timeLimit_.begin(slot_->facts().acceptedNs, *connection_, *inputs_->runtime, page_);
    const RunOutcome outcome = runInTime(info);
    timeLimit_.end();
    if (inputs_->pool->catchWorkersOutput) {
        writeAll(STDERR_FILENO, log::WorkerOutput::kRequestEndMarker);
    }
    if (outcome != RunOutcome::served) {
        return outcome;
    }
    // What was cut short may have left things half done, a persistent connection amid an answer:
    // nothing for the next request to meet.
    if (timeLimit_.wasInterrupted()) {
        return RunOutcome::interrupted;
    }
    return clientWatch_ && clientWatch_->disturbed() ? RunOutcome::abandoned : outcome;
}

RunOutcome ServedRequest::runInTime(const RequestInfo& info) {
    RunOutcome outcome = RunOutcome::served;
    if (const Page page = pageFor(*inputs_->pool, info); page != Page::none) {
        servePage(page, info);
    } else {
        watchClient();
        outcome = inputs_->runtime->run(*this);
    }
    finish();
    report_.reset();
    return outcome;
}

std::string_view ServedRequest::timeoutPage(const RequestInfo& info) {
    if (timeoutPage_.empty()) {
        const PageResponse page = worker::timeoutPage(inputs_->runtime->pageSettings());
        timeoutPage_ = page.headers + page.body;
        timeoutHeaders_ = page.headers.size();
    }
    const std::string_view whole = timeoutPage_;
    return isHead(info) ? whole.substr(0, timeoutHeaders_) : whole;
}

void ServedRequest::watchClient() {
    if (clientWatch_) {
        bodyGoesOn_ = !connection_->endReceived();
        clientWatch_->begin(connection_->fd(), connection_->requestId(), !bodyGoesOn_);
    }
}

// php-fpm's rule: what a script does after its response is complete takes as long as it takes.
void ServedRequest::liftLimitUnlessTracked() {
    if (!inputs_->pool->requestTerminateTimeoutTrackFinished) {
        timeLimit_.lift();
    }
}

void ServedRequest::servePage(Page page, const RequestInfo& info) {
    scriptStarts();
    const PageSettings settings = inputs_->runtime->pageSettings();
    const PageResponse response =
        page == Page::ping ? pingPage(*inputs_->pool, info, settings) : status(info, settings);
    writeStdout(response.headers.data(), response.headers.size());
    writeStdout(response.body.data(), response.body.size());
    pageHeaders_ = response.headers;
    scriptReturned({});
    pageHeaders_ = {};
}

scoreboard::PoolSnapshot ServedRequest::lookAround() {
    scoreboard::PoolSnapshot snapshot = scoreboard::takeSnapshot(*inputs_->segment);
    scoreboard::hintActive(*inputs_->segment, snapshot.active);
    return snapshot;
}

PageResponse ServedRequest::status(const RequestInfo& info, const PageSettings& settings) {
    return statusPage(*inputs_->pool, lookAround(), info, settings);
}

fastcgi::Params& ServedRequest::params() noexcept {
    return connection_->params();
}

std::size_t ServedRequest::readBody(char* buffer, std::size_t n) noexcept {
    const std::size_t got = connection_->readBody(buffer, n);
    if (bodyGoesOn_ && connection_->endReceived()) {
        bodyGoesOn_ = false;
        clientWatch_->becameWhole();
    }
    return got;
}

void ServedRequest::hurryBody() noexcept {
    connection_->hurryBody();
}

bool ServedRequest::bodyAborted() noexcept {
    return connection_->aborted();
}

bool ServedRequest::bodyStalled() noexcept {
    return connection_->stalled();
}

bool ServedRequest::clientLeft() noexcept {
    return clientWatch_ && !connection_->finished() &&
           (clientWatch_->left() || connection_->outputFailed());
}

bool ServedRequest::writeStdout(const char* data, std::size_t n) noexcept {
    return connection_->writeStdout(data, n);
}

bool ServedRequest::writeStderr(const char* data, std::size_t n) noexcept {
    return connection_->writeStderr({data, n});
}

bool ServedRequest::flush() noexcept {
    return connection_->flush();
}

bool ServedRequest::finish() noexcept {
    if (connection_->finished()) {
        return false;
    }
    slot_->setStage(scoreboard::Stage::finishing);
    liftLimitUnlessTracked();
    refuseKeepAliveWhenUnwanted();
    endClientWatch();
    return connection_->finish();
}

// Before the connection is closed, and its number perhaps that of another.
void ServedRequest::endClientWatch() {
    bodyGoesOn_ = false;
    if (clientWatch_) {
        clientWatch_->end();
    }
}

// Right behind an answer is the one moment at which the peer is hardly sending: when the service
// stops, or there is no room for one more idle connection, it is not kept alive.
void ServedRequest::refuseKeepAliveWhenUnwanted() {
    const scoreboard::Commands& commands = inputs_->segment->header().commands;
    if (isStop(commands.draining.load(std::memory_order_relaxed)) ||
        commands.lotFull.load(std::memory_order_relaxed) != 0) {
        connection_->refuseKeepAlive();
    }
}

bool ServedRequest::finished() noexcept {
    return connection_->finished();
}

void ServedRequest::scriptStarts() noexcept {
    slot_->setStage(scoreboard::Stage::running);
}

bool ServedRequest::timeIsUp() noexcept {
    return timeLimit_.isUp();
}

void ServedRequest::finishTimedOut() noexcept {
    slot_->setStage(scoreboard::Stage::ending);
    finishWith(page_);
}

void ServedRequest::finishStalled() noexcept {
    slot_->setStage(scoreboard::Stage::finishing);
    liftLimitUnlessTracked();
    const PageResponse page = stalledPage(inputs_->runtime->pageSettings());
    finishWith(isHead_ ? page.headers : page.headers + page.body);
}

void ServedRequest::finishWith(std::string_view page) {
    refuseKeepAliveWhenUnwanted();
    endClientWatch();
    connection_->finishInstead(page);
}

void ServedRequest::scriptReturned(const RequestResult& result) noexcept {
    const std::uint64_t durationNs = monotonicNs() - slot_->facts().acceptedNs;
    const std::uint64_t cpuNow = cpuNs();
    if (result.status >= 500) {
        slot_->countFailure();
    }
    slot_->requestDone(durationNs, cpuNow - cpuBeforeNs_, result.memoryPeak);
    cpuBeforeNs_ = cpuNow;
    if (result.abandoned) {
        endClientWatch();  // its shutdown functions run undisturbed
        connection_->refuseKeepAlive();
    }
    if (result.timedOut) {
        slot_->setStage(scoreboard::Stage::ending);
    } else {
        liftLimitUnlessTracked();
    }
    if (accessLog_->isOn()) {
        writeAccessLine(result, durationNs);
    }
}

void ServedRequest::log(LogLevel level, const char* text) noexcept {
    inputs_->log->write(level, text);
}

const PoolStatus* ServedRequest::poolStatus() noexcept {
    try {
        report_.emplace(lookAround());
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
    return &report_->status();
}

ServedRequest::CpuTimes ServedRequest::cpuTimes() {
    CpuTimes times;
    for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage usage{};
        ::getrusage(who, &usage);
        times.userNs += nsOf(usage.ru_utime);
        times.systemNs += nsOf(usage.ru_stime);
    }
    return times;
}

std::string_view ServedRequest::header(std::string_view name) const {
    if (!pageHeaders_.empty()) {
        return headerValue(pageHeaders_, name);
    }
    return result_->header == nullptr ? std::string_view() : result_->header(name);
}

void ServedRequest::writeAccessLine(const RequestResult& result, std::uint64_t durationNs) {
    const scoreboard::RequestFacts& known = slot_->facts();
    log::AccessFacts facts;
    facts.pool = inputs_->pool->name.c_str();
    facts.method = log::orNull(known.method);
    facts.uri = log::orNull(known.uri);
    facts.query = log::orNull(known.query);
    facts.script = log::orNull(known.script);
    facts.user = log::orNull(known.user);
    facts.peer = peer_;
    facts.contentLength = known.contentLength;
    facts.status = result.status;
    facts.durationNs = durationNs;
    facts.acceptedWallNs = known.acceptedWallNs;
    facts.nowWallNs = wallNs();
    if (accessLog_->needsCpu()) {
        const CpuTimes now = cpuTimes();
        facts.userCpuNs = now.userNs - timesBefore_.userNs;
        facts.systemCpuNs = now.systemNs - timesBefore_.systemNs;
    }
    facts.memoryPeak = result.memoryPeak;
    facts.workerPid = pid_;
    facts.masterPid = inputs_->master;
    result_ = &result;
    facts.context = this;
    facts.param = [](const void* context, std::string_view name) {
        return static_cast<const ServedRequest*>(context)->connection_->params().get(name);
    };
    facts.header = [](const void* context, std::string_view name) {
        return static_cast<const ServedRequest*>(context)->header(name);
    };
    accessLog_->write(facts);
    result_ = nullptr;
}

}  // namespace muster::worker
