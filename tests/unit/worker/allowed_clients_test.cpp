// Which lists of allowed clients mean what.
#include "worker/allowed_clients.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace muster::worker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

bool allows(std::string_view list, const std::string& peer) {
    const auto address = parsePeerAddress(peer);
    EXPECT_TRUE(address) << peer;
    return address && AllowedClients(list).contains(*address);
}

TEST(AllowedClients, a_literal_address_allows_itself_only) {
    EXPECT_TRUE(allows("192.0.2.7", "192.0.2.7"));
    EXPECT_FALSE(allows("192.0.2.7", "192.0.2.8"));
    EXPECT_FALSE(allows("192.0.2.7", "191.0.2.7"));
    EXPECT_TRUE(allows("2001:db8::1", "2001:DB8:0:0:0:0:0:1"));
}

TEST(AllowedClients, all_sixteen_bytes_count) {
    EXPECT_FALSE(allows("2001:db8::1", "2001:db8::2"));
    EXPECT_FALSE(allows("2001:db8::1", "2001:db9::1"));
    EXPECT_FALSE(allows("::1", "::"));
}

TEST(AllowedClients, ipv4_and_its_mapped_form_are_one_host) {
    EXPECT_TRUE(allows("192.0.2.7", "::ffff:192.0.2.7"));
    EXPECT_TRUE(allows("::ffff:192.0.2.7", "192.0.2.7"));
    EXPECT_TRUE(allows("::ffff:c000:207", "192.0.2.7"));
    EXPECT_FALSE(allows("192.0.2.7", "::192.0.2.7")) << "compatible is not mapped";
    EXPECT_FALSE(allows("192.0.2.7", "64:ff9b::192.0.2.7"));
}

TEST(AllowedClients, every_item_counts) {
    const std::string list = "127.0.0.1,::1,192.0.2.7";
    for (const char* peer : {"127.0.0.1", "::1", "192.0.2.7", "::ffff:127.0.0.1"}) {
        EXPECT_TRUE(allows(list, peer)) << peer;
    }
    EXPECT_FALSE(allows(list, "192.0.2.1"));
    EXPECT_THAT(AllowedClients(list).problems(), IsEmpty());
}

TEST(AllowedClients, wrong_items_are_named_and_the_others_stand) {
    const AllowedClients clients("127.0.0.1, ::1,example.org,10.0.0.0/8,,192.0.2.7");
    EXPECT_THAT(clients.problems(),
                ElementsAre("Wrong IP address ' ::1' in listen.allowed_clients",
                            "Wrong IP address 'example.org' in listen.allowed_clients",
                            "Wrong IP address '10.0.0.0/8' in listen.allowed_clients",
                            "Wrong IP address '' in listen.allowed_clients"));
    EXPECT_TRUE(clients.contains(*parsePeerAddress("192.0.2.7")));
    EXPECT_FALSE(clients.contains(*parsePeerAddress("::1")));
    EXPECT_FALSE(clients.contains(*parsePeerAddress("10.0.0.0")));
}

TEST(AllowedClients, an_empty_list_allows_nobody_and_says_so) {
    const AllowedClients clients("");
    EXPECT_THAT(clients.problems(), ElementsAre("Wrong IP address '' in listen.allowed_clients",
                                                "There are no allowed addresses"));
    EXPECT_FALSE(clients.contains(*parsePeerAddress("127.0.0.1")));
    EXPECT_FALSE(clients.contains(*parsePeerAddress("::")));
}

TEST(AllowedClients, unix_peers_are_admitted_and_nameless_ones_are_not) {
    const AllowedClients clients("");
    sockaddr_storage peer{};
    peer.ss_family = AF_UNIX;
    EXPECT_TRUE(clients.admits(peer, sizeof(sa_family_t)));
    peer.ss_family = AF_INET;
    EXPECT_FALSE(AllowedClients("0.0.0.0").admits(peer, 4)) << "cut off";
    EXPECT_TRUE(AllowedClients("0.0.0.0").admits(peer, sizeof(sockaddr_in)));
    peer.ss_family = AF_UNSPEC;
    EXPECT_FALSE(AllowedClients("0.0.0.0").admits(peer, sizeof peer));
}

}  // namespace
}  // namespace muster::worker
