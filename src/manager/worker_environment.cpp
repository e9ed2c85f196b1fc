// clear_env, env[], USER and HOME.
#include "manager/worker_environment.h"

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace muster::manager {

void applyWorkerEnvironment(const config::PoolSettings& pool, const Identity& identity) {
    // Resolved before anything is cleared: the values may come from what is about to go.
    std::vector<std::pair<std::string, std::string>> variables;
    bool hasUser = false;
    bool hasHome = false;
    for (const config::KeyValue& entry : pool.env) {
        std::string value = entry.value;
        if (!value.empty() && value.front() == '$') {
            const char* found = std::getenv(value.c_str() + 1);
            value = found != nullptr ? found : "";
        }
        hasUser = hasUser || entry.key == "USER";
        hasHome = hasHome || entry.key == "HOME";
        variables.emplace_back(entry.key, std::move(value));
    }
    if (pool.clearEnv) {
        ::clearenv();
    }
    for (const auto& [name, value] : variables) {
        ::setenv(name.c_str(), value.c_str(), 1);
    }
    if (!hasUser && !identity.userName.empty()) {
        ::setenv("USER", identity.userName.c_str(), 1);
    }
    if (!hasHome && !identity.home.empty()) {
        ::setenv("HOME", identity.home.c_str(), 1);
    }
}

}  // namespace muster::manager
