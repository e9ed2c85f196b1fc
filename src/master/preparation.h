// From the command line and the configuration files to everything the pools need from outside:
// read, checked, log files opened; then users resolved. Start, -t and reload all come through here,
// -t without the users.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "config/configuration.h"
#include "log/error_log.h"
#include "manager/inputs.h"
#include "master/command_line.h"
#include "master/log_files.h"
#include "master/service_manager.h"

namespace muster::master {

/// What stays the same for the life of the master: names and paths that follow from how it was
/// called.
struct Invocation {
    CommandLine line;
    bool runsAsRoot = false;
    std::string titlePrefix;  ///< "muster: ", or "php-fpm: " when called so
    std::string configFile;
    std::string defaultErrorLog;
    std::string defaultIdent;  ///< of syslog.ident
};

[[nodiscard]] Invocation describeInvocation(CommandLine line);

/// A pool ready to be started, but for its listening socket.
struct PoolPlan {
    manager::ManagerInputs inputs;
    std::shared_ptr<UniqueFd> accessLog;  ///< null: none; shared by the generations that use it
    std::shared_ptr<UniqueFd> slowLog;    ///< the same
    int listener = -1;                    ///< borrowed from Listeners
    int statusListener = -1;              ///< the same for pm.status_listen; -1: none
    std::string iniState;                 ///< of PHP's ini files when it was made (pool_changes.h)
};

struct Prepared {
    config::GlobalSettings global;
    std::vector<PoolPlan> pools;
    config::Configuration configuration;
    MonitorPlan monitor;
};

/// Reads and checks; logs everything there is to say. Nothing when the configuration is refused:
/// nothing that runs is touched then, but for log files that were opened and are closed again.
/// `openErrorLog`: at start and -t; a reload opens a changed error log only when all is well.
[[nodiscard]] std::optional<Prepared> prepare(const Invocation& invocation, log::ErrorLog& log,
                                              LogFiles& files, bool openErrorLog);

/// Fills in whom the pools' processes become; logs every error, and notices about what only root
/// can do. After the global priority and before the sockets (spec lifecycle §2 steps 8, 9, 13).
[[nodiscard]] bool resolveUsers(const Invocation& invocation, std::vector<PoolPlan>& plans,
                                log::ErrorLog& log);

/// How long a drain may take: process_control_timeout, or a sane default when that is 0.
[[nodiscard]] std::chrono::milliseconds drainDeadline(const config::GlobalSettings& global);
/// How long a new generation may take to become ready.
[[nodiscard]] std::chrono::milliseconds startDeadline(const config::GlobalSettings& global);
/// How long a worker has to end after TERM: the same, or a short while.
[[nodiscard]] std::chrono::milliseconds terminateDeadline(const config::GlobalSettings& global);

}  // namespace muster::master
