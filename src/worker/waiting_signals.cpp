// The handlers of SIGQUIT and SIGURG and what they can reach.
#include "worker/waiting_signals.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/io.h"
#include "base/signals.h"

namespace muster::worker {
namespace {

// All the handlers know; set before they are installed, never changed after.
struct HandlerFacts {
    int listenFd = -1;
    int deadFd = -1;
    int toldFd = -1;
};
HandlerFacts handlerFacts;
volatile std::sig_atomic_t leaveArrived = 0;
volatile std::sig_atomic_t lookArrived = 0;

void onSignal(int signal) {
    const int savedErrno = errno;
    (signal == kLeaveSignal ? leaveArrived : lookArrived) = 1;
    ::dup3(handlerFacts.deadFd, handlerFacts.listenFd, O_CLOEXEC);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t ignored = ::write(handlerFacts.toldFd, &one, sizeof one);
    errno = savedErrno;
}

}  // namespace

Result<WaitingSignals> WaitingSignals::install(int listenFd) {
    WaitingSignals signals;
    signals.dead_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    signals.told_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!signals.dead_ || !signals.told_) {
        return errnoError("failed to init child signals: socket()");
    }
    auto listener = duplicate(listenFd);
    if (!listener) {
        return tl::make_unexpected(listener.error());
    }
    signals.listener_ = std::move(*listener);
    leaveArrived = 0;
    lookArrived = 0;
    handlerFacts = {listenFd, signals.dead_.get(), signals.told_.get()};
    if (const auto installed = installHandler(kLeaveSignal, onSignal); !installed) {
        return tl::make_unexpected(installed.error());
    }
    // Restarted: a late one must not cut short what a script reads. The accept(2) that is
    // restarted finds the dead socket.
    if (const auto installed = installHandler(kLookSignal, onSignal, true); !installed) {
        return tl::make_unexpected(installed.error());
    }
    return signals;
}

bool WaitingSignals::toldToLeave() const {
    return leaveArrived != 0;
}

bool WaitingSignals::toldToLook() const {
    return lookArrived != 0;
}

bool WaitingSignals::takeLook() {
    if (lookArrived == 0) {
        return false;
    }
    lookArrived = 0;
    ::dup3(listener_.get(), handlerFacts.listenFd, O_CLOEXEC);
    // SIGQUIT may have come before this dup3 undid its work; one that comes later does it again.
    if (leaveArrived != 0) {
        ::dup3(dead_.get(), handlerFacts.listenFd, O_CLOEXEC);
    }
    return true;
}

void WaitingSignals::clearTold() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t ignored = ::read(told_.get(), &count, sizeof count);
}

}  // namespace muster::worker
