// Connections whose request takes too long: what the peer gets in the place of a response.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "base/io.h"
#include "fastcgi/client.h"
#include "fastcgi/server_connection.h"

namespace muster::fastcgi {
namespace {

constexpr std::string_view kPage = "Status: 504 Gateway Timeout\r\n\r\nToo late.\n";

class LateRequest : public testing::Test {
  protected:
    void ask(bool keepAlive, std::string_view body = {}) {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        peer_.reset(ends[0]);
        connection_.open(UniqueFd(ends[1]));
        ASSERT_TRUE(
            writeAll(peer_.get(), encodeRequest({{"REQUEST_METHOD", "GET"}}, body, keepAlive)));
        connection_.receive();
        ASSERT_EQ(connection_.readHead(), HeadOutcome::request);
    }
    void print(std::string_view text) {
        EXPECT_TRUE(connection_.writeStdout(text.data(), text.size()));
    }
    ClientResponse heard() { return readResponse(peer_.get()).value_or(ClientResponse{}); }
    /// Everything the server sent until it closed, or until now.
    std::string heardBytes() {
        char block[4096];
        const ssize_t n = ::recv(peer_.get(), block, sizeof block, MSG_DONTWAIT);
        return n > 0 ? std::string(block, static_cast<std::size_t>(n)) : std::string();
    }

    ServerConnection connection_;
    UniqueFd peer_;
};

TEST_F(LateRequest, page_takes_the_place_of_what_has_not_left) {
    ask(false);
    print("Content-type: text/html\r\n\r\nhalf a page");
    connection_.writeStderr("a warning");
    print(" and more");
    connection_.writeStderr("another");
    EXPECT_TRUE(connection_.finishInstead(kPage));
    EXPECT_TRUE(connection_.finished());
    const ClientResponse response = heard();
    EXPECT_EQ(response.out, kPage);
    EXPECT_EQ(response.err, "a warninganother") << "messages are not lost";
    EXPECT_EQ(response.appStatus, 0);
    EXPECT_FALSE(connection_.isOpen());
}

TEST_F(LateRequest, messages_that_left_do_not_stand_in_the_way) {
    ask(false);
    connection_.writeStderr("a warning");
    connection_.flush();
    print("half a page");
    EXPECT_TRUE(connection_.finishInstead(kPage));
    EXPECT_EQ(heard().out, kPage);
}

TEST_F(LateRequest, keeps_a_connection_whose_body_was_read) {
    ask(true, "body that nobody asked for");
    EXPECT_TRUE(connection_.finishInstead(kPage));
    EXPECT_EQ(heard().out, kPage);
    EXPECT_TRUE(connection_.isOpen());
    ASSERT_TRUE(writeAll(peer_.get(), encodeRequest({{"A", "b"}}, {}, true)));
    connection_.receive();
    EXPECT_EQ(connection_.readHead(), HeadOutcome::request);
    print("the next");
    connection_.finish();
    EXPECT_EQ(heard().out, "the next");
}

TEST_F(LateRequest, response_that_has_begun_to_leave_is_broken_off) {
    ask(true);
    print("first part");
    connection_.flush();
    print("second part");
    EXPECT_FALSE(connection_.finishInstead(kPage));
    EXPECT_TRUE(connection_.finished());
    EXPECT_FALSE(connection_.isOpen());
    const std::string bytes = heardBytes();
    EXPECT_EQ(bytes.size(), kHeaderSize + 10 + paddingFor(10)) << "one record and no END_REQUEST";
    EXPECT_TRUE(connection_.writeStdout("x", 1)) << "output after it goes nowhere";
}

TEST_F(LateRequest, response_that_is_complete_stays_as_it_is) {
    ask(true);
    print("all of it");
    connection_.finish();
    EXPECT_FALSE(connection_.finishInstead(kPage));
    EXPECT_FALSE(connection_.lastWord(kPage));
    EXPECT_EQ(heard().out, "all of it");
    EXPECT_TRUE(connection_.isOpen());
}

TEST_F(LateRequest, last_word_is_a_whole_response) {
    ask(true, "unread");
    print("not to be seen");
    EXPECT_TRUE(connection_.lastWord(kPage));
    const ClientResponse response = heard();
    EXPECT_EQ(response.out, kPage);
    EXPECT_EQ(response.appStatus, 0);
}

TEST_F(LateRequest, last_word_does_not_follow_other_words) {
    ask(true);
    print("first part");
    connection_.flush();
    heardBytes();
    EXPECT_FALSE(connection_.lastWord(kPage));
    EXPECT_EQ(heardBytes(), "");
}

TEST_F(LateRequest, interrupt_does_not_outlive_its_request) {
    ask(true);
    connection_.interrupt();
    EXPECT_TRUE(connection_.finishInstead(kPage));
    ASSERT_TRUE(writeAll(peer_.get(), encodeRequest({{"A", "b"}}, "body", true)));
    heard();
    connection_.receive();
    ASSERT_EQ(connection_.readHead(), HeadOutcome::request);
    char body[16];
    EXPECT_EQ(connection_.readBody(body, sizeof body), 4U);
    EXPECT_FALSE(connection_.aborted());
    print("fine");
    connection_.finish();
    EXPECT_EQ(heard().out, "fine");
}

}  // namespace
}  // namespace muster::fastcgi
