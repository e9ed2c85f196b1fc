// Jitter, and how many may stand by.
#include "manager/recycling.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "base/clock.h"

namespace muster::manager {
namespace {

TEST(Share, is_the_settings_own_without_jitter) {
    config::PoolSettings pool;
    std::mt19937 random(1);
    EXPECT_EQ(drawShare(pool, random).requests, 0);
    EXPECT_EQ(drawShare(pool, random).lifetimeNs, 0U);
    pool.maxRequests = 500;
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(drawShare(pool, random).requests, 500);
    }
}

TEST(Share, is_spread_by_jitter) {
    config::PoolSettings pool;
    pool.maxRequests = 500;
    pool.maxRequestsJitter = 9;
    pool.maxLifetime = 100;
    std::mt19937 random(1);
    std::set<int> requests;
    for (int i = 0; i < 500; ++i) {
        const Share share = drawShare(pool, random);
        requests.insert(share.requests);
        EXPECT_GE(share.lifetimeNs, 90 * kNsPerSecond);
        EXPECT_LE(share.lifetimeNs, 100 * kNsPerSecond);
    }
    EXPECT_EQ(*requests.begin(), 500);
    EXPECT_EQ(*requests.rbegin(), 509);
    EXPECT_EQ(requests.size(), 10U);
}

TEST(Share, does_not_overflow) {
    config::PoolSettings pool;
    pool.maxRequests = std::numeric_limits<int>::max();
    pool.maxRequestsJitter = std::numeric_limits<int>::max();
    pool.maxLifetime = std::numeric_limits<int>::max();
    std::mt19937 random(1);
    EXPECT_EQ(drawShare(pool, random).requests, std::numeric_limits<int>::max());
    EXPECT_GT(drawShare(pool, random).lifetimeNs, kNsPerSecond);
}

TEST(StandbySlots, are_few_and_only_where_workers_are_replaced) {
    config::PoolSettings pool;
    pool.maxChildren = 40;
    EXPECT_EQ(standbySlots(pool), 0U);
    pool.maxMemory = 1;
    EXPECT_EQ(standbySlots(pool), 10U);
    pool.maxChildren = 1;
    EXPECT_EQ(standbySlots(pool), 1U);
}

}  // namespace
}  // namespace muster::manager
