// Reads, checks, opens and resolves.
#include "master/preparation.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "log/access_format.h"
#include "master/identities.h"
#include "master/pool_changes.h"
#include "master/process_limits.h"

namespace muster::master {
namespace {

constexpr std::chrono::seconds kDefaultDrain{30};
constexpr std::chrono::seconds kDefaultTerminate{1};

bool isDirectory(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool isFile(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

/// "8.2" of php-fpm8.2; empty for names without a version.
std::string versionOf(const std::string& programName) {
    std::string version = programName.substr(std::string_view("php-fpm").size());
    const bool number = version.find_first_not_of("0123456789.") == std::string::npos;
    return number && !version.empty() && version.front() != '.' ? version : std::string();
}

/// php-fpm8.2 → /etc/php/8.2/fpm/php-fpm.conf; plain php-fpm → that of the PHP muster runs.
std::string phpFpmConfigFile(const std::string& programName) {
    if (const std::string version = versionOf(programName); !version.empty()) {
        return "/etc/php/" + version + "/fpm/php-fpm.conf";
    }
    const std::string file = iniDirectory() + "/php-fpm.conf";
    return isFile(file) ? file : "/etc/php-fpm.conf";
}

config::IniValues iniValuesFor(const CommandLine& line) {
    return config::readIniValues(locateIniFiles(line.iniPath, line.ignoreIni), line.iniDefinitions);
}

/// Which file is read (spec config §1).
std::string chooseConfigFile(const CommandLine& line) {
    if (line.configFile && !line.configFile->empty()) {
        return *line.configFile;
    }
    if (!line.configFile) {
        if (std::string named = iniValuesFor(line)["fpm.config"]; !named.empty()) {
            return named;
        }
    }
    if (!line.prefix.empty()) {
        return line.prefix + (line.asPhpFpm() ? "/etc/php-fpm.conf" : "/etc/muster.conf");
    }
    return line.asPhpFpm() ? phpFpmConfigFile(line.programName) : "/etc/muster/muster.conf";
}

config::ReadOptions readOptions(const Invocation& invocation) {
    const CommandLine& line = invocation.line;
    config::ReadOptions options;
    options.file = invocation.configFile;
    options.prefix = line.prefix;
    options.pidFile = line.pidFile;
    options.allowRoot = line.allowRoot;
    options.runsAsRoot = invocation.runsAsRoot;
    options.testOnly = line.action == Action::test;
    options.daemonize = line.daemonize;
    options.defaultErrorLog = invocation.defaultErrorLog;
    options.defaultIdent = invocation.defaultIdent;
    options.iniValues = iniValuesFor(line);
    return options;
}

manager::ManagerInputs inputsFor(const Invocation& invocation, const config::GlobalSettings& global,
                                 const config::PoolSettings& pool) {
    manager::ManagerInputs inputs;
    inputs.pool = pool;
    inputs.dropPrivileges = invocation.runsAsRoot;
    inputs.titlePrefix = invocation.titlePrefix;
    inputs.programName = invocation.line.programName;
    inputs.iniPath = invocation.line.iniPath;
    inputs.ignoreIni = invocation.line.ignoreIni;
    inputs.iniDefinitions = invocation.line.iniDefinitions;
    inputs.extendedInfo = invocation.line.extendedInfo;
    inputs.logLevel = global.effectiveLogLevel();
    inputs.logLimit = global.logLimit;
    inputs.logFormat = global.logFormat;
    inputs.logBuffering = global.logBuffering;
    inputs.stopTimeoutMs = static_cast<int>(drainDeadline(global).count());
    inputs.terminateTimeoutMs = static_cast<int>(terminateDeadline(global).count());
    inputs.sharesProcessMax = global.processMax > 0;
    return inputs;
}

/// Everything about a pool's files that can be wrong. All of it is reported.
std::optional<PoolPlan> planPool(const Invocation& invocation, const config::GlobalSettings& global,
                                 const config::PoolSettings& pool, log::ErrorLog& log,
                                 LogFiles& files) {
    PoolPlan plan;
    plan.inputs = inputsFor(invocation, global, pool);
    bool sound = true;
    if (config::hasSlowLog(pool)) {
        if (auto file = files.openLog("Unable to create or open slowlog(" + pool.slowlog + ")",
                                      pool.slowlog)) {
            plan.slowLog = std::make_shared<UniqueFd>(std::move(*file));
        } else if (pool.requestSlowlogTimeout != 0) {
            log.error(file.error().text());
            sound = false;
        } else {
            // php-fpm has no use for it without that timeout, and starts.
            log.warning(file.error().text());
            plan.inputs.pool.slowlog.clear();
        }
    }
    if (!pool.accessLog.empty()) {
        if (auto file = files.openLog("failed to open access log (" + pool.accessLog + ")",
                                      pool.accessLog)) {
            log.debug("open access log (" + pool.accessLog + ")");
            plan.accessLog = std::make_shared<UniqueFd>(std::move(*file));
        } else {
            log.error(file.error().text());
            sound = false;
        }
        if (const auto format = log::AccessFormat::compile(pool.accessFormat); !format) {
            log.warning(format.error().text());
            log.error("[pool " + pool.name + "] wrong format for access.format '" +
                      pool.accessFormat + "'");
            sound = false;
        }
    }
    return sound ? std::optional(std::move(plan)) : std::nullopt;
}

/// The lines go to stderr alone: the error log is not open yet.
MonitorPlan monitorPlan(const config::GlobalSettings& global, log::ErrorLog& log) {
    MonitorPlan plan = planMonitor(global.systemdInterval, ::getenv("WATCHDOG_USEC"));
    for (const auto& [level, text] : plan.messages) {
        log.write(level, text);
    }
    return plan;
}

Result<void> startErrorLog(const config::GlobalSettings& global, log::ErrorLog& log,
                           LogFiles& files) {
    if (!global.daemonize) {
        log.debug("saving original STDERR fd: dup()");
    }
    return files.open(global);
}

void logMessages(log::ErrorLog& log, const std::vector<config::Message>& messages, std::size_t from,
                 std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
        log.write(messages[i].level, messages[i].text);
        if (!messages[i].detail.empty()) {
            log.write(messages[i].level, "  " + messages[i].detail);
        }
    }
}

/// Among the first `count`.
bool hasErrors(const std::vector<config::Message>& messages, std::size_t count) {
    return std::any_of(
        messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(count),
        [](const config::Message& message) { return message.level >= LogLevel::error; });
}

}  // namespace

std::chrono::milliseconds startDeadline(const config::GlobalSettings& global) {
    constexpr int kUsual = 120;
    return std::chrono::seconds(global.startTimeout > 0 ? global.startTimeout : kUsual);
}

std::chrono::milliseconds drainDeadline(const config::GlobalSettings& global) {
    const std::chrono::seconds configured(global.processControlTimeout);
    return configured.count() > 0 ? configured : kDefaultDrain;
}

std::chrono::milliseconds terminateDeadline(const config::GlobalSettings& global) {
    const std::chrono::seconds configured(global.processControlTimeout);
    return configured.count() > 0 ? configured : kDefaultTerminate;
}

Invocation describeInvocation(CommandLine line) {
    Invocation invocation;
    invocation.runsAsRoot = ::geteuid() == 0;
    const bool asPhpFpm = line.asPhpFpm();
    invocation.titlePrefix = asPhpFpm ? "php-fpm: " : "muster: ";
    invocation.defaultIdent = asPhpFpm ? "php-fpm" : "muster";
    invocation.defaultErrorLog = asPhpFpm ? "log/php-fpm.log" : "log/muster.log";
    invocation.configFile = chooseConfigFile(line);
    invocation.line = std::move(line);
    return invocation;
}

bool resolveUsers(const Invocation& invocation, std::vector<PoolPlan>& plans, log::ErrorLog& log) {
    bool sound = true;
    for (PoolPlan& plan : plans) {
        auto resolved =
            resolveIdentity(plan.inputs.pool, invocation.runsAsRoot, invocation.line.allowRoot);
        if (!resolved) {
            log.error(resolved.error().text());
            sound = false;
            continue;
        }
        for (const std::string& notice : resolved->notices) {
            log.notice(notice);
        }
        plan.inputs.identity = std::move(resolved->identity);
        auto allowed = resolveAllowedUsers(plan.inputs.pool);
        if (!allowed) {
            log.error(allowed.error().text());
            sound = false;
            continue;
        }
        plan.inputs.allowedUsers = std::move(*allowed);
    }
    return sound;
}

std::optional<Prepared> prepare(const Invocation& invocation, log::ErrorLog& log, LogFiles& files,
                                bool openErrorLog) {
    const std::string& prefix = invocation.line.prefix;
    if (!prefix.empty() && !isDirectory(prefix)) {
        log.error("the global prefix '" + prefix + "' does not exist or is not a directory");
        return std::nullopt;
    }
    config::ReadOutcome outcome = config::readConfiguration(readOptions(invocation));
    const config::GlobalSettings& global = outcome.configuration.global;
    Prepared prepared;
    logMessages(log, outcome.messages, 0, outcome.early);
    const bool opensLog =
        openErrorLog && outcome.parsed && !hasErrors(outcome.messages, outcome.early);
    if (opensLog) {
        log.setLevel(global.effectiveLogLevel());
        log.setLimit(global.logLimit);
        log.setFormat(global.logFormat);
        files.setDaemon(global.daemonize);
    }
    if (outcome.parsed) {
        prepared.monitor = monitorPlan(global, log);
    }
    if (opensLog) {
        // Opened before the rest is judged, so that the errors reach the log, too.
        if (auto opened = startErrorLog(global, log, files); !opened) {
            log.error(opened.error().text());
            outcome.processed = false;
        }
    }
    logMessages(log, outcome.messages, outcome.early, outcome.messages.size());
    if (!outcome.parsed) {
        log.error("failed to load configuration file '" + invocation.configFile + "'");
        return std::nullopt;
    }
    bool processed = outcome.processed;
    if (processed) {
        makeRoomForPools(outcome.configuration.pools.size());
        const std::string ini = iniState(invocation.line);
        for (const config::PoolSettings& pool : outcome.configuration.pools) {
            auto plan = planPool(invocation, global, pool, log, files);
            if (plan) {
                plan->iniState = ini;
                prepared.pools.push_back(std::move(*plan));
            } else {
                processed = false;
            }
        }
    }
    if (!processed) {
        log.error("failed to post process the configuration");
        return std::nullopt;
    }
    if (!outcome.valid) {
        return std::nullopt;
    }
    prepared.global = global;
    prepared.configuration = std::move(outcome.configuration);
    return prepared;
}

}  // namespace muster::master
