// PoolSet's part of an upgrade: its pools as the next program is to find them, and finding them.
#include <algorithm>
#include <map>
#include <memory>

#include "master/pool_set.h"

namespace muster::master {
namespace {

/// Plans share their logs, as they did before.
class SharedLogs {
  public:
    std::shared_ptr<UniqueFd> of(int fd) {
        if (fd < 0) {
            return nullptr;
        }
        std::shared_ptr<UniqueFd>& log = logs_[fd];
        if (!log) {
            log = std::make_shared<UniqueFd>(fd);
        }
        return log;
    }

    PoolPlan planOf(HandOver::Plan from) {
        PoolPlan plan;
        plan.inputs = std::move(from.inputs);
        plan.accessLog = of(from.accessLog);
        plan.slowLog = of(from.slowLog);
        plan.listener = from.listener;
        plan.statusListener = from.statusListener;
        plan.iniState = std::move(from.iniState);
        return plan;
    }

  private:
    std::map<int, std::shared_ptr<UniqueFd>> logs_;
};

HandOver::Plan handOverOf(const PoolPlan& plan) {
    return {.inputs = plan.inputs,
            .accessLog = plan.accessLog ? plan.accessLog->get() : -1,
            .slowLog = plan.slowLog ? plan.slowLog->get() : -1,
            .listener = plan.listener,
            .statusListener = plan.statusListener,
            .iniState = plan.iniState};
}

}  // namespace

std::vector<HandOver::Pool> PoolSet::handOver() const {
    const auto describe = [](const Incarnation& incarnation) {
        HandOver::Generation generation = incarnation.generation->handOver();
        generation.plan = handOverOf(incarnation.plan);
        generation.deadlineNs = incarnation.deadlineNs.value_or(0);
        return generation;
    };
    std::vector<HandOver::Pool> all;
    for (const Pool& pool : pools_) {
        HandOver::Pool& to = all.emplace_back();
        to.name = pool.name;
        to.startedWallNs = pool.startedWallNs;
        if (pool.current) {
            to.current = describe(*pool.current);
        }
        std::transform(pool.leaving.begin(), pool.leaving.end(), std::back_inserter(to.leaving),
                       describe);
        if (pool.plan) {
            to.plan = handOverOf(*pool.plan);
        }
        to.carried = pool.carried;
        to.paused = pool.paused;
        to.failures = pool.failures;
        to.workersHeld = account_.held(pool.name, ProcessAccount::Side::current);
        to.workersAsked = account_.asked(pool.name);
    }
    return all;
}

void PoolSet::adopt(std::vector<HandOver::Pool> pools, const Limits& limits) {
    drainDeadline_ = limits.drainDeadline;
    start_ = limits.start;
    account_.setLimit(limits.processMax);
    SharedLogs logs;
    for (HandOver::Pool& from : pools) {
        Pool& pool = pools_.emplace_back();
        const auto take = [&](Incarnation& to, HandOver::Generation& generation) {
            to.generation = Generation::adopt(
                generation, *loop_,
                [this, &pool](Generation& which, const manager::ControlMessage& message) {
                    onMessage(pool, which, message);
                });
            to.plan = logs.planOf(std::move(generation.plan));
        };
        pool.name = std::move(from.name);
        pool.startedWallNs = from.startedWallNs;
        if (from.current) {
            take(pool.current.emplace(), *from.current);
            account_.adopt(pool.name, from.workersHeld, from.workersAsked,
                           pool.current->plan.inputs.pool.maxChildren);
        }
        for (HandOver::Generation& generation : from.leaving) {
            Incarnation& leaving = pool.leaving.emplace_back();
            take(leaving, generation);
            killAt(*loop_, leaving, generation.deadlineNs);
        }
        if (from.plan) {
            pool.plan = logs.planOf(std::move(*from.plan));
        }
        pool.carried = from.carried;
        pool.paused = from.paused;
        pool.failures = from.failures;
        if (isLazy(pool) && !pool.current && !pool.paused) {
            sleep(pool);
        } else if (pool.plan && !pool.current && !pool.paused) {
            scheduleRestart(pool, "it had no manager when the program was changed");
        }
    }
}

}  // namespace muster::master
