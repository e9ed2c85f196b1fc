// Builds and sends records of RFC 3164, as syslog(3) does.
#include "log/syslog_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <utility>

#include "base/clock.h"
#include "base/io.h"

namespace muster::log {
namespace {

constexpr int kPatienceMs = 100;
constexpr std::uint64_t kQuietNs = kNsPerSecond;

int priorityOf(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return LOG_DEBUG;
        case LogLevel::notice:
            return LOG_NOTICE;
        case LogLevel::warning:
            return LOG_WARNING;
        case LogLevel::error:
            return LOG_ERR;
        case LogLevel::alert:
            return LOG_ALERT;
    }
    return LOG_NOTICE;
}

/// What LOG_CONS asks for; a console that is not there or not ours is no matter.
void writeToConsole(std::string_view record) {
    const UniqueFd console(::open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    if (console) {
        const std::size_t afterPriority = record.find('>') + 1;
        writeAll(console.get(), std::string(record.substr(afterPriority)) + "\r\n");
    }
}

}  // namespace

Result<UniqueFd> openSyslogSocket() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        return errnoError("socket for syslog");
    }
    return socket;
}

Result<void> connectSyslog(int socket) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        return errnoError("syslog does not listen at /dev/log");
    }
    return {};
}

SyslogWriter::SyslogWriter(int socket, SyslogIdentity identity)
    : socket_(socket), identity_(std::move(identity)) {}

std::string SyslogWriter::header(LogLevel level) const {
    const auto now = static_cast<std::int64_t>(wallNs() / kNsPerSecond);
    return "<" + std::to_string(identity_.facility | priorityOf(level)) + ">" +
           formatLocalTime(now, "%b %e %H:%M:%S ") + identity_.ident + "[" +
           std::to_string(::getpid()) + "]: ";
}

bool SyslogWriter::write(LogLevel level, std::string_view text) {
    const std::string record = header(level).append(text);
    const bool sent = send(record);
    if (!sent) {
        writeToConsole(record);
    }
    return sent;
}

bool SyslogWriter::send(std::string_view record) {
    bool reconnected = false;
    for (;;) {
        if (::send(socket_, record.data(), record.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
            return true;
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno == EAGAIN || errno == ENOBUFS) {
            pollfd ready{.fd = socket_, .events = POLLOUT, .revents = 0};
            if (monotonicNs() < quietUntilNs_) {
                return false;
            }
            if (::poll(&ready, 1, kPatienceMs) <= 0) {
                quietUntilNs_ = monotonicNs() + kQuietNs;
                return false;
            }
            continue;
        }
        // The daemon was restarted, or was not there yet.
        if (reconnected || !connectSyslog(socket_)) {
            return false;
        }
        reconnected = true;
    }
}

}  // namespace muster::log
