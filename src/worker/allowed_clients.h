// listen.allowed_clients: which addresses may connect to a pool (spec lifecycle §6.4).
//
// Parsed once, by the manager; workers inherit it. Compares whole addresses; IPv4 and IPv4-mapped
// IPv6 are the same host. Pure, but for the variant that asks the kernel for the peer.
#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

#include "worker/peer_address.h"

namespace muster::worker {

class AllowedClients {
  public:
    /// `configured`: literal addresses, separated by commas. What is none of these allows nobody.
    explicit AllowedClients(std::string_view configured);

    /// What an operator has to know about the list, in php-fpm's words; empty when all is well.
    [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

    [[nodiscard]] bool contains(const PeerAddress& address) const;
    /// Unix sockets have no addresses to be judged by: everybody who may connect is allowed.
    [[nodiscard]] bool admits(const sockaddr_storage& address, socklen_t length) const;

  private:
    std::vector<PeerAddress> addresses_;  ///< sorted
    std::vector<std::string> problems_;
};

}  // namespace muster::worker
