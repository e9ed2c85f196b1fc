// PoolManager's part that brings parked connections to workers, or to the next generation, and the
// connections of pm.status_listen to both their ends.
#include <iterator>

#include "base/clock.h"
#include "manager/pool_manager.h"
#include "manager/status_answer.h"

namespace muster::manager {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kHandOverCheck{5};  // between looks for workers while connections wait
constexpr milliseconds kPassOnCheck{5};    // between attempts when the heir's channel is full

}  // namespace

void PoolManager::heardParked(worker::ParkedConnection parked) {
    if (parked.facts.lingers != 0) {
        if (phase_ != Phase::terminating) {
            lingering_.keep(std::move(parked.connection));
        }
        return;
    }
    parked.facts.forStatus = 0;  // not for a worker to say
    parking_.park(std::move(parked));
    settleParked();
}

// Called when something became ready, and again until workers have taken everything: a worker that
// was told may have become busy before it looked. Busy ones see the flag when they are done.
void PoolManager::handOut() {
    const bool more = !parking_.queueIsEmpty();
    parking_.fillQueue();
    const auto waiting = static_cast<int>(parking_.readyCount());
    parts_.workers->segment->header().commands.handOvers.store(static_cast<std::uint32_t>(waiting),
                                                               std::memory_order_seq_cst);
    if (waiting == 0) {
        handOverWatch_.cancel();
        finishIfEmpty();
        return;
    }
    if (!handOverWatch_) {
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
                } else {
                    parking_.park(std::move(*parked));
                }
            }
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
            status_.closeIdle();
            handOut();
        }
    }
}

bool PoolManager::passesOn() const {
    return heir_.fd() >= 0 && drainMode_ == DrainMode::replaced;
}

void PoolManager::passOn() {
    if (!parking_.handOn(heir_) || !status_.handOn(heir_)) {
        heir_.close();
        passOnWatch_.cancel();
        settleParked();
        return;
    }
    if (parking_.empty() && !status_.hasMovable()) {
        passOnWatch_.cancel();
        finishIfEmpty();
    } else if (!passOnWatch_) {
        passOnWatch_ = parts_.loop->every(kPassOnCheck, [this] { passOn(); });
    }
}

// --- pm.status_listen -----------------------------------------------------------------------

StatusListener::Parts PoolManager::statusParts() {
    StatusListener::Parts parts;
    parts.loop = parts_.loop;
    parts.rules = parts_.workers->peerRules;
    parts.refusals = &refusals_;
    parts.answer = [this](const fastcgi::Params& params) {
        return statusAnswer(pool_, params, parts_.workers->runtime->pageSettings(), [this] {
            [[maybe_unused]] const PoolLoad load = observe();  // the queue as it is now
            scoreboard::PoolSnapshot snapshot = scoreboard::takeSnapshot(*parts_.workers->segment);
            pen_.noteActive(snapshot.active);
            return snapshot;
        });
    };
    parts.onRest = [this] { statusAtRest(); };
    return parts;
}

void PoolManager::statusAtRest() {
    if (phase_ == Phase::draining) {
        settleParked();
        finishIfEmpty();
    }
}

}  // namespace muster::manager
