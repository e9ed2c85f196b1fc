// The birth of a worker: the manager's side of the fork and what the child does before it serves.
//
// One struct lists all that crosses the fork (WorkerTemplate, the same for every worker of the
// generation, and WorkerPlace, its own). The child never returns into the manager's stack.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/message_channel.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "log/access_format.h"
#include "log/error_log.h"
#include "manager/confinement.h"
#include "manager/inputs.h"
#include "scoreboard/segment.h"
#include "worker/peer_rules.h"
#include "worker/runtime.h"

namespace muster::manager {

/// Borrowed from the manager, which outlives every fork.
struct WorkerTemplate {
    const ManagerInputs* inputs = nullptr;
    Runtime* runtime = nullptr;
    std::vector<int> runtimeFds;  ///< descriptors the runtime opened while it loaded
    scoreboard::Segment* segment = nullptr;
    log::ErrorLog* log = nullptr;
    const log::AccessFormat* accessFormat = nullptr;
    const worker::PeerRules* peerRules = nullptr;  ///< null: everybody
    WorkerRights rights;
    int listenFd = -1;
    int accessLogFd = -1;
    int wakeFd = -1;
    int handOverFd = -1;
    int processTreeFd = -1;  ///< /proc, by which workers let themselves be traced; not for scripts
};

/// What belongs to one worker. The manager keeps its ends, the child its own.
struct WorkerPlace {
    std::uint32_t slot = 0;
    int maxRequests = 0;  ///< 0: unlimited
    bool standsBy = false;
    MessageChannel managerOrders;
    MessageChannel workerOrders;
    UniqueFd outReader;  ///< with catch_workers_output: the worker's stdout
    UniqueFd outWriter;
    UniqueFd errReader;
    UniqueFd errWriter;
};

/// Channels and, when the pool catches output, pipes for a new worker. Readers are non-blocking.
[[nodiscard]] Result<WorkerPlace> prepareWorkerPlace(bool catchOutput, std::uint32_t slot);

/// Forks the worker; the child's ends of `place` are closed in the parent.
[[nodiscard]] Result<pid_t> forkWorker(const WorkerTemplate& shared, WorkerPlace& place);

}  // namespace muster::manager
