// emergency_restart_*: how many crashes, how close together.
#include "master/emergency.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace muster::master {
namespace {

constexpr std::uint64_t seconds(std::uint64_t n) {
    return n * kNsPerSecond;
}

TEST(CrashRecord, as_many_as_the_threshold_within_the_interval) {
    CrashRecord record;
    record.configure(3, 10);
    EXPECT_FALSE(record.note(seconds(100)));
    EXPECT_FALSE(record.note(seconds(105)));
    EXPECT_TRUE(record.note(seconds(110)));
}

TEST(CrashRecord, old_crashes_do_not_count) {
    CrashRecord record;
    record.configure(3, 10);
    EXPECT_FALSE(record.note(seconds(100)));
    EXPECT_FALSE(record.note(seconds(109)));
    EXPECT_FALSE(record.note(seconds(111)));
    EXPECT_TRUE(record.note(seconds(112)));
}

TEST(CrashRecord, the_first_crash_after_boot_is_one_crash) {
    CrashRecord record;
    record.configure(2, 60);
    EXPECT_FALSE(record.note(seconds(5)));
}

TEST(CrashRecord, counting_begins_anew_after_a_reload) {
    CrashRecord record;
    record.configure(2, 60);
    EXPECT_FALSE(record.note(seconds(100)));
    EXPECT_TRUE(record.note(seconds(101)));
    EXPECT_FALSE(record.note(seconds(102)));
    EXPECT_TRUE(record.note(seconds(103)));
}

TEST(CrashRecord, either_setting_missing_is_off) {
    CrashRecord record;
    record.configure(1, 0);
    EXPECT_FALSE(record.note(seconds(100)));
    record.configure(0, 60);
    EXPECT_FALSE(record.note(seconds(100)));
}

TEST(CrashRecord, the_same_settings_again_keep_what_was_counted) {
    CrashRecord record;
    record.configure(2, 60);
    EXPECT_FALSE(record.note(seconds(100)));
    record.configure(2, 60);
    EXPECT_TRUE(record.note(seconds(101)));
    EXPECT_FALSE(record.note(seconds(102)));
    record.configure(2, 30);
    EXPECT_FALSE(record.note(seconds(103)));
}

}  // namespace
}  // namespace muster::master
