// What is seen of a waiting connection's head, and that nothing is taken from it.
#include "manager/head_sight.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "base/io.h"
#include "fastcgi/client.h"

namespace muster::manager {
namespace {

using Sight = HeadSight::Sight;

class HeadSightTest : public testing::Test {
  protected:
    HeadSightTest() {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        peer_.reset(ends[0]);
        parked_.connection.reset(ends[1]);
    }
    static std::string request(std::string_view body = {}) {
        return fastcgi::encodeRequest({{"SCRIPT_NAME", "/ping"}, {"QUERY_STRING", "a=b"}}, body,
                                      false);
    }
    void say(std::string_view bytes) { ASSERT_TRUE(writeAll(peer_.get(), bytes)); }
    std::string unread() {
        std::string bytes(65536, '\0');
        const ssize_t n =
            ::recv(parked_.connection.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return bytes;
    }

    UniqueFd peer_;
    worker::ParkedConnection parked_;
    HeadSight sight_;
};

TEST_F(HeadSightTest, sees_a_whole_head_and_takes_nothing) {
    const std::string whole = request("body");
    say(whole);
    for (int i = 0; i < 2; ++i) {
        ASSERT_EQ(sight_.look(parked_), Sight::request);
        EXPECT_STREQ(sight_.params().get("SCRIPT_NAME"), "/ping");
    }
    EXPECT_EQ(unread(), whole);
}

TEST_F(HeadSightTest, tells_silence_from_an_end) {
    EXPECT_EQ(sight_.look(parked_), Sight::nothing);
    peer_.reset();
    EXPECT_EQ(sight_.look(parked_), Sight::gone);
}

TEST_F(HeadSightTest, a_head_in_any_pieces_is_whole_at_the_end) {
    const std::string whole = request();
    const std::string end = whole.substr(whole.size() - 8);  // the empty STDIN record
    const std::size_t headSize = whole.size() - end.size();
    std::size_t absorbed = 0;
    for (std::size_t i = 0; i + 1 < headSize; ++i) {
        say(whole.substr(i, 1));
        ASSERT_EQ(sight_.look(parked_), Sight::partial) << i;
        if (i % 3 == 0) {
            ASSERT_TRUE(sight_.absorb(parked_));
            EXPECT_EQ(sight_.look(parked_), Sight::nothing);
            absorbed = i + 1;
        }
    }
    say(whole.substr(headSize - 1));
    ASSERT_EQ(sight_.look(parked_), Sight::request);
    EXPECT_STREQ(sight_.params().get("QUERY_STRING"), "a=b");
    EXPECT_EQ(parked_.facts.headBegun, 1);
    EXPECT_EQ(unread(), whole.substr(absorbed));
}

TEST_F(HeadSightTest, tells_what_is_outside_the_protocol) {
    say(std::string(64, 'x'));
    EXPECT_EQ(sight_.look(parked_), Sight::garbage);
}

TEST_F(HeadSightTest, leaves_very_long_heads_to_a_worker) {
    say(fastcgi::encodeRequest({{"HTTP_COOKIE", std::string(100'000, 'c')}}, {}, false));
    EXPECT_EQ(sight_.look(parked_), Sight::unclear);
}

}  // namespace
}  // namespace muster::manager
