// Signal handlers, masks and names.
#include "base/signals.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cstdint>

namespace muster {
namespace {

// All a handler can reach.
int signalWriter = -1;
std::atomic<std::uint64_t> withoutRoom{0};  ///< bits of signals the full socket did not take
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

void writeSignalNumber(int signal) {
    const int savedErrno = errno;
    const char byte = static_cast<char>(signal);
    if (::write(signalWriter, &byte, 1) != 1) {
        // So many wait that the reader comes anyway; another kind must not be lost among them.
        withoutRoom.fetch_or(std::uint64_t{1} << signal);
    }
    errno = savedErrno;
}

sigset_t setOf(std::initializer_list<int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals) {
        sigaddset(&set, signal);
    }
    return set;
}

int nextWithoutRoom() {
    const std::uint64_t waiting = withoutRoom.load();
    if (waiting == 0) {
        return 0;
    }
    const int signal = std::countr_zero(waiting);
    withoutRoom.fetch_and(~(std::uint64_t{1} << signal));
    return signal;
}

}  // namespace

Result<SignalPipe> SignalPipe::install(std::initializer_list<int> signals) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
        return errnoError("failed to init signals: socketpair()");
    }
    SignalPipe pipe;
    pipe.reader_.reset(ends[0]);
    signalWriter = ends[1];  // lives as long as the process
    struct sigaction action {};
    action.sa_handler = writeSignalNumber;
    sigfillset(&action.sa_mask);
    for (const int signal : signals) {
        if (::sigaction(signal, &action, nullptr) < 0) {
            return errnoError("failed to init signals: sigaction()");
        }
    }
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, nullptr);
    return pipe;
}

int SignalPipe::next() const {
    char byte = 0;
    for (;;) {
        const ssize_t n = ::read(reader_.get(), &byte, 1);
        if (n == 1) {
            return byte;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        return nextWithoutRoom();
    }
}

SignalBlock::SignalBlock() {
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &previous_);
}

SignalBlock::~SignalBlock() {
    ::sigprocmask(SIG_SETMASK, &previous_, nullptr);
}

void resetSignals() {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    for (const int signal :
         {SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGHUP, SIGCHLD, SIGALRM}) {
        ::sigaction(signal, &action, nullptr);
    }
    action.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &action, nullptr);
}

void unblockAllSignals() {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void blockSignals(std::initializer_list<int> signals) {
    const sigset_t set = setOf(signals);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

void unblockSignals(std::initializer_list<int> signals) {
    const sigset_t set = setOf(signals);
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

FaultWatch::FaultWatch(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigset_t set;
    sigemptyset(&set);
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        sigaddset(&set, kSignals[i]);
        ::sigaction(kSignals[i], &action, &previous_[i]);
    }
    ::sigprocmask(SIG_UNBLOCK, &set, &previousMask_);
}

FaultWatch::~FaultWatch() {
    ::sigprocmask(SIG_SETMASK, &previousMask_, nullptr);
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        ::sigaction(kSignals[i], &previous_[i], nullptr);
    }
}

Result<void> installHandler(int signal, void (*handler)(int), bool restart) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = restart ? SA_RESTART : 0;
    sigemptyset(&action.sa_mask);
    if (::sigaction(signal, &action, nullptr) < 0) {
        return errnoError("failed to init child signals: sigaction()");
    }
    return {};
}

Result<void> installQueuedHandler(int signal, void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    if (::sigaction(signal, &action, nullptr) < 0) {
        return errnoError("failed to init child signals: sigaction()");
    }
    return {};
}

bool queueSignal(pid_t pid, int signal, std::uintptr_t value) {
    sigval with{};
    with.sival_ptr = reinterpret_cast<void*>(value);
    return ::sigqueue(pid, signal, with) == 0;
}

std::uintptr_t queuedValue(const siginfo_t& info) {
    return info.si_code == SI_QUEUE ? reinterpret_cast<std::uintptr_t>(info.si_value.sival_ptr) : 0;
}

const char* signalName(int signal) {
    struct Name {
        int number;
        const char* name;
    };
    static constexpr Name kNames[] = {
        {SIGHUP, "SIGHUP"},       {SIGINT, "SIGINT"},   {SIGQUIT, "SIGQUIT"},
        {SIGILL, "SIGILL"},       {SIGTRAP, "SIGTRAP"}, {SIGABRT, "SIGABRT"},
        {SIGBUS, "SIGBUS"},       {SIGFPE, "SIGFPE"},   {SIGKILL, "SIGKILL"},
        {SIGUSR1, "SIGUSR1"},     {SIGSEGV, "SIGSEGV"}, {SIGUSR2, "SIGUSR2"},
        {SIGPIPE, "SIGPIPE"},     {SIGALRM, "SIGALRM"}, {SIGTERM, "SIGTERM"},
        {SIGCHLD, "SIGCHLD"},     {SIGCONT, "SIGCONT"}, {SIGSTOP, "SIGSTOP"},
        {SIGTSTP, "SIGTSTP"},     {SIGTTIN, "SIGTTIN"}, {SIGTTOU, "SIGTTOU"},
        {SIGURG, "SIGURG"},       {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"},
        {SIGVTALRM, "SIGVTALRM"}, {SIGPROF, "SIGPROF"}, {SIGWINCH, "SIGWINCH"},
        {SIGIO, "SIGIO"},         {SIGPWR, "SIGPWR"},   {SIGSYS, "SIGSYS"},
    };
    for (const Name& entry : kNames) {
        if (entry.number == signal) {
            return entry.name;
        }
    }
    return "";
}

}  // namespace muster
