// The table of variables: order, overwriting, hostile encodings, limits.
#include "fastcgi/params.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "fastcgi/client.h"

namespace muster::fastcgi {
namespace {

std::string namesOf(const Params& params) {
    std::string names;
    params.forEach([&](const Params::Entry& entry) { names.append(entry.name).append(" "); });
    return names;
}

TEST(Params, iterates_newest_first_and_an_overwritten_variable_keeps_its_place) {
    Params params;
    params.set("A", "1");
    params.set("B", "2");
    params.set("C", "3");
    params.set("A", "4");
    EXPECT_EQ(namesOf(params), "C B A ");
    EXPECT_STREQ(params.get("A"), "4");
    EXPECT_EQ(params.size(), 3U);
}

TEST(Params, erased_variable_is_gone_and_returns_as_the_newest) {
    Params params;
    params.set("A", "1");
    params.set("B", "2");
    params.erase("A");
    params.erase("A");
    params.erase("NEVER");
    EXPECT_EQ(params.get("A"), nullptr);
    EXPECT_EQ(params.size(), 1U);
    params.set("A", "3");
    EXPECT_EQ(namesOf(params), "A B ");
}

TEST(Params, empty_value_is_present_and_absent_is_null) {
    Params params;
    EXPECT_EQ(params.get("A"), nullptr);
    params.set("A", "");
    EXPECT_STREQ(params.get("A"), "");
    EXPECT_EQ(params.get(""), nullptr);
    params.set("", "x");
    EXPECT_STREQ(params.get(""), "x");
}

TEST(Params, value_ends_at_first_nul) {
    Params params;
    const std::string bytes = encodePairs({{"F", std::string("/x/a.php\0.jpg", 13)}});
    ASSERT_TRUE(params.decode(bytes, {}));
    EXPECT_STREQ(params.get("F"), "/x/a.php");
    EXPECT_EQ(params.find("F")->valueLength, 8U);
}

TEST(Params, name_with_a_nul_is_malformed) {
    Params params;
    EXPECT_FALSE(params.decode(encodePairs({{std::string("F\0G", 3), "1"}}), {}));
    EXPECT_EQ(params.get("F"), nullptr);
}

TEST(Params, last_of_a_repeated_name_wins) {
    Params params;
    ASSERT_TRUE(params.decode(encodePairs({{"A", "1"}, {"B", "2"}, {"A", "3"}}), {}));
    EXPECT_STREQ(params.get("A"), "3");
    EXPECT_EQ(namesOf(params), "B A ");
}

TEST(Params, lengths_of_one_and_four_bytes_decode) {
    Params params;
    const std::string longName(127, 'n');
    const std::string longerName(128, 'm');
    const std::string value(70000, 'v');
    ASSERT_TRUE(params.decode(encodePairs({{longName, value}, {longerName, ""}}), {}));
    EXPECT_EQ(params.get(longName), value);
    EXPECT_STREQ(params.get(longerName), "");
}

TEST(Params, every_truncation_is_refused_or_ends_between_pairs) {
    const std::string first = encodePairs({{"NAME", "value"}});
    const std::string bytes = first + encodePairs({{std::string(200, 'x'), std::string(300, 'y')}});
    for (std::size_t length = 0; length <= bytes.size(); ++length) {
        Params params;
        const bool whole = length == 0 || length == first.size() || length == bytes.size();
        EXPECT_EQ(params.decode(std::string_view(bytes).substr(0, length), {}), whole) << length;
    }
}

TEST(Params, length_beyond_the_bytes_is_refused_without_overflow) {
    Params params;
    EXPECT_FALSE(params.decode(std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8) + "ab", {}));
    EXPECT_FALSE(params.decode(std::string("\x01\xff\xff\xff\xff", 5) + "ab", {}));
    EXPECT_EQ(params.size(), 0U);
}

TEST(Params, limits_hold_exactly) {
    const std::string bytes = encodePairs({{"A", "1"}, {"B", "2"}, {"A", "3"}});
    Params params;
    EXPECT_TRUE(params.decode(bytes, {.totalBytes = bytes.size(), .count = 3}));
    EXPECT_FALSE(params.decode(bytes, {.totalBytes = bytes.size() - 1, .count = 3}));
    EXPECT_FALSE(params.decode(bytes, {.totalBytes = bytes.size(), .count = 2}));
}

TEST(Params, pointers_stay_valid_until_clear) {
    Params params;
    params.set("FIRST", "value");
    const char* value = params.get("FIRST");
    for (int i = 0; i < 5000; ++i) {
        params.set("N" + std::to_string(i), std::string(100, 'x'));
    }
    params.set("FIRST", "other");
    EXPECT_STREQ(value, "value");
    params.clear();
    EXPECT_EQ(params.size(), 0U);
    EXPECT_EQ(params.get("N4999"), nullptr);
}

TEST(Params, behaves_as_an_ordinary_map_does) {
    std::mt19937 random(7);
    Params params;
    for (int round = 0; round < 50; ++round) {
        std::map<std::string, std::string> model;
        params.clear();
        for (int step = 0; step < 2000; ++step) {
            const std::string name = "K" + std::to_string(random() % 300);
            switch (random() % 4) {
                case 0:
                    params.erase(name);
                    model.erase(name);
                    break;
                case 1: {
                    const char* value = params.get(name);
                    const auto found = model.find(name);
                    ASSERT_EQ(value != nullptr, found != model.end());
                    ASSERT_TRUE(value == nullptr || value == found->second);
                    break;
                }
                default: {
                    const std::string value(random() % 200, 'a');
                    params.set(name, value);
                    model[name] = value;
                }
            }
            ASSERT_EQ(params.size(), model.size());
        }
    }
}

}  // namespace
}  // namespace muster::fastcgi
