// What a refused PHP_VALUE is said to have wanted.
#include "runtime/php/setting_names.h"

#include <gtest/gtest.h>

namespace muster::php {
namespace {

TEST(SettingNames, the_name_of_each_line_is_told) {
    EXPECT_EQ(settingNames("memory_limit=1G"), "'memory_limit'");
    EXPECT_EQ(settingNames("a.b = 1\n  c[] = 2\r\n\n; no = 1\n[x]\nd"), "'a.b', 'c', 'd'");
    EXPECT_EQ(settingNames(""), "");
    EXPECT_EQ(settingNames("\n= 1\n"), "");
}

TEST(SettingNames, a_flood_is_counted) {
    std::string text;
    for (int i = 0; i < 1000; ++i) {
        text += "x = 1\n";
    }
    EXPECT_EQ(settingNames(text), "'x', 'x', 'x', 'x', 'x' and 995 more");
    EXPECT_EQ(settingNames(std::string(5000, 'y')), "'" + std::string(64, 'y') + "'");
}

TEST(SettingNames, no_byte_of_a_terminal_sequence_gets_through) {
    EXPECT_EQ(settingNames("\x1b[31mred = 1\na\x07 = 1\nb'c = 1"), "'a', 'b'");
}

}  // namespace
}  // namespace muster::php
