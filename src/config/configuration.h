// Reads and checks a whole configuration: the one entrance to this room.
//
// Called by the master (start, -t, reload). May block on files and on user databases. Nothing is
// printed here: problems and notices come back as data in the order they were found; the caller
// logs them. Side effects: none (log files are opened by the master).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/log_level.h"
#include "base/result.h"
#include "config/ini_values.h"
#include "config/settings.h"

namespace muster::config {

/// One line for the error log. `level` error or alert: the configuration is refused.
struct Message {
    LogLevel level = LogLevel::error;
    std::string text;  ///< php-fpm's words, e.g. "[/etc/muster/muster.conf:12] unknown entry 'foo'"
    std::string
        detail{};  ///< where, what was found and expected; logged as a line of its own after
                   ///< the text, so that tools which know php-fpm's lines find them unchanged
};

struct ReadOptions {
    std::string file;               ///< as given with -y, or the default path
    std::string prefix;             ///< -p; empty: compiled-in prefixes
    std::string pidFile;            ///< -g; a `pid =` line in the file overrides it
    bool allowRoot = false;         ///< -R
    bool runsAsRoot = false;        ///< effective uid 0: `user` is mandatory
    bool testOnly = false;          ///< -t: user and group existence checks of spec config §9
    std::optional<bool> daemonize;  ///< -D / -F
    std::string defaultErrorLog;    ///< default of error_log, follows the program's name
    std::string defaultIdent;       ///< default of syslog.ident, the same
    std::string hostRoot;           ///< stands before /proc and /sys; for tests
    IniValues iniValues;            ///< php.ini and -d: first source of ${NAME}
};

struct ReadOutcome {
    Configuration configuration;    ///< meaningful when valid
    std::vector<Message> messages;  ///< all of them: warnings, notices, every error
    std::size_t early = 0;          ///< so many of them precede the opening of the error log; with
                                    ///< an error among these php-fpm does not open it
    bool parsed = true;             ///< false: "failed to load configuration file"
    bool processed = true;          ///< false: "failed to post process the configuration"
    bool valid = true;              ///< false: refuse to start, also for reasons of their own
};

[[nodiscard]] ReadOutcome readConfiguration(const ReadOptions& options);

/// Lines of -tt after "NOTICE: " (spec config §9), without the final success line.
[[nodiscard]] std::vector<std::string> dumpConfiguration(const Configuration& configuration);

/// Who encoded what is decoded: another program may have fewer directives or more, which then have
/// their defaults or are left out.
enum class Writer { sameProgram, otherProgram };

/// A pool's settings as text for the sealed memfd a manager is started with, and back.
[[nodiscard]] std::string encodePool(const PoolSettings& pool);
[[nodiscard]] Result<PoolSettings> decodePool(const std::string& text,
                                              Writer writer = Writer::sameProgram);

/// The settings of [global] for the next program of an upgrade, and back.
[[nodiscard]] std::string encodeGlobal(const GlobalSettings& global);
[[nodiscard]] Result<GlobalSettings> decodeGlobal(const std::string& text, Writer writer);

}  // namespace muster::config
