// Listening sockets: made, examined, and the files behind unix ones.
//
// Rules: spec lifecycle §6.1. Master side. Sockets made here are blocking and CLOEXEC, and nobody
// can connect before mode, owner and ACL are what was asked for.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/listen_address.h"
#include "base/log_level.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace muster {

struct ListenOptions {
    int backlog = -1;  ///< as for listen(2); negative: the kernel's maximum
    // Of the file of a unix socket; those below mode mean nothing when there are ACL entries.
    mode_t mode = 0660;
    std::optional<uid_t> owner;
    std::optional<gid_t> group;
    std::vector<uid_t> aclUsers;  ///< may connect, as the ACL says
    std::vector<gid_t> aclGroups;
    std::string prefix;  ///< of messages about these: "[pool www] "

    [[nodiscard]] bool hasAcl() const { return !aclUsers.empty() || !aclGroups.empty(); }
    bool operator==(const ListenOptions&) const = default;
};

/// Binds and listens; messages name the address as `configured`. Unix paths: a live listener is
/// refused ("Another FPM instance seems to already listen on %s"), a stale socket file is replaced,
/// anything that is not a socket is left alone and refused.
[[nodiscard]] Result<UniqueFd> openListener(const SocketAddress& address,
                                            const std::string& configured,
                                            const ListenOptions& options, const Say& say);

/// What a descriptor from outside listens on; an error that says what it is instead of a stream
/// socket in the listening state. Any number is safe.
[[nodiscard]] Result<SocketAddress> examineListener(int fd);

[[nodiscard]] bool isUnixSocket(int socket);

/// Whether an error of accept(2) is about one connection, which is gone already, and the listener
/// is as good as before.
[[nodiscard]] bool concernsOneConnection(int error);

/// The file of a unix listener, to remove later only what is still ours.
struct SocketFile {
    std::string path;
    dev_t device = 0;
    ino_t inode = 0;
};

/// Gives a listener in use other options: its backlog and, of its file (null: it has none), owner,
/// mode and ACL. It goes on listening, and whoever may connect before and after always may.
Result<void> adjustListener(int fd, const SocketFile* file, const ListenOptions& options);

/// Ends the socket for all who have it open: nobody can connect, and another may listen there.
void endListener(int fd);

/// Empty when there is no socket at the path.
[[nodiscard]] std::optional<SocketFile> identifySocketFile(const std::string& path);
void removeSocketFile(const SocketFile& file);

}  // namespace muster
