// A manager's part of process.max.
#include "manager/room.h"

#include <gtest/gtest.h>

namespace muster::manager {
namespace {

TEST(Room, without_a_limit_nobody_is_asked) {
    Room room(false);
    room.begin(0, 4);
    EXPECT_EQ(room.mayFork(4, 100), 4);
    EXPECT_EQ(room.toAsk(4, 100), 0);
    EXPECT_EQ(room.surplus(0, 0), 0);
}

TEST(Room, forks_what_was_granted_and_has_asked_for_the_rest) {
    Room room(true);
    room.begin(2, 4);
    EXPECT_EQ(room.mayFork(4, 0), 2);
    EXPECT_EQ(room.toAsk(4, 0), 0);
    room.granted(1);
    EXPECT_EQ(room.mayFork(4, 2), 1);
    EXPECT_EQ(room.toAsk(2, 2), 0);
    EXPECT_EQ(room.toAsk(4, 2), 2);
}

TEST(Room, asks_once_for_the_same_workers) {
    Room room(true);
    room.begin(1, 1);
    EXPECT_EQ(room.toAsk(2, 1), 2);
    room.asked(2);
    EXPECT_EQ(room.toAsk(2, 1), 0);
    EXPECT_EQ(room.mayFork(2, 1), 0);
    room.granted(2);
    EXPECT_EQ(room.mayFork(2, 1), 2);
    EXPECT_EQ(room.toAsk(1, 3), 1);
}

TEST(Room, a_dead_worker_leaves_its_room_to_the_next) {
    Room room(true);
    room.begin(3, 3);
    EXPECT_EQ(room.mayFork(1, 2), 1);
    EXPECT_EQ(room.toAsk(1, 2), 0);
    EXPECT_EQ(room.surplus(2, 1), 0);
    EXPECT_EQ(room.surplus(2, 0), 1);
    room.returned(1);
    EXPECT_EQ(room.mayFork(1, 2), 0);
}

}  // namespace
}  // namespace muster::manager
