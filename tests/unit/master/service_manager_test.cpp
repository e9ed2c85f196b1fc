// How often systemd hears from the master, and in which words.
#include "master/service_manager.h"

#include <gtest/gtest.h>

namespace muster::master {
namespace {

using std::chrono::milliseconds;
using Messages = std::vector<std::pair<LogLevel, std::string>>;

TEST(MonitorInterval, is_ten_seconds_unless_set) {
    EXPECT_EQ(planMonitor(std::nullopt, nullptr).interval, milliseconds(10'000));
    EXPECT_EQ(planMonitor(4, nullptr).interval, milliseconds(4'000));
    EXPECT_EQ(planMonitor(0, nullptr).interval, milliseconds(0));
    EXPECT_FALSE(planMonitor(4, nullptr).watchdog);
    EXPECT_EQ(planMonitor(4, nullptr).messages, Messages{});
}

TEST(MonitorInterval, is_half_of_the_watchdogs) {
    const MonitorPlan plan = planMonitor(std::nullopt, "3000000");
    EXPECT_EQ(plan.interval, milliseconds(1'500));
    EXPECT_TRUE(plan.watchdog);
    EXPECT_EQ(plan.messages,
              (Messages{{LogLevel::debug, "WATCHDOG_USEC=3000000, interval=1500"},
                        {LogLevel::notice, "systemd watchdog configured to 1.5sec"}}));
}

TEST(MonitorInterval, of_a_watchdog_beats_the_directive_and_says_so) {
    const MonitorPlan plan = planMonitor(4, "60000000");
    EXPECT_EQ(plan.interval, milliseconds(30'000));
    ASSERT_EQ(plan.messages.size(), 3U);
    EXPECT_EQ(plan.messages[1],
              (std::pair{LogLevel::warning, std::string("systemd_interval option ignored")}));
    EXPECT_EQ(plan.messages[2].second, "systemd watchdog configured to 30sec");
    EXPECT_EQ(planMonitor(0, "60000000").messages.size(), 2U) << "0 asks for nothing to ignore";
}

TEST(MonitorInterval, takes_no_watchdog_of_two_seconds_or_less_and_no_nonsense) {
    for (const char* value : {"2000000", "2001999", "0", "-5000000", "", "soon", "  "}) {
        const MonitorPlan plan = planMonitor(7, value);
        EXPECT_FALSE(plan.watchdog) << value;
        EXPECT_EQ(plan.interval, milliseconds(7'000)) << value;
    }
    EXPECT_TRUE(planMonitor(7, "2002000").watchdog);
}

TEST(MonitorInterval, is_bounded) {
    const MonitorPlan plan = planMonitor(std::nullopt, "99999999999999999999999");
    EXPECT_TRUE(plan.watchdog);
    EXPECT_EQ(plan.interval, std::chrono::hours(24));
}

TEST(StatusText, is_php_fpms) {
    EXPECT_EQ(statusText({3, 2, 120, 1}, 20, milliseconds(10'000)),
              "Processes active: 3, idle: 2, Requests: 120, slow: 1, Traffic: 10.00req/sec");
    EXPECT_EQ(statusText({0, 0, 7, 0}, 6, milliseconds(3'000)),
              "Processes active: 0, idle: 0, Requests: 7, slow: 0, Traffic: 0.33req/sec");
}

TEST(StatusText, never_counts_backwards) {
    EXPECT_EQ(statusText({0, 0, 5, 0}, 9, milliseconds(1'000)),
              "Processes active: 0, idle: 0, Requests: 5, slow: 0, Traffic: 0.00req/sec");
}

}  // namespace
}  // namespace muster::master
