// Where the master's log lines go, and reopening it all (spec logging.md §2, §4).
//
// Owns the error log's descriptor: a file, or the socket to syslog. In the foreground it keeps the
// streams the master was started with, so that targets such as /dev/stderr still mean these after
// fd 2 was tied to the log file.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/settings.h"
#include "log/error_log.h"
#include "master/hand_over.h"
#include "master/named_descriptor.h"

namespace muster::master {

class LogFiles {
  public:
    /// Early in the start: the standard streams are still those the master was given.
    /// `forceStderr`: -O, which treats stderr as if it was a terminal.
    LogFiles(log::ErrorLog& log, bool forceStderr);

    /// In a program that took over: everything is as the other left it.
    LogFiles(log::ErrorLog& log, const HandOver::Logs& logs);
    [[nodiscard]] HandOver::Logs handOver() const;

    /// Known once the configuration is read: a daemon always uses the log.
    void setDaemon(bool daemon);

    /// Opens the error log and writes to it from now on (with a copy on stderr until launched()).
    /// On failure the log stays where it was. Does nothing when it is that log already.
    Result<void> open(const config::GlobalSettings& global);
    /// The service is up: no more copies, and stray output of ours goes to the log as well.
    void launched();
    /// USR1: opens the same log again. On failure the old one stays in use.
    Result<void> reopen();

    /// What managers inherit: the error log, or stderr.
    [[nodiscard]] int target() const;
    /// When that is syslog: what its messages carry.
    [[nodiscard]] std::optional<log::SyslogIdentity> syslog() const;

    /// Opens any log for appending. The error begins with `failure`, which names it and the path.
    [[nodiscard]] Result<UniqueFd> openLog(const std::string& failure,
                                           const std::string& path) const;

  private:
    struct Destination {
        std::string path;
        log::SyslogIdentity syslog;
        bool operator==(const Destination&) const = default;
        [[nodiscard]] bool isSyslog() const;
    };
    Result<UniqueFd> openDestination(const Destination& destination) const;
    Result<void> use(Destination destination);
    void tieStderr() const;
    void writeHere(bool echoToStderr) const;

    log::ErrorLog* log_;
    StartDescriptors start_;
    bool terminal_;
    bool useLog_;  ///< lines go to the log; otherwise to stderr
    bool daemon_ = false;
    bool launched_ = false;
    Destination destination_;
    UniqueFd file_;
};

}  // namespace muster::master
