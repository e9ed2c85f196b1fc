// Takes configured addresses apart and resolves them.
#include "base/listen_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

namespace muster {
namespace {

bool isDigits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The leading number, as atoi(3) sees it; what follows it getaddrinfo(3) judges.
Result<in_port_t> parsePort(const std::string& port) {
    const long number = std::strtol(port.c_str(), nullptr, 10);
    if (number < 1 || number > 65535) {
        return plainError("invalid port value '" + port + "'");
    }
    return static_cast<in_port_t>(number);
}

template <typename Address>
const Address& as(const sockaddr* address) {
    return *reinterpret_cast<const Address*>(address);
}

template <typename Address>
SocketAddress wrap(const Address& address) {
    return {reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(sizeof address)};
}

Result<std::vector<SocketAddress>> resolveName(const ListenAddress& address) {
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int failure = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &wanted, &list);
    if (failure != 0) {
        return plainError(std::string("getaddrinfo: ") + ::gai_strerror(failure));
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
    std::vector<SocketAddress> found;
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
        found.emplace_back(entry->ai_addr, entry->ai_addrlen);
    }
    return found;
}

std::vector<SocketAddress> anyAddress(in_port_t port) {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_addr = in6addr_any;
    six.sin6_port = htons(port);
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_addr.s_addr = htonl(INADDR_ANY);
    four.sin_port = htons(port);
    return {wrap(six), wrap(four)};
}

Result<std::vector<SocketAddress>> unixAddress(const std::string& path) {
    if (path.size() > kMaxUnixPath) {
        return plainError("cannot bind to UNIX socket '" + path +
                          "' as path is too long (found length: " + std::to_string(path.size()) +
                          ", maximal length: " + std::to_string(kMaxUnixPath) + ")");
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return std::vector{wrap(address)};
}

}  // namespace

ListenAddress parseListenAddress(const std::string& value) {
    ListenAddress address;
    const std::size_t colon = value.rfind(':');
    if (colon != std::string::npos) {
        address.kind = ListenAddress::Kind::tcp;
        address.host = value.substr(0, colon);
        address.port = value.substr(colon + 1);
        if (address.host.size() >= 2 && address.host.front() == '[' && address.host.back() == ']') {
            address.host = address.host.substr(1, address.host.size() - 2);
        }
    } else if (isDigits(value)) {
        address.kind = ListenAddress::Kind::port;
        address.port = value;
    } else {
        address.kind = ListenAddress::Kind::unixPath;
        address.path = value;
    }
    return address;
}

SocketAddress::SocketAddress(const sockaddr* address, socklen_t length)
    : length_(std::min(length, static_cast<socklen_t>(sizeof storage_))) {
    std::memcpy(&storage_, address, length_);
}

std::string SocketAddress::numericHost() const {
    char text[INET6_ADDRSTRLEN] = {};
    if (family() == AF_INET) {
        ::inet_ntop(AF_INET, &as<sockaddr_in>(data()).sin_addr, text, sizeof text);
    } else if (family() == AF_INET6) {
        ::inet_ntop(AF_INET6, &as<sockaddr_in6>(data()).sin6_addr, text, sizeof text);
    }
    return text;
}

std::string SocketAddress::path() const {
    constexpr std::size_t kStart = offsetof(sockaddr_un, sun_path);
    if (family() != AF_UNIX || length_ <= kStart) {
        return {};
    }
    const char* text = as<sockaddr_un>(data()).sun_path;
    const std::size_t room = length_ - kStart;
    if (text[0] == '\0') {
        return "@" + std::string(text + 1, room - 1);
    }
    return {text, ::strnlen(text, room)};
}

std::string SocketAddress::key() const {
    switch (family()) {
        case AF_INET:
            return numericHost() + ":" + std::to_string(ntohs(as<sockaddr_in>(data()).sin_port));
        case AF_INET6:
            return numericHost() + ":" + std::to_string(ntohs(as<sockaddr_in6>(data()).sin6_port));
        default:
            return path();
    }
}

Result<std::vector<SocketAddress>> resolveListenAddress(const ListenAddress& address) {
    if (address.kind == ListenAddress::Kind::unixPath) {
        return unixAddress(address.path);
    }
    const auto port = parsePort(address.port);
    if (!port) {
        return tl::make_unexpected(port.error());
    }
    if (address.kind == ListenAddress::Kind::port) {
        return anyAddress(*port);
    }
    return resolveName(address);
}

Result<SocketAddress> boundAddress(int fd) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) < 0) {
        return errnoError("getsockname");
    }
    return SocketAddress(reinterpret_cast<const sockaddr*>(&storage), length);
}

}  // namespace muster
