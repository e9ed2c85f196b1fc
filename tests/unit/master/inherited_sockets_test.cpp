// Entries of FPM_SOCKETS: whatever may stand there.
#include "master/inherited_sockets.h"

#include <gtest/gtest.h>

namespace muster::master {
namespace {

std::vector<std::pair<std::string, std::string>> entriesOf(std::string_view value) {
    std::vector<std::pair<std::string, std::string>> entries;
    for (const SocketEntry& entry : parseSocketEntries(value)) {
        entries.emplace_back(entry.key, entry.number);
    }
    return entries;
}

using Entries = std::vector<std::pair<std::string, std::string>>;

TEST(SocketEntries, are_keys_and_numbers_joined_by_commas) {
    EXPECT_EQ(entriesOf("/run/a.sock=7,127.0.0.1:9000=8,:::9001=9"),
              (Entries{{"/run/a.sock", "7"}, {"127.0.0.1:9000", "8"}, {":::9001", "9"}}));
}

TEST(SocketEntries, without_equals_sign_are_left_out) {
    EXPECT_EQ(entriesOf(""), Entries{});
    EXPECT_EQ(entriesOf(",,,"), Entries{});
    EXPECT_EQ(entriesOf("nonsense,/a=3,,more"), (Entries{{"/a", "3"}}));
    EXPECT_EQ(entriesOf("=5"), (Entries{{"", "5"}}));
    EXPECT_EQ(entriesOf("/a=3=4"), (Entries{{"/a", "3=4"}})) << "the first one divides";
}

TEST(SocketEntries, keys_are_cut_at_255_bytes) {
    const auto entries = entriesOf(std::string(300, 'k') + "=5");
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries[0].first, std::string(255, 'k'));
    EXPECT_EQ(entries[0].second, "5");
}

TEST(Descriptors, are_digits_from_three_on) {
    EXPECT_EQ(parseDescriptor("3"), 3);
    EXPECT_EQ(parseDescriptor("2147483647"), 2147483647);
    for (const char* bad : {"", "0", "1", "2", "-3", "+3", " 3", "3 ", "3x", "0x3", "2147483648",
                            "99999999999999999999", "3=4"}) {
        EXPECT_EQ(parseDescriptor(bad), std::nullopt) << bad;
    }
}

}  // namespace
}  // namespace muster::master
