// Rules on pm and the numbers below it.
#include "fixture.h"

namespace muster::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using ProcessChecks = Files;

const std::string kDynamic =
    "[w]\nlisten = 9000\npm = dynamic\npm.max_children = 5\npm.start_servers = 2\n"
    "pm.min_spare_servers = 1\npm.max_spare_servers = 3\n";
const std::string kOndemand = "[w]\nlisten = 9000\npm = ondemand\npm.max_children = 5\n";

TEST_F(ProcessChecks, every_rule_has_its_text_and_place) {
    expectRefused({
        {"[w]\nlisten = 9000\npm.max_children = 1\n",
         "ALERT: [pool w] the process manager is missing (static, dynamic or ondemand) | expected "
         "pm = static, dynamic or ondemand in the section at [m.conf:1]"},
        {"[w]\nlisten = 9000\npm = static\n",
         "ALERT: [pool w] pm.max_children must be a positive value | '0' by default, expected at "
         "least 1"},
        {"[w]\nlisten = 9000\npm = static\npm.max_children = 0\n",
         "ALERT: [pool w] pm.max_children must be a positive value | '0' at [m.conf:4], expected "
         "at least 1"},
        {kDynamic + "pm.min_spare_servers = 0\n",
         "ALERT: [pool w] pm.min_spare_servers(0) must be a positive value | '0' at [m.conf:8], "
         "expected at least 1 with pm = dynamic"},
        {kDynamic + "pm.max_spare_servers = -1\n",
         "ALERT: [pool w] pm.max_spare_servers(-1) must be a positive value | '-1' at [m.conf:8], "
         "expected at least 1 with pm = dynamic"},
        {kDynamic + "pm.max_spare_servers = 9\n",
         "ALERT: [pool w] pm.min_spare_servers(1) and pm.max_spare_servers(9) cannot be greater "
         "than pm.max_children(5) | pm.min_spare_servers '1' at [m.conf:6], pm.max_spare_servers "
         "'9' at [m.conf:8], pm.max_children '5' at [m.conf:4]"},
        {kDynamic + "pm.min_spare_servers = 4\n",
         "ALERT: [pool w] pm.max_spare_servers(3) must not be less than pm.min_spare_servers(4) | "
         "pm.max_spare_servers '3' at [m.conf:7], pm.min_spare_servers '4' at [m.conf:8]"},
        {kDynamic + "pm.start_servers = 4\n",
         "ALERT: [pool w] pm.start_servers(4) must not be less than pm.min_spare_servers(1) and "
         "not greater than pm.max_spare_servers(3) | '4' at [m.conf:8], expected a number from 1 "
         "to 3"},
        {kDynamic + "pm.max_spawn_rate = 0\n",
         "ALERT: [pool w] pm.max_spawn_rate must be a positive value | '0' at [m.conf:8], "
         "expected at least 1"},
        {kDynamic + "pm.queue_limit = -1\n",
         "ALERT: [pool w] pm.queue_limit must be a number from 0 to 100000 | '-1' at [m.conf:8], "
         "expected 0 (no queue) or the number of requests that may wait"},
        {kDynamic + "pm.queue_limit = 100001\n",
         "ALERT: [pool w] pm.queue_limit must be a number from 0 to 100000 | '100001' at "
         "[m.conf:8], expected 0 (no queue) or the number of requests that may wait"},
        {kDynamic + "pm.queue_limit = 5\npm.queue_timeout = -1s\n",
         "ALERT: [pool w] pm.queue_timeout must not be negative | '-1' at [m.conf:9], expected 0 "
         "(no limit) or a time such as 5s"},
        {kDynamic + "pm.queue_retry_after = 0\n",
         "ALERT: [pool w] pm.queue_retry_after must be a positive value | '0' at [m.conf:8], "
         "expected at least 1s"},
        {kPool + "listen.max_waiting = 0\n",
         "ALERT: [pool www] listen.max_waiting must be a positive value | '0' at [m.conf:5], "
         "expected at least 1"},
        {kOndemand + "pm.process_idle_timeout = 0\n",
         "ALERT: [pool w] pm.process_idle_timeout(0s) must be greater than 0s | '0' at "
         "[m.conf:5], expected at least 1 second"},
        {kDynamic + "pm.manager = lazy\n",
         "ERROR: [pool w] pm.manager = lazy needs pm = ondemand | 'lazy' at [m.conf:8], 'dynamic' "
         "at [m.conf:3]"},
    });
}

TEST_F(ProcessChecks, a_time_to_wait_in_no_queue_is_remarked) {
    const auto outcome = read(kDynamic + "pm.queue_timeout = 5\n");
    EXPECT_TRUE(outcome.valid);
    EXPECT_THAT(lines(outcome),
                ElementsAre("WARNING: [pool w] pm.queue_timeout has no effect without "
                            "pm.queue_limit | '5' at [m.conf:8]"));
    EXPECT_THAT(lines(read(kDynamic + "pm.queue_timeout = 5\npm.queue_limit = 1\n")),
                ElementsAre());
}

TEST_F(ProcessChecks, start_servers_is_settled_with_a_notice) {
    const auto outcome = read(kDynamic + "pm.start_servers = 0\npm.max_spare_servers = 4\n");
    EXPECT_TRUE(outcome.valid);
    EXPECT_THAT(lines(outcome), ElementsAre("NOTICE: [pool w] pm.start_servers is not set. It's "
                                            "been set to 2."));
    EXPECT_EQ(outcome.configuration.pools.at(0).startServers, 2);
}

TEST_F(ProcessChecks, ondemand_pools_have_no_spare_workers_and_a_full_backlog) {
    const auto outcome = read(kOndemand + "listen.backlog = -5\npm.min_spare_servers = 3\n");
    EXPECT_TRUE(outcome.valid);
    EXPECT_THAT(lines(outcome),
                ElementsAre("WARNING: [pool w] listen.backlog(-5) was too low for the ondemand "
                            "process manager. I updated it for you to -1. | '-5' at [m.conf:5]"));
    EXPECT_EQ(outcome.configuration.pools.at(0).listenBacklog, -1);
    EXPECT_EQ(outcome.configuration.pools.at(0).minSpareServers, 0);
}

TEST_F(ProcessChecks, dynamic_rules_leave_other_pools_alone) {
    EXPECT_THAT(lines(read(kPool + "pm.min_spare_servers = 9\npm.max_spawn_rate = 0\n"
                                   "pm.process_idle_timeout = 0\n")),
                IsEmpty());
}

}  // namespace
}  // namespace muster::config::test
