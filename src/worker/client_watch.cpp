// The watching thread and how the worker's own keeps in step with it.
#include "worker/client_watch.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/listen_socket.h"
#include "base/signals.h"
#include "fastcgi/record.h"

namespace muster::worker {
namespace {

constexpr std::size_t kStackSize = std::size_t{256} << 10;
/// A script that only computes, or prints, sees the runtime's flag within this time.
constexpr int kMomentMs = 20;
/// Between two signals: one that comes between two blocking calls ends neither.
constexpr int kAgainMs = 100;
constexpr std::uint64_t kStop = 0;  // of the events' data; requests count from 1

void onSignal(int /*signal*/) {}

bool bringsAbort(int connection, std::uint16_t requestId) {
    char bytes[fastcgi::kHeaderSize];
    if (::recv(connection, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT) !=
        static_cast<ssize_t>(sizeof bytes)) {
        return false;
    }
    const fastcgi::RecordHeader header =
        fastcgi::decodeHeader(std::as_bytes(std::span<const char, fastcgi::kHeaderSize>(bytes)));
    return header.version != 0 && header.type == fastcgi::RecordType::abortRequest &&
           header.requestId == requestId;
}

}  // namespace

int clientLeftSignal() {
    return SIGRTMIN + 6;
}

ClientWatch::ClientWatch(Runtime& runtime) : runtime_(&runtime), pid_(::getpid()) {}

Result<std::unique_ptr<ClientWatch>> ClientWatch::start(Runtime& runtime) {
    const std::string attempt = "failed to init request_abort_on_disconnect: ";
    std::unique_ptr<ClientWatch> watch(new ClientWatch(runtime));
    watch->epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    watch->stop_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kStop;
    if (!watch->epoll_ || !watch->stop_ ||
        ::epoll_ctl(watch->epoll_.get(), EPOLL_CTL_ADD, watch->stop_.get(), &event) < 0) {
        watch->pid_ = 0;
        return errnoError(attempt + "epoll");
    }
    if (auto installed = installHandler(clientLeftSignal(), onSignal); !installed) {
        watch->pid_ = 0;
        return tl::make_unexpected(installed.error());
    }
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, kStackSize);
    int failure = 0;
    {
        // The thread starts with this mask: every signal is for the script's thread.
        const SignalBlock block;
        failure = ::pthread_create(&watch->thread_, &attributes, threadMain, watch.get());
    }
    ::pthread_attr_destroy(&attributes);
    if (failure != 0) {
        watch->pid_ = 0;
        errno = failure;
        return errnoError(attempt + "pthread_create()");
    }
    return watch;
}

ClientWatch::~ClientWatch() {
    if (isOwner()) {
        end();
        ::eventfd_write(stop_.get(), 1);
        ::pthread_join(thread_, nullptr);
    }
}

bool ClientWatch::isOwner() const {
    return pid_ == ::getpid();
}

void ClientWatch::begin(int connection, std::uint16_t requestId, bool whole) {
    disturbed_.store(false, std::memory_order_relaxed);
    if (!isOwner()) {
        return;
    }
    connection_ = connection;
    requestId_ = requestId;
    current_.store(++lastSerial_, std::memory_order_seq_cst);
    if (!arm(lastSerial_, whole)) {
        current_.store(0, std::memory_order_relaxed);  // not watched: it runs to its end
    }
}

void ClientWatch::becameWhole() {
    const std::uint64_t serial = current_.load(std::memory_order_relaxed);
    if (serial != 0 && isOwner()) {
        [[maybe_unused]] const bool armed = arm(serial, true);
    }
}

// For one event: a connection that others wait for by now must not wake this process.
bool ClientWatch::arm(std::uint64_t serial, bool bytes) {
    epoll_event event{};
    event.events =
        EPOLLONESHOT | (isUnixSocket(connection_) ? 0U : EPOLLRDHUP) | (bytes ? EPOLLIN : 0U);
    event.data.u64 = serial;
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection_, &event) == 0 ||
           (errno == EEXIST && ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection_, &event) == 0);
}

// Waits for a look that has begun: a few system calls.
void ClientWatch::end() {
    if (current_.exchange(0, std::memory_order_seq_cst) == 0) {
        return;
    }
    while (looking_.load(std::memory_order_seq_cst) && isOwner()) {
        ::sched_yield();
    }
}

bool ClientWatch::left() const {
    const std::uint64_t serial = current_.load(std::memory_order_relaxed);
    return serial != 0 && left_.load(std::memory_order_relaxed) == serial;
}

void* ClientWatch::threadMain(void* self) {
    static_cast<ClientWatch*>(self)->run();
    return nullptr;
}

void ClientWatch::run() {
    std::uint64_t gone = 0;
    Step step = Step::none;
    for (;;) {
        epoll_event event{};
        const int patience = gone == 0 ? -1 : step == Step::told ? kMomentMs : kAgainMs;
        const int count = ::epoll_wait(epoll_.get(), &event, 1, patience);
        if (count > 0 && event.data.u64 == kStop) {
            return;
        }
        looking_.store(true, std::memory_order_seq_cst);
        if (count > 0 && hasLeft(event.data.u64, event.events)) {
            gone = event.data.u64;
            step = Step::none;
        }
        if (gone != 0) {
            step = act(gone, step);
            gone = step == Step::none ? 0 : gone;
        }
        looking_.store(false, std::memory_order_seq_cst);
    }
}

bool ClientWatch::hasLeft(std::uint64_t serial, std::uint32_t events) {
    if (current_.load(std::memory_order_seq_cst) != serial) {
        return false;
    }
    if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) {
        return true;
    }
    if (bringsAbort(connection_, requestId_)) {
        return true;
    }
    // Something else, for when this request is over.
    [[maybe_unused]] const bool armed = arm(serial, false);
    return false;
}

ClientWatch::Step ClientWatch::act(std::uint64_t serial, Step step) {
    if (current_.load(std::memory_order_seq_cst) != serial) {
        return Step::none;
    }
    left_.store(serial, std::memory_order_relaxed);
    runtime_->interrupt();  // before the call that the signal ends is over
    if (step != Step::none && !runtime_->ignoresAbort()) {
        disturbed_.store(true, std::memory_order_relaxed);
        [[maybe_unused]] const bool sent = queueSignal(pid_, clientLeftSignal(), serial);
    }
    return step == Step::none ? Step::told : Step::disturbed;
}

}  // namespace muster::worker
