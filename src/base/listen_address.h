// Addresses a pool can listen on, and the sockets behind them.
//
// Address forms and rules: spec config §6.3, lifecycle §6.1. Master side; openListener may block
// for a name look-up. The socket is blocking and CLOEXEC, born with its final mode and owner.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

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

struct ListenOptions {
    int backlog = -1;  ///< as for listen(2); negative: the kernel's maximum
    mode_t mode = 0660;
    std::optional<uid_t> owner;
    std::optional<gid_t> group;
};

/// Binds and listens. Unix paths: a live listener is refused ("Another FPM instance seems to
/// already listen on %s"), a stale socket file is replaced, anything that is not a socket is left
/// alone and refused.
[[nodiscard]] Result<UniqueFd> openListener(const std::string& configured,
                                            const ListenOptions& options);

/// True when `path` still is the socket that `fd` is bound to (same inode of the file system).
struct SocketFile {
    std::string path;
    dev_t device = 0;
    ino_t inode = 0;
};
/// Identity of the file behind a fresh unix listener, to remove later only what is still ours.
[[nodiscard]] std::optional<SocketFile> identifySocketFile(const std::string& path);
void removeSocketFile(const SocketFile& file);

/// Connections waiting in accept's queue and its limit.
struct ListenQueue {
    std::uint32_t pending = 0;
    std::uint32_t limit = 0;
};
/// TCP: TCP_INFO; unix: NETLINK_SOCK_DIAG by inode. Never blocks. Empty when the kernel cannot say.
[[nodiscard]] std::optional<ListenQueue> listenQueue(int fd);

}  // namespace muster
