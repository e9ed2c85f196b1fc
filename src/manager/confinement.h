// What a pool's processes may do and where they live: limits, priority, user, root and current
// directory, AppArmor hat (spec lifecycle §5.8).
//
// php-fpm does all of this in each worker. Here the manager does, once, what needs the master's
// rights and what concerns the whole pool; the workers do the rest after the fork.
#pragma once

#include <cstddef>

#include "base/limits.h"
#include "base/unique_fd.h"
#include "log/error_log.h"
#include "manager/inputs.h"

namespace muster::manager {

/// What a worker sets for itself. Plain data, copied by the fork.
struct WorkerRights {
    FileLimits files;             ///< when the pool says nothing: what the master has
    int rlimitFiles = 0;          ///< 0: leave alone
    int rlimitCore = 0;           ///< 0: leave alone
    std::optional<int> priority;  ///< unset: the manager's
    bool dumpable = false;
    std::string apparmorHat;  ///< empty: none
};

/// Manager side. Errors have php-fpm's texts, without the pool's name; they end the start. What
/// php-fpm only logs is logged here, once for all workers.
class Confinement {
  public:
    Confinement(const ManagerInputs& inputs, log::ErrorLog& log);

    /// With the master's rights for everything that needs them; without them after it. The
    /// manager itself may then have that many descriptors. The runtime is loaded next, outside of
    /// a new root: its libraries and ini files are there.
    Result<void> becomePoolUser(std::size_t descriptors);
    /// The new root, when the pool has one, and the last of the rights.
    Result<void> enterPlace();
    [[nodiscard]] WorkerRights forWorkers() const { return rights_; }

  private:
    void allow(Limited what, int value, int& forWorkers);
    Result<void> takePriority();

    const ManagerInputs& inputs_;
    log::ErrorLog& log_;
    WorkerRights rights_;
    UniqueFd root_;
};

/// Child side, after the fork. What is not fatal goes to `log` with `prefix`.
Result<void> confineWorker(const WorkerRights& rights, log::ErrorLog& log,
                           const std::string& prefix);

}  // namespace muster::manager
