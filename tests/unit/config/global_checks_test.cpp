// Rules on [global], on priorities, and on having a pool at all.
#include "fixture.h"

namespace muster::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using GlobalChecks = Files;

TEST_F(GlobalChecks, every_rule_has_its_text_and_place) {
    expectRefused({
        {"",
         "ERROR: No pool defined. at least one pool section must be specified in config file | "
         "'m.conf' has none, expected a section such as [www]"},
        {"log_limit = 511\n" + kPool,
         "ERROR: log_limit must be greater than 512 | '511' at [m.conf:1], expected at least 512"},
        {"process.max = -1\n" + kPool,
         "ERROR: process_max can't be negative | '-1' at [m.conf:1], expected 0 for no limit, or a "
         "number of workers"},
        {"process.priority = -20\n" + kPool,
         "ERROR: process.priority must be included into [-19,20] | '-20' at [m.conf:1], expected "
         "-19 to 20"},
        {"process.priority = 21\n" + kPool,
         "ERROR: process.priority must be included into [-19,20] | '21' at [m.conf:1], expected "
         "-19 to 20"},
        {kPool + "process.priority = 65\n",
         "ERROR: [pool www] process.priority must be included into [-19,20] | '65' at [m.conf:5], "
         "expected -19 to 20"},
        {"events.mechanism = kqueue\n" + kPool,
         "ERROR: event mechanism 'kqueue' is not available on this system | 'kqueue' at "
         "[m.conf:1], expected epoll, poll or select"},
        {"events.mechanism =\n" + kPool,
         "ERROR: event mechanism '' is not available on this system | '' at [m.conf:1], expected "
         "epoll, poll or select"},
    });
}

TEST_F(GlobalChecks, limits_themselves_are_accepted) {
    for (const char* line : {"log_limit = 512", "process.max = 0", "process.priority = -19",
                             "process.priority = 20", "systemd_interval = 0"}) {
        EXPECT_THAT(lines(read(std::string(line) + "\n" + kPool)), IsEmpty()) << line;
    }
}

TEST_F(GlobalChecks, the_mechanism_is_known_in_any_case_and_for_any_pool) {
    const auto outcome = read(
        "events.mechanism = Poll\n[w]\nlisten = 1\npm = ondemand\n"
        "pm.max_children = 1\n");
    EXPECT_THAT(lines(outcome), IsEmpty());
    EXPECT_EQ(outcome.configuration.global.eventsMechanism, "poll");
}

TEST_F(GlobalChecks, a_priority_of_64_and_a_negative_interval_are_unset) {
    const auto outcome =
        read("process.priority = 64\nsystemd_interval = -1\n" + kPool + "process.priority = 64\n");
    EXPECT_THAT(lines(outcome), IsEmpty());
    EXPECT_EQ(outcome.configuration.global.processPriority, std::nullopt);
    EXPECT_EQ(outcome.configuration.global.systemdInterval, std::nullopt);
    EXPECT_EQ(outcome.configuration.pools.at(0).processPriority, std::nullopt);
    EXPECT_EQ(read("process.priority = 0\n" + kPool).configuration.global.processPriority, 0);
}

TEST_F(GlobalChecks, messages_before_the_error_log_is_opened_are_counted) {
    const auto early = [&](const std::string& content) { return read(content).early; };
    EXPECT_EQ(early(kPool), 0U);
    EXPECT_EQ(early("log_limit = 1\nprocess.max = -1\nprocess.priority = 21\n" + kPool), 3U);
    EXPECT_EQ(early("events.mechanism = kqueue\n" + kPool + "pm.max_children = 0\n"), 0U);
    EXPECT_EQ(early("include = " + path("none") + "\n" + kPool + "pm.max_children = 0\n"), 1U);
    EXPECT_EQ(early("foo = 1\n" + kPool + "pm.max_children = 0\n"), 1U);
}

TEST_F(GlobalChecks, all_pools_and_all_rules_are_judged) {
    const auto outcome = read(
        "log_limit = 1\n[a]\n[b]\nlisten = 0\npm = dynamic\n"
        "pm.status_path = x\nchdir = /none\n");
    EXPECT_THAT(lines(outcome),
                ElementsAre(HasSubstr("log_limit must be"), HasSubstr("[pool a] no listen"),
                            HasSubstr("[pool a] the process manager is missing"),
                            HasSubstr("[pool a] pm.max_children must"),
                            HasSubstr("[pool b] pm.max_children must"),
                            HasSubstr("[pool b] pm.min_spare_servers(0) must"),
                            HasSubstr("[pool b] pm.max_spare_servers(0) must"),
                            HasSubstr("[pool b] the status path 'x' must start"),
                            HasSubstr("[pool b] the chdir path '/none'"),
                            HasSubstr("invalid port value '0'")));
    EXPECT_FALSE(outcome.processed);
}

}  // namespace
}  // namespace muster::config::test
