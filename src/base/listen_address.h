// Addresses a pool can listen on: their forms, what they resolve to, and what a socket is bound to.
//
// Address forms and rules: spec config §6.3, lifecycle §6.1. Master side; resolving may block for a
// name look-up.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace muster {

struct ListenAddress {
    enum class Kind { tcp, port, unixPath };
    Kind kind = Kind::unixPath;
    std::string host;  ///< tcp: without brackets
    std::string port;  ///< tcp, port: text after the last colon, unchecked
    std::string path;  ///< unixPath
};

/// Which kind a configured value is. Never fails: what is wrong with it shows when it is opened.
[[nodiscard]] ListenAddress parseListenAddress(const std::string& value);

/// Longest unix path that bind(2) takes, without the terminating NUL.
inline constexpr std::size_t kMaxUnixPath = 107;

/// One numeric address or path, as the kernel takes it. At most sizeof(sockaddr_storage) bytes.
class SocketAddress {
  public:
    SocketAddress(const sockaddr* address, socklen_t length);

    [[nodiscard]] const sockaddr* data() const {
        return reinterpret_cast<const sockaddr*>(&storage_);
    }
    [[nodiscard]] socklen_t length() const { return length_; }
    [[nodiscard]] int family() const { return storage_.ss_family; }
    /// "127.0.0.1", "::1"; empty for a unix path.
    [[nodiscard]] std::string numericHost() const;
    /// The path, or empty. An abstract name begins with '@', as ss(8) shows it.
    [[nodiscard]] std::string path() const;
    /// "127.0.0.1:9000", "::1:9000", "/run/x.sock": how FPM_SOCKETS names it (spec lifecycle §6.3).
    [[nodiscard]] std::string key() const;

  private:
    sockaddr_storage storage_{};
    socklen_t length_ = 0;
};

/// Everything the configured value stands for, in the order to try: the addresses of a name; for a
/// port alone :: and 0.0.0.0. Never empty.
[[nodiscard]] Result<std::vector<SocketAddress>> resolveListenAddress(const ListenAddress& address);

/// What the socket is bound to.
[[nodiscard]] Result<SocketAddress> boundAddress(int fd);

/// Connections waiting in accept's queue and its limit.
struct ListenQueue {
    std::uint32_t pending = 0;
    std::uint32_t limit = 0;
};
/// TCP: TCP_INFO; unix: NETLINK_SOCK_DIAG by inode. Never blocks. Empty when the kernel cannot say.
[[nodiscard]] std::optional<ListenQueue> listenQueue(int fd);

}  // namespace muster
