// Judges peers by what the kernel knows about them.
#include "worker/peer_rules.h"

#include <algorithm>

namespace muster::worker {

void PeerRules::allowUsers(std::vector<uid_t> users) {
    std::sort(users.begin(), users.end());
    users_ = std::move(users);
}

PeerRules::Verdict PeerRules::judge(int connection, const sockaddr_storage& address,
                                    socklen_t length) const {
    if (address.ss_family == AF_UNIX) {
        return users_ ? judgeUser(connection) : Verdict{};
    }
    if (!clients_ || clients_->admits(address, length)) {
        return {};
    }
    const auto peer = peerAddress(address, length);
    return {false, peer ? std::optional(Stranger{.address = *peer}) : std::nullopt};
}

PeerRules::Verdict PeerRules::judge(int connection) const {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getpeername(connection, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        return {false, std::nullopt};  // without a peer there is nobody to answer, either
    }
    return judge(connection, address, length);
}

PeerRules::Verdict PeerRules::judgeUser(int connection) const {
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
        return {false, std::nullopt};
    }
    if (std::binary_search(users_->begin(), users_->end(), peer.uid)) {
        return {};
    }
    return {false, Stranger{.byUser = 1, .uid = peer.uid, .pid = peer.pid}};
}

}  // namespace muster::worker
