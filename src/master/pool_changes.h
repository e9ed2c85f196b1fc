// Whether what runs of a pool is still what the files say: its settings, PHP's ini files, and the
// code on disk. Master side; reads file states and /proc, never blocks on anybody.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "master/preparation.h"

namespace muster::master {

/// The ini files PHP would read, each with device, inode, size and time of change.
[[nodiscard]] std::string iniState(const CommandLine& line);

/// What a reload would change for a pool that runs by `running` under the process `manager`, or
/// without any: "settings", "ini files", "program files", or nothing.
[[nodiscard]] std::optional<std::string> changeOf(const PoolPlan& running,
                                                  std::optional<pid_t> manager,
                                                  const PoolPlan& wanted);

/// Whether a line of /proc/PID/maps is executable code of a shared object that was replaced or
/// removed since it was mapped (proc(5)).
[[nodiscard]] bool isReplacedCode(std::string_view mapping);

}  // namespace muster::master
