// Master's part that ends the service: gracefully, fast, or now.
#include <unistd.h>

#include <csignal>

#include "master/master.h"
#include "master/orphans.h"
#include "master/pid_file.h"

namespace muster::master {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kForTheRest{15'000};  // behind a deadline: KILL, orphans, files
constexpr milliseconds kOverdueCheck{1000};
constexpr milliseconds kOverdueCheckWhenKilling{50};

}  // namespace

// Nobody but a container's runtime sends TERM to process 1, and what it means is "please end".
bool Master::termIsGraceful() const {
    const auto fallback = ::getpid() == 1 ? config::StopManner::graceful : config::StopManner::fast;
    return global_.terminate.value_or(fallback) == config::StopManner::graceful;
}

// A signal to a service that is stopping already means that it takes too long. Each step takes one:
// a graceful stop becomes a fast one, a fast one leaves nobody time.
void Master::stop(bool gracefully) {
    if (gracefully && state_ != State::finishing) {
        log_.notice("Finishing ...");
        finish();  // says why not when it is too late for that
    } else {
        log_.notice("Terminating ...");
        state_ >= State::terminating ? killAll() : terminate();
    }
}

void Master::finish() {
    if (!mayEnter(State::finishing, "finishing")) {
        return;
    }
    state_ = State::finishing;
    const milliseconds deadline = drainDeadline(global_);
    service_.stopping("Finishing", deadline + kForTheRest);
    abandonReloads();
    listeners_.removeFiles();
    pools_.drainAll(deadline,
                    [this](const std::string& address) { return listeners_.isOurs(address); });
    endIfDone();
}

void Master::terminate() {
    if (!mayEnter(State::terminating, "terminating")) {
        return;
    }
    state_ = State::terminating;
    service_.stopping("Terminating", terminateDeadline(global_) + kForTheRest);
    abandonReloads();
    pools_.terminateAll();
    killWatch_ = loop_.every(kOverdueCheck, [this] { pools_.killOverdue(); });
    endIfDone();
}

void Master::killAll() {
    if (state_ == State::killing) {
        return;
    }
    state_ = State::killing;
    log_.notice("Terminating is asked for once more: killing what is left");
    pools_.killAll();
    killWatch_ = loop_.every(kOverdueCheckWhenKilling, [this] { pools_.killOverdue(); });
    endIfDone();
}

// Whoever waits for the outcome of a reload gets one.
void Master::abandonReloads() {
    const auto refuse = [](const std::vector<ReloadOrder::Waiter>& waiting) {
        for (const auto& answer : waiting) {
            answer({.ok = false, .error = "the service is stopping"});
        }
    };
    log_.setListener({});
    check_.cancel();
    if (auto order = std::exchange(upgrading_, std::nullopt)) {
        refuse(order->waiting);
    }
    refuse(std::exchange(waiting_, {}));
    if (auto order = std::exchange(wanted_, std::nullopt)) {
        refuse(order->waiting);
    }
}

void Master::endIfDone() {
    if (state_ >= State::finishing && pools_.empty()) {
        loop_.stop();
    }
}

int Master::cleanUp() {
    endOrphanedWorkers(state_ == State::killing ? milliseconds(0) : kPatienceWithOrphans);
    if (exitStatus_ == kExitOk) {
        listeners_.keepOnly({});
        log_.notice("exiting, bye-bye!");
    } else {
        listeners_.abandon();
    }
    if (auto removed = removePidFile(global_.pid); !removed) {
        log_.error(removed.error().text());
    }
    return exitStatus_;
}

}  // namespace muster::master
