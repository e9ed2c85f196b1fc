// Socket addresses to text.
#include "worker/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace muster::worker {
namespace {

std::string textOf(int family, const void* bytes) {
    char text[INET6_ADDRSTRLEN];
    return ::inet_ntop(family, bytes, text, sizeof text) == nullptr ? std::string() : text;
}

}  // namespace

std::string addressText(const sockaddr_storage& address, socklen_t length) {
    if (address.ss_family == AF_INET && length >= sizeof(sockaddr_in)) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        return textOf(AF_INET, &v4.sin_addr);
    }
    if (address.ss_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address, sizeof v6);
        constexpr std::size_t kMappedPrefix = 12;
        return IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)
                   ? textOf(AF_INET, v6.sin6_addr.s6_addr + kMappedPrefix)
                   : textOf(AF_INET6, &v6.sin6_addr);
    }
    return {};
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
