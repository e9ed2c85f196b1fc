// Parked connections to messages and back.
#include "worker/parked_connection.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "base/clock.h"

namespace muster::worker {

static_assert(std::is_trivially_copyable_v<ParkedFacts> &&
              std::has_unique_object_representations_v<ParkedFacts>);

std::uint64_t wholeHeadNs(const config::PoolSettings& pool) {
    const auto limit = static_cast<std::uint64_t>(std::max(pool.requestTerminateTimeout, 0));
    return limit == 0 ? kWholeHeadNs : std::min(kWholeHeadNs, limit * kNsPerSecond);
}

std::optional<std::uint64_t> deadlineNs(const ParkedFacts& facts, std::uint64_t wholeHeadNs) {
    if (facts.headBegun != 0) {
        return facts.sinceNs + wholeHeadNs;
    }
    if (facts.keptAlive == 0) {
        return facts.sinceNs + kFirstByteNs;
    }
    return std::nullopt;
}

Result<void> sendParked(MessageChannel& channel, int connection, int head,
                        const ParkedFacts& facts) {
    const std::array<int, 2> descriptors{connection, head};
    return channel.send(std::as_bytes(std::span(&facts, 1)),
                        std::span(descriptors).first(head >= 0 ? 2 : 1));
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
