// The settings in force, typed: what a valid configuration means after defaults and expansions.
//
// Plain data. Filled by the reader through the directive table (directives.h), the only place
// that knows names, types, defaults and checks. Times are seconds, 0 = off unless said otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/log_level.h"

namespace muster::config {

/// Where a value was written: file as opened, line from 1. line 0: not written (default).
struct Origin {
    std::string file;
    int line = 0;
};

struct KeyValue {
    std::string key;
    std::string value;
    bool operator==(const KeyValue&) const = default;
};

enum class ProcessManager { unset, fixed, dynamic, ondemand };  // "static" is a C++ keyword
enum class ManagerLife { eager, lazy };  ///< there from the start, or from the first connection
enum class LogFormat { text, json };
enum class StopManner { fast, graceful };

inline constexpr int kDefaultTraceDepth = 20;     ///< frames of a slow-log entry
inline constexpr int kUnlimited = -1;             ///< rlimit_core = unlimited
inline constexpr int kLogDaemon = 24;             ///< syslog(3) facility "daemon"
inline constexpr const char* kSyslog = "syslog";  ///< the word error_log takes instead of a path

struct GlobalSettings {
    std::string pid;  ///< absolute path, empty: none
    std::string errorLog =
        "log/php-fpm.log";  ///< absolute after validation, or kSyslog in any case of letters
    std::optional<LogLevel> logLevel;       ///< unset means notice
    LogFormat logFormat = LogFormat::text;  ///< of error log and access logs
    int logLimit = 1024;                    ///< bytes
    bool logBuffering = true;
    std::string syslogIdent = "php-fpm";  ///< default follows the program's name
    int syslogFacility = kLogDaemon;      ///< number of syslog(3)
    int emergencyRestartThreshold = 0;    ///< both this and the interval non-zero: enabled
    int emergencyRestartInterval = 0;
    int reloadCanary = 0;
    int startTimeout = 120;
    int processControlTimeout = 0;
    std::optional<StopManner> terminate;  ///< unset: graceful as process 1, else fast
    int processMax = 0;                   ///< 0: unlimited
    std::optional<int> processPriority;   ///< unset: leave alone
    bool daemonize = true;
    int rlimitFiles = 0;
    int rlimitCore = 0;  ///< bytes; 0: leave alone, kUnlimited
    std::string eventsMechanism = "epoll";
    std::optional<int> systemdInterval;  ///< unset: 10; 0: no status messages
    std::string controlSocket;           ///< absolute path; empty: none
    std::string controlAllowedUsers;     ///< names and numbers, separated by commas

    [[nodiscard]] LogLevel effectiveLogLevel() const { return logLevel.value_or(LogLevel::notice); }
};

struct PoolSettings {
    std::string name;
    Origin origin;  ///< its section header

    std::string prefix;
    std::string user;
    std::string group;
    std::string listen;  ///< absolute when it is a unix path
    int listenBacklog = -1;
    std::string listenAclUsers;   ///< names, separated by commas
    std::string listenAclGroups;  ///< the same
    std::string listenOwner;
    std::string listenGroup;
    std::string listenMode;                           ///< octal text
    std::optional<std::string> listenAllowedClients;  ///< unset: any; empty: nobody
    std::optional<std::string> listenAllowedUsers;    ///< the same
    static constexpr int kUsualMaxWaiting = 1024;
    int listenMaxWaiting = kUsualMaxWaiting;  ///< connections without a worker
    int listenKeepaliveTimeout = 0;           ///< seconds; 0: none
    std::optional<int> processPriority;       ///< unset: the master's
    bool processDumpable = false;

    ProcessManager pm = ProcessManager::unset;
    int maxChildren = 0;
    int startServers = 0;
    int minSpareServers = 0;
    int maxSpareServers = 0;
    int maxSpawnRate = 32;
    int processIdleTimeout = 10;
    ManagerLife managerLife = ManagerLife::eager;
    int managerIdleTimeout = 60;  ///< of a lazy manager; 0: it leaves with its last worker
    int maxRequests = 0;
    int maxRequestsJitter = 0;
    int maxLifetime = 0;
    std::int64_t maxMemory = 0;  ///< bytes
    int queueLimit = 0;          ///< connections; 0: the manager queues nothing
    int queueTimeout = 0;        ///< seconds; 0: none
    int queueRetryAfter = 1;     ///< seconds
    bool recycleAfterFatal = true;

    std::string statusPath;
    std::string statusListen;  ///< an address as in listen; empty: none
    std::string pingPath;
    std::string pingResponse = "pong";

    std::string accessLog;  ///< absolute
    std::string accessFormat = "%R - %u %t \"%m %r\" %s";
    std::vector<KeyValue> accessSuppressPaths;  ///< values only, keys are empty; newest first

    std::string slowlog;  ///< absolute; see hasSlowLog()
    int requestSlowlogTimeout = 0;
    int requestSlowlogTraceDepth = kDefaultTraceDepth;
    int requestHeaderTimeout = 60;
    int requestBodyTimeout = 0;
    bool requestAbortOnDisconnect = false;
    int requestTerminateTimeout = 0;
    bool requestTerminateTimeoutTrackFinished = false;
    int requestTerminateGrace = 1;
    int rlimitFiles = 0;
    int rlimitCore = 0;  ///< bytes; 0: leave alone, kUnlimited
    std::string chroot;  ///< absolute
    std::string chdir;
    bool catchWorkersOutput = false;
    bool decorateWorkersOutput = true;
    bool clearEnv = true;
    bool earlyHints = false;
    std::string limitExtensions = ".php .phar";  ///< space or tab separated; empty: no limit
    std::string execBasedir;  ///< absolute paths, separated by colons; empty: no limit
    bool allowPhpValue = true;
    std::string apparmorHat;

    /// Newest first, with duplicates, as -tt lists them. They are used in this order, so that of
    /// equal names the first definition has the last word, and each `extension` is loaded.
    std::vector<KeyValue> env;
    std::vector<KeyValue> phpValues;  ///< flags are stored as "1" / "0"
    std::vector<KeyValue> phpAdminValues;
};

struct Configuration {
    std::string file;  ///< main file as given
    GlobalSettings global;
    std::vector<PoolSettings> pools;  ///< definition order
    /// Names of the directives the files hold, for -tt: [0] those of [global], [1] the first
    /// pool's.
    std::vector<std::set<std::string>> written;
};

/// A slow log is named, and there are requests that may come into it.
[[nodiscard]] bool hasSlowLog(const PoolSettings& pool);

/// The pool has a manager only while there is something to do.
[[nodiscard]] inline bool isLazy(const PoolSettings& pool) {
    return pool.managerLife == ManagerLife::lazy;
}

/// "static", "dynamic", "ondemand"; "undefined" for unset.
[[nodiscard]] const char* processManagerName(ProcessManager pm);

}  // namespace muster::config
