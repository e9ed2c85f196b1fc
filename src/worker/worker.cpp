// The start and the end of a worker, in order.
#include "worker/worker.h"

#include <unistd.h>

#include <csignal>

#include "base/clock.h"
#include "base/process.h"
#include "base/signals.h"
#include "worker/accept_loop.h"
#include "worker/time_limit.h"
#include "worker/wait_set.h"
#include "worker/waiting_signals.h"

namespace muster::worker {
namespace {

WorkerExit cannotStart(const WorkerInputs& inputs, const Error& error) {
    inputs.log->error("[pool " + inputs.pool->name + "] " + error.text());
    inputs.log->error("[pool " + inputs.pool->name + "] child failed to initialize");
    return WorkerExit::cannotStart;
}

void leaveErrorLog(const WorkerInputs& inputs) {
    inputs.log->setTarget(STDERR_FILENO, false);
    inputs.log->setStyle(log::ErrorLog::Style::worker);
    ::close(inputs.errorLogFd);
}

}  // namespace

WorkerExit runWorker(const WorkerInputs& inputs) {
    setProcessTitle(inputs.standsBy ? inputs.title + " (standing by)" : inputs.title);
    scoreboard::SlotWriter slot(*inputs.segment, inputs.slot);
    slot.begin(::getpid(), monotonicNs(), wallNs());

    // Signals are still blocked: one that comes now is handled once all of this stands.
    if (!followParent(inputs.manager, SIGQUIT)) {
        return WorkerExit::done;
    }
    auto signals = WaitingSignals::install(inputs.listenFd);
    if (!signals) {
        return cannotStart(inputs, signals.error());
    }
    if (const auto installed = installTimeLimitHandlers(); !installed) {
        return cannotStart(inputs, installed.error());
    }
    auto waits = WaitSet::create(signals->listener(), signals->toldFd());
    if (!waits) {
        return cannotStart(inputs, waits.error());
    }
    // The engine remembers the handlers it finds: ours has to be there before.
    if (const auto started = inputs.runtime->startWorker(); !started) {
        return cannotStart(inputs, started.error());
    }
    leaveErrorLog(inputs);
    unblockAllSignals();

    const WorkerExit exit = AcceptLoop(inputs, *signals, *waits, slot).run();
    inputs.runtime->stopWorker();
    return exit;
}

}  // namespace muster::worker
