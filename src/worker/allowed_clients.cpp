// Parses and searches the list of allowed clients.
#include "worker/allowed_clients.h"

#include <algorithm>

namespace muster::worker {

AllowedClients::AllowedClients(std::string_view configured) {
    for (std::size_t start = 0; start <= configured.size();) {
        const std::size_t end = std::min(configured.find(',', start), configured.size());
        const std::string item(configured.substr(start, end - start));
        if (const auto address = parsePeerAddress(item)) {
            addresses_.push_back(*address);
        } else {
            problems_.push_back("Wrong IP address '" + item + "' in listen.allowed_clients");
        }
        start = end + 1;
    }
    if (addresses_.empty()) {
        problems_.emplace_back("There are no allowed addresses");
    }
    std::sort(addresses_.begin(), addresses_.end());
}

bool AllowedClients::contains(const PeerAddress& address) const {
    return std::binary_search(addresses_.begin(), addresses_.end(), address);
}

bool AllowedClients::admits(const sockaddr_storage& address, socklen_t length) const {
    if (address.ss_family == AF_UNIX) {
        return true;
    }
    const auto peer = peerAddress(address, length);
    return peer && contains(*peer);
}

}  // namespace muster::worker
