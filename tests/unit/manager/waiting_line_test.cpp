// The line of a saturated pool: order, depth, age, limit and time.
#include "manager/waiting_line.h"

#include <gtest/gtest.h>

#include <vector>

namespace muster::manager {
namespace {

worker::ParkedConnection cameAt(std::uint64_t ns, std::uint16_t id = 0) {
    worker::ParkedConnection parked;
    parked.facts.sinceNs = ns;
    parked.facts.requestId = id;
    return parked;
}

std::vector<std::uint64_t> drained(WaitingLine& line) {
    std::vector<std::uint64_t> arrivals;
    while (line.first() != nullptr) {
        arrivals.push_back(line.takeFirst().facts.sinceNs);
    }
    return arrivals;
}

TEST(WaitingLine, is_in_the_order_of_arrival_whoever_joins_late) {
    WaitingLine line({.places = 10});
    for (const std::uint64_t arrival : {10U, 20U, 40U, 30U, 5U}) {
        line.join(cameAt(arrival));
    }
    EXPECT_EQ(drained(line), (std::vector<std::uint64_t>{5, 10, 20, 30, 40}));
}

TEST(WaitingLine, those_that_came_at_once_stay_as_they_joined) {
    WaitingLine line({.places = 10});
    for (std::uint16_t id = 0; id < 3; ++id) {
        line.join(cameAt(7, id));
    }
    for (std::uint16_t id = 0; id < 3; ++id) {
        EXPECT_EQ(line.takeFirst().facts.requestId, id);
    }
}

TEST(WaitingLine, counts_the_shown_ones_until_somebody_takes_them) {
    WaitingLine line({.places = 3});
    for (const std::uint64_t arrival : {1U, 2U, 3U}) {
        line.join(cameAt(arrival));
    }
    EXPECT_TRUE(line.isFull(0));
    EXPECT_FALSE(line.isFull(1));
    line.shown();
    line.shown();
    EXPECT_EQ(line.depth(), 3U);
    EXPECT_EQ(line.oldestNs(), 1U);
    EXPECT_EQ(line.stillShown(2), 0U);
    EXPECT_EQ(line.stillShown(1), 1U);
    EXPECT_EQ(line.depth(), 2U);
    EXPECT_EQ(line.oldestNs(), 2U);
    EXPECT_EQ(line.stillShown(0), 1U);
    EXPECT_EQ(line.oldestNs(), 3U);
    line.takeFirst();
    EXPECT_EQ(line.depth(), 0U);
    EXPECT_EQ(line.oldestNs(), 0U);
    EXPECT_EQ(line.first(), nullptr);
}

TEST(WaitingLine, more_in_the_queue_than_were_shown_is_nothing_taken) {
    WaitingLine line({.places = 3});
    line.join(cameAt(1));
    line.shown();
    EXPECT_EQ(line.stillShown(5), 0U);
    EXPECT_EQ(line.depth(), 1U);
}

TEST(WaitingLine, an_older_one_that_is_shown_late_is_still_the_oldest) {
    WaitingLine line({.places = 9});
    line.join(cameAt(20));
    line.shown();
    line.join(cameAt(10));
    line.shown();
    EXPECT_EQ(line.oldestNs(), 10U);
}

TEST(WaitingLine, gives_up_those_that_waited_too_long) {
    WaitingLine line({.places = 9, .waitNs = 100});
    line.join(cameAt(50));
    line.join(cameAt(60));
    EXPECT_FALSE(line.takeOverdue(149));
    ASSERT_TRUE(line.takeOverdue(150));
    EXPECT_FALSE(line.takeOverdue(150));
    EXPECT_EQ(line.depth(), 1U);
    line.shown();
    EXPECT_FALSE(line.overdueAmongShown(159));
    EXPECT_TRUE(line.overdueAmongShown(160));
    EXPECT_FALSE(line.takeOverdue(160));
    line.noneShown();
    EXPECT_FALSE(line.overdueAmongShown(160));
}

TEST(WaitingLine, without_a_limit_of_time_nobody_is_overdue) {
    WaitingLine line({.places = 9});
    line.join(cameAt(1));
    EXPECT_FALSE(line.takeOverdue(UINT64_MAX));
    line.shown();
    EXPECT_FALSE(line.overdueAmongShown(UINT64_MAX));
}

TEST(WaitingLine, a_clock_before_the_arrival_makes_nobody_overdue) {
    WaitingLine line({.places = 9, .waitNs = 1});
    line.join(cameAt(1000));
    EXPECT_FALSE(line.takeOverdue(10));
}

}  // namespace
}  // namespace muster::manager
