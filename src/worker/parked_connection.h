// A connection on its way between processes of one pool: from a worker that does not want to wait
// for it to its manager, from there to a free worker or to the next generation's manager.
//
// One message with one or two descriptors: the connection, and a sealed memfd with what was
// received of an incomplete head. Receivers trust nothing but its size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/message_channel.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "config/settings.h"

namespace muster::worker {

/// How long a peer may take for its first byte, as under php-fpm.
inline constexpr std::uint64_t kFirstByteNs = 5'000'000'000;
/// How long a peer may take for more; 0: as long as it likes.
struct WaitLimits {
    std::uint64_t headNs = 0;  ///< from a head's first byte to its last
    std::uint64_t idleNs = 0;  ///< from an answer to the next head's first byte

    /// A head has no longer than a whole request (request_terminate_timeout): one that nobody runs
    /// yet costs no worker its life.
    [[nodiscard]] static WaitLimits of(const config::PoolSettings& pool);
};

struct ParkedFacts {
    /// First byte of the head at hand, or else the accept or the last answer; monotonic.
    std::uint64_t sinceNs = 0;
    std::uint64_t sinceWallNs = 0;
    std::uint16_t requestId = 0;  ///< of the request before
    std::uint8_t lateData = 0;    ///< 1: its DATA may still follow
    std::uint8_t keptAlive = 0;   ///< 1: a request was answered on it
    std::uint8_t headBegun = 0;   ///< 1: bytes of a head were received, and counted as a request
    std::uint8_t forStatus = 0;   ///< 1: came in by pm.status_listen; between managers only
    std::uint8_t lingers = 0;     ///< 1: the last answer was given, and the peer still sends
    std::uint8_t inLine = 0;      ///< 1: waits in the manager's queue since sinceNs; from a worker
                                  ///< 2: its peer has hung up meanwhile
};

struct ParkedConnection {
    UniqueFd connection;
    UniqueFd head;  ///< none when not a byte of a head was received
    ParkedFacts facts;
};

inline constexpr std::uint8_t kWaitsInLine = 1;
inline constexpr std::uint8_t kHungUpInLine = 2;

/// The peer has closed the connection, and not only its own direction as far as that can be told:
/// over TCP both look the same. Nothing is read.
[[nodiscard]] bool hasHungUp(int connection);

/// A request was answered on it, and not a byte of the next is here: closing it may meet that one
/// on its way.
[[nodiscard]] bool isIdle(const ParkedFacts& facts);

/// When the peer has been waited for long enough; nothing: never.
[[nodiscard]] std::optional<std::uint64_t> deadlineNs(const ParkedFacts& facts,
                                                      const WaitLimits& limits);

/// Fails with EAGAIN when the channel is full; the descriptors stay the caller's. `head`: -1 for
/// none.
[[nodiscard]] Result<void> sendParked(MessageChannel& channel, int connection, int head,
                                      const ParkedFacts& facts);

/// Why sendParked() failed: there is no room just now.
[[nodiscard]] bool isFull(const Error& error);

/// Nothing when the message is none of these.
[[nodiscard]] std::optional<ParkedConnection> parkedIn(ReceivedMessage& message);

}  // namespace muster::worker
