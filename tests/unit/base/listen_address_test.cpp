// Address forms, what they resolve to, and how they are named.
#include "base/listen_address.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

std::vector<std::string> keysOf(const std::string& value) {
    std::vector<std::string> keys;
    const auto addresses = resolveListenAddress(parseListenAddress(value));
    if (addresses) {
        for (const SocketAddress& address : *addresses) {
            keys.push_back(address.key());
        }
    }
    return keys;
}

std::string errorOf(const std::string& value) {
    const auto addresses = resolveListenAddress(parseListenAddress(value));
    return addresses ? "" : addresses.error().text();
}

TEST(ListenAddressForms, follow_the_last_colon_digits_path_rule) {
    using Kind = ListenAddress::Kind;
    EXPECT_EQ(parseListenAddress("127.0.0.1:9000").kind, Kind::tcp);
    EXPECT_EQ(parseListenAddress("127.0.0.1:9000").port, "9000");
    EXPECT_EQ(parseListenAddress("[::1]:9000").host, "::1");
    EXPECT_EQ(parseListenAddress("::1:9000").host, "::1");
    EXPECT_EQ(parseListenAddress("9000").kind, Kind::port);
    EXPECT_EQ(parseListenAddress("/run/x.sock").kind, Kind::unixPath);
}

TEST(ListenAddressForms, ports_out_of_range_are_named) {
    for (const char* port : {"0", "65536", "", "x", "-1", "99999999999999999999"}) {
        EXPECT_EQ(errorOf(std::string("127.0.0.1:") + port),
                  std::string("invalid port value '") + port + "'");
    }
    EXPECT_EQ(errorOf("0"), "invalid port value '0'");
    EXPECT_TRUE(errorOf("127.0.0.1:9000x").starts_with("getaddrinfo: ")) << "as php-fpm";
}

TEST(ListenAddressKeys, are_numeric_without_brackets) {
    using Keys = std::vector<std::string>;
    EXPECT_EQ(keysOf("127.0.0.1:9000"), Keys{"127.0.0.1:9000"});
    EXPECT_EQ(keysOf("127.0.0.1:09000"), Keys{"127.0.0.1:9000"});
    EXPECT_EQ(keysOf("[::1]:9000"), Keys{"::1:9000"});
    EXPECT_EQ(keysOf("::1:9000"), Keys{"::1:9000"});
    EXPECT_EQ(keysOf("/run/x.sock"), Keys{"/run/x.sock"});
    EXPECT_EQ(keysOf("9000"), (Keys{":::9000", "0.0.0.0:9000"})) << "in the order to try";
}

TEST(ListenAddressKeys, longest_path_is_whole_and_longer_ones_are_refused) {
    const std::string longest = "/" + std::string(kMaxUnixPath - 1, 'x');
    EXPECT_EQ(keysOf(longest), std::vector<std::string>{longest});
    EXPECT_NE(errorOf(longest + "x").find("too long (found length: 108"), std::string::npos);
}

TEST(ListenAddressKeys, names_that_do_not_exist_are_an_error) {
    EXPECT_TRUE(errorOf(":9000").starts_with("getaddrinfo: "));
}

}  // namespace
}  // namespace muster
