// The command line: php-fpm's, letter for letter (spec lifecycle §1).
// Pure: no output, no exit; main acts on the result.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::master {

enum class Action {
    serve,
    test,         ///< -t, and -tt when dump is set
    usage,        ///< -h
    usageError,   ///< unknown option, missing or surplus argument: exit code 64
    version,      ///< -v
    information,  ///< -i
    modules,      ///< -m
};

struct CommandLine {
    Action action = Action::serve;
    std::string problem;  ///< with usageError: what was wrong, for stderr
    bool dump = false;    ///< -tt

    std::string programName;                ///< basename of argv[0]: titles, paths, ident follow it
    std::string usageName;                  ///< the same as the usage text shows it
    std::optional<std::string> configFile;  ///< -y
    std::string prefix;                     ///< -p
    std::string pidFile;                    ///< -g
    std::string iniPath;                    ///< -c
    bool ignoreIni = false;                 ///< -n
    bool extendedInfo = false;              ///< -e
    /// -d, in order; the values as text of an ini file, quoted where that text needs it
    std::vector<std::pair<std::string, std::string>> iniDefinitions;
    bool allowRoot = false;         ///< -R
    std::optional<bool> daemonize;  ///< -D, -F: the last one wins
    bool forceStderr = false;       ///< -O

    /// Called php-fpm, php-fpm8.2, …: names and paths are php-fpm's then.
    [[nodiscard]] bool asPhpFpm() const { return programName.starts_with("php-fpm"); }
};

[[nodiscard]] CommandLine parseCommandLine(const std::vector<std::string>& arguments);

[[nodiscard]] std::string usageText(const std::string& usageName);

}  // namespace muster::master
