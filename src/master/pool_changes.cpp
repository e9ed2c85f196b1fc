// Compares plans, ini files and mapped code.
#include "master/pool_changes.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <string_view>

#include "base/ini_files.h"
#include "base/io.h"

namespace muster::master {
namespace {

constexpr std::size_t kLongestMaps = std::size_t{16} << 20;

/// All that the manager is told, but for what belongs to the moment of its start.
std::string settingsOf(const PoolPlan& plan) {
    manager::ManagerInputs inputs = plan.inputs;
    inputs.masterPid = 0;
    inputs.ownsSockets = false;
    inputs.syslog.reset();
    return manager::encodeInputs(inputs);
}

/// A process whose maps cannot be read (hidepid, hardened kernels) is taken for up to date.
bool runsReplacedCode(pid_t pid) {
    const auto maps = readFile(fmt::format("/proc/{}/maps", pid), kLongestMaps);
    if (!maps) {
        return false;
    }
    std::string_view rest = *maps;
    while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        if (isReplacedCode(rest.substr(0, end))) {
            return true;
        }
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return false;
}

}  // namespace

std::string iniState(const CommandLine& line) {
    std::string state;
    for (const std::string& path : listIniFiles(locateIniFiles(line.iniPath, line.ignoreIni))) {
        struct stat info {};
        const bool there = ::stat(path.c_str(), &info) == 0;
        state += fmt::format("{}\n{} {} {} {} {}.{}\n", path, there, info.st_dev, info.st_ino,
                             info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    }
    return state;
}

bool isReplacedCode(std::string_view mapping) {
    const std::size_t permissions = mapping.find(' ');
    if (permissions == std::string_view::npos || mapping.size() < permissions + 5 ||
        mapping[permissions + 3] != 'x') {
        return false;
    }
    constexpr std::string_view kDeleted = " (deleted)";
    if (!mapping.ends_with(kDeleted)) {
        return false;
    }
    mapping.remove_suffix(kDeleted.size());
    const std::size_t path = mapping.find('/');
    if (path == std::string_view::npos) {
        return false;
    }
    const std::string_view file = mapping.substr(path);
    return !file.starts_with("/memfd:") &&
           (file.ends_with(".so") || file.find(".so.") != std::string_view::npos);
}

std::optional<std::string> changeOf(const PoolPlan& running, std::optional<pid_t> manager,
                                    const PoolPlan& wanted) {
    if (settingsOf(running) != settingsOf(wanted)) {
        return "settings";
    }
    if (running.iniState != wanted.iniState) {
        return "ini files";
    }
    if (manager && runsReplacedCode(*manager)) {
        return "program files";
    }
    return std::nullopt;
}

}  // namespace muster::master
