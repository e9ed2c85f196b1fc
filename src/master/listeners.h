// The listening sockets of all pools, kept across generations.
//
// Owned by the master. A pool keeps its socket as long as a configuration names its address;
// sockets nobody names any more are closed and their files removed if they are still ours.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/listen_socket.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "config/settings.h"
#include "log/error_log.h"
#include "master/hand_over.h"
#include "master/inherited_sockets.h"

namespace muster::master {

class Listeners {
  public:
    /// `inherited`: used before a new socket is opened, until dropUnclaimed().
    Listeners(log::ErrorLog& log, InheritedSockets inherited);

    /// The socket for this pool's address: the one that is there, or a new one. Of a name with
    /// several addresses the first that works; errors of those before it are logged here.
    [[nodiscard]] Result<int> acquire(const config::PoolSettings& pool);
    /// The same for another address of the pool (pm.status_listen): owner, group, mode and ACL are
    /// the pool's, the backlog is the default.
    [[nodiscard]] Result<int> acquire(const config::PoolSettings& pool, const std::string& address);

    /// A reload is on its way: sockets that were there before and were acquired with other options
    /// get these. What fails is logged, and the socket stays as it was.
    void applyChanges();
    /// … or is not.
    void forgetChanges();

    /// All pools have theirs: inherited sockets nobody asked for are closed.
    void dropUnclaimed();

    /// False for a socket that others have as well, systemd for one.
    [[nodiscard]] bool isOurs(const std::string& address) const;
    /// The service stops: the files of our own sockets go first, so that nobody comes any more and
    /// a successor can have them.
    void removeFiles();

    /// Closes every socket whose address is not in `addresses`, removes its file.
    void keepOnly(const std::set<std::string>& addresses);
    /// The start failed: as keepOnly({}), but files of inherited sockets stay for who passed them.
    void abandon();

    [[nodiscard]] std::set<std::string> addresses() const;
    /// For the program that takes over, and in that program.
    [[nodiscard]] std::vector<HandOver::Listener> handOver() const;
    void adopt(std::vector<HandOver::Listener> listeners);

    /// It came from outside, where others may have it open, too.
    [[nodiscard]] bool isInherited(const std::string& address) const;
    /// Says that the next generation finds the socket of this address open.
    void announceOpen(const std::string& address) const;

  private:
    struct Listener {
        UniqueFd fd;
        std::string key;  ///< as FPM_SOCKETS names it
        std::optional<SocketFile> file;
        bool inherited = false;
        ListenOptions options;                ///< in force
        std::optional<ListenOptions> wanted;  ///< others, from a reload that is being prepared
    };

    Result<int> acquire(const config::PoolSettings& pool, const std::string& address, int backlog);
    Result<ListenOptions> optionsFor(const config::PoolSettings& pool, const std::string& address,
                                     int backlog);
    Result<Listener> open(const std::string& address, const ListenOptions& options);
    Result<Listener> inheritOrOpen(const SocketAddress& candidate, const std::string& address,
                                   const ListenOptions& options);

    Say say_;
    InheritedSockets inherited_;
    std::map<std::string, Listener> listeners_;  ///< by configured address
};

}  // namespace muster::master
