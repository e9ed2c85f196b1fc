// The environment of workers: cleared, kept, and what the pool puts into it.
#include "manager/worker_environment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

namespace muster::manager {
namespace {

/// This process gets its own environment back after each test.
class WorkerEnvironment : public testing::Test {
  protected:
    void SetUp() override {
        saved_ = all();
        ::clearenv();
        ::setenv("OUTSIDE", "value", 1);
        ::setenv("USER", "root", 1);
    }
    void TearDown() override {
        ::clearenv();
        for (const auto& [name, value] : saved_) {
            ::setenv(name.c_str(), value.c_str(), 1);
        }
    }

    static std::map<std::string, std::string> all() {
        std::map<std::string, std::string> found;
        for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
            const std::string text = *entry;
            const std::size_t at = text.find('=');
            found.emplace(text.substr(0, at), text.substr(at + 1));
        }
        return found;
    }

    using Map = std::map<std::string, std::string>;
    config::PoolSettings pool_;
    Identity identity_{33, 33, "www-data", "www-data", "/var/www"};

  private:
    std::map<std::string, std::string> saved_;
};

TEST_F(WorkerEnvironment, cleared_it_holds_user_and_home_only) {
    applyWorkerEnvironment(pool_, identity_);
    EXPECT_EQ(all(), (Map{{"USER", "www-data"}, {"HOME", "/var/www"}}));
}

TEST_F(WorkerEnvironment, a_user_given_as_a_number_has_neither) {
    identity_ = {33, 33, "www-data", "", ""};
    applyWorkerEnvironment(pool_, identity_);
    EXPECT_EQ(all(), Map{});
}

TEST_F(WorkerEnvironment, values_of_the_pool_win_and_the_first_definition_of_a_name) {
    pool_.env = {{"A", "second"}, {"HOME", "/elsewhere"}, {"A", "first"}};  // newest first
    applyWorkerEnvironment(pool_, identity_);
    EXPECT_EQ(all(), (Map{{"USER", "www-data"}, {"HOME", "/elsewhere"}, {"A", "first"}}));
}

TEST_F(WorkerEnvironment, a_leading_dollar_takes_the_value_from_outside) {
    pool_.env = {{"D", "$B"}, {"C", "x$OUTSIDE"}, {"B", "$NOT_THERE"}, {"A", "$OUTSIDE"}};
    identity_ = {};
    applyWorkerEnvironment(pool_, identity_);
    EXPECT_EQ(all(), (Map{{"A", "value"}, {"B", ""}, {"C", "x$OUTSIDE"}, {"D", ""}}));
}

TEST_F(WorkerEnvironment, kept_it_is_overridden_only_where_the_pool_or_its_user_says) {
    pool_.clearEnv = false;
    pool_.env = {{"MORE", "1"}};
    applyWorkerEnvironment(pool_, identity_);
    EXPECT_EQ(
        all(),
        (Map{{"OUTSIDE", "value"}, {"USER", "www-data"}, {"HOME", "/var/www"}, {"MORE", "1"}}));
}

}  // namespace
}  // namespace muster::manager
