// Respawn storms are slowed, crashes while serving are not.
#include "manager/respawn.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace muster::manager {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kYoung = 5 * kNsPerMs;

TEST(Respawn, young_deaths_wait_longer_and_longer_up_to_a_limit) {
    RespawnDelay respawn;
    EXPECT_EQ(respawn.afterDeath(kYoung, false), milliseconds(0));
    EXPECT_EQ(respawn.afterDeath(kYoung, false), milliseconds(100));
    EXPECT_EQ(respawn.afterDeath(kYoung, false), milliseconds(200));
    milliseconds last{0};
    for (int i = 0; i < 30; ++i) {
        const auto next = respawn.afterDeath(kYoung, false);
        EXPECT_GE(next, last);
        last = next;
    }
    EXPECT_EQ(last, RespawnDelay::kLongest);
}

TEST(Respawn, a_worker_that_served_or_lived_is_replaced_at_once_and_ends_the_row) {
    RespawnDelay respawn;
    for (int i = 0; i < 5; ++i) {
        [[maybe_unused]] const auto delay = respawn.afterDeath(kYoung, false);
    }
    EXPECT_EQ(respawn.afterDeath(kYoung, true), milliseconds(0));
    EXPECT_EQ(respawn.youngDeaths(), 0);
    EXPECT_EQ(respawn.afterDeath(2 * kNsPerSecond, false), milliseconds(0));
}

}  // namespace
}  // namespace muster::manager
