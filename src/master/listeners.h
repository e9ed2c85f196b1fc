// The listening sockets of all pools, kept across generations.
//
// Owned by the master. A pool keeps its socket as long as a configuration names its address;
// sockets nobody names any more are closed and their files removed if they are still ours.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/listen_address.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "config/settings.h"

namespace muster::master {

class Listeners {
  public:
    /// The socket for this pool's address: the one that is there, or a new one.
    [[nodiscard]] Result<int> acquire(const config::PoolSettings& pool);
    /// The same for another address of the pool (pm.status_listen): owner, group, mode and ACL are
    /// the pool's, the backlog is the default.
    [[nodiscard]] Result<int> acquire(const config::PoolSettings& pool, const std::string& address);

    /// Closes every socket whose address is not in `addresses`, removes its file.
    void keepOnly(const std::set<std::string>& addresses);

    [[nodiscard]] std::set<std::string> addresses() const;

  private:
    Result<int> acquire(const config::PoolSettings& pool, const std::string& address, int backlog);

    struct Listener {
        UniqueFd fd;
        std::optional<SocketFile> file;
    };
    std::map<std::string, Listener> listeners_;  ///< by configured address
};

}  // namespace muster::master
