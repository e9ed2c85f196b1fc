// Master's part that brings pools up to date: what a reload renews, when it is refused, and what
// is said about it.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "master/master.h"
#include "master/pool_changes.h"
#include "master/process_limits.h"

namespace muster::master {

using std::chrono::seconds;

namespace {

/// The pool with room for another number of workers; what depends on it follows.
PoolPlan withMaxChildren(PoolPlan plan, int count) {
    config::PoolSettings& pool = plan.inputs.pool;
    pool.maxChildren = count;
    pool.maxSpareServers = std::min(pool.maxSpareServers, count);
    pool.minSpareServers = std::min(pool.minSpareServers, pool.maxSpareServers);
    pool.startServers = std::clamp(pool.startServers, pool.minSpareServers,
                                   std::max(pool.minSpareServers, pool.maxSpareServers));
    return plan;
}

}  // namespace

// Orders during a start or a reload become one more reload; it also waits while earlier
// generations still finish long requests, so that the number of processes stays bounded.
void Master::reload(ReloadOrder order) {
    if (state_ > State::serving) {
        [[maybe_unused]] const bool refused = !mayEnter(State::serving, "reloading");
        for (const auto& answer : order.waiting) {
            answer({.ok = false, .error = "the service is stopping"});
        }
        return;
    }
    if (wanted_) {
        wanted_->add(std::move(order));
    } else {
        wanted_ = std::move(order);
    }
    reloadIfWanted();
}

void Master::reloadIfWanted() {
    if (upgrading_) {
        continueUpgrade();
        return;
    }
    if (wanted_ && state_ == State::serving && !pools_.isRenewing() && pools_.hasRoomForRenewal() &&
        mayEnter(State::serving, "reloading")) {
        ReloadOrder order = std::move(*wanted_);
        wanted_.reset();
        if (order.upgrade) {
            beginUpgrade(std::move(order));
        } else {
            carryOut(std::move(order));
        }
    }
}

void Master::carryOut(ReloadOrder order) {
    service_.reloading();
    outcome_ = {};
    renewal_ = {};
    waiting_ = std::move(order.waiting);
    log_.setListener([this](LogLevel level, std::string_view text) {
        if (level >= LogLevel::warning) {
            outcome_.problems.emplace_back(text);
        }
    });
    const std::set<std::string> before = listeners_.addresses();
    auto prepared = prepareReload(order, before);
    if (!prepared) {
        listeners_.forgetChanges();
        outcome_.ok = false;
        outcome_.error = "the reload is refused, the running configuration stays in force";
        outcome_.pools.clear();
        log_.setListener({});
        log_.error(outcome_.error);
        service_.refused();
        concludeReload();
        return;
    }
    takeGlobals(*prepared);
    announceReload(before);
    listeners_.applyChanges();
    if (!renewal_.kept.empty()) {
        pools_.sendLogs();  // the error log may be another one
    }
    pools_.renew(std::move(renewal_),
                 {drainDeadline(global_), global_.processMax, startDeadline(global_),
                  seconds(global_.reloadCanary)},
                 [this](const PoolSet::Report& report) { reloaded(report); });
}

/// The new configuration as far as the order asks for it, with its sockets and logs; nothing: then
/// all is as before.
std::optional<Prepared> Master::prepareReload(const ReloadOrder& order,
                                              const std::set<std::string>& before) {
    Prepared prepared;
    prepared.global = global_;
    prepared.monitor = monitor_;
    if (order.readsFiles()) {
        auto read = prepare(invocation_, log_, files_, false);
        if (!read) {
            return std::nullopt;
        }
        if (auto limited = applyGlobalLimits(read->global); !limited) {
            log_.error(limited.error().text());
            return std::nullopt;
        }
        if (!takeRights(read->global, read->pools)) {
            return std::nullopt;
        }
        prepared = std::move(*read);
        chooseFromFiles(std::move(prepared.pools), order);
    }
    chooseFromRunning(order);
    renewal_.resumed = order.resumed;
    if (!knowsPools(order)) {
        return std::nullopt;
    }
    if (auto opened = openListeners(renewal_.plans); !opened) {
        log_.error(opened.error().text());
        listeners_.keepOnly(before);
        return std::nullopt;
    }
    if (auto opened = files_.open(prepared.global); !opened) {
        log_.error(opened.error().text());
        listeners_.keepOnly(pools_.addresses());
        return std::nullopt;
    }
    return prepared;
}

void Master::chooseFromFiles(std::vector<PoolPlan> plans, const ReloadOrder& order) {
    std::set<std::string> there;
    for (PoolPlan& plan : plans) {
        const std::string name = plan.inputs.pool.name;
        there.insert(name);
        const PoolPlan* running = pools_.planOf(name);
        if (!order.concerns(name)) {
            continue;
        }
        const auto manager = pools_.managerOf(name);
        if (running == nullptr) {
            outcome_.pools[name] = "added";
        } else if (staysPaused(name, order)) {
            outcome_.pools[name] = "paused";
        } else if (order.everything || (!manager && !pools_.isAsleep(name)) ||
                   changeOf(*running, manager, plan)) {
            outcome_.pools[name] = "renewed";
        } else {
            outcome_.pools[name] = "unchanged";
            continue;
        }
        renewal_.plans.push_back(std::move(plan));
    }
    for (const std::string& name : pools_.names()) {
        if (!there.contains(name) && order.concerns(name)) {
            outcome_.pools[name] = "removed";
        }
    }
}

bool Master::staysPaused(const std::string& pool, const ReloadOrder& order) const {
    return pools_.isPaused(pool) && !order.resumed.contains(pool);
}

/// Pools that the files have no say in: renewed by the settings in force, or kept.
void Master::chooseFromRunning(const ReloadOrder& order) {
    const auto isPlanned = [this](const std::string& name) {
        return std::any_of(renewal_.plans.begin(), renewal_.plans.end(),
                           [&](const PoolPlan& plan) { return plan.inputs.pool.name == name; });
    };
    for (const std::string& name : pools_.names()) {
        if (isPlanned(name) || outcome_.pools[name] == "removed") {
            continue;
        }
        if (order.paused.contains(name)) {
            renewal_.kept.insert(name);
            renewal_.paused.insert(name);
            outcome_.pools[name] = "paused";
        } else if (order.forces(name)) {
            renewal_.plans.push_back(*pools_.planOf(name));
            outcome_.pools[name] = staysPaused(name, order) ? "paused" : "renewed";
        } else {
            renewal_.kept.insert(name);
        }
    }
    for (PoolPlan& plan : renewal_.plans) {
        const std::string& name = plan.inputs.pool.name;
        if (const auto count = order.maxChildren.find(name); count != order.maxChildren.end()) {
            plan = withMaxChildren(std::move(plan), count->second);
        }
    }
    std::erase_if(outcome_.pools, [](const auto& entry) { return entry.second.empty(); });
}

/// A name that is neither running nor in the files is a mistake of whoever gave the order.
bool Master::knowsPools(const ReloadOrder& order) const {
    bool all = true;
    const auto check = [&](const std::string& name) {
        if (pools_.planOf(name) == nullptr && !outcome_.pools.contains(name)) {
            log_.error("there is no pool '" + name + "'");
            all = false;
        }
    };
    std::for_each(order.named.begin(), order.named.end(), check);
    for (const std::set<std::string>* names : {&order.restarted, &order.paused, &order.resumed}) {
        std::for_each(names->begin(), names->end(), check);
    }
    for (const auto& [name, count] : order.maxChildren) {
        check(name);
    }
    return all;
}

void Master::takeGlobals(const Prepared& prepared) {
    log_.setLevel(prepared.global.effectiveLogLevel());
    log_.setLimit(prepared.global.logLimit);
    log_.setFormat(prepared.global.logFormat);
    // These two belong to how the master was started and stay as they are until it ends.
    const std::string pid = global_.pid;
    const bool daemonize = global_.daemonize;
    global_ = prepared.global;
    global_.pid = pid;
    global_.daemonize = daemonize;
    monitor_ = prepared.monitor;
    crashes_.configure(global_.emergencyRestartThreshold, global_.emergencyRestartInterval);
    openControl();
}

/// The lines of php-fpm's sequence, which log parsers wait for.
void Master::announceReload(std::set<std::string> addresses) const {
    const std::size_t count = renewal_.plans.size();
    if (count == 0) {
        log_.notice("reloading: no pool gets a new generation");
        return;
    }
    log_.notice(fmt::format("reloading: a new generation of {} pool{} starts beside the old one",
                            count, count == 1 ? "" : "s"));
    for (const PoolPlan& plan : renewal_.plans) {
        const config::PoolSettings& pool = plan.inputs.pool;
        for (const std::string& address : {pool.listen, pool.statusListen}) {
            if (addresses.erase(address) > 0) {
                listeners_.announceOpen(address);
            }
        }
    }
    // php-fpm inherits all sockets, and closes those of removed pools when it knows them.
    for (const std::string& address : addresses) {
        listeners_.announceOpen(address);
    }
    log_.notice(fmt::format("fpm is running, pid {}", ::getpid()));
}

void Master::reloaded(const PoolSet::Report& report) {
    listeners_.keepOnly(pools_.addresses());
    restoreSockets(report);
    if (report.failed > 0) {
        log_.error(fmt::format("{} of {} pools could not be renewed", report.failed,
                               report.failed + report.ready));
    }
    for (const auto& [pool, why] : report.failures) {
        outcome_.ok = false;
        outcome_.error = "not every pool could be renewed";
        outcome_.pools[pool] = "failed: " + why;
    }
    announceReady();
    concludeReload();
    reloadIfWanted();
}

/// Those of pools that keep their old generation are as that wants them.
void Master::restoreSockets(const PoolSet::Report& report) {
    for (const auto& [pool, why] : report.failures) {
        if (const PoolPlan* plan = pools_.planOf(pool)) {
            std::vector<PoolPlan> plans{*plan};
            if (auto restored = openListeners(plans); !restored) {
                log_.error(restored.error().text());
            }
        }
    }
    listeners_.applyChanges();
}

void Master::concludeReload() {
    log_.setListener({});
    if (previous_) {
        concludeUpgrade();
    }
    if (upgradeFailure_) {
        outcome_.ok = false;
        outcome_.error = std::move(upgradeFailure_->error);
        outcome_.problems.insert(outcome_.problems.begin(), upgradeFailure_->problems.begin(),
                                 upgradeFailure_->problems.end());
        upgradeFailure_.reset();
    }
    const auto waiting = std::move(waiting_);
    waiting_.clear();
    for (const auto& answer : waiting) {
        answer(outcome_);
    }
}

}  // namespace muster::master
