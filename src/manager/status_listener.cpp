// Accepts, watches and ends the connections of pm.status_listen.
#include "manager/status_listener.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <numeric>
#include <utility>

#include "base/clock.h"
#include "base/io.h"
#include "base/shared_memory.h"

namespace muster::manager {

using std::chrono::milliseconds;

namespace {

/// Of all answers that wait for their peers together.
constexpr std::size_t kMaxPending = std::size_t{32} << 20;
constexpr int kAcceptTurn = 16;
constexpr milliseconds kRetry{100};  // when the machine has no descriptor or memory to accept with
constexpr milliseconds kSweep{250};
/// More than any head that a connection reads.
constexpr std::size_t kMaxHead = std::size_t{1} << 20;

bool isFull(const Error& error) {
    return error.code.value() == EAGAIN || error.code.value() == EWOULDBLOCK;
}

}  // namespace

StatusListener::StatusListener(Parts parts)
    : parts_(std::move(parts)),
      boundedAnswer_([this](const fastcgi::Params& params) { return answer(params); }) {}

std::string StatusListener::answer(const fastcgi::Params& params) const {
    const std::size_t pending = std::accumulate(
        places_.begin(), places_.end(), std::size_t{0},
        [](std::size_t sum, const Place& place) { return sum + place.connection.pendingBytes(); });
    return pending > kMaxPending ? "Status: 503 Service Unavailable\r\n\r\n"
                                 : parts_.answer(params);
}

// --- Accepting ------------------------------------------------------------------------------

void StatusListener::listen(int fd) {
    listenFd_ = fd;
    listenWatch_ = parts_.loop->whenReadable(fd, [this] { acceptSome(); });
}

void StatusListener::stopListening() {
    listenWatch_.cancel();
    retryWatch_.cancel();
}

void StatusListener::acceptSome() {
    for (int i = 0; i < kAcceptTurn; ++i) {
        UniqueFd connection(::accept4(listenFd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (connection) {
            if (admits(connection.get())) {
                keep(StatusConnection(std::move(connection), boundedAnswer_, monotonicNs()));
            }
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            listenWatch_.cancel();
            retryWatch_ = parts_.loop->after(kRetry, [this] { listen(listenFd_); });
            return;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        }
        // Whatever else there is concerns one connection that is gone already.
    }
}

bool StatusListener::admits(int connection) {
    if (parts_.rules == nullptr) {
        return true;
    }
    const auto verdict = parts_.rules->judge(connection);
    if (verdict.stranger) {
        parts_.refusals->note({*verdict.stranger, 0}, monotonicNs());
    }
    return verdict.admitted;
}

// --- Connections ----------------------------------------------------------------------------

void StatusListener::keep(StatusConnection connection) {
    makeRoom();
    places_.emplace_back(std::move(connection));
    if (!sweepWatch_) {
        sweepWatch_ = parts_.loop->every(kSweep, [this] { sweep(); });
    }
    settle(std::prev(places_.end()), true);
}

// Strangers that say nothing first: closing a known connection may meet its next request.
void StatusListener::makeRoom() {
    if (places_.size() < kMaxConnections) {
        return;
    }
    const auto first = [this](auto&& matches) {
        return std::find_if(places_.begin(), places_.end(),
                            [&](const Place& place) { return matches(place.connection); });
    };
    auto victim = first([](const StatusConnection& c) { return !c.isKnown() && c.isMovable(); });
    if (victim == places_.end()) {
        victim = first([](const StatusConnection& c) { return c.isMovable(); });
    }
    remove(victim == places_.end() ? places_.begin() : victim);
}

void StatusListener::run(Places::iterator place, Step step) {
    place->turnWatch.cancel();
    settle(place, (place->connection.*step)(monotonicNs()));
    parts_.onRest();
}

// Watches what the connection waits for now, or ends it.
void StatusListener::settle(Places::iterator place, bool open) {
    if (!open) {
        remove(place);
        return;
    }
    EventLoop& loop = *parts_.loop;
    const int fd = place->connection.fd();
    if (!place->connection.wantsToRead()) {
        place->readWatch.cancel();
    } else if (!place->readWatch) {
        place->readWatch =
            loop.whenReadable(fd, [this, place] { run(place, &StatusConnection::receive); });
    }
    if (!place->connection.wantsToWrite()) {
        place->writeWatch.cancel();
    } else if (!place->writeWatch) {
        place->writeWatch =
            loop.whenWritable(fd, [this, place] { run(place, &StatusConnection::send); });
    }
    if (place->connection.wantsTurn()) {
        place->turnWatch =
            loop.after(milliseconds(0), [this, place] { run(place, &StatusConnection::proceed); });
    }
}

void StatusListener::remove(Places::iterator place) {
    // Before its number is closed, or the loop would still ask the kernel about it.
    place->readWatch.cancel();
    place->writeWatch.cancel();
    place->turnWatch.cancel();
    places_.erase(place);
    if (places_.empty()) {
        sweepWatch_.cancel();
    }
}

void StatusListener::sweep() {
    const std::uint64_t now = monotonicNs();
    for (auto place = places_.begin(); place != places_.end();) {
        const auto next = std::next(place);
        if (now >= place->connection.deadlineNs()) {
            remove(place);
        }
        place = next;
    }
    parts_.onRest();
}

// --- Generations ----------------------------------------------------------------------------

bool StatusListener::hasMovable() const {
    return std::any_of(places_.begin(), places_.end(),
                       [](const Place& place) { return place.connection.isMovable(); });
}

void StatusListener::adopt(worker::ParkedConnection parked) {
    if (!setNonBlocking(parked.connection.get(), true) || !admits(parked.connection.get())) {
        return;
    }
    const std::string head =
        parked.head ? readDescriptor(parked.head.get(), kMaxHead).value_or("") : std::string();
    StatusConnection connection(std::move(parked.connection), boundedAnswer_, monotonicNs());
    if (connection.resume(parked.facts, head)) {
        keep(std::move(connection));
    }
}

Result<void> StatusListener::handOn(MessageChannel& heir) {
    for (auto place = places_.begin(); place != places_.end();) {
        const auto next = std::next(place);
        if (const StatusConnection& connection = place->connection; connection.isMovable()) {
            const worker::ParkedFacts facts = connection.facts();
            UniqueFd head;
            if (facts.headBegun != 0) {
                auto sealed = createSealedContent("muster-head", connection.partialHead());
                if (!sealed) {
                    return {};  // no memory now; the sweep brings us back
                }
                head = std::move(*sealed);
            }
            if (auto sent = worker::sendParked(heir, connection.fd(), head.get(), facts); !sent) {
                return isFull(sent.error()) ? Result<void>() : sent;
            }
            remove(place);
        }
        place = next;
    }
    return {};
}

void StatusListener::closeIdle() {
    for (auto place = places_.begin(); place != places_.end();) {
        const auto next = std::next(place);
        if (place->connection.isIdle()) {
            remove(place);
        }
        place = next;
    }
}

void StatusListener::clear() {
    while (!places_.empty()) {
        remove(places_.begin());
    }
}

}  // namespace muster::manager
