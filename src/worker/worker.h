// A worker process: one request at a time until told to leave.
//
// Runs in the child of the manager's fork, with the manager's warm image. Owns its connection,
// its slot's pen and its copy of the listening descriptors. Orders reach it by SIGQUIT (idle
// workers: the handler replaces the listening descriptor by a dead socket, so that nothing is
// accepted after it), by SIGURG (look at the hand-over queue), by flags in the scoreboard, and by
// its orders channel (new access log). By the same channel it gives connections it does not want
// to wait for to its manager.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/message_channel.h"
#include "base/private_memory.h"
#include "config/settings.h"
#include "log/access_format.h"
#include "log/error_log.h"
#include "scoreboard/segment.h"
#include "worker/peer_rules.h"
#include "worker/runtime.h"

namespace muster::worker {

/// How a worker ends: its exit status is a protocol with the manager.
enum class WorkerExit : int {
    done = 0,          ///< asked to leave, replaced by plan
    cannotStart = 70,  ///< never served: must not be respawned in a tight loop
    exhausted = 71,    ///< its last request ran out of memory (pm.recycle_after_fatal)
    changed = 72,      ///< its last request changed the process for good
    interrupted = 73,  ///< its last request took too long and was cut short
    abandoned = 74,    ///< its last request was cut short because the client had left
};

/// What Commands::draining says to every worker of a generation. The manager stores it before it
/// sends SIGQUIT to those that wait.
inline constexpr std::uint32_t kNotDraining = 0;
/// A newer generation accepts: leave once the request at hand is over. A connection that has to be
/// waited on is parked at once, for the newer generation.
inline constexpr std::uint32_t kDrainReplaced = 1;
/// The service stops: idle kept-alive connections are closed at once.
inline constexpr std::uint32_t kDrainStopping = 2;
/// The same, but whoever waits to be accepted is still served: leave when nobody does. The
/// listening socket is closed to newcomers after this was stored: accept fails when its queue is
/// empty.
inline constexpr std::uint32_t kDrainLastOrders = 3;

/// No generation comes after this one: nobody waits for one more request on a connection.
[[nodiscard]] inline bool isStop(std::uint32_t draining) {
    return draining == kDrainStopping || draining == kDrainLastOrders;
}

/// What Commands::lineUp says.
inline constexpr std::uint32_t kNoLine = 0;
/// Only the manager accepts; workers take from the hand-over queue.
inline constexpr std::uint32_t kLinedUp = 1;
/// For the moment nobody takes: the manager has the queue's first ones in its hands.
inline constexpr std::uint32_t kLineHeld = 2;

/// The one message on a worker's orders channel, with the new descriptor attached. Sent before
/// Commands::logEpoch is raised to the same number.
struct LogReopened {
    std::uint32_t epoch;
};

/// All that crosses the fork. Everything else is closed in the child.
struct WorkerInputs {
    const config::PoolSettings* pool = nullptr;
    Runtime* runtime = nullptr;
    scoreboard::Segment* segment = nullptr;
    std::uint32_t slot = 0;
    int maxRequests = 0;                    ///< this worker's own pm.max_requests; 0: unlimited
    bool standsBy = false;                  ///< serves nobody before Order::standBy is taken down
    const PrivateMemory* memory = nullptr;  ///< null: never measured
    int listenFd = -1;
    int wakeFd = -1;       ///< eventfd of the manager; see Commands::wakeAtIdle
    int ordersFd = -1;     ///< worker's end of its orders channel
    int handOverFd = -1;   ///< where all workers take handed-over connections from; -1: nobody
                           ///< hands over, so nothing is parked
    int accessLogFd = -1;  ///< -1: no access log
    const log::AccessFormat* accessFormat = nullptr;
    const PeerRules* peerRules = nullptr;  ///< null: everybody
    log::ErrorLog* log = nullptr;
    /// Where `log` writes until the worker serves, so that nobody misses why it could not start;
    /// then it is closed, for scripts must not reach it, and `log` turns to fd 2 in worker style.
    int errorLogFd = -1;
    pid_t manager = 0;
    pid_t master = 0;
    std::string title;  ///< process title
};

/// The whole life of the worker; the value is its exit status.
[[nodiscard]] WorkerExit runWorker(const WorkerInputs& inputs);

}  // namespace muster::worker
