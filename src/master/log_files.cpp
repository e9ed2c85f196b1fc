// Opens, ties and reopens the error log.
#include "master/log_files.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"

namespace muster::master {

LogFiles::LogFiles(log::ErrorLog& log, bool terminal)
    : log_(&log), terminal_(terminal), useFile_(!terminal) {
    originalStderr_.reset(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
}

void LogFiles::setDaemon(bool daemon) {
    daemon_ = daemon;
    useFile_ = daemon || !terminal_;
}

LogFiles::OriginalStderr::OriginalStderr(const LogFiles& files) {
    if (files.launched_ && files.originalStderr_) {
        tied_.reset(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
        ::dup2(files.originalStderr_.get(), STDERR_FILENO);
    }
}

LogFiles::OriginalStderr::~OriginalStderr() {
    if (tied_) {
        ::dup2(tied_.get(), STDERR_FILENO);
    }
}

Result<UniqueFd> LogFiles::openLog(const char* what, const std::string& path) const {
    const OriginalStderr original(*this);
    auto file = openAppend(path);
    if (!file) {
        file.error().what = std::string("failed to open ") + what + " (" + path + ")";
    }
    return file;
}

Result<void> LogFiles::open(const std::string& path) {
    auto file = openLog("error_log", path);
    if (!file) {
        return tl::make_unexpected(file.error());
    }
    path_ = path;
    if (file_) {
        // Same number: whoever writes to it goes on without a gap.
        ::dup3(file->get(), file_.get(), O_CLOEXEC);
    } else {
        file_ = std::move(*file);
    }
    if (useFile_) {
        log_->setTarget(file_.get(), !launched_);
    }
    return {};
}

void LogFiles::launched() {
    launched_ = true;
    if (daemon_) {
        originalStderr_.reset();  // whoever waits for its end must not wait for ours
    }
    if (useFile_ && file_) {
        log_->setTarget(file_.get(), false);
        ::dup2(file_.get(), STDERR_FILENO);
    }
}

Result<void> LogFiles::reopen() {
    auto opened = open(path_);
    if (opened && useFile_) {
        ::dup2(file_.get(), STDERR_FILENO);
    }
    return opened;
}

int LogFiles::target() const {
    return useFile_ && file_ ? file_.get() : STDERR_FILENO;
}

}  // namespace muster::master
