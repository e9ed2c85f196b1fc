// Helpers on the plain settings.
#include "config/settings.h"

namespace muster::config {

bool hasSlowLog(const PoolSettings& pool) {
    return !pool.slowlog.empty() &&
           (pool.requestSlowlogTimeout != 0 || pool.requestTerminateTimeout != 0);
}

const char* processManagerName(ProcessManager pm) {
    switch (pm) {
        case ProcessManager::fixed:
            return "static";
        case ProcessManager::dynamic:
            return "dynamic";
        case ProcessManager::ondemand:
            return "ondemand";
        case ProcessManager::unset:
            break;
    }
    return "undefined";
}

}  // namespace muster::config
