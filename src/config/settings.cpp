// Helpers on the plain settings.
#include "config/settings.h"

#include <algorithm>
#include <unordered_set>

namespace muster::config {

std::vector<KeyValue> orderedForUse(const std::vector<KeyValue>& newestFirst) {
    std::vector<KeyValue> ordered;
    std::unordered_set<std::string_view> seen;
    for (auto entry = newestFirst.rbegin(); entry != newestFirst.rend(); ++entry) {
        if (seen.insert(entry->key).second) {
            ordered.push_back(*entry);
        }
    }
    return ordered;
}

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
