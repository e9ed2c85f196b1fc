// When a new generation is taken back.
#include "master/canary.h"

#include <gtest/gtest.h>

namespace muster::master {
namespace {

TEST(Canary, SaysNothingOfAGenerationThatIsAsGood) {
    const Canary canary({1000, 10});
    EXPECT_FALSE(canary.verdict({0, 0}));
    EXPECT_FALSE(canary.verdict({500, 5}));
    EXPECT_FALSE(canary.verdict({100, 12}));
}

TEST(Canary, LetsOneWorkerDie) {
    Canary canary({0, 0});
    canary.workerLost();
    EXPECT_FALSE(canary.verdict({}));
    canary.workerLost();
    EXPECT_EQ(canary.verdict({}), "2 of its workers died");
}

TEST(Canary, TellsOfAShareThatJumps) {
    const Canary canary({1000, 10});
    EXPECT_EQ(canary.verdict({10, 6}), "60 % of its requests failed (6 of 10), 1 % before");
}

TEST(Canary, NeedsMoreThanAHandfulOfFailures) {
    const Canary canary({1000, 0});
    EXPECT_FALSE(canary.verdict({4, 4}));
    EXPECT_TRUE(canary.verdict({5, 5}));
}

TEST(Canary, ExpectsNoMoreThanThereWasBefore) {
    const Canary canary({100, 60});
    EXPECT_FALSE(canary.verdict({100, 100}));
}

TEST(Canary, TakesAnOldGenerationWithoutRequestsForAGoodOne) {
    const Canary canary({0, 0});
    EXPECT_TRUE(canary.verdict({10, 5}));
    EXPECT_FALSE(canary.verdict({100, 6}));
}

TEST(Canary, BelievesNoImpossibleCount) {
    const Canary canary({10, 20});
    EXPECT_FALSE(canary.verdict({10, 11}));
}

}  // namespace
}  // namespace muster::master
