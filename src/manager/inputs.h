// All that crosses from the master into a pool manager: a sealed memfd with settings, and an
// explicit list of descriptors under fixed numbers. Everything else is closed before the exec.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/identity.h"
#include "base/log_level.h"
#include "base/result.h"
#include "config/configuration.h"
#include "log/syslog_writer.h"

namespace muster::manager {

/// Descriptor numbers a manager finds at start.
enum InheritedNumber : int {
    kSettingsFd = 3,      ///< sealed memfd, ManagerInputs as CBOR
    kChannelFd = 4,       ///< control channel to the master (message_channel.h)
    kScoreboardFd = 5,    ///< the generation's segment, mapped read-write
    kErrorLogFd = 6,      ///< where error-log lines go
    kListenFd = 7,        ///< the pool's listening socket
    kAccessLogFd = 8,     ///< only with an access log
    kStatusListenFd = 9,  ///< only with pm.status_listen
    kSlowLogFd = 10,      ///< only with a slow log
};

/// argv[1] of a manager process. argv[0] is its title.
inline constexpr const char* kManagerArgument = "--pool-manager";

struct ManagerInputs {
    config::PoolSettings pool;
    bool dropPrivileges = false;  ///< the master runs as root
    Identity identity;            ///< whom to become, and USER/HOME of workers
    /// listen.allowed_users, resolved by the master; unset: any.
    std::optional<std::vector<uid_t>> allowedUsers;
    std::string titlePrefix;  ///< "muster: " or "php-fpm: "
    std::string programName;  ///< what the master was called as: name of all its processes
    std::string iniPath;      ///< -c
    bool ignoreIni = false;   ///< -n
    std::vector<std::pair<std::string, std::string>> iniDefinitions;  ///< -d
    bool extendedInfo = false;                                        ///< -e
    LogLevel logLevel = LogLevel::notice;
    int logLimit = 1024;
    config::LogFormat logFormat = config::LogFormat::text;
    bool logBuffering = true;
    std::optional<log::SyslogIdentity> syslog;  ///< kErrorLogFd is a socket to syslog
    int masterPid = 0;
    bool ownsSockets = false;    ///< nobody but this service listens on them
    int stopTimeoutMs = 0;       ///< deadline when the master vanishes and the workers must finish
    int terminateTimeoutMs = 0;  ///< from TERM to KILL
    bool sharesProcessMax = false;  ///< process.max is set: room for a worker is asked for first
};

/// The manager's process title. It holds no "pool NAME", by which monitoring counts workers.
[[nodiscard]] std::string managerTitle(const ManagerInputs& inputs);

[[nodiscard]] std::string encodeInputs(const ManagerInputs& inputs);
/// What another program does not have stays at its default.
[[nodiscard]] Result<ManagerInputs> decodeInputs(
    const std::string& text, config::Writer writer = config::Writer::sameProgram);

}  // namespace muster::manager
