// When a lazy manager leaves, and when it must not.
#include "manager/idleness.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace muster::manager::test {
namespace {

constexpr std::uint64_t kStart = 1000 * kNsPerSecond;

Idleness lazyFor(int seconds) {
    config::PoolSettings pool;
    pool.managerLife = config::ManagerLife::lazy;
    pool.managerIdleTimeout = seconds;
    Idleness idleness(pool);
    idleness.begin(kStart);
    return idleness;
}

std::uint64_t at(double seconds) {
    return kStart + static_cast<std::uint64_t>(seconds * 1e9);
}

TEST(Idleness, eager_managers_stay) {
    config::PoolSettings pool;
    pool.managerIdleTimeout = 0;
    Idleness idleness(pool);
    idleness.begin(kStart);
    EXPECT_FALSE(idleness.mayLeave(false, at(1e6)));
}

TEST(Idleness, lazy_ones_leave_after_the_timeout_without_work) {
    Idleness idleness = lazyFor(60);
    EXPECT_FALSE(idleness.mayLeave(false, at(59.9)));
    EXPECT_TRUE(idleness.mayLeave(false, at(60)));
}

TEST(Idleness, work_starts_the_time_anew) {
    Idleness idleness = lazyFor(60);
    EXPECT_FALSE(idleness.mayLeave(true, at(100)));
    EXPECT_FALSE(idleness.mayLeave(false, at(101)));
    EXPECT_FALSE(idleness.mayLeave(false, at(160.9)));
    EXPECT_TRUE(idleness.mayLeave(false, at(161)));
}

TEST(Idleness, work_between_two_looks_counts) {
    Idleness idleness = lazyFor(10);
    EXPECT_FALSE(idleness.mayLeave(false, at(9)));
    idleness.interrupt();
    EXPECT_FALSE(idleness.mayLeave(false, at(10)));
    EXPECT_TRUE(idleness.mayLeave(false, at(20)));
}

TEST(Idleness, without_a_timeout_it_leaves_with_the_last_worker) {
    Idleness idleness = lazyFor(0);
    EXPECT_FALSE(idleness.mayLeave(true, at(30)));
    EXPECT_TRUE(idleness.mayLeave(false, at(30.1)));
}

TEST(Idleness, no_life_is_shorter_than_a_second) {
    Idleness idleness = lazyFor(0);
    EXPECT_FALSE(idleness.mayLeave(false, at(0.1)));
    EXPECT_TRUE(idleness.mayLeave(false, at(1)));
}

}  // namespace
}  // namespace muster::manager::test
