// The master process: takes signals, keeps the pools as the configuration says, and ends.
//
// Tiny and privileged; no PHP, no byte of a request. Its life, in order: prepare (configuration,
// logs, users), sockets, pid file, managers, event loop.
#pragma once

#include "master/daemonize.h"
#include "master/preparation.h"

namespace muster::master {

/// Exit statuses of the service (spec lifecycle §1.3).
inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 64;
inline constexpr int kExitSoftware = 70;
inline constexpr int kExitConfiguration = 78;

/// Start to end of the service; the value is the process's exit status.
[[nodiscard]] int masterMain(const Invocation& invocation);

}  // namespace muster::master
