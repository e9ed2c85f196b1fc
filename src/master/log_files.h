// Where the master's log lines go, and reopening it all (spec logging.md §2, §4).
//
// Owns the error log's descriptor and, in the foreground, a copy of the original stderr, so that
// targets such as /dev/stderr still mean the terminal after fd 2 was tied to the log file.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "log/error_log.h"

namespace muster::master {

class LogFiles {
  public:
    /// `terminal`: stderr is a terminal, or -O asks to treat it as one.
    LogFiles(log::ErrorLog& log, bool terminal);

    /// Known once the configuration is read: a daemon always uses the file.
    void setDaemon(bool daemon);

    /// Opens the error log and writes to it from now on (with a copy on stderr until launched()).
    /// On failure the log stays where it was.
    Result<void> open(const std::string& path);
    /// The service is up: no more copies, and stray output of ours goes to the log as well.
    void launched();
    /// USR1: opens the same path again. On failure the old file stays in use.
    Result<void> reopen();

    /// What managers inherit: the error log, or stderr.
    [[nodiscard]] int target() const;

    /// Opens any log for appending; `what` names it in the error. A path such as /dev/stderr means
    /// the original stderr, whatever fd 2 is tied to by now.
    [[nodiscard]] Result<UniqueFd> openLog(const char* what, const std::string& path) const;

  private:
    /// fd 2 is the original stderr while this lives.
    class OriginalStderr {
      public:
        explicit OriginalStderr(const LogFiles& files);
        OriginalStderr(const OriginalStderr&) = delete;
        OriginalStderr& operator=(const OriginalStderr&) = delete;
        ~OriginalStderr();

      private:
        UniqueFd tied_;
    };

    log::ErrorLog* log_;
    bool terminal_;
    bool useFile_;  ///< lines go to the file; otherwise to stderr
    bool daemon_ = false;
    bool launched_ = false;
    std::string path_;
    UniqueFd file_;
    UniqueFd originalStderr_;
};

}  // namespace muster::master
