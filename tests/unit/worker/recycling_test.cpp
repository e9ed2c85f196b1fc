// When a worker says that it will leave, and what it pays for knowing.
#include "worker/recycling.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/clock.h"

namespace muster::worker {
namespace {

constexpr std::uint64_t kMib = std::uint64_t{1} << 20;

ReceivedMessage carrying(const Retirement& retirement) {
    ReceivedMessage message;
    message.bytes.resize(sizeof retirement);
    std::memcpy(message.bytes.data(), &retirement, sizeof retirement);
    return message;
}

TEST(LastRequest, slow_ones_are_told_of_when_the_last_begins) {
    const std::uint64_t second = kNsPerSecond;
    EXPECT_FALSE(lastRequestIsNear(1, 9, 9 * second));
    EXPECT_TRUE(lastRequestIsNear(0, 10, 10 * second));
}

TEST(LastRequest, quick_ones_are_told_of_a_moment_before) {
    // A millisecond each: a hundred of them take as long as a worker may need to come up.
    EXPECT_FALSE(lastRequestIsNear(101, 400, 400 * kNsPerMs));
    EXPECT_TRUE(lastRequestIsNear(100, 400, 400 * kNsPerMs));
    EXPECT_FALSE(lastRequestIsNear(1, 0, 0));
}

TEST(Retirement, is_told_from_other_messages) {
    EXPECT_TRUE(retirementIn(carrying({.step = Retirement::Step::grown, .bytes = 5})));
    EXPECT_EQ(retirementIn(carrying({.step = Retirement::Step::grown, .bytes = 5}))->bytes, 5U);
    EXPECT_FALSE(retirementIn(carrying({.word = 1})));
    EXPECT_FALSE(retirementIn(carrying({.step = static_cast<Retirement::Step>(9)})));
    ReceivedMessage shorter = carrying({});
    shorter.bytes.pop_back();
    EXPECT_FALSE(retirementIn(shorter));
    ReceivedMessage withDescriptor = carrying({});
    withDescriptor.descriptors.emplace_back();
    EXPECT_FALSE(retirementIn(withDescriptor));
}

TEST(MemoryGauge, small_workers_cost_no_exact_measure) {
    MemoryGauge gauge(64 * kMib);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_FALSE(gauge.worthMeasuring(40 * kMib));
    }
}

TEST(MemoryGauge, a_large_warm_image_is_not_measured_at_every_request) {
    MemoryGauge gauge(64 * kMib);
    int measures = 0;
    for (int i = 0; i < 160; ++i) {
        if (gauge.worthMeasuring(80 * kMib)) {
            ++measures;
            EXPECT_FALSE(gauge.measured(80 * kMib, 20 * kMib));
        }
    }
    EXPECT_LE(measures, 11);
    EXPECT_GE(measures, 9);
    EXPECT_TRUE(gauge.worthMeasuring(110 * kMib)) << "it has grown by as much as it may";
    EXPECT_TRUE(gauge.measured(130 * kMib, 64 * kMib + 1));
}

TEST(Recycles, only_with_a_plan) {
    config::PoolSettings pool;
    EXPECT_FALSE(recycles(pool));
    pool.maxLifetime = 1;
    EXPECT_TRUE(recycles(pool));
}

}  // namespace
}  // namespace muster::worker
