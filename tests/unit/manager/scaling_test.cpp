// The arithmetic of pm: what a tick and a sudden demand decide.
#include "manager/scaling.h"

#include <gtest/gtest.h>

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
    const auto decision = decideTick(pool, load(4, 0, 100), state);
    EXPECT_EQ(decision.fork, 0);
    EXPECT_FALSE(decision.killIdle);
    EXPECT_EQ(initialWorkers(pool), 4);
}

TEST(Tick, the_spawn_rate_doubles_while_spares_are_short) {
    const auto pool = dynamicPool();
    ScalingState state;
    EXPECT_EQ(decideTick(pool, load(4, 0), state).fork, 1);
    EXPECT_EQ(decideTick(pool, load(5, 0), state).fork, 2);
    EXPECT_EQ(decideTick(pool, load(7, 0), state).fork, 4);
    const auto busy = decideTick(pool, load(11, 0), state);
    EXPECT_TRUE(busy.warnBusy);
    EXPECT_EQ(busy.busyRate, 8);
    EXPECT_EQ(busy.fork, 5);  // never more than the missing spares
    EXPECT_EQ(decideTick(pool, load(16, 5), state).fork, 0);
    EXPECT_EQ(state.spawnRate, 1);
}

TEST(Tick, a_static_pool_makes_up_for_what_could_not_be_forked) {
    config::PoolSettings pool;
    pool.pm = config::ProcessManager::fixed;
    pool.maxChildren = 4;
    ScalingState state;
    EXPECT_EQ(decideTick(pool, load(1, 0), state).fork, 3);
}

TEST(Tick, growth_on_demand_counts_as_shortage) {
    const auto pool = dynamicPool();
    ScalingState state;
    int running = 6;
    for (int tick = 1; tick <= 3; ++tick, running += 2) {
        EXPECT_EQ(decideDemand(pool, load(running, 0, 2), state).fork, 5);
        const auto decision = decideTick(pool, load(running + 5, 5), state);
        EXPECT_EQ(decision.fork, 0);
        EXPECT_FALSE(decision.warnBusy);
    }
    [[maybe_unused]] const auto grown = decideDemand(pool, load(running, 0, 2), state);
    EXPECT_TRUE(decideTick(pool, load(running + 5, 5), state).warnBusy);
    EXPECT_FALSE(decideTick(pool, load(running + 5, 5), state).warnBusy);
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
        [[maybe_unused]] const auto decision = decideTick(pool, load(4, 0), state);
    }
    EXPECT_EQ(state.spawnRate, 4);
}

TEST(Tick, one_idle_worker_over_max_spare_leaves) {
    ScalingState state;
    EXPECT_TRUE(decideTick(dynamicPool(), load(9, 9), state).killIdle);
    EXPECT_FALSE(decideTick(dynamicPool(), load(9, 8), state).killIdle);
}

TEST(Tick, the_limit_is_counted_once_an_episode) {
    const auto pool = dynamicPool();
    ScalingState state;
    EXPECT_TRUE(decideTick(pool, load(20, 0), state).countLimit);
    EXPECT_FALSE(decideTick(pool, load(20, 0), state).countLimit);
    EXPECT_EQ(decideTick(pool, load(18, 0), state).fork, 1);
    EXPECT_TRUE(decideTick(pool, load(20, 0), state).countLimit);
}

TEST(Tick, an_ondemand_pool_retires_only_when_nobody_waits) {
    ScalingState state;
    EXPECT_TRUE(decideTick(ondemandPool(), load(2, 1), state).killIdle);
    EXPECT_FALSE(decideTick(ondemandPool(), load(2, 1, 3), state).killIdle);
}

TEST(Demand, a_burst_is_met_at_once_up_to_the_limits) {
    const auto pool = dynamicPool();
    ScalingState state;
    EXPECT_EQ(decideDemand(pool, load(5, 0, 200), state).fork, 15);
    auto slow = pool;
    slow.maxSpawnRate = 3;
    EXPECT_EQ(decideDemand(slow, load(5, 0, 200), state).fork, 3);
}

TEST(Demand, workers_on_their_way_count) {
    ScalingState state;
    EXPECT_EQ(decideDemand(dynamicPool(), load(10, 0, 5, 5), state).fork, 0);
    EXPECT_EQ(decideDemand(ondemandPool(), load(1, 0, 2, 1), state).fork, 1);
}

TEST(Demand, the_last_idle_worker_busy_brings_new_spares) {
    ScalingState state;
    EXPECT_EQ(decideDemand(dynamicPool(), load(5, 0), state).fork, 5);
    EXPECT_EQ(decideDemand(dynamicPool(), load(5, 1), state).fork, 0);
}

TEST(Demand, an_ondemand_pool_at_its_limit_says_so_once) {
    ScalingState state;
    EXPECT_TRUE(decideDemand(ondemandPool(), load(4, 0, 1), state).countLimit);
    EXPECT_FALSE(decideDemand(ondemandPool(), load(4, 0, 9), state).countLimit);
    EXPECT_FALSE(decideDemand(ondemandPool(), load(4, 1, 1), state).countLimit);
}

}  // namespace
}  // namespace muster::manager
