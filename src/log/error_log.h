// The error log in php-fpm's format (spec logging.md §1–2, §3.4) or as JSON, one write(2) per line.
//
// Built on spdlog with sinks of our own. One ErrorLog per process, used by its single thread:
// the master writes to the log file or syslog and, until launched, copies NOTICE and above to
// stderr; a manager writes to the descriptor it was given; a worker writes "LEVEL: text" to fd 2,
// whatever the format. Never throws; a failing write is dropped (there is nowhere left to say so).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/log_level.h"
#include "base/unique_fd.h"
#include "config/settings.h"
#include "log/syslog_writer.h"

namespace muster::log {

class ErrorLog {
  public:
    enum class Style {
        timestamped,  ///< "[20-Nov-2026 23:02:29] NOTICE: text"
        worker,       ///< "NOTICE: text"
    };

    /// To stderr (fd 2), timestamped, level notice: how every process starts.
    ErrorLog();
    ~ErrorLog();
    ErrorLog(const ErrorLog&) = delete;
    ErrorLog& operator=(const ErrorLog&) = delete;

    void setLevel(LogLevel level);
    [[nodiscard]] LogLevel level() const;
    void setStyle(Style style);
    void setFormat(config::LogFormat format);
    [[nodiscard]] bool isJson() const;
    /// Ordinary messages longer than this are cut to limit-1 bytes ending in "..." when the
    /// formatting buffer of 2048 bytes would overflow (spec logging.md §3.4).
    void setLimit(int bytes);

    /// From now on lines go to `fd` (borrowed). With `echoToStderr`, NOTICE and above also to fd 2.
    void setTarget(int fd, bool echoToStderr);
    /// From now on lines go to syslog through `socket` (borrowed), as "[NOTICE] text".
    void setSyslog(int socket, const SyslogIdentity& identity, bool echoToStderr);
    [[nodiscard]] int target() const;
    /// Bytes that fit into one line of the target, whatever log_limit says.
    [[nodiscard]] std::size_t longestLine() const;

    using Listener = std::function<void(LogLevel, std::string_view)>;
    /// Hears every message that is written, whatever the level of the log; empty: nobody does.
    /// Returns who did before.
    Listener setListener(Listener listener);

    /// One message is one line: control characters but tab are written as \xHH (in a worker they
    /// pass: its manager sees to that).
    void write(LogLevel level, std::string_view text);
    void debug(std::string_view text) { write(LogLevel::debug, text); }
    void notice(std::string_view text) { write(LogLevel::notice, text); }
    void warning(std::string_view text) { write(LogLevel::warning, text); }
    void error(std::string_view text) { write(LogLevel::error, text); }
    void alert(std::string_view text) { write(LogLevel::alert, text); }

    /// A finished line of worker output (no newline) to the target as it is, whatever the level
    /// of the log; `level` is what syslog is told.
    void writeRaw(LogLevel level, std::string_view line);

    /// "[20-Nov-2026 23:02:29] WARNING: ", with microseconds and pid at debug level: the prefix
    /// that worker-output lines carry.
    [[nodiscard]] std::string prefix(LogLevel level) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace muster::log
