// Peer addresses as text.
#include "worker/peer_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace muster::worker {
namespace {

std::string textOfV6(const char* address) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    EXPECT_EQ(::inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    sockaddr_storage storage{};
    std::memcpy(&storage, &v6, sizeof v6);
    return addressText(storage, sizeof v6);
}

TEST(PeerAddress, ipv4_is_dotted) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(0x7f000001);
    sockaddr_storage storage{};
    std::memcpy(&storage, &v4, sizeof v4);
    EXPECT_EQ(addressText(storage, sizeof v4), "127.0.0.1");
    EXPECT_EQ(addressText(storage, 4), "") << "a truncated address is none";
}

TEST(PeerAddress, ipv6_is_itself_and_mapped_ipv4_is_dotted) {
    EXPECT_EQ(textOfV6("2001:db8::1"), "2001:db8::1");
    EXPECT_EQ(textOfV6("::ffff:192.0.2.7"), "192.0.2.7");
}

TEST(PeerAddress, unix_sockets_have_none) {
    sockaddr_storage storage{};
    storage.ss_family = AF_UNIX;
    EXPECT_EQ(addressText(storage, sizeof(sa_family_t)), "");
}

}  // namespace
}  // namespace muster::worker
