// Listening sockets that somebody else opened for us: FPM_SOCKETS of another FastCGI process
// manager, LISTEN_FDS of systemd (spec lifecycle §6.3).
//
// Taken at the very start, before any descriptor of ours could get a number named there. Nothing
// that is named is believed: it must be a listening stream socket. Owns what it took until a pool
// claims it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/listen_socket.h"
#include "base/log_level.h"
#include "base/unique_fd.h"

namespace muster::master {

/// One entry of FPM_SOCKETS as it stands there; `number` is text.
struct SocketEntry {
    std::string key;
    std::string number;
};
/// "key=fd,key=fd": entries without '=' are left out, keys are cut at 255 bytes.
[[nodiscard]] std::vector<SocketEntry> parseSocketEntries(std::string_view value);

/// A descriptor number from 3 on, in digits only.
[[nodiscard]] std::optional<int> parseDescriptor(const std::string& number);

class InheritedSockets {
  public:
    struct Socket {
        std::string key;  ///< "127.0.0.1:9000" or a path, as SocketAddress::key()
        UniqueFd fd;
        bool ours = false;               ///< false: systemd's, which keeps it and its file
        std::optional<SocketFile> file;  ///< to remove when nobody listens any more
    };

    /// Reads, and removes, the environment variables. Must come before any other descriptor is
    /// opened, and in the process that was started (systemd names its pid).
    [[nodiscard]] static InheritedSockets fromEnvironment();

    /// What was found and what was wrong with it; once the log is open.
    void announce(const Say& say);
    /// Hands over the socket for this address, if there is one.
    [[nodiscard]] std::optional<Socket> claim(const std::string& key);
    /// Closes what no pool claimed; files of our own kind go, too.
    void dropRest(const Say& say);

  private:
    void addEntry(const SocketEntry& entry);
    void addFromSystemd();
    void note(LogLevel level, std::string text);
    [[nodiscard]] bool isTaken(int fd) const;

    std::vector<Socket> sockets_;
    std::vector<std::pair<LogLevel, std::string>> notes_;
    int refusals_ = 0;
};

}  // namespace muster::master
