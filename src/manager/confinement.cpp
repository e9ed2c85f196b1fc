// Takes what the master's rights allow, gives them up, and leaves the rest to the workers.
#include "manager/confinement.h"

#include <unistd.h>

#include <ctime>

#include "base/apparmor.h"
#include "base/identity.h"
#include "base/process.h"
#include "base/root_directory.h"

namespace muster::manager {
namespace {

std::string inPool(const std::string& pool, const std::string& text) {
    return "[pool " + pool + "] " + text;
}

Result<void> changeDirectory(const std::string& path) {
    return ::chdir(path.c_str()) == 0 ? Result<void>{}
                                      : errnoError("failed to chdir(" + path + ")");
}

}  // namespace

Confinement::Confinement(const ManagerInputs& inputs, log::ErrorLog& log)
    : inputs_(inputs), log_(log) {
    rights_.files = openFileLimits();
    rights_.dumpable = inputs.pool.processDumpable;
    rights_.apparmorHat = inputs.pool.apparmorHat;
}

Result<void> Confinement::becomePoolUser(std::size_t descriptors) {
    const config::PoolSettings& pool = inputs_.pool;
    const bool mayAll = inputs_.dropPrivileges;
    allow(Limited::files, pool.rlimitFiles, rights_.rlimitFiles);
    allow(Limited::core, pool.rlimitCore, rights_.rlimitCore);
    raiseFileLimit(descriptors);
    if (mayAll && !pool.chroot.empty()) {
        auto root = openRoot(pool.chroot);
        if (!root) {
            return tl::make_unexpected(root.error());
        }
        root_ = std::move(*root);
    } else if (!pool.chdir.empty()) {
        if (auto changed = changeDirectory(pool.chdir); !changed) {
            return changed;
        }
    }
    if (!mayAll) {
        return {};
    }
    if (auto taken = takePriority(); !taken) {
        return taken;
    }
    return dropPrivileges(inputs_.identity, root_ ? RootChange::later : RootChange::no);
}

Result<void> Confinement::enterPlace() {
    const config::PoolSettings& pool = inputs_.pool;
    if (!pool.apparmorHat.empty()) {
        if (const auto current = confinement(); !current) {
            return tl::make_unexpected(current.error());
        }
    }
    if (!root_) {
        return {};
    }
    ::tzset();  // log lines keep the local time, whose file is not below the new root
    if (auto entered = enterRoot(std::move(root_), pool.chroot); !entered) {
        return entered;
    }
    if (!pool.chdir.empty()) {
        return changeDirectory(pool.chdir);
    }
    if (auto changed = changeDirectory("/"); !changed) {
        log_.warning(inPool(pool.name, changed.error().text()));
    }
    return {};
}

/// `value` becomes the workers' to set when they will be able to.
void Confinement::allow(Limited what, int value, int& forWorkers) {
    if (value == 0) {
        return;
    }
    if (auto allowed = allowLimit(what, value); allowed) {
        forWorkers = value;
    } else {
        log_.error(inPool(inputs_.pool.name, allowed.error().text()));
    }
}

/// A better priority is for the manager, too: only now is there the right to take it. A worse one
/// is left to the workers, so that the manager answers however busy they are.
Result<void> Confinement::takePriority() {
    const auto& wanted = inputs_.pool.processPriority;
    rights_.priority = wanted;
    if (!wanted || *wanted >= priority()) {
        return {};
    }
    return setPriority(*wanted, "Unable to set priority for this new process");
}

Result<void> confineWorker(const WorkerRights& rights, log::ErrorLog& log,
                           const std::string& prefix) {
    const auto orSay = [&](const Result<void>& result) {
        if (!result) {
            log.error(prefix + result.error().text());
        }
    };
    if (rights.rlimitFiles != 0) {
        orSay(setLimit(Limited::files, rights.rlimitFiles));
    } else {
        restoreFileLimits(rights.files);
    }
    if (rights.rlimitCore != 0) {
        orSay(setLimit(Limited::core, rights.rlimitCore));
    }
    if (rights.priority) {
        auto set = setPriority(*rights.priority, "Unable to set priority for this new process");
        if (!set) {
            return set;
        }
    }
    if (rights.dumpable) {
        orSay(becomeDumpable());
    }
    return rights.apparmorHat.empty() ? Result<void>{} : changeHat(rights.apparmorHat);
}

}  // namespace muster::manager
