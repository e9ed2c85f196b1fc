// PoolManager's part that brings parked connections to workers, or to the next generation, and the
// connections of pm.status_listen to both their ends.
#include <algorithm>
#include <iterator>

#include "base/clock.h"
#include "base/limits.h"
#include "manager/pool_manager.h"
#include "manager/status_answer.h"

namespace muster::manager {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kHandOverCheck{5};  // between looks for workers while connections wait
constexpr milliseconds kPassOnCheck{5};    // between attempts when the heir's channel is full

/// As many as descriptors allow, one for each and some for those that are answered.
WaitingLine::Limits lineLimits(const config::PoolSettings& pool) {
    WaitingLine::Limits limits;
    limits.waitNs = secondsToNs(pool.queueTimeout);
    const auto wanted = static_cast<std::size_t>(std::max(pool.queueLimit, 0));
    const std::size_t open = openFileLimits().soft;
    const std::size_t others = descriptorsFor(pool) - wanted;
    const std::size_t left = open > others ? open - others : 0;
    limits.places = wanted == 0 ? 0 : std::clamp<std::size_t>(left, 1, wanted);
    return limits;
}

}  // namespace

void PoolManager::heardParked(worker::ParkedConnection parked) {
    if (parked.facts.lingers != 0) {
        if (phase_ != Phase::terminating) {
            lingering_.keep(std::move(parked.connection));
        }
        return;
    }
    if (parked.facts.inLine == worker::kHungUpInLine) {
        overload_.countHungUp();
        return;
    }
    parked.facts.forStatus = 0;  // not for a worker to say
    parked.facts.inLine = 0;
    parking_.park(std::move(parked));
    settleParked();
}

// Called when something became ready, and again until workers have taken everything: a worker that
// was told may have become busy before it looked. Busy ones see the flag when they are done.
void PoolManager::handOut() {
    const bool more = !parking_.queueIsEmpty();
    if (overload_.isOn()) {
        overload_.settle();
        watchDoor();
    } else {
        parking_.fillQueue();
    }
    const auto waiting = static_cast<int>(waitingCount());
    parts_.workers->segment->header().commands.handOvers.store(static_cast<std::uint32_t>(waiting),
                                                               std::memory_order_seq_cst);
    if (waiting == 0) {
        handOverWatch_.cancel();
        finishIfEmpty();
        return;
    }
    if (!handOverWatch_ && !overload_.isOn()) {  // which has a pulse of its own
        handOverWatch_ = parts_.loop->every(kHandOverCheck, [this] { handOut(); });
    }
    const int told = children_.wakeFree(waiting, monotonicNs(), more);
    if (isServing() && told < waiting && pool_.pm != config::ProcessManager::fixed &&
        children_.count() < pool_.maxChildren) {
        look();
    } else if (children_.empty()) {
        finishIfEmpty();
    }
}

void PoolManager::adoptFrom(UniqueFd channel) {
    Predecessor& predecessor = predecessors_.emplace_back();
    predecessor.channel = MessageChannel(std::move(channel));
    const auto place = std::prev(predecessors_.end());
    place->watch = parts_.loop->whenReadable(place->channel.fd(), [this, place] {
        constexpr int kTurn = 64;
        ReceivedMessage message;
        bool joined = false;
        for (int i = 0; i < kTurn; ++i) {
            const auto outcome = place->channel.receive(message);
            if (outcome && *outcome == MessageChannel::Outcome::nothing) {
                break;
            }
            if (outcome && *outcome == MessageChannel::Outcome::closed) {
                place->watch.cancel();
                predecessors_.erase(place);
                break;
            }
            if (auto parked = outcome ? worker::parkedIn(message) : std::nullopt) {
                if (parked->facts.forStatus != 0) {
                    status_.adopt(std::move(*parked));
                } else if (parked->facts.inLine != 0 && overload_.isOn()) {
                    overload_.join(std::move(*parked));
                    joined = true;
                } else {
                    parked->facts.inLine = 0;
                    parking_.park(std::move(*parked));
                }
            }
        }
        if (joined) {
            handOut();
        }
        settleParked();
    });
}

