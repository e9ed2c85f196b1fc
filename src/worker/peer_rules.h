// Who may connect to a pool's sockets: listen.allowed_clients by address over TCP,
// listen.allowed_users by user over unix sockets.
//
// Made once, by the manager; workers inherit it. Asks the kernel, never blocks.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/allowed_clients.h"
#include "worker/peer_address.h"

namespace muster::worker {

/// Who was turned away: an address, or a process of a user.
struct Stranger {
    PeerAddress address{};
    std::uint32_t byUser = 0;  ///< 1: uid and pid are meant
    std::uint32_t uid = 0;
    std::int32_t pid = 0;  ///< that connected; 0: of another pid namespace
};

class PeerRules {
  public:
    void allowClients(AllowedClients clients) { clients_ = std::move(clients); }
    /// Nobody but these, root neither.
    void allowUsers(std::vector<uid_t> users);

    struct Verdict {
        bool admitted = true;
        std::optional<Stranger> stranger;  ///< whom to tell of, if that is known
    };
    /// `address`, `length`: what accept told about the peer.
    [[nodiscard]] Verdict judge(int connection, const sockaddr_storage& address,
                                socklen_t length) const;
    /// The same for a connection that somebody else accepted, perhaps by other rules.
    [[nodiscard]] Verdict judge(int connection) const;

  private:
    [[nodiscard]] Verdict judgeUser(int connection) const;

    std::optional<AllowedClients> clients_;
    std::optional<std::vector<uid_t>> users_;  ///< sorted
};

}  // namespace muster::worker
