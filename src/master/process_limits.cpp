// Global limits and priority, in php-fpm's words.
#include "master/process_limits.h"

#include "base/limits.h"

namespace muster::master {

Result<void> applyGlobalLimits(const config::GlobalSettings& global) {
    if (global.rlimitFiles != 0) {
        if (auto limited = setLimit(Limited::files, global.rlimitFiles); !limited) {
            return limited;
        }
    }
    return global.rlimitCore != 0 ? setLimit(Limited::core, global.rlimitCore) : Result<void>{};
}

void makeRoomForPools(std::size_t pools) {
    constexpr std::size_t kForTheMaster = 128;
    // Two sockets, two logs, channels of the generation in force and of some that leave; all twice.
    constexpr std::size_t kForAPool = 16;
    raiseOwnFileLimit(kForTheMaster + kForAPool * pools);
}

Result<void> applyGlobalPriority(const config::GlobalSettings& global, bool runsAsRoot,
                                 log::ErrorLog& log) {
    if (!global.processPriority) {
        return {};
    }
    if (!runsAsRoot) {
        log.notice("'process.priority' directive is ignored when FPM is not running as root");
        return {};
    }
    return setPriority(*global.processPriority, "Unable to set priority for the master process");
}

}  // namespace muster::master
