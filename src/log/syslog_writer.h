// Messages to the system's log daemon over /dev/log (spec logging.md §2).
//
// Not syslog(3): that has one connection and one ident per process, which PHP code in the same
// process may set, drop or leave dangling. The socket is one for the master and all managers (they
// inherit it), so a manager in a chroot needs no /dev/log there, and when one process finds the
// daemon restarted and connects again, all are connected again. Never blocks for long: a daemon
// that does not read costs messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/log_level.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace muster::log {

/// What every message carries.
struct SyslogIdentity {
    std::string ident;
    int facility = 0;  ///< as in syslog(3)
    bool operator==(const SyslogIdentity&) const = default;
};

/// A socket to write to the log daemon with, not connected yet.
[[nodiscard]] Result<UniqueFd> openSyslogSocket();
/// Connects it, or connects it again: whoever shares the socket is connected, too.
Result<void> connectSyslog(int socket);

/// Longer messages are not sent: log daemons cut them anyway.
inline constexpr std::size_t kLongestSyslogText = 8192;

class SyslogWriter {
  public:
    /// `socket` is borrowed.
    SyslogWriter(int socket, SyslogIdentity identity);

    /// One record. False: it could not be sent, and went to the console if there is one.
    bool write(LogLevel level, std::string_view text);

    /// "<29>Nov 20 23:02:29 muster[123]: ": what a record begins with.
    [[nodiscard]] std::string header(LogLevel level) const;

  private:
    bool send(std::string_view record);

    int socket_;
    SyslogIdentity identity_;
    std::uint64_t quietUntilNs_ = 0;  ///< the daemon hung: nobody waits for it before this
};

}  // namespace muster::log
