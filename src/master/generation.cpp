// Starts a manager process and talks with it.
#include "master/generation.h"

#include <csignal>
#include <vector>

#include "base/clock.h"
#include "base/process.h"
#include "manager/recycling.h"

namespace muster::master {

using manager::ControlMessage;
using manager::MessageType;

namespace {

/// For a manager that has killed its workers, or has none, to go.
constexpr std::uint64_t kGraceNs = 3 * kNsPerSecond;
/// … for one that is told to do that now.
constexpr std::uint64_t kGraceToKillNs = kNsPerSecond;

scoreboard::Totals countedSince(scoreboard::Totals now, const scoreboard::Totals& before) {
    const auto since = [](std::uint64_t later, std::uint64_t earlier) {
        return later > earlier ? later - earlier : 0;
    };
    now.requests = since(now.requests, before.requests);
    now.failed = since(now.failed, before.failed);
    now.slowRequests = since(now.slowRequests, before.slowRequests);
    now.timedOut = since(now.timedOut, before.timedOut);
    now.overLimit = since(now.overLimit, before.overLimit);
    now.overdue = since(now.overdue, before.overdue);
    now.hungUp = since(now.hungUp, before.hungUp);
    now.maxChildrenReached = since(now.maxChildrenReached, before.maxChildrenReached);
    return now;  // maxima are carried as they are
}

}  // namespace

Result<std::unique_ptr<Generation>> Generation::launch(const manager::ManagerInputs& inputs,
                                                       const Descriptors& descriptors,
                                                       std::uint64_t startedWallNs, EventLoop& loop,
                                                       OnMessage onMessage) {
    std::unique_ptr<Generation> generation(new Generation);
    generation->inputs_ = inputs;
    generation->launchedNs_ = monotonicNs();

    scoreboard::SegmentIdentity identity{};
    identity.poolName = inputs.pool.name;
    identity.slotCount = static_cast<std::uint32_t>(inputs.pool.maxChildren);
    identity.standbySlots = manager::standbySlots(inputs.pool);
    identity.processManager = static_cast<std::uint32_t>(inputs.pool.pm);
    identity.startedWallNs = startedWallNs;
    auto scoreboardFd = scoreboard::Segment::create(identity);
    if (!scoreboardFd) {
        return tl::make_unexpected(scoreboardFd.error());
    }
    auto segment = scoreboard::Segment::attach(scoreboardFd->get(), Mapping::Access::readOnly);
    if (!segment) {
        return tl::make_unexpected(segment.error());
    }
    generation->segment_ = std::move(*segment);
    const auto settings = createSealedContent("muster-settings", manager::encodeInputs(inputs));
    if (!settings) {
        return tl::make_unexpected(settings.error());
    }
    auto channel = MessageChannel::pair();
    if (!channel) {
        return tl::make_unexpected(channel.error());
    }
    generation->channel_ = std::move(channel->first);

    std::vector<InheritedFd> inherited = {
        {settings->get(), manager::kSettingsFd},       {channel->second.fd(), manager::kChannelFd},
        {scoreboardFd->get(), manager::kScoreboardFd}, {descriptors.errorLog, manager::kErrorLogFd},
        {descriptors.listener, manager::kListenFd},
    };
    if (descriptors.accessLog >= 0) {
        inherited.push_back({descriptors.accessLog, manager::kAccessLogFd});
    }
    if (descriptors.statusListener >= 0) {
        inherited.push_back({descriptors.statusListener, manager::kStatusListenFd});
    }
    if (descriptors.slowLog >= 0) {
        inherited.push_back({descriptors.slowLog, manager::kSlowLogFd});
    }
    // By this link the program is found even when its file was replaced meanwhile.
    const auto pid = execChild(
        "/proc/self/exe", {manager::managerTitle(inputs), manager::kManagerArgument}, inherited);
    if (!pid) {
        return tl::make_unexpected(pid.error());
    }
    generation->pid_ = *pid;
    generation->segmentFd_ = std::move(*scoreboardFd);
    generation->listen(loop, std::move(onMessage));
    return generation;
}

void Generation::listen(EventLoop& loop, OnMessage onMessage) {
    onMessage_ = std::move(onMessage);
    watch_ = loop.whenReadable(channel_.fd(), [this] { onChannel(); });
}

HandOver::Generation Generation::handOver() const {
    HandOver::Generation to;
    to.pid = pid_;
    to.draining = state_ == State::draining;
    to.channel = channel_.fd();
    to.segment = segmentFd_.get();
    to.launchedNs = launchedNs_;
    to.totals = totals();
    to.handedOn = handedOn_;
    to.protocol = protocol_;
    to.messageSize = messageSize_;
    return to;
}

std::unique_ptr<Generation> Generation::adopt(HandOver::Generation from, EventLoop& loop,
                                              OnMessage onMessage) {
    std::unique_ptr<Generation> generation(new Generation);
    generation->pid_ = from.pid;
    generation->state_ = from.draining ? State::draining : State::ready;
    generation->mayHaveWorkers_ = true;
    generation->inputs_ = std::move(from.plan.inputs);
    generation->launchedNs_ = from.launchedNs;
    generation->lastTotals_ = from.totals;
    generation->handedOn_ = from.handedOn;
    generation->protocol_ = from.protocol;
    generation->messageSize_ = from.messageSize;
    generation->segmentFd_.reset(from.segment);
    if (auto segment = scoreboard::Segment::attach(from.segment, Mapping::Access::readOnly)) {
        generation->segment_ = std::move(*segment);
    }
    generation->channel_ = MessageChannel(UniqueFd(from.channel));
    generation->listen(loop, std::move(onMessage));
    return generation;
}

void Generation::onChannel() {
    ReceivedMessage received;
    const auto outcome = channel_.receive(received);
    if (!outcome || *outcome == MessageChannel::Outcome::closed) {
        watch_.cancel();  // its death, which SIGCHLD tells, is what counts
        return;
    }
    if (*outcome == MessageChannel::Outcome::nothing) {
        return;
    }
    const auto message = manager::parseControl(received);
    if (!message || !speaksOurs()) {
        return;
    }
    switch (message->type) {
        case MessageType::loaded:
            if (state_ != State::loading) {
                return;
            }
            break;
        case MessageType::ready:
            if (state_ != State::starting) {
                return;
            }
            state_ = State::ready;
            break;
        case MessageType::failed:
            failure_ = message->text;
            break;
        case MessageType::traced:
        case MessageType::quiet:
            break;
        case MessageType::crashed:
        case MessageType::lost:
        case MessageType::wantRoom:
        case MessageType::freeRoom:
            if (!hasRoom()) {
                return;
            }
            break;
        default:
            return;  // not a manager's to send
    }
    onMessage_(*this, *message);
}

// SIGCHLD may be seen before the reason that was sent first.
const std::string& Generation::lastWords() {
    ReceivedMessage received;
    while (failure_.empty()) {
        const auto outcome = channel_.receive(received);
        if (!outcome || *outcome != MessageChannel::Outcome::message) {
            break;
        }
        const auto message = manager::parseControl(received);
        if (message && message->type == MessageType::failed) {
            failure_ = message->text;
        }
    }
    return failure_;
}

void Generation::send(const ControlMessage& message) {
    if (!speaksOurs()) {
        return;
    }
    // A manager that cannot be told is gone or stuck; its death or the caller's deadline shows it.
    [[maybe_unused]] const auto sent = manager::sendControl(channel_, message);
}

void Generation::start(const scoreboard::Totals& carried, int room) {
    state_ = State::starting;
    mayHaveWorkers_ = true;
    scoreboard::addTotals(given_, carried);
    send(
        {.type = MessageType::start, .value = static_cast<std::uint32_t>(room), .totals = carried});
}

void Generation::giveRoom(int workers) {
    if (hasRoom()) {
        send({.type = MessageType::room, .value = static_cast<std::uint32_t>(workers)});
    }
}

int Generation::workersSeen() const {
    return static_cast<int>(observe().workers.size());
}

void Generation::drain(manager::DrainMode mode, std::chrono::milliseconds deadline) {
    state_ = State::draining;
    if (!speaksOurs()) {
        ::kill(pid_, SIGQUIT);
        return;
    }
    send({.type = MessageType::drain,
          .value = static_cast<std::uint32_t>(mode),
          .deadlineMs = static_cast<std::uint64_t>(deadline.count())});
}

void Generation::terminate() {
    const auto workers =
        mayHaveWorkers_ ? static_cast<std::uint64_t>(inputs_.terminateTimeoutMs) * kNsPerMs : 0;
    overdueNs_ = monotonicNs() + workers + kGraceNs;
    state_ = State::terminating;
    ::kill(pid_, SIGTERM);
}

void Generation::endNow() {
    if (!mayHaveWorkers_) {
        kill();  // it may be loading for long
        return;
    }
    overdueNs_ = monotonicNs() + kGraceToKillNs;
    state_ = State::terminating;
    send({.type = MessageType::endNow});
}

bool Generation::isOverdue() const {
    return overdueNs_ != 0 && monotonicNs() >= overdueNs_;
}

void Generation::kill() {
    ::kill(pid_, SIGKILL);
}

Result<void> Generation::sendLogs(const Logs& logs) {
    if (!speaksOurs()) {
        return plainError("it is of another version");
    }
    std::vector<int> descriptors{logs.errorLog};
    for (const int fd : {logs.accessLog, logs.slowLog}) {
        if (fd >= 0) {
            descriptors.push_back(fd);
        }
    }
    return manager::sendControl(channel_, manager::logsMessage(logs.syslog), descriptors);
}

void Generation::addTotals(const scoreboard::Totals& totals) {
    scoreboard::addTotals(given_, totals);
    send({.type = MessageType::addTotals, .totals = totals});
}

Result<void> Generation::askForTrace(pid_t worker, std::uint64_t ticket, int answer) {
    if (!speaksOurs()) {
        return plainError("its manager is of another version");
    }
    return manager::sendControl(
        channel_,
        {.type = MessageType::trace, .value = static_cast<std::uint32_t>(worker), .ticket = ticket},
        {&answer, 1});
}

Result<void> Generation::bequeathTo(Generation& heir) {
    if (!speaksOurs() || !heir.speaksOurs()) {
        return plainError("it is of another version");
    }
    auto channel = MessageChannel::pair();
    if (!channel) {
        return tl::make_unexpected(channel.error());
    }
    const int from = channel->first.fd();
    const int to = channel->second.fd();
    if (auto told = manager::sendControl(heir.channel_, {.type = MessageType::adopt}, {&to, 1});
        !told) {
        return told;
    }
    return manager::sendControl(channel_, {.type = MessageType::heir}, {&from, 1});
}

scoreboard::Totals Generation::totals() const {
    return observe().totals;
}

scoreboard::Totals Generation::handOn() {
    handedOn_ = totals();
    return handedOn_;
}

scoreboard::Totals Generation::ownTotals() const {
    return countedSince(totals(), given_);
}

scoreboard::Totals Generation::handOnOwn() {
    return countedSince(handOn(), given_);
}

scoreboard::Totals Generation::handOnRest() {
    const scoreboard::Totals before = handedOn_;
    return countedSince(handOn(), before);
}

scoreboard::Totals Generation::rest() const {
    return countedSince(totals(), handedOn_);
}

scoreboard::PoolSnapshot Generation::observe() const {
    if (segment_) {
        return scoreboard::takeSnapshot(*segment_);
    }
    scoreboard::PoolSnapshot known;
    known.name = inputs_.pool.name;
    known.maxChildren = static_cast<std::uint32_t>(inputs_.pool.maxChildren);
    known.totals = lastTotals_;
    return known;
}

std::size_t Generation::sharedMemory() const {
    return segment_ ? scoreboard::segmentSize(segment_->slotCount()) : 0;
}

}  // namespace muster::master
