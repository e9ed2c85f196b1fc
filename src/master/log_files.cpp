// Opens, ties and reopens the error log.
#include "master/log_files.h"

#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include <utility>

#include "base/io.h"
#include "base/process.h"

namespace muster::master {

LogFiles::LogFiles(log::ErrorLog& log, bool forceStderr)
    : log_(&log), terminal_(forceStderr || ::isatty(STDERR_FILENO) == 1), useLog_(!terminal_) {}

LogFiles::LogFiles(log::ErrorLog& log, const HandOver::Logs& logs)
    : log_(&log),
      start_(logs.numbers, UniqueFd(logs.out), UniqueFd(logs.err)),
      terminal_(logs.terminal),
      useLog_(logs.useLog),
      daemon_(logs.daemon),
      launched_(true),
      destination_{logs.path, logs.syslog},
      file_(logs.file) {
    if (useLog_ && file_) {
        writeHere(false);
    }
}

HandOver::Logs LogFiles::handOver() const {
    return {.file = file_.get(),
            .path = destination_.path,
            .syslog = destination_.syslog,
            .terminal = terminal_,
            .useLog = useLog_,
            .daemon = daemon_,
            .numbers = start_.numbers(),
            .out = start_.original(STDOUT_FILENO),
            .err = start_.original(STDERR_FILENO)};
}

bool LogFiles::Destination::isSyslog() const {
    return ::strcasecmp(path.c_str(), config::kSyslog) == 0;
}

void LogFiles::setDaemon(bool daemon) {
    daemon_ = daemon;
    if (!daemon) {
        log_->debug("saving original STDERR fd: dup()");
    }
    useLog_ = daemon || !terminal_;
}

Result<UniqueFd> LogFiles::openLog(const std::string& failure, const std::string& path) const {
    const auto number = descriptorNamed(path);
    auto file = number ? start_.openForAppending(*number) : openAppend(path);
    if (!file) {
        file.error().what = failure;
    }
    return file;
}

Result<UniqueFd> LogFiles::openDestination(const Destination& destination) const {
    if (!destination.isSyslog()) {
        return openLog("failed to open error_log (" + destination.path + ")", destination.path);
    }
    auto socket = log::openSyslogSocket();
    if (socket && useLog_) {
        // A log daemon that starts later is found by the first message after that.
        if (auto connected = log::connectSyslog(socket->get()); !connected) {
            log_->warning(connected.error().text());
        }
    }
    return socket;
}

Result<void> LogFiles::open(const config::GlobalSettings& global) {
    Destination wanted{global.errorLog, {global.syslogIdent, global.syslogFacility}};
    if (file_ && wanted == destination_) {
        return {};
    }
    return use(std::move(wanted));
}

Result<void> LogFiles::use(Destination destination) {
    auto file = openDestination(destination);
    if (!file) {
        return tl::make_unexpected(file.error());
    }
    destination_ = std::move(destination);
    if (file_) {
        // Same number: whoever writes to it goes on without a gap.
        ::dup3(file->get(), file_.get(), O_CLOEXEC);
    } else {
        file_ = std::move(*file);
    }
    if (!useLog_) {
        return {};
    }
    writeHere(!launched_);
    if (launched_) {
        tieStderr();
    }
    return {};
}

void LogFiles::writeHere(bool echoToStderr) const {
    if (destination_.isSyslog()) {
        log_->setSyslog(file_.get(), destination_.syslog, echoToStderr);
    } else {
        log_->setTarget(file_.get(), echoToStderr);
    }
}

// A line that is not ours cannot be told to syslog.
void LogFiles::tieStderr() const {
    if (!destination_.isSyslog()) {
        ::dup2(file_.get(), STDERR_FILENO);
    } else if (auto null = nullStandardStreams({STDERR_FILENO}); !null) {
        log_->error(null.error().text());
    }
}

void LogFiles::launched() {
    launched_ = true;
    if (daemon_) {
        start_.forget();
    }
    if (!useLog_ || !file_) {
        return;
    }
    writeHere(false);
    tieStderr();
}

Result<void> LogFiles::reopen() {
    if (!daemon_) {
        log_->debug("restoring original STDERR fd: dup2()");
    }
    return use(destination_);
}

int LogFiles::target() const {
    return useLog_ && file_ ? file_.get() : STDERR_FILENO;
}

std::optional<log::SyslogIdentity> LogFiles::syslog() const {
    return useLog_ && file_ && destination_.isSyslog() ? std::optional(destination_.syslog)
                                                       : std::nullopt;
}

}  // namespace muster::master
