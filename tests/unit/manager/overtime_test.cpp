// What is done about requests that take too long, with a clock made up.
#include "manager/overtime.h"

#include <gtest/gtest.h>

namespace muster::manager {
namespace {

using scoreboard::Stage;

constexpr std::uint64_t kBegun = 100 * kNsPerSecond;

constexpr std::uint64_t afterMs(std::uint64_t ms) {
    return kBegun + ms * kNsPerMs;
}

class RequestWithALimit : public testing::Test {
  protected:
    /// What is done `ms` after the request began.
    Act at(std::uint64_t ms, Stage stage = Stage::running) {
        last_ = judgeRequest(rules_, {.stage = stage, .name = kBegun, .elapsedNs = ms * kNsPerMs},
                             overtime_, afterMs(ms));
        return last_.act;
    }
    /// When the next look is wanted, in ms of the request's clock.
    std::uint64_t nextMs() const { return (last_.lookAgainNs.value_or(0) - kBegun) / kNsPerMs; }

    TimeRules rules_{.limitNs = 2 * kNsPerSecond, .graceNs = kNsPerSecond};
    Overtime overtime_;
    Judgement last_;
};

TEST_F(RequestWithALimit, is_looked_at_again_exactly_when_it_is_due) {
    EXPECT_EQ(at(0, Stage::readingHeaders), Act::none);
    EXPECT_EQ(nextMs(), 2000U);
    EXPECT_EQ(at(1999, Stage::gettingInfo), Act::none);
    EXPECT_EQ(nextMs(), 2000U);
    EXPECT_EQ(at(2000), Act::interrupt);
    EXPECT_TRUE(last_.overLimit);
}

TEST_F(RequestWithALimit, goes_through_all_steps_when_nothing_helps) {
    EXPECT_EQ(at(2000), Act::interrupt);
    EXPECT_EQ(nextMs(), 2100U);
    EXPECT_EQ(at(2050), Act::none);
    EXPECT_EQ(nextMs(), 2100U);
    EXPECT_EQ(at(2100), Act::interruptAgain);
    EXPECT_FALSE(last_.overLimit);
    EXPECT_EQ(at(2950), Act::interruptAgain);
    EXPECT_EQ(nextMs(), 3000U);
    EXPECT_EQ(at(3000), Act::lastWord);
    EXPECT_EQ(at(3050), Act::none);
    EXPECT_EQ(nextMs(), 3100U);
    EXPECT_EQ(at(3100), Act::terminate);
    EXPECT_EQ(at(4099), Act::none);
    EXPECT_EQ(nextMs(), 4100U);
    EXPECT_EQ(at(4100), Act::kill);
    EXPECT_EQ(at(4200), Act::none);
    EXPECT_EQ(at(5100), Act::kill);
    EXPECT_FALSE(last_.overLimit);
}

TEST_F(RequestWithALimit, is_left_in_peace_for_its_grace_once_it_reacts) {
    EXPECT_EQ(at(2000), Act::interrupt);
    EXPECT_EQ(at(2100, Stage::ending), Act::none);
    EXPECT_EQ(nextMs(), 3000U);
    EXPECT_EQ(at(2999, Stage::ending), Act::none);
    EXPECT_EQ(at(3000, Stage::ending), Act::lastWord);
    EXPECT_EQ(at(3100, Stage::ending), Act::terminate);
}

TEST_F(RequestWithALimit, is_forgotten_when_it_is_over) {
    EXPECT_EQ(at(2000), Act::interrupt);
    EXPECT_EQ(at(2010, Stage::idle), Act::none);
    EXPECT_FALSE(last_.lookAgainNs);
    EXPECT_EQ(at(9000, Stage::keepAlive), Act::none);
    EXPECT_FALSE(last_.lookAgainNs);
}

TEST_F(RequestWithALimit, that_ends_by_itself_in_that_moment_is_let_go) {
    EXPECT_EQ(at(2000), Act::interrupt);
    EXPECT_EQ(at(2100, Stage::finishing), Act::none);
    EXPECT_EQ(at(3500, Stage::finishing), Act::none);
    EXPECT_FALSE(last_.lookAgainNs);
}

TEST_F(RequestWithALimit, leaves_nothing_for_the_next_request_of_its_worker) {
    EXPECT_EQ(at(2000), Act::interrupt);
    const ObservedRequest next{.stage = Stage::running, .name = afterMs(2050), .elapsedNs = 0};
    const auto judgement = judgeRequest(rules_, next, overtime_, afterMs(2050));
    EXPECT_EQ(judgement.act, Act::none);
    EXPECT_EQ(judgement.lookAgainNs, afterMs(4050));
}

TEST_F(RequestWithALimit, may_take_as_long_as_it_likes_after_its_response) {
    EXPECT_EQ(at(9000, Stage::finishing), Act::none);
    EXPECT_FALSE(last_.lookAgainNs);
    rules_.trackFinished = true;
    EXPECT_EQ(at(9000, Stage::finishing), Act::interrupt);
    EXPECT_EQ(at(9100, Stage::finishing), Act::interruptAgain);
    EXPECT_EQ(at(10000, Stage::finishing), Act::lastWord);
}

TEST_F(RequestWithALimit, whose_reaction_was_overlooked_is_bounded_all_the_same) {
    EXPECT_EQ(at(2000), Act::interrupt);
    EXPECT_EQ(at(2100, Stage::finishing), Act::none);
    EXPECT_EQ(at(2200, Stage::ending), Act::interrupt);
    EXPECT_EQ(at(3200, Stage::ending), Act::lastWord);
}

TEST_F(RequestWithALimit, gets_sigterm_at_once_without_a_grace) {
    rules_.graceNs = 0;
    EXPECT_EQ(at(2000), Act::terminate);
    EXPECT_TRUE(last_.overLimit);
    EXPECT_EQ(nextMs(), 3000U);
    EXPECT_EQ(at(3000), Act::kill);
}

TEST_F(RequestWithALimit, is_told_to_be_slow_before_and_once) {
    rules_.slowNs = kNsPerSecond;
    EXPECT_EQ(at(500), Act::none);
    EXPECT_EQ(nextMs(), 1000U);
    EXPECT_EQ(at(1000), Act::tellSlow);
    EXPECT_FALSE(last_.overLimit);
    EXPECT_EQ(at(1001), Act::none);
    EXPECT_EQ(nextMs(), 2000U);
    EXPECT_EQ(at(2000), Act::interrupt);
}

TEST_F(RequestWithALimit, is_slow_first_and_too_slow_right_after_when_both_limits_are_equal) {
    rules_.slowNs = rules_.limitNs;
    EXPECT_EQ(at(2000), Act::tellSlow);
    EXPECT_EQ(nextMs(), 2000U);
    EXPECT_EQ(at(2005), Act::interrupt);
}

TEST_F(RequestWithALimit, is_slow_only_while_its_script_runs) {
    rules_ = {.slowNs = kNsPerSecond};
    EXPECT_EQ(at(500, Stage::gettingInfo), Act::none);
    EXPECT_EQ(nextMs(), 1000U);
    EXPECT_EQ(at(1500, Stage::gettingInfo), Act::none);
    EXPECT_EQ(at(1600, Stage::finishing), Act::none);
    EXPECT_EQ(at(1700), Act::tellSlow);
    EXPECT_EQ(at(90000), Act::none);
    EXPECT_FALSE(last_.lookAgainNs) << "there is no other limit";
}

TEST_F(RequestWithALimit, needs_a_clock) {
    const ObservedRequest none{.stage = Stage::running, .name = 0, .elapsedNs = 99 * kNsPerSecond};
    EXPECT_EQ(judgeRequest(rules_, none, overtime_, afterMs(0)).act, Act::none);
}

TEST(Rules, are_the_pools_directives) {
    config::PoolSettings pool;
    pool.requestTerminateTimeout = 60;
    pool.requestSlowlogTimeout = 5;
    pool.requestTerminateTimeoutTrackFinished = true;
    const TimeRules rules = TimeRules::of(pool);
    EXPECT_EQ(rules.limitNs, 60 * kNsPerSecond);
    EXPECT_EQ(rules.slowNs, 5 * kNsPerSecond);
    EXPECT_EQ(rules.graceNs, kNsPerSecond) << "the default";
    EXPECT_TRUE(rules.trackFinished);
}

}  // namespace
}  // namespace muster::manager
