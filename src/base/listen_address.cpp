// Opens listening sockets and keeps track of the files behind them.
#include "base/listen_address.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string_view>

namespace muster {
namespace {

bool isDigits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<void> checkPort(const std::string& port) {
    if (!isDigits(port) || port.size() > 5 || std::stoi(port) < 1 || std::stoi(port) > 65535) {
        return plainError("invalid port value '" + port + "'");
    }
    return {};
}

tl::unexpected<Error> bindError(const std::string& configured) {
    return errnoError("unable to bind listening socket for address '" + configured + "'");
}

Result<UniqueFd> newSocket(int family) {
    UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) {
        return errnoError("failed to create new listening socket: socket()");
    }
    const int on = 1;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) {
        return errnoError("failed to change socket attribute");
    }
    return fd;
}

Result<UniqueFd> startListening(UniqueFd fd, const std::string& configured, int backlog) {
    if (::listen(fd.get(), backlog) < 0) {
        return errnoError("failed to listen to address '" + configured + "'");
    }
    return fd;
}

Result<UniqueFd> bindTo(const sockaddr* address, socklen_t length, const std::string& configured,
                        int backlog) {
    auto fd = newSocket(address->sa_family);
    if (!fd) {
        return fd;
    }
    if (::bind(fd->get(), address, length) < 0) {
        return bindError(configured);
    }
    return startListening(std::move(*fd), configured, backlog);
}

Result<UniqueFd> openTcp(const ListenAddress& address, const std::string& configured, int backlog) {
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int failure = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &wanted, &list);
    if (failure != 0) {
        return plainError(std::string("getaddrinfo: ") + ::gai_strerror(failure));
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
    Result<UniqueFd> result = plainError("getaddrinfo: no address for '" + configured + "'");
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
        result = bindTo(entry->ai_addr, entry->ai_addrlen, configured, backlog);
        if (result) {
            break;
        }
    }
    return result;
}

Result<UniqueFd> openPort(const ListenAddress& address, const std::string& configured,
                          int backlog) {
    const auto port = htons(static_cast<std::uint16_t>(std::stoi(address.port)));
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_addr = in6addr_any;
    six.sin6_port = port;
    auto result = bindTo(reinterpret_cast<const sockaddr*>(&six), sizeof six, configured, backlog);
    if (result) {
        return result;
    }
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_addr.s_addr = htonl(INADDR_ANY);
    four.sin_port = port;
    return bindTo(reinterpret_cast<const sockaddr*>(&four), sizeof four, configured, backlog);
}

/// Makes room for a socket file: a stale socket goes, everything else stays and is an error.
Result<void> clearPath(const sockaddr_un& address, const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0) {
        return {};  // nothing there; bind(2) will name any other trouble
    }
    if (!S_ISSOCK(info.st_mode)) {
        return plainError("unable to bind listening socket for address '" + path +
                          "': a file that is not a socket is in the way, and it is not removed");
    }
    const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int outcome = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address),
                                  static_cast<socklen_t>(sizeof address));
    if (outcome == 0 || errno == EAGAIN) {  // EAGAIN: alive, its queue is full
        return plainError("Another FPM instance seems to already listen on " + path);
    }
    if (::unlink(path.c_str()) < 0) {
        return bindError(path);
    }
    return {};
}

Result<UniqueFd> openUnix(const std::string& path, const ListenOptions& options) {
    if (path.size() > kMaxUnixPath) {
        return plainError("cannot bind to UNIX socket '" + path +
                          "' as path is too long (found length: " + std::to_string(path.size()) +
                          ", maximal length: " + std::to_string(kMaxUnixPath) + ")");
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    if (auto cleared = clearPath(address, path); !cleared) {
        return tl::make_unexpected(cleared.error());
    }
    auto fd = newSocket(AF_UNIX);
    if (!fd) {
        return fd;
    }
    // The file is born with its final mode: never wider, not even for an instant.
    const mode_t previous = ::umask(0777 & ~options.mode);
    const int bound =
        ::bind(fd->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int bindErrno = errno;
    ::umask(previous);
    if (bound < 0) {
        errno = bindErrno;
        return bindError(path);
    }
    const uid_t owner = options.owner.value_or(static_cast<uid_t>(-1));
    const gid_t group = options.group.value_or(static_cast<gid_t>(-1));
    if ((options.owner || options.group) && ::chown(path.c_str(), owner, group) < 0) {
        auto error = errnoError("failed to chown() the socket '" + path + "'");
        ::unlink(path.c_str());
        return error;
    }
    return startListening(std::move(*fd), path, options.backlog);
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

Result<UniqueFd> openListener(const std::string& configured, const ListenOptions& options) {
    const ListenAddress address = parseListenAddress(configured);
    if (address.kind == ListenAddress::Kind::unixPath) {
        return openUnix(address.path, options);
    }
    if (auto port = checkPort(address.port); !port) {
        return tl::make_unexpected(port.error());
    }
    return address.kind == ListenAddress::Kind::tcp
               ? openTcp(address, configured, options.backlog)
               : openPort(address, configured, options.backlog);
}

std::optional<SocketFile> identifySocketFile(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0 || !S_ISSOCK(info.st_mode)) {
        return std::nullopt;
    }
    return SocketFile{path, info.st_dev, info.st_ino};
}

void removeSocketFile(const SocketFile& file) {
    const auto now = identifySocketFile(file.path);
    if (now && now->device == file.device && now->inode == file.inode) {
        ::unlink(file.path.c_str());
    }
}

}  // namespace muster
