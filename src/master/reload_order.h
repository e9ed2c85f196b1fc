// What a reload is to bring up to date, and who waits for how it went. Orders that come while
// another is carried out become one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace muster::master {

struct ReloadOutcome {
    bool ok = true;
    std::string error{};                  ///< in a few words, unless ok
    std::vector<std::string> problems{};  ///< lines of the error log, warnings and worse
    /// By pool: "renewed", "added", "removed", "unchanged", "paused" or "failed: why".
    std::map<std::string, std::string> pools{};
    std::string program{};  ///< after an upgrade: which one runs
};

struct ReloadOrder {
    /// Who is told in the end; a connection of the control socket survives an upgrade.
    struct Waiter {
        std::function<void(const ReloadOutcome&)> tell;
        std::uint64_t connection = 0;
        void operator()(const ReloadOutcome& outcome) const { tell(outcome); }
    };

    bool upgrade = false;                      ///< by the program that is on disk now
    bool everything = false;                   ///< USR2: every pool, changed or not
    bool changed = false;                      ///< every pool that changed; new and removed ones
    std::set<std::string> named{};             ///< these if they changed
    std::set<std::string> restarted{};         ///< these by the settings in force
    std::set<std::string> paused{};            ///< these are drained, and stay away
    std::set<std::string> resumed{};           ///< … until here
    std::map<std::string, int> maxChildren{};  ///< these with another pm.max_children
    std::vector<Waiter> waiting{};

    /// The files are to be read.
    [[nodiscard]] bool readsFiles() const { return everything || changed || !named.empty(); }
    /// The pool is to follow what the files say of it.
    [[nodiscard]] bool concerns(const std::string& pool) const {
        return everything || changed || named.contains(pool);
    }
    /// There is something to do besides an upgrade.
    [[nodiscard]] bool reloads() const {
        return readsFiles() || !restarted.empty() || !paused.empty() || !resumed.empty() ||
               !maxChildren.empty();
    }
    [[nodiscard]] bool forces(const std::string& pool) const {
        return restarted.contains(pool) || maxChildren.contains(pool) || resumed.contains(pool);
    }

    void add(ReloadOrder other) {
        upgrade = upgrade || other.upgrade;
        everything = everything || other.everything;
        changed = changed || other.changed;
        named.merge(other.named);
        restarted.merge(other.restarted);
        // Of contradicting orders the last counts.
        for (const std::string& pool : other.paused) {
            resumed.erase(pool);
        }
        for (const std::string& pool : other.resumed) {
            paused.erase(pool);
        }
        paused.merge(other.paused);
        resumed.merge(other.resumed);
        for (auto& [pool, count] : other.maxChildren) {
            maxChildren[pool] = count;
        }
        std::move(other.waiting.begin(), other.waiting.end(), std::back_inserter(waiting));
    }
};

}  // namespace muster::master
