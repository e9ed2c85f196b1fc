// The handlers of the time limit's signals and what they can reach.
#include "worker/time_limit.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "base/signals.h"

namespace muster::worker {
namespace {

// All the handlers know. `request` is stored last and cleared first: 0 means that nothing else
// holds. They run in this thread, so nothing more than the compiler has to keep the order.
struct HandlerFacts {
    fastcgi::ServerConnection* connection = nullptr;
    Runtime* runtime = nullptr;
    std::string_view page;
};
HandlerFacts facts;
std::atomic<std::uintptr_t> request{0};
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free);
volatile std::sig_atomic_t limited = 0;      // interrupts count
volatile std::sig_atomic_t up = 0;           // one has come
volatile std::sig_atomic_t interrupted = 0;  // … to this request at all

bool isMeant(const siginfo_t& info) {
    const std::uintptr_t meant = queuedValue(info);
    return meant != 0 && meant == request.load(std::memory_order_relaxed);
}

void onInterrupt(int /*signal*/, siginfo_t* info, void* /*context*/) {
    const int savedErrno = errno;
    if (limited != 0 && isMeant(*info)) {
        up = 1;
        interrupted = 1;
        facts.connection->interrupt();
        facts.runtime->interrupt();
    }
    errno = savedErrno;
}

void onLastWord(int /*signal*/, siginfo_t* info, void* /*context*/) {
    const int savedErrno = errno;
    if (isMeant(*info)) {
        facts.connection->lastWord(facts.page);
        ::kill(::getpid(), SIGTERM);
    }
    errno = savedErrno;
}

}  // namespace

int interruptSignal() {
    return SIGRTMIN + 4;
}

int lastWordSignal() {
    return SIGRTMIN + 5;
}

Result<void> installTimeLimitHandlers() {
    if (auto installed = installQueuedHandler(interruptSignal(), onInterrupt); !installed) {
        return installed;
    }
    return installQueuedHandler(lastWordSignal(), onLastWord);
}

void TimeLimit::begin(std::uint64_t acceptedNs, fastcgi::ServerConnection& connection,
                      Runtime& runtime, std::string_view page) {
    facts = {&connection, &runtime, page};
    limited = 1;
    up = 0;
    interrupted = 0;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    request.store(requestName(acceptedNs), std::memory_order_relaxed);
}

void TimeLimit::lift() {
    limited = 0;
    if (up != 0) {
        up = 0;
        facts.connection->withdrawInterrupt();
    }
}

void TimeLimit::end() {
    request.store(0, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    limited = 0;
    up = 0;
}

bool TimeLimit::isUp() const {
    return up != 0;
}

bool TimeLimit::wasInterrupted() const {
    return interrupted != 0;
}

}  // namespace muster::worker
