// Socket addresses to comparable bytes and to text.
#include "worker/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace muster::worker {
namespace {

constexpr std::size_t kMappedPrefixSize = 12;
constexpr std::array<unsigned char, kMappedPrefixSize> kMappedPrefix = {0, 0, 0, 0, 0,    0,
                                                                        0, 0, 0, 0, 0xFF, 0xFF};

PeerAddress mapped(const in_addr& v4) {
    PeerAddress address{};
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
    std::memcpy(address.data() + kMappedPrefixSize, &v4, sizeof v4);
    return address;
}

PeerAddress plain(const in6_addr& v6) {
    PeerAddress address{};
    std::memcpy(address.data(), &v6, sizeof v6);
    return address;
}

}  // namespace

std::optional<PeerAddress> peerAddress(const sockaddr_storage& address, socklen_t length) {
    if (address.ss_family == AF_INET && length >= sizeof(sockaddr_in)) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        return mapped(v4.sin_addr);
    }
    if (address.ss_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address, sizeof v6);
        return plain(v6.sin6_addr);
    }
    return std::nullopt;
}

std::optional<PeerAddress> parsePeerAddress(const std::string& text) {
    in_addr v4{};
    if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) {
        return mapped(v4);
    }
    in6_addr v6{};
    if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1) {
        return plain(v6);
    }
    return std::nullopt;
}

std::string textOf(const PeerAddress& address) {
    char text[INET6_ADDRSTRLEN];
    const bool v4 = std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
    const char* done =
        v4 ? ::inet_ntop(AF_INET, address.data() + kMappedPrefixSize, text, sizeof text)
           : ::inet_ntop(AF_INET6, address.data(), text, sizeof text);
    return done == nullptr ? std::string() : text;
}

std::string addressText(const sockaddr_storage& address, socklen_t length) {
    const auto peer = peerAddress(address, length);
    return peer ? textOf(*peer) : std::string();
}

std::string peerText(int connection) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getpeername(connection, reinterpret_cast<sockaddr*>(&address), &length) < 0) {
        return {};
    }
    return addressText(address, length);
}

}  // namespace muster::worker
