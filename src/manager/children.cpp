// Forks, buries, signals and listens to workers.
#include "manager/children.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/signals.h"
#include "manager/memory_grant.h"
#include "manager/recycling.h"
#include "worker/waiting_signals.h"
#include "worker/worker.h"

namespace muster::manager {

using scoreboard::Stage;

namespace {

void takeUnfitness(Departure& departure) {
    const auto left = [&](worker::WorkerExit exit) {
        return WIFEXITED(departure.status) &&
               WEXITSTATUS(departure.status) == static_cast<int>(exit);
    };
    if (left(worker::WorkerExit::exhausted)) {
        departure.unfit = Departure::Unfit::exhausted;
    } else if (left(worker::WorkerExit::changed)) {
        departure.unfit = Departure::Unfit::changed;
    } else if (left(worker::WorkerExit::interrupted)) {
        departure.unfit = Departure::Unfit::interrupted;
    } else if (left(worker::WorkerExit::abandoned)) {
        departure.unfit = Departure::Unfit::abandoned;
    } else {
        return;
    }
    departure.status = 0;
}

}  // namespace

Children::Children(const WorkerTemplate& shared, scoreboard::PoolWriter& pen, EventLoop& loop,
                   Heard heard)
    : shared_(&shared),
      pen_(&pen),
      loop_(&loop),
      heard_(std::move(heard)),
      slotUsed_(shared.segment->slotCount(), false) {}

std::optional<std::uint32_t> Children::freeSlot() const {
    const auto free = std::find(slotUsed_.begin(), slotUsed_.end(), false);
    if (free == slotUsed_.end()) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(free - slotUsed_.begin());
}

Result<pid_t> Children::fork(Child::Duty duty) {
    const auto slot = freeSlot();
    if (!slot) {
        return plainError("[pool " + shared_->inputs->pool.name + "] no free scoreboard slot");
    }
    const config::PoolSettings& pool = shared_->inputs->pool;
    auto place = prepareWorkerPlace(pool.catchWorkersOutput, *slot);
    if (!place) {
        return tl::make_unexpected(place.error());
    }
    const Share share = drawShare(pool, random_);
    place->maxRequests = share.requests;
    place->standsBy = duty == Child::Duty::standsBy;
    pen_->prepareSlot(*slot);
    shared_->segment->order(*slot).standBy.store(place->standsBy ? 1 : 0,
                                                 std::memory_order_seq_cst);
    const std::uint64_t now = monotonicNs();
    auto pid = forkWorker(*shared_, *place);
    if (!pid) {
        return pid;
    }
    slotUsed_[*slot] = true;
    Child& child = children_.emplace_front();
    child.pid = *pid;
    child.slot = *slot;
    child.startedNs = now;
    child.duty = duty;
    child.replaceAtNs = share.lifetimeNs == 0 ? 0 : now + share.lifetimeNs;
    child.orders = std::move(place->managerOrders);
    child.out = std::move(place->outReader);
    child.err = std::move(place->errReader);
    child.ordersWatch = loop_->whenReadable(child.orders.fd(), [this, &child] { hear(child); });
    if (pool.catchWorkersOutput) {
        watchOutput(child);
    }
    return pid;
}

void Children::watchOutput(Child& child) {
    const ManagerInputs& inputs = *shared_->inputs;
    log::WorkerOutputOptions options;
    options.pool = inputs.pool.name;
    options.pid = child.pid;
    options.decorate = inputs.pool.decorateWorkersOutput;
    options.lineLimit = inputs.logLimit;
    options.buffer = inputs.logBuffering;
    child.output = std::make_unique<log::WorkerOutput>(*shared_->log, std::move(options));
    child.outWatch = loop_->whenReadable(
        child.out.get(), [this, &child] { readOutput(child, log::OutputStream::out); });
    child.errWatch = loop_->whenReadable(
        child.err.get(), [this, &child] { readOutput(child, log::OutputStream::err); });
}

void Children::readOutput(Child& child, log::OutputStream stream) {
    const bool isOut = stream == log::OutputStream::out;
    UniqueFd& fd = isOut ? child.out : child.err;
    const bool first = !child.output->heardAnything();
    char block[16384];
    // A bounded turn: a worker that floods must not keep the manager from its other work.
    for (int turn = 0; turn < 8; ++turn) {
        const ssize_t n = ::read(fd.get(), block, sizeof block);
        if (n > 0) {
            child.output->feed(stream, {block, static_cast<std::size_t>(n)}, monotonicNs());
            continue;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return;
        }
        if (n < 0) {
            shared_->log->error("unable to read what child " + std::to_string(child.pid) +
                                " said into " + (isOut ? "stdout" : "stderr") + ": " +
                                errnoText(errno) + " (" + std::to_string(errno) + ")");
        }
        child.output->closed(stream, first && child.output->heardAnything());
        (isOut ? child.outWatch : child.errWatch).cancel();
        fd.reset();
        return;
    }
}

// A bounded turn, as for its output.
void Children::hear(Child& child) {
    constexpr int kTurn = 64;
    ReceivedMessage message;
    for (int i = 0; i < kTurn; ++i) {
        const auto outcome = child.orders.receive(message);
        if (!outcome) {
            continue;  // one message that did not arrive whole: its connection is closed with it
        }
        if (*outcome == MessageChannel::Outcome::nothing) {
            return;
        }
        if (*outcome == MessageChannel::Outcome::closed) {
            child.ordersWatch.cancel();
            return;
        }
        if (auto parked = worker::parkedIn(message)) {
            heard_.parked(std::move(*parked));
        } else if (const auto refused = worker::refusedIn(message)) {
            heard_.refused(*refused);
        } else if (const auto retirement = worker::retirementIn(message)) {
            heard_.retires(child, *retirement);
        } else if (UniqueFd memory = memoryIn(message); memory && !child.memory) {
            child.memory = std::move(memory);
        }
    }
}

std::optional<Departure> Children::bury(pid_t pid, int status) {
    const auto found = std::find_if(children_.begin(), children_.end(),
                                    [pid](const Child& child) { return child.pid == pid; });
    if (found == children_.end()) {
        return std::nullopt;
    }
    Child& child = *found;
    hear(child);
    if (child.output) {
        if (child.out) {
            readOutput(child, log::OutputStream::out);
        }
        if (child.err) {
            readOutput(child, log::OutputStream::err);
        }
        child.output->finish();
    }
    Departure departure;
    departure.pid = pid;
    departure.status = status;
    departure.lifetimeNs = monotonicNs() - child.startedNs;
    departure.toldToLeave = child.toldToLeave;
    departure.duty = child.duty;
    departure.recycled = child.recycled;
    departure.successor = child.successor;
    const auto last = scoreboard::copyWorker(*shared_->segment, child.slot, monotonicNs());
    departure.served = last && last->facts.requests > 0;
    if (departure.served) {
        takeUnfitness(departure);
    }
    if (stageOf(child) == Stage::idle) {
        shared_->segment->header().hints.idle.fetch_sub(1, std::memory_order_relaxed);
    }
    pen_->retireSlot(child.slot);
    slotUsed_[child.slot] = false;
    children_.erase(found);
    return departure;
}

const Child* Children::find(pid_t pid) const {
    const auto found = std::find_if(children_.begin(), children_.end(),
                                    [pid](const Child& child) { return child.pid == pid; });
    return found == children_.end() ? nullptr : &*found;
}

Child* Children::find(pid_t pid) {
    return const_cast<Child*>(std::as_const(*this).find(pid));
}

int Children::count() const {
    return static_cast<int>(
        std::count_if(children_.begin(), children_.end(),
                      [](const Child& child) { return child.duty == Child::Duty::serves; }));
}

bool Children::promote(pid_t pid) {
    Child* child = find(pid);
    if (child == nullptr || child->duty != Child::Duty::standsBy) {
        return false;
    }
    child->duty = Child::Duty::serves;
    shared_->segment->order(child->slot).standBy.store(0, std::memory_order_seq_cst);
    ::kill(child->pid, worker::kLookSignal);
    return true;
}

bool Children::isReady(pid_t pid) const {
    return std::any_of(children_.begin(), children_.end(), [this, pid](const Child& child) {
        return child.pid == pid && child.duty == Child::Duty::standsBy &&
               stageOf(child) == Stage::offDuty;
    });
}

// Nobody needs it any more.
void Children::dismiss(pid_t successor) {
    Child* child = find(successor);
    if (child == nullptr || child->duty != Child::Duty::standsBy) {
        return;
    }
    child->toldToLeave = true;
    shared_->segment->order(child->slot)
        .leave.store(scoreboard::kLeaveIdle, std::memory_order_seq_cst);
    ::kill(child->pid, worker::kLeaveSignal);
}

void Children::askToLeave(Child& child) {
    child.toldOfSuccessor = true;
    shared_->segment->order(child.slot)
        .leave.store(scoreboard::kLeaveReplaced, std::memory_order_seq_cst);
    const Stage stage = stageOf(child);
    if (stage == Stage::idle) {
        ::kill(child.pid, worker::kLeaveSignal);
    } else if (stage == Stage::keepAlive) {
        ::kill(child.pid, worker::kLookSignal);
    }
}

Stage Children::stageOf(const Child& child) const {
    return scoreboard::readStage(*shared_->segment, child.slot);
}

PoolLoad Children::load() const {
    PoolLoad load;
    for (const Child& child : children_) {
        if (child.duty != Child::Duty::serves) {
            continue;
        }
        ++load.running;
        if (child.toldToLeave) {
            continue;
        }
        const Stage stage = stageOf(child);
        load.idle += stage == Stage::idle ? 1 : 0;
        load.starting += stage == Stage::starting ? 1 : 0;
    }
    return load;
}

void Children::signalAll(int signal) {
    for (const Child& child : children_) {
        logSignal(child, signal);
        ::kill(child.pid, signal);
    }
    logAlive();
}

void Children::logSignal(const Child& child, int signal) const {
    if (shared_->log->level() == LogLevel::debug) {
        shared_->log->debug(fmt::format("[pool {}] sending signal {} {} to child {}",
                                        shared_->inputs->pool.name, signal, signalName(signal),
                                        child.pid));
    }
}

void Children::logAlive() const {
    if (!children_.empty()) {
        shared_->log->debug(fmt::format("{} child(ren) still alive", children_.size()));
    }
}

void Children::signalIdle() {
    for (Child& child : children_) {
        const Stage stage = stageOf(child);
        if (stage == Stage::idle || stage == Stage::starting || stage == Stage::offDuty) {
            if (!std::exchange(child.toldToDrain, true)) {
                logSignal(child, worker::kLeaveSignal);
            }
            ::kill(child.pid, worker::kLeaveSignal);
        } else if (stage == Stage::keepAlive) {
            // It may be in a request by now: this one disturbs less, and shows the flag as well.
            ::kill(child.pid, worker::kLookSignal);
        } else if (stage != Stage::readingHeaders) {  // there it may be about to accept, too
            child.busyInDrain = true;
        }
    }
}

bool Children::acceptNoMore() const {
    return std::all_of(children_.begin(), children_.end(),
                       [](const Child& child) { return child.busyInDrain; });
}

void Children::forgetDrain() {
    for (Child& child : children_) {
        child.toldToDrain = false;
        child.busyInDrain = false;
    }
}

int Children::wakeFree(int count, std::uint64_t nowNs, bool more) {
    constexpr std::uint64_t kMomentNs = 4 * kNsPerMs;
    int told = 0;
    for (const Stage wanted : {Stage::idle, Stage::keepAlive}) {
        for (Child& child : children_) {
            if (told >= count) {
                return told;
            }
            const bool onItsWay = more && nowNs - child.wokenNs < kMomentNs;
            if (!onItsWay && stageOf(child) == wanted) {
                ::kill(child.pid, worker::kLookSignal);
                child.wokenNs = nowNs;
                ++told;
            }
        }
    }
    return told;
}

Children::Free Children::free() const {
    Free free;
    for (const Child& child : children_) {
        const Stage stage = stageOf(child);
        if (!child.toldToLeave) {
            free.idle += stage == Stage::idle ? 1 : 0;
            free.waiting += stage == Stage::keepAlive ? 1 : 0;
            free.starting += stage == Stage::starting ? 1 : 0;
        }
    }
    return free;
}

void Children::wakeIdle() {
    for (const Child& child : children_) {
        if (stageOf(child) == Stage::idle) {
            ::kill(child.pid, worker::kLookSignal);
        }
    }
}

void Children::insistOnLeaving(std::uint64_t nowNs) {
    constexpr std::uint64_t kPatienceNs = 5 * kNsPerSecond;
    for (Child& child : children_) {
        if (child.toldOfSuccessor && child.duty == Child::Duty::serves) {
            askToLeave(child);
        }
        if (child.toldToLeave && stageOf(child) == Stage::idle) {
            ::kill(child.pid, nowNs - child.toldToLeaveNs > kPatienceNs ? SIGKILL : SIGQUIT);
        }
    }
}

std::uint64_t Children::idleSinceNs(const Child& child, std::uint64_t nowNs) const {
    const auto worker = scoreboard::copyWorker(*shared_->segment, child.slot, nowNs);
    return std::max(child.startedNs,
                    worker ? worker->facts.acceptedNs + worker->facts.durationNs : 0);
}

bool Children::retireLongestIdle(std::uint64_t nowNs, std::optional<int> idleForSeconds) {
    Child* oldest = nullptr;
    std::uint64_t since = 0;
    for (Child& child : children_) {
        if (child.duty != Child::Duty::serves || child.toldToLeave ||
            stageOf(child) != Stage::idle) {
            continue;
        }
        const std::uint64_t idleSince = idleSinceNs(child, nowNs);
        if (oldest == nullptr || idleSince < since) {
            oldest = &child;
            since = idleSince;
        }
    }
    if (oldest == nullptr ||
        (idleForSeconds &&
         nowNs / kNsPerSecond <=
             since / kNsPerSecond + static_cast<std::uint64_t>(*idleForSeconds))) {
        return false;
    }
    oldest->toldToLeave = true;
    oldest->toldToLeaveNs = nowNs;
    dismiss(std::exchange(oldest->successor, 0));
    shared_->segment->order(oldest->slot)
        .leave.store(scoreboard::kLeaveIdle, std::memory_order_seq_cst);
    ::kill(oldest->pid, SIGQUIT);
    return true;
}

void Children::tickOutputs(std::uint64_t nowNs) {
    for (const Child& child : children_) {
        if (child.output) {
            child.output->tick(nowNs);
        }
    }
}

void Children::announceAccessLog(int fd) {
    auto& epoch = shared_->segment->header().commands.logEpoch;
    const std::uint32_t next = epoch.load(std::memory_order_relaxed) + 1;
    const worker::LogReopened message{next};
    for (Child& child : children_) {
        // A worker whose channel is full has not looked for a long time; it keeps the old file
        // until it takes one of the messages that wait there.
        [[maybe_unused]] const auto sent =
            child.orders.send(std::as_bytes(std::span(&message, 1)), {&fd, 1});
    }
    epoch.store(next, std::memory_order_release);
}

}  // namespace muster::manager
