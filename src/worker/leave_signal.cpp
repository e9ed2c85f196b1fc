// The handler of SIGQUIT and what it can reach.
#include "worker/leave_signal.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>

#include "base/signals.h"
#include "worker/worker.h"

namespace muster::worker {
namespace {

// All the handler knows; set before it is installed, never changed after.
struct HandlerFacts {
    int listenFd = -1;
    int deadFd = -1;
    int stopFd = -1;
    pid_t manager = 0;
    const scoreboard::Commands* commands = nullptr;
};
HandlerFacts handlerFacts;
volatile std::sig_atomic_t quitArrived = 0;

void leave(int /*signal*/) {
    const int savedErrno = errno;
    quitArrived = 1;
    ::dup3(handlerFacts.deadFd, handlerFacts.listenFd, O_CLOEXEC);
    const bool stopping =
        handlerFacts.commands->draining.load(std::memory_order_relaxed) == kDrainStopping;
    if (stopping || ::getppid() != handlerFacts.manager) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t ignored = ::write(handlerFacts.stopFd, &one, sizeof one);
    }
    errno = savedErrno;
}

}  // namespace

Result<LeaveSignal> LeaveSignal::install(int listenFd, const scoreboard::Commands& commands,
                                         pid_t manager) {
    LeaveSignal signal;
    signal.dead_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    signal.stop_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!signal.dead_ || !signal.stop_) {
        return errnoError("failed to init child signals: socket()");
    }
    quitArrived = 0;
    handlerFacts = {listenFd, signal.dead_.get(), signal.stop_.get(), manager, &commands};
    if (const auto installed = installHandler(SIGQUIT, leave); !installed) {
        return tl::make_unexpected(installed.error());
    }
    return signal;
}

bool LeaveSignal::arrived() const {
    return quitArrived != 0;
}

}  // namespace muster::worker
