// process.max: who gets room, who waits, what a reload counts.
#include "master/process_account.h"

#include <gtest/gtest.h>

namespace muster::master {
namespace {

using Side = ProcessAccount::Side;

ProcessAccount accountOf(int limit, const std::vector<ProcessAccount::Wish>& pools) {
    ProcessAccount account;
    account.setLimit(limit);
    account.open(pools);
    for (const auto& pool : pools) {
        account.replace(pool.pool);
    }
    return account;
}

int current(const ProcessAccount& account, const std::string& pool) {
    return account.held(pool, Side::current);
}

TEST(ProcessAccount, the_order_of_the_pools_decides_at_start) {
    auto account = accountOf(3, {{"b", 2, 2}, {"a", 3, 3}, {"c", 1, 5}});
    EXPECT_EQ(current(account, "b"), 2);
    EXPECT_EQ(current(account, "a"), 1);
    EXPECT_EQ(current(account, "c"), 0);
    EXPECT_TRUE(account.takeWarning());
    EXPECT_FALSE(account.takeWarning());
}

TEST(ProcessAccount, nothing_is_refused_without_a_limit) {
    auto account = accountOf(0, {{"a", 100, 100}, {"b", 0, 50}});
    account.ask("b", Side::current, 50);
    const auto grants = account.share();
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants[0].workers, 50);
    EXPECT_FALSE(account.takeWarning());
}

TEST(ProcessAccount, room_that_comes_back_goes_to_those_who_wait_in_turns) {
    auto account = accountOf(4, {{"a", 4, 4}, {"b", 2, 2}, {"c", 2, 2}});
    EXPECT_TRUE(account.share().empty());
    account.giveBack("a", Side::current, 2);
    const auto grants = account.share();
    ASSERT_EQ(grants.size(), 2U);
    EXPECT_EQ(current(account, "a"), 2);
    EXPECT_EQ(current(account, "b"), 1);
    EXPECT_EQ(current(account, "c"), 1);
    account.giveBack("a", Side::current, 1);
    account.giveBack("a", Side::current, 1);
    EXPECT_EQ(account.share().size(), 2U);
    EXPECT_EQ(current(account, "b") + current(account, "c"), 4);
}

TEST(ProcessAccount, warns_again_only_after_somebody_was_given_room) {
    auto account = accountOf(1, {{"a", 1, 2}, {"b", 0, 2}});
    EXPECT_FALSE(account.takeWarning());
    account.ask("b", Side::current, 1);
    EXPECT_TRUE(account.share().empty());
    EXPECT_TRUE(account.takeWarning());
    account.ask("a", Side::current, 1);
    EXPECT_TRUE(account.share().empty());
    EXPECT_FALSE(account.takeWarning());
    account.giveBack("a", Side::current, 1);
    EXPECT_EQ(account.share().size(), 1U);
    EXPECT_FALSE(account.takeWarning());
    account.ask("b", Side::current, 1);
    EXPECT_TRUE(account.share().empty());
    EXPECT_TRUE(account.takeWarning());
}

TEST(ProcessAccount, numbers_from_managers_are_bounded) {
    auto account = accountOf(100, {{"a", 1, 3}});
    account.ask("a", Side::current, 4'000'000'000U);
    account.ask("a", Side::current, 4'000'000'000U);
    ASSERT_EQ(account.share().size(), 1U);
    EXPECT_EQ(current(account, "a"), 3);
    account.giveBack("a", Side::current, 4'000'000'000U);
    EXPECT_EQ(current(account, "a"), 0);
    account.ask("nobody", Side::current, 1);
    account.giveBack("a", Side::incoming, 1);
    EXPECT_TRUE(account.share().empty());
}

TEST(ProcessAccount, a_reload_under_a_full_limit_gets_what_the_pools_have) {
    auto account = accountOf(4, {{"a", 3, 3}, {"b", 1, 3}});
    account.open({{"a", 3, 3}, {"b", 1, 3}});
    EXPECT_EQ(account.held("a", Side::incoming), 3);
    EXPECT_EQ(account.held("b", Side::incoming), 1);
    EXPECT_FALSE(account.takeWarning());
    account.replace("a");
    account.withdraw("b");
    EXPECT_EQ(current(account, "a"), 3);
    EXPECT_EQ(current(account, "b"), 1);
}

TEST(ProcessAccount, both_generations_count_as_the_larger_one) {
    auto account = accountOf(5, {{"a", 4, 4}, {"b", 0, 4}});
    account.open({{"a", 1, 4}, {"b", 0, 4}});
    account.ask("b", Side::current, 4);
    const auto grants = account.share();
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants[0].workers, 1);  // a counts 4 until it has been replaced
    account.replace("a");
    account.replace("b");
    account.ask("b", Side::current, 4);
    ASSERT_EQ(account.share().size(), 1U);
    EXPECT_EQ(current(account, "b"), 4);
}

TEST(ProcessAccount, a_lower_limit_takes_from_the_last_pools) {
    auto account = accountOf(8, {{"a", 4, 4}, {"b", 4, 4}});
    account.setLimit(5);
    account.open({{"a", 4, 4}, {"b", 4, 4}});
    EXPECT_EQ(account.held("a", Side::incoming), 4);
    EXPECT_EQ(account.held("b", Side::incoming), 1);
    EXPECT_TRUE(account.takeWarning());
    EXPECT_TRUE(account.share().empty());
    account.replace("a");
    account.replace("b");
    EXPECT_TRUE(account.share().empty());
}

TEST(ProcessAccount, a_higher_limit_is_given_out_at_once) {
    auto account = accountOf(2, {{"a", 3, 3}, {"b", 2, 2}});
    account.setLimit(5);
    account.open({{"a", 3, 3}, {"b", 2, 2}});
    EXPECT_EQ(account.held("a", Side::incoming), 3);
    EXPECT_EQ(account.held("b", Side::incoming), 2);
}

TEST(ProcessAccount, the_room_of_a_dead_manager_waits_for_the_next_one) {
    auto account = accountOf(3, {{"a", 2, 2}, {"b", 1, 3}});
    account.ask("b", Side::current, 2);
    account.suspend("a");
    EXPECT_TRUE(account.share().empty());
    account.open({{"a", 2, 2}});
    EXPECT_EQ(account.held("a", Side::incoming), 2);
}

TEST(ProcessAccount, a_pool_that_goes_leaves_its_room) {
    auto account = accountOf(3, {{"a", 2, 2}, {"b", 3, 3}});
    account.forget("a");
    ASSERT_EQ(account.share().size(), 1U);
    EXPECT_EQ(current(account, "b"), 3);
}

TEST(ProcessAccount, workers_from_before_the_limit_count) {
    auto account = accountOf(0, {{"a", 1, 10}, {"b", 1, 1}});
    account.setLimit(4);
    account.found("a", 3);
    account.open({{"b", 1, 1}, {"c", 2, 2}});
    EXPECT_EQ(account.held("b", Side::incoming), 1);
    EXPECT_EQ(account.held("c", Side::incoming), 0);
}

}  // namespace
}  // namespace muster::master
