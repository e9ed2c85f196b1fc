// The arithmetic of pm: what a tick and a sudden demand decide.
#include "manager/scaling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "base/clock.h"

namespace muster::manager {
namespace {

config::PoolSettings dynamicPool() {
    config::PoolSettings pool;
    pool.pm = config::ProcessManager::dynamic;
    pool.maxChildren = 20;
    pool.startServers = 4;
    pool.minSpareServers = 5;
    pool.maxSpareServers = 8;
    return pool;
}

constexpr std::uint64_t kNow = 1000 * kNsPerSecond;

config::PoolSettings ondemandPool() {
    config::PoolSettings pool;
    pool.pm = config::ProcessManager::ondemand;
    pool.maxChildren = 4;
    return pool;
}

PoolLoad load(int running, int idle, int pending = 0, int starting = 0) {
    return {.running = running, .idle = idle, .starting = starting, .pending = pending};
}

TEST(Tick, a_static_pool_never_changes) {
    config::PoolSettings pool;
    pool.pm = config::ProcessManager::fixed;
    pool.maxChildren = 4;
    ScalingState state;
    const auto decision = decideTick(pool, load(4, 0, 100), state, kNow);
    EXPECT_EQ(decision.fork, 0);
    EXPECT_FALSE(decision.killIdle);
    EXPECT_EQ(initialWorkers(pool), 4);
}

TEST(Tick, the_spawn_rate_doubles_while_spares_are_short) {
    const auto pool = dynamicPool();
    ScalingState state;
    EXPECT_EQ(decideTick(pool, load(4, 0), state, kNow).fork, 1);
    EXPECT_EQ(decideTick(pool, load(5, 0), state, kNow).fork, 2);
    EXPECT_EQ(decideTick(pool, load(7, 0), state, kNow).fork, 4);
    const auto busy = decideTick(pool, load(11, 0), state, kNow);
    EXPECT_TRUE(busy.warnBusy);
    EXPECT_EQ(busy.busyRate, 8);
    EXPECT_EQ(busy.fork, 5);  // never more than the missing spares
    EXPECT_EQ(decideTick(pool, load(16, 5), state, kNow).fork, 0);
    EXPECT_EQ(state.spawnRate, 1);
}

TEST(Tick, a_static_pool_makes_up_for_what_could_not_be_forked) {
    config::PoolSettings pool;
    pool.pm = config::ProcessManager::fixed;
    pool.maxChildren = 4;
    ScalingState state;
    EXPECT_EQ(decideTick(pool, load(1, 0), state, kNow).fork, 3);
}

TEST(Tick, growth_on_demand_counts_as_shortage) {
    const auto pool = dynamicPool();
    ScalingState state;
    int running = 6;
    for (int tick = 1; tick <= 3; ++tick, running += 2) {
        EXPECT_EQ(decideDemand(pool, load(running, 0, 2), state, kNow).fork, 5);
        const auto decision = decideTick(pool, load(running + 5, 5), state, kNow);
        EXPECT_EQ(decision.fork, 0);
        EXPECT_FALSE(decision.warnBusy);
    }
    [[maybe_unused]] const auto grown = decideDemand(pool, load(running, 0, 2), state, kNow);
    EXPECT_TRUE(decideTick(pool, load(running + 5, 5), state, kNow).warnBusy);
    EXPECT_FALSE(decideTick(pool, load(running + 5, 5), state, kNow).warnBusy);
    EXPECT_EQ(state.spawnRate, 1);
}

TEST(Shortfall, is_what_the_pool_could_do_with) {
    EXPECT_EQ(shortfall(dynamicPool(), load(4, 1)), 4);
    EXPECT_EQ(shortfall(dynamicPool(), load(4, 1, 9)), 8);
    EXPECT_EQ(shortfall(dynamicPool(), load(18, 0)), 2);
    EXPECT_EQ(shortfall(dynamicPool(), load(9, 6)), 0);
    EXPECT_EQ(shortfall(ondemandPool(), load(0, 0)), 0);
    EXPECT_EQ(shortfall(ondemandPool(), load(1, 0, 2, 1)), 1);
    EXPECT_EQ(shortfall(ondemandPool(), load(3, 0, 9)), 1);
}

TEST(Tick, the_rate_stops_doubling_at_max_spawn_rate) {
    auto pool = dynamicPool();
    pool.maxSpawnRate = 4;
    ScalingState state;
    for (int i = 0; i < 10; ++i) {
        [[maybe_unused]] const auto decision = decideTick(pool, load(4, 0), state, kNow);
    }
    EXPECT_EQ(state.spawnRate, 4);
}

TEST(Tick, one_idle_worker_over_max_spare_leaves_each_tick_once_that_has_lasted) {
    ScalingState state;
    EXPECT_FALSE(decideTick(dynamicPool(), load(9, 9), state, kNow).killIdle);
    EXPECT_TRUE(decideTick(dynamicPool(), load(9, 9), state, kNow).killIdle);
    EXPECT_TRUE(decideTick(dynamicPool(), load(9, 9), state, kNow).killIdle);
    EXPECT_FALSE(decideTick(dynamicPool(), load(9, 8), state, kNow).killIdle);
    EXPECT_FALSE(decideTick(dynamicPool(), load(9, 9), state, kNow).killIdle);
}

TEST(Tick, workers_needed_between_two_looks_are_no_surplus) {
    ScalingState state;
    PoolLoad swinging = load(12, 12);
    swinging.leastIdle = 3;
    for (int tick = 0; tick < 10; ++tick) {
        EXPECT_FALSE(decideTick(dynamicPool(), swinging, state, kNow).killIdle);
    }
}

TEST(Tick, the_limit_is_counted_once_an_episode) {
    const auto pool = dynamicPool();
    ScalingState state;
    EXPECT_TRUE(decideTick(pool, load(20, 0), state, kNow).countLimit);
    EXPECT_FALSE(decideTick(pool, load(20, 0), state, kNow).countLimit);
    EXPECT_EQ(decideTick(pool, load(18, 0), state, kNow).fork, 1);
    EXPECT_TRUE(decideTick(pool, load(20, 0), state, kNow).countLimit);
}

TEST(Tick, an_ondemand_pool_retires_only_when_nobody_waits) {
    ScalingState state;
    EXPECT_TRUE(decideTick(ondemandPool(), load(2, 1), state, kNow).killIdle);
    EXPECT_FALSE(decideTick(ondemandPool(), load(2, 1, 3), state, kNow).killIdle);
}

TEST(Demand, a_burst_is_met_at_once_up_to_the_limits) {
    const auto pool = dynamicPool();
    ScalingState state;
    EXPECT_EQ(decideDemand(pool, load(5, 0, 200), state, kNow).fork, 15);
    ScalingState other;
    EXPECT_EQ(decideDemand(ondemandPool(), load(0, 0, 200), other, kNow).fork, 4);
}

TEST(Demand, max_spawn_rate_bounds_a_dynamic_pool_per_second) {
    auto pool = dynamicPool();
    pool.maxSpawnRate = 4;
    ScalingState state;
    const auto first = decideDemand(pool, load(5, 0, 200), state, kNow);
    EXPECT_EQ(first.fork, 4);
    EXPECT_EQ(first.lookAgainNs, kNsPerSecond / 4);
    EXPECT_EQ(decideDemand(pool, load(9, 0, 200), state, kNow).fork, 0);
    EXPECT_EQ(decideDemand(pool, load(9, 0, 200), state, kNow + kNsPerSecond / 4).fork, 1);
    EXPECT_EQ(decideDemand(pool, load(10, 0, 200), state, kNow + 5 * kNsPerSecond).fork, 4);
}

TEST(Demand, max_spawn_rate_holds_over_any_load) {
    auto pool = dynamicPool();
    pool.maxChildren = 1000;
    pool.maxSpawnRate = 7;
    ScalingState state;
    std::mt19937 random(1);
    std::vector<std::uint64_t> forks;
    for (std::uint64_t now = kNow; now < kNow + 20 * kNsPerSecond; now += 13 * kNsPerMs) {
        const int pending = static_cast<int>(random() % 30);
        const int fork = decideDemand(pool, load(20, 0, pending), state, now).fork;
        forks.insert(forks.end(), static_cast<std::size_t>(fork), now);
    }
    // What was saved up and what comes in a second: never more in any second.
    for (std::size_t i = 0; i + 14 < forks.size(); ++i) {
        EXPECT_GT(forks[i + 14] - forks[i], kNsPerSecond);
    }
    EXPECT_GE(forks.size(), 7U * 18U) << "and no less than that over time";
}

TEST(Demand, a_rate_beyond_all_bounds_is_as_good_as_none) {
    auto pool = dynamicPool();
    pool.maxSpawnRate = std::numeric_limits<int>::max();
    ScalingState state;
    EXPECT_EQ(decideDemand(pool, load(5, 0, 200), state, kNow).fork, 15);
}

TEST(Demand, an_ondemand_pool_grows_in_steps_that_let_the_manager_breathe) {
    auto pool = ondemandPool();
    pool.maxChildren = 100;
    pool.maxSpawnRate = 1;  // dynamic pools only
    ScalingState state;
    const auto decision = decideDemand(pool, load(0, 0, 200), state, kNow);
    EXPECT_EQ(decision.fork, 32);
    EXPECT_GT(decision.lookAgainNs, 0U);
    EXPECT_EQ(decideDemand(pool, load(96, 0, 200), state, kNow).fork, 4);
}

TEST(Demand, workers_on_their_way_count) {
    ScalingState state;
    EXPECT_EQ(decideDemand(dynamicPool(), load(10, 0, 5, 5), state, kNow).fork, 0);
    EXPECT_EQ(decideDemand(ondemandPool(), load(1, 0, 2, 1), state, kNow).fork, 1);
}

TEST(Demand, the_last_idle_worker_busy_brings_new_spares) {
    ScalingState state;
    EXPECT_EQ(decideDemand(dynamicPool(), load(5, 0), state, kNow).fork, 5);
    EXPECT_EQ(decideDemand(dynamicPool(), load(5, 1), state, kNow).fork, 0);
}

TEST(Demand, an_ondemand_pool_at_its_limit_says_so_once) {
    ScalingState state;
    EXPECT_TRUE(decideDemand(ondemandPool(), load(4, 0, 1), state, kNow).countLimit);
    EXPECT_FALSE(decideDemand(ondemandPool(), load(4, 0, 9), state, kNow).countLimit);
    EXPECT_FALSE(decideDemand(ondemandPool(), load(4, 1, 1), state, kNow).countLimit);
}

/// A dynamic pool under a load of so many busy workers, in steps of 20 ms.
class Simulation {
  public:
    explicit Simulation(const config::PoolSettings& pool)
        : pool_(pool), running_(pool.startServers), least_(running_) {}

