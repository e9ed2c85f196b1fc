// What a reload is to bring up to date, and who waits for how it went. Orders that come while
// another is carried out become one.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace muster::master {

struct ReloadOutcome {
    bool ok = true;
    std::vector<std::string> problems{};  ///< lines of the error log, warnings and worse
    /// By pool: "renewed", "added", "removed", "unchanged", "paused", "failed: why".
    std::map<std::string, std::string> pools{};
};

struct ReloadOrder {
    using OnOutcome = std::function<void(const ReloadOutcome&)>;

    bool everything = false;                   ///< USR2: every pool, changed or not
    bool changed = false;                      ///< every pool that changed; new and removed ones
    std::set<std::string> named{};             ///< these if they changed
    std::set<std::string> restarted{};         ///< these by the settings in force
    std::map<std::string, int> maxChildren{};  ///< these with another pm.max_children
    std::vector<OnOutcome> waiting{};

    /// The files are to be read.
    [[nodiscard]] bool readsFiles() const { return everything || changed || !named.empty(); }
    /// The pool is to follow what the files say of it.
    [[nodiscard]] bool concerns(const std::string& pool) const {
        return everything || changed || named.contains(pool);
    }
    [[nodiscard]] bool forces(const std::string& pool) const {
        return everything || restarted.contains(pool) || maxChildren.contains(pool);
    }

    void add(ReloadOrder other) {
        everything = everything || other.everything;
        changed = changed || other.changed;
        named.merge(other.named);
        restarted.merge(other.restarted);
        for (auto& [pool, count] : other.maxChildren) {
            maxChildren[pool] = count;
        }
        std::move(other.waiting.begin(), other.waiting.end(), std::back_inserter(waiting));
    }
};

}  // namespace muster::master
