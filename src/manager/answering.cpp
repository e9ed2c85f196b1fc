// Watches, ends and passes on the connections that the manager answers.
#include "manager/answering.h"

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
constexpr milliseconds kSweep{250};
/// More than any head that a connection reads.
constexpr std::size_t kMaxHead = std::size_t{32} << 20;

}  // namespace

Answering::Answering(Parts parts)
    : parts_(std::move(parts)),
      boundedAnswer_([this](const fastcgi::Params& params, const StatusConnection::Asker& asker) {
          return answer(params, asker);
      }) {}

std::string Answering::answer(const fastcgi::Params& params,
                              const StatusConnection::Asker& asker) const {
    const std::size_t pending = std::accumulate(
        places_.begin(), places_.end(), std::size_t{0},
        [](std::size_t sum, const Place& place) { return sum + place.connection.pendingBytes(); });
    return pending > kMaxPending ? "Status: 503 Service Unavailable\r\n\r\n"
                                 : parts_.answer(params, asker);
}

// --- Connections ----------------------------------------------------------------------------

void Answering::take(UniqueFd connection) {
    settle(
        keep(StatusConnection(std::move(connection), boundedAnswer_, monotonicNs(), parts_.bounds)),
        true);
}

Answering::Places::iterator Answering::keep(StatusConnection connection) {
    makeRoom();
    places_.emplace_back(std::move(connection));
    if (!sweepWatch_) {
        sweepWatch_ = parts_.loop->every(kSweep, [this] { sweep(); });
    }
    return std::prev(places_.end());
}

// Strangers that say nothing first: closing a known connection may meet its next request.
void Answering::makeRoom() {
    if (places_.size() < parts_.maxConnections) {
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

void Answering::run(Places::iterator place, Step step) {
    place->turnWatch.cancel();
    settle(place, (place->connection.*step)(monotonicNs()));
    parts_.onRest();
}

// Watches what the connection waits for now, or ends it.
void Answering::settle(Places::iterator place, bool open) {
    if (!open) {
        remove(place);
        return;
    }
    if (const StatusConnection& connection = place->connection;
        parts_.giveBack && connection.isKnown() && connection.isIdle()) {
        worker::ParkedConnection parked;
        parked.facts = connection.facts();
        parked.facts.forStatus = 0;
        place->readWatch.cancel();
        parked.connection = place->connection.release();
        remove(place);
        parts_.giveBack(std::move(parked));
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

void Answering::remove(Places::iterator place) {
    // Before its number is closed, or the loop would still ask the kernel about it.
    place->readWatch.cancel();
    place->writeWatch.cancel();
    place->turnWatch.cancel();
    places_.erase(place);
    if (places_.empty()) {
        sweepWatch_.cancel();
    }
}

void Answering::sweep() {
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

bool Answering::hasMovable() const {
    return std::any_of(places_.begin(), places_.end(),
                       [](const Place& place) { return place.connection.isMovable(); });
}

void Answering::adopt(worker::ParkedConnection parked, unsigned reason) {
    const std::string head =
        parked.head ? readDescriptor(parked.head.get(), kMaxHead).value_or("") : std::string();
    StatusConnection connection(std::move(parked.connection), boundedAnswer_, monotonicNs(),
                                parts_.bounds);
    connection.setReason(reason);
    if (connection.resume(parked.facts, head)) {
        const auto place = keep(std::move(connection));
        settle(place, place->connection.receive(monotonicNs()));
    }
}

Result<void> Answering::handOn(MessageChannel& heir) {
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
                return worker::isFull(sent.error()) ? Result<void>() : sent;
            }
            remove(place);
        }
        place = next;
    }
    return {};
}

void Answering::closeIdle() {
    for (auto place = places_.begin(); place != places_.end();) {
        const auto next = std::next(place);
        if (place->connection.isIdle()) {
            remove(place);
        }
        place = next;
    }
}

void Answering::clear() {
    while (!places_.empty()) {
        remove(places_.begin());
    }
}

}  // namespace muster::manager