// What is parked while this generation ends: to the next one, or, without one, only requests that
// have begun are waited for.
void PoolManager::settleParked() {
    if (phase_ == Phase::terminating) {
        parking_.clear();
    } else if (phase_ == Phase::draining) {
        if (passesOn()) {
            passOn();
        } else {
            parking_.closeIdle();
            status_.connections().closeIdle();
            handOut();
        }
    } else if (parking_.hasUnqueued()) {
        handOut();
    }
}

bool PoolManager::passesOn() const {
    return heir_.fd() >= 0 && drainMode_ != DrainMode::stop;
}

void PoolManager::passOn() {
    if (!overload_.handOn(heir_) || (overload_.depth() == 0 && !parking_.handOn(heir_)) ||
        !status_.connections().handOn(heir_)) {
        heir_.close();
        passOnWatch_.cancel();
        settleParked();
        return;
    }
    if (waitingCount() == 0 && parking_.empty() && !status_.connections().hasMovable()) {
        passOnWatch_.cancel();
        finishIfEmpty();
    } else if (!passOnWatch_) {
        passOnWatch_ = parts_.loop->every(kPassOnCheck, [this] { passOn(); });
    }
}

// --- pm.queue_limit -------------------------------------------------------------------------

Overload::Parts PoolManager::overloadParts() {
    Overload::Parts parts;
    parts.loop = parts_.loop;
    parts.workers = parts_.workers;
    parts.pen = &pen_;
    parts.parking = &parking_;
    parts.children = &children_;
    parts.refusals = &refusals_;
    parts.limits = lineLimits(pool_);
    parts.statusAnswer = [this](const fastcgi::Params& params) { return answerStatus(params); };
    parts.isServing = [this] { return isServing(); };
    parts.isEnding = [this] {
        return phase_ == Phase::terminating || (phase_ == Phase::draining && !passesOn());
    };
    parts.onChange = [this] { handOut(); };
    parts.onRest = [this] { answersAtRest(); };
    return parts;
}

std::size_t PoolManager::waitingCount() const {
    return overload_.isOn() ? overload_.depth() : parking_.readyCount();
}

bool PoolManager::needsDoor() {
    const Children::Free free = children_.free();
    return overload_.isLinedUp() || free.idle + free.starting == 0;
}

// The pool's socket is watched while a connection there may find nobody: no idle worker. Else the
// worker that becomes the last busy one wakes us (Commands::wakeAtIdle).
void PoolManager::watchDoor() {
    if (!overload_.isOn() || !isServing() || pool_.pm == config::ProcessManager::ondemand) {
        return;
    }
    if (!needsDoor() && listenWatch_) {
        listenWatch_.cancel();
        writeCommands();
    }
    // Again: the last idle one may have become busy before it was asked to say so.
    if (needsDoor() && !listenWatch_) {
        listenWatch_ = parts_.loop->whenReadable(
            parts_.workers->listenFd, [this] { onListenerReadable(); }, EventLoop::Trigger::edge);
        writeCommands();
    }
}

// --- pm.status_listen -----------------------------------------------------------------------

StatusListener::Parts PoolManager::statusParts() {
    StatusListener::Parts parts;
    parts.loop = parts_.loop;
    parts.rules = parts_.workers->peerRules;
    parts.refusals = &refusals_;
    parts.answer = [this](const fastcgi::Params& params, const StatusConnection::Asker&) {
        return answerStatus(params);
    };
    parts.onRest = [this] { answersAtRest(); };
    return parts;
}

std::string PoolManager::answerStatus(const fastcgi::Params& params) {
    return statusAnswer(pool_, params, parts_.workers->runtime->pageSettings(), [this] {
        [[maybe_unused]] const PoolLoad load = observe();  // the queue as it is now
        scoreboard::PoolSnapshot snapshot = scoreboard::takeSnapshot(*parts_.workers->segment);
        pen_.noteActive(snapshot.active);
        return snapshot;
    });
}

void PoolManager::answersAtRest() {
    if (phase_ == Phase::draining) {
        settleParked();
        finishIfEmpty();
    }
}

}  // namespace muster::manager
