// Parked connections to messages and back.
#include "worker/parked_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <type_traits>

#include "base/clock.h"
#include "base/listen_socket.h"

namespace muster::worker {

static_assert(std::is_trivially_copyable_v<ParkedFacts> &&
              std::has_unique_object_representations_v<ParkedFacts>);

WaitLimits WaitLimits::of(const config::PoolSettings& pool) {
    WaitLimits limits{.headNs = secondsToNs(pool.requestHeaderTimeout),
                      .idleNs = secondsToNs(pool.listenKeepaliveTimeout)};
    const std::uint64_t whole = secondsToNs(pool.requestTerminateTimeout);
    if (whole != 0 && (limits.headNs == 0 || limits.headNs > whole)) {
        limits.headNs = whole;
    }
    return limits;
}

bool hasHungUp(int connection) {
    pollfd entry{connection, POLLRDHUP, 0};
    if (::poll(&entry, 1, 0) <= 0) {
        return false;
    }
    if ((entry.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
        return true;
    }
    return !isUnixSocket(connection);
}

bool isIdle(const ParkedFacts& facts) {
    return facts.keptAlive != 0 && facts.headBegun == 0;
}

std::optional<std::uint64_t> deadlineNs(const ParkedFacts& facts, const WaitLimits& limits) {
    const std::uint64_t limit = facts.headBegun != 0 ? limits.headNs
                                : isIdle(facts)      ? limits.idleNs
                                                     : kFirstByteNs;
    return limit == 0 ? std::nullopt : std::optional(facts.sinceNs + limit);
}

Result<void> sendParked(MessageChannel& channel, int connection, int head,
                        const ParkedFacts& facts) {
    const std::array<int, 2> descriptors{connection, head};
    return channel.send(std::as_bytes(std::span(&facts, 1)),
                        std::span(descriptors).first(head >= 0 ? 2 : 1));
}

bool isFull(const Error& error) {
    // ETOOMANYREFS: so many descriptors are on their way already.
    return error.code.value() == EAGAIN || error.code.value() == ETOOMANYREFS ||
           error.code.value() == ENOBUFS || error.code.value() == ENOMEM;
}

std::optional<ParkedConnection> parkedIn(ReceivedMessage& message) {
    if (message.bytes.size() != sizeof(ParkedFacts) || message.descriptors.empty() ||
        message.descriptors.size() > 2) {
        return std::nullopt;
    }
    ParkedConnection parked;
    std::memcpy(&parked.facts, message.bytes.data(), sizeof parked.facts);
    parked.connection = std::move(message.descriptors[0]);
    if (message.descriptors.size() == 2) {
        parked.head = std::move(message.descriptors[1]);
    }
    if (static_cast<bool>(parked.head) != (parked.facts.headBegun != 0)) {
        return std::nullopt;
    }
    // Nobody waits longer by a clock of his own.
    parked.facts.sinceNs = std::min(parked.facts.sinceNs, monotonicNs());
    return parked;
}

}  // namespace muster::worker
