// One connection of pm.status_listen over a socketpair: what is answered, when it ends.
#include "manager/status_connection.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <random>

#include "base/clock.h"
#include "base/io.h"
#include "fastcgi/client.h"

namespace muster::manager {
namespace {

constexpr std::uint64_t kNow = 1000 * kNsPerSecond;

class StatusConnectionTest : public testing::Test {
  protected:
    StatusConnectionTest() : connection_(open(), answer_, kNow, {}) {}

    UniqueFd open() {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        client_.reset(ends[0]);
        return UniqueFd(ends[1]);
    }
    static std::string request(bool keepAlive, std::string_view body = {}) {
        return fastcgi::encodeRequest({{"SCRIPT_NAME", "/status"}}, body, keepAlive);
    }
    void say(std::string_view bytes) { ASSERT_TRUE(writeAll(client_.get(), bytes)); }
    /// As the event loop would: until nothing is to be done. False when it is to be closed.
    bool run(std::uint64_t now = kNow) {
        for (;;) {
            char byte = 0;
            const ssize_t there = ::recv(connection_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
            const bool readable = there >= 0;
            bool open = true;
            if (connection_.wantsTurn()) {
                open = connection_.proceed(now);
            } else if (connection_.wantsToRead() && readable) {
                open = connection_.receive(now);
            } else if (connection_.wantsToWrite()) {
                const std::size_t before = connection_.pendingBytes();
                open = connection_.send(now);
                if (open && connection_.pendingBytes() == before) {
                    return true;
                }
            } else {
                return true;
            }
            if (!open) {
                return false;
            }
        }
    }
    std::string response() {
        const auto got = fastcgi::readResponse(client_.get());
        return got ? got->out : "failed";
    }

    UniqueFd client_;
    int asked_ = 0;
    std::string body_ = "answer";
    StatusConnection::Answer answer_ = [this](const fastcgi::Params& params,
                                              const StatusConnection::Asker&) {
        ++asked_;
        EXPECT_STREQ(params.get("SCRIPT_NAME"), "/status");
        return body_;
    };
    StatusConnection connection_;
};

TEST_F(StatusConnectionTest, answers_and_closes) {
    say(request(false));
    EXPECT_FALSE(run());
    EXPECT_EQ(response(), "answer");
}

TEST_F(StatusConnectionTest, keeps_the_connection_when_asked_to) {
    for (int i = 1; i <= 3; ++i) {
        say(request(true));
        EXPECT_TRUE(run());
        EXPECT_EQ(response(), "answer");
        EXPECT_TRUE(connection_.isIdle() && connection_.isKnown() && connection_.isMovable());
        EXPECT_EQ(asked_, i);
    }
}

TEST_F(StatusConnectionTest, one_answer_a_turn) {
    say(request(true) + request(true) + request(true));
    EXPECT_TRUE(connection_.receive(kNow));
    EXPECT_EQ(asked_, 1);
    EXPECT_TRUE(connection_.wantsTurn());
    EXPECT_FALSE(connection_.wantsToRead() || connection_.isMovable());
    EXPECT_TRUE(connection_.proceed(kNow));
    EXPECT_EQ(asked_, 2);
    EXPECT_TRUE(run());
    EXPECT_EQ(asked_, 3);
}

TEST_F(StatusConnectionTest, a_peer_that_takes_nothing_is_read_no_further) {
    body_.assign(std::size_t{4} << 20, 'x');
    say(request(true) + request(true));
    EXPECT_TRUE(run());
    EXPECT_TRUE(connection_.wantsToWrite());
    EXPECT_FALSE(connection_.wantsToRead() || connection_.wantsTurn());
    EXPECT_EQ(asked_, 1);
    EXPECT_EQ(connection_.deadlineNs(), kNow + 5 * kNsPerSecond);
    EXPECT_LE(connection_.pendingBytes(), body_.size() + 4096);
}

TEST_F(StatusConnectionTest, a_large_answer_arrives_whole) {
    body_.assign(300'000, 'x');
    body_ += "end";
    say(request(false));
    bool open = run();
    std::string got;
    std::string block(65536, ' ');
    for (bool more = true; more || open;) {
        const ssize_t n = ::recv(client_.get(), block.data(), block.size(), MSG_DONTWAIT);
        more = n > 0;
        if (more) {
            got.append(block, 0, static_cast<std::size_t>(n));
        } else if (open) {
            open = connection_.send(kNow);
            more = true;
        }
    }
    EXPECT_GT(got.size(), body_.size());
    EXPECT_NE(got.find("end"), std::string::npos);
}

TEST_F(StatusConnectionTest, a_body_nobody_wants_is_read_over_and_a_long_one_ends_it) {
    say(request(true, std::string(10'000, 'b')));
    EXPECT_TRUE(run());
    EXPECT_TRUE(connection_.isIdle());
    std::string endless = request(true).substr(0, request(true).size() - 8);
    say(endless);
    EXPECT_TRUE(run());
    std::string record;
    fastcgi::appendRecord(record, fastcgi::RecordType::stdIn, 1, std::string(60'000, 'b'));
    for (int i = 0; i < 20; ++i) {
        if (!writeAll(client_.get(), record) || !run()) {
            EXPECT_GE(i, 4);
            return;
        }
    }
    FAIL() << "a body without end was read for ever";
}

TEST_F(StatusConnectionTest, its_patience_is_bounded_from_the_first_byte_on) {
    EXPECT_EQ(connection_.deadlineNs(), kNow + 5 * kNsPerSecond);
    const std::string bytes = request(true);
    std::uint64_t now = kNow;
    constexpr std::size_t kPart = 30;
    for (std::size_t i = 0; i < kPart; ++i) {
        say(bytes.substr(i, 1));
        EXPECT_TRUE(run(now += kNsPerMs));
    }
    EXPECT_EQ(connection_.deadlineNs(), kNow + 5 * kNsPerSecond) << "drops do not prolong it";
    say(bytes.substr(kPart));
    EXPECT_TRUE(run(now));
    EXPECT_EQ(connection_.deadlineNs(), now + 60 * kNsPerSecond) << "between two requests";
    say(bytes.substr(0, 20));
    EXPECT_TRUE(run(now + kNsPerSecond));
    EXPECT_EQ(connection_.deadlineNs(), now + 6 * kNsPerSecond);
}

TEST_F(StatusConnectionTest, a_half_read_head_goes_on_in_another_object) {
    const std::string bytes = request(true);
    say(bytes.substr(0, 30));
    EXPECT_TRUE(run());
    EXPECT_TRUE(connection_.isMovable());
    EXPECT_FALSE(connection_.isIdle());
    const auto facts = connection_.facts();
    EXPECT_EQ(facts.headBegun, 1);
    EXPECT_EQ(facts.forStatus, 1);
    StatusConnection other(UniqueFd(::fcntl(connection_.fd(), F_DUPFD_CLOEXEC, 3)), answer_, kNow,
                           {});
    ASSERT_TRUE(other.resume(facts, connection_.partialHead()));
    connection_ = std::move(other);
    say(bytes.substr(30));
    EXPECT_TRUE(run());
    EXPECT_EQ(response(), "answer");
    EXPECT_EQ(connection_.facts().headBegun, 0);
}

TEST_F(StatusConnectionTest, a_peer_that_closed_its_half_is_answered) {
    say(request(false));
    ::shutdown(client_.get(), SHUT_WR);
    EXPECT_FALSE(run());
    EXPECT_EQ(response(), "answer");
}

TEST_F(StatusConnectionTest, no_bytes_make_it_wait_without_end_or_grow) {
    const unsigned seed = std::random_device{}();
    std::mt19937 random(seed);
    int stayedOpen = 0;
    for (int trial = 0; trial < 2000; ++trial) {
        std::string bytes = request(true) + request(true, "body");
        for (auto i = random() % 6; i > 0; --i) {
            bytes[random() % bytes.size()] = static_cast<char>(random());
        }
        if (trial % 3 == 0) {
            for (char& c : bytes) {
                c = static_cast<char>(random());
            }
        }
        StatusConnection::Answer any = [](const fastcgi::Params&, const StatusConnection::Asker&) {
            return std::string("a");
        };
        connection_ = StatusConnection(open(), any, kNow, {});
        say(std::string_view(bytes).substr(0, random() % bytes.size()));
        if (!run()) {
            continue;  // to be destroyed, and not called again
        }
        ++stayedOpen;
        EXPECT_LE(connection_.deadlineNs(), kNow + 60 * kNsPerSecond) << seed;
        EXPECT_LE(connection_.pendingBytes(), 1U << 20) << seed;
        ::shutdown(client_.get(), SHUT_WR);
        EXPECT_FALSE(run()) << "open after its peer's end, seed " << seed;
    }
    EXPECT_GT(stayedOpen, 100) << seed;
}

}  // namespace
}  // namespace muster::manager
