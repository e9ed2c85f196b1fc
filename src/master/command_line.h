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

    std::string programName;                                          ///< basename of argv[0]
    std::optional<std::string> configFile;                            ///< -y
    std::string prefix;                                               ///< -p
    std::string pidFile;                                              ///< -g
    std::string iniPath;                                              ///< -c
    bool ignoreIni = false;                                           ///< -n
    std::vector<std::pair<std::string, std::string>> iniDefinitions;  ///< -d, in order
    bool allowRoot = false;                                           ///< -R
    std::optional<bool> daemonize;                                    ///< -D, -F: the last one wins
    bool forceStderr = false;                                         ///< -O
};

[[nodiscard]] CommandLine parseCommandLine(const std::vector<std::string>& arguments);

[[nodiscard]] std::string usageText(const std::string& programName);

}  // namespace muster::master