    void step(int wanted) {
        now_ += 20 * kNsPerMs;
        const int busy = std::min(wanted, running_);
        idle_ = running_ - busy;
        least_ = std::min(least_, idle_);
        if (idle_ == 0) {
            carryOut(decideDemand(pool_, load(running_, idle_, wanted - busy), state_, now_));
        }
        if (now_ % kNsPerSecond == 0) {
            PoolLoad seen = load(running_, idle_, wanted - busy);
            seen.leastIdle = least_;
            carryOut(decideTick(pool_, seen, state_, now_));
            least_ = idle_;
        }
    }
    int forks = 0;
    int kills = 0;

  private:
    void carryOut(const ScalingDecision& decision) {
        running_ += decision.fork;
        forks += decision.fork;
        if (decision.killIdle) {
            --running_;
            ++kills;
        }
        EXPECT_LE(running_, pool_.maxChildren);
        EXPECT_GE(running_, 1);
    }

    config::PoolSettings pool_;
    ScalingState state_;
    std::uint64_t now_ = kNow;
    int running_;
    int idle_ = 0;
    int least_;
};

TEST(Hysteresis, a_load_that_swings_faster_than_the_tick_moves_nobody) {
    for (int low = 0; low <= 10; ++low) {
        for (int high = low; high <= 18; ++high) {
            for (const int halfPeriod : {1, 5, 17, 24}) {
                Simulation pool(dynamicPool());
                const auto run = [&](int seconds) {
                    for (int i = 0; i < seconds * 50; ++i) {
                        pool.step(i / halfPeriod % 2 == 0 ? low : high);
                    }
                };
                run(60);
                const int forks = pool.forks;
                const int kills = pool.kills;
                run(120);
                EXPECT_EQ(pool.forks, forks) << low << ".." << high << " every " << halfPeriod;
                EXPECT_EQ(pool.kills, kills) << low << ".." << high << " every " << halfPeriod;
            }
        }
    }
}

TEST(Hysteresis, noise_around_a_limit_costs_few_forks) {
    std::mt19937 random(7);
    for (int level = 1; level <= 15; ++level) {
        Simulation pool(dynamicPool());
        for (int i = 0; i < 300 * 50; ++i) {
            pool.step(level + static_cast<int>(random() % 3) - 1);
        }
        EXPECT_LE(pool.forks, 20) << "around " << level;
    }
}

TEST(Hysteresis, a_pool_that_is_left_alone_goes_back_to_its_spares) {
    Simulation pool(dynamicPool());
    for (int i = 0; i < 10 * 50; ++i) {
        pool.step(18);
    }
    const int kills = pool.kills;
    for (int i = 0; i < 30 * 50; ++i) {
        pool.step(0);
    }
    EXPECT_EQ(pool.kills - kills, 20 - 8);
}

}  // namespace
}  // namespace muster::manager
