// Signals: the only file that installs handlers or changes masks.
//
// SignalPipe is the internal socketpair of a process with an event loop: the handler only writes
// the signal number into it; the loop reads it. One per process. After a fork the child calls
// resetSignals() before it unblocks anything, so that it never writes into its parent's pipe.
#pragma once

#include <sys/types.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <initializer_list>

#include "base/result.h"
#include "base/unique_fd.h"

namespace muster {

class SignalPipe {
  public:
    /// Installs the handler for `signals` (SA_RESTART not set); SIGPIPE becomes ignored.
    [[nodiscard]] static Result<SignalPipe> install(std::initializer_list<int> signals);

    /// Readable when a signal has arrived.
    [[nodiscard]] int fd() const { return reader_.get(); }
    /// The next signal number, or 0 when none is waiting. Never blocks. In the order they came,
    /// but for those a storm left no room for: these come last, and once each.
    [[nodiscard]] int next() const;

  private:
    UniqueFd reader_;
};

/// Blocks every signal for its lifetime (around fork).
class SignalBlock {
  public:
    SignalBlock();
    SignalBlock(const SignalBlock&) = delete;
    SignalBlock& operator=(const SignalBlock&) = delete;
    ~SignalBlock();

  private:
    sigset_t previous_;
};

/// Child side: default action for every signal muster handles; SIGPIPE stays ignored. Leaves the
/// mask alone. Async-signal-safe.
void resetSignals();

/// Unblocks every signal. Async-signal-safe.
void unblockAllSignals();

/// Blocks the given signals (at start-up, until the handlers stand: spec lifecycle §2).
void blockSignals(std::initializer_list<int> signals);
void unblockSignals(std::initializer_list<int> signals);

/// Signals that a fault of our own raises, and SIGALRM, are unblocked and handled by `handler` as
/// long as this lives; then handlers and mask are as before.
class FaultWatch {
  public:
    explicit FaultWatch(void (*handler)(int));
    FaultWatch(const FaultWatch&) = delete;
    FaultWatch& operator=(const FaultWatch&) = delete;
    ~FaultWatch();

  private:
    static constexpr std::array kSignals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM};
    std::array<struct sigaction, kSignals.size()> previous_{};
    sigset_t previousMask_{};
};

/// Installs a plain handler: worker side. Without `restart` (SA_RESTART) blocked calls return.
Result<void> installHandler(int signal, void (*handler)(int), bool restart = false);

/// Installs a handler that is told what came with the signal (queueSignal). Blocked calls return.
Result<void> installQueuedHandler(int signal, void (*handler)(int, siginfo_t*, void*));

/// Sends a real-time signal with a value. False when the process is gone or may have no more
/// queued signals.
[[nodiscard]] bool queueSignal(pid_t pid, int signal, std::uintptr_t value);

/// Only the value of a signal that came through queueSignal(); 0 for any other. Async-signal-safe.
[[nodiscard]] std::uintptr_t queuedValue(const siginfo_t& info);

/// "SIGTERM"; empty for numbers without a name in php-fpm's list (spec lifecycle §5.2).
[[nodiscard]] const char* signalName(int signal);

}  // namespace muster
