// epoll(7) with EPOLLEXCLUSIVE.
#include "worker/wait_set.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <climits>

#include "base/clock.h"

namespace muster::worker {
namespace {

// The data of an event; connections count on from here.
constexpr std::uint64_t kListener = 0;
constexpr std::uint64_t kTold = 1;
constexpr std::uint64_t kFirstSerial = 2;

bool add(int epoll, int fd, std::uint32_t events, std::uint64_t data) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

int millisecondsUntil(std::uint64_t deadlineNs) {
    if (deadlineNs == WaitSet::kForever) {
        return -1;
    }
    const std::uint64_t now = monotonicNs();
    const std::uint64_t left = deadlineNs > now ? deadlineNs - now : 0;
    return static_cast<int>(std::min<std::uint64_t>((left + kNsPerMs - 1) / kNsPerMs, INT_MAX));
}

}  // namespace

Result<WaitSet> WaitSet::create(int listener, int toldFd) {
    WaitSet set;
    set.listener_ = listener;
    set.toldFd_ = toldFd;
    set.serial_ = kFirstSerial;
    if (auto built = set.rebuild(); !built) {
        return tl::make_unexpected(built.error());
    }
    return set;
}

Result<void> WaitSet::rebuild() {
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    listening_ = false;
    watched_ = -1;
    if (!epoll_ || !add(epoll_.get(), toldFd_, EPOLLIN, kTold)) {
        return errnoError("failed to init child events: epoll");
    }
    return {};
}

bool WaitSet::watchListener() {
    if (!listening_) {
        listening_ = add(epoll_.get(), listener_, EPOLLIN | EPOLLEXCLUSIVE, kListener);
    }
    return listening_;
}

bool WaitSet::watch(int connection) {
    const bool listens = watchListener();
    if (watched_ != connection && add(epoll_.get(), connection, EPOLLIN, serial_ + 1)) {
        ++serial_;
        watched_ = connection;
    }
    return listens && watched_ == connection;
}

WaitSet::Ready WaitSet::wait(int connection, std::uint64_t deadlineNs) {
    Ready ready;
    if (!watch(connection)) {
        // No memory for it: the listener is left to others for a moment.
        return waitAlone(connection, std::min(deadlineNs, monotonicNs() + 10 * kNsPerMs));
    }
    epoll_event events[4];
    const int count = ::epoll_wait(epoll_.get(), events, 4, millisecondsUntil(deadlineNs));
    collect(events, count, ready);
    return ready;
}

void WaitSet::collect(const epoll_event* events, int count, Ready& ready) {
    bool stale = false;
    for (int i = 0; i < count; ++i) {
        const std::uint64_t data = events[i].data.u64;
        ready.listener = ready.listener || data == kListener;
        ready.told = ready.told || data == kTold;
        ready.connection = ready.connection || data == serial_;
        stale = stale || (data >= kFirstSerial && data != serial_);
    }
    if (stale && !rebuild()) {
        // A connection we closed lives on in a process a script forked, and shows up here.
        ready.told = true;
    }
}

WaitSet::Ready WaitSet::waitForListener() {
    Ready ready;
    if (!watchListener()) {
        ready.listener = true;  // no memory for it: accept(2) waits as well
        return ready;
    }
    epoll_event events[4];
    const int count = ::epoll_wait(epoll_.get(), events, 4, -1);
    collect(events, count, ready);
    return ready;
}

WaitSet::Ready WaitSet::waitAlone(int connection, std::uint64_t deadlineNs) const {
    pollfd entries[] = {{connection, POLLIN, 0}, {toldFd_, POLLIN, 0}};
    Ready ready;
    if (::poll(entries, 2, millisecondsUntil(deadlineNs)) > 0) {
        ready.connection = entries[0].revents != 0;
        ready.told = entries[1].revents != 0;
    }
    return ready;
}

void WaitSet::forget(int connection) {
    if (watched_ == connection) {
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection, nullptr);
    }
    watched_ = -1;
}

}  // namespace muster::worker
