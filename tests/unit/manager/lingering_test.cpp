// Connections whose peers still send, over socketpairs: who is waited for, and how long.
#include "manager/lingering.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "base/io.h"

namespace muster::manager {
namespace {

class LastWords : public testing::Test {
  protected:
    LastWords() : loop_(EventLoop::create()), lingering_(*loop_, [this] { ++emptied_; }) {}

    /// A peer that has got its answer but not read it; the server's half is shut down.
    std::size_t keep() {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        EXPECT_TRUE(writeAll(ends[0], "answer"));
        ::shutdown(ends[0], SHUT_WR);
        lingering_.keep(UniqueFd(ends[0]));
        peers_.emplace_back(ends[1]);
        return peers_.size() - 1;
    }
    void turn() {
        const auto watch = loop_->after(std::chrono::milliseconds(0), [this] { loop_->stop(); });
        loop_->run();
    }
    [[nodiscard]] bool isKept(std::size_t peer) const {
        return ::send(peers_[peer].get(), "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
    }
    std::string heard(std::size_t peer) {
        char block[64];
        const ssize_t n = ::recv(peers_[peer].get(), block, sizeof block, MSG_DONTWAIT);
        return n < 0 ? "error" : std::string(block, static_cast<std::size_t>(n));
    }

    Result<EventLoop> loop_;
    std::vector<UniqueFd> peers_;
    int emptied_ = 0;
    Lingering lingering_;
};

TEST_F(LastWords, peer_that_goes_on_sending_still_reads_its_answer_and_the_end) {
    const std::size_t peer = keep();
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(writeAll(peers_[peer].get(), std::string(10'000, 'x')));
        turn();
    }
    EXPECT_EQ(heard(peer), "answer");
    EXPECT_EQ(heard(peer), "");
    EXPECT_FALSE(lingering_.empty());
    ::shutdown(peers_[peer].get(), SHUT_WR);
    turn();
    EXPECT_TRUE(lingering_.empty());
    EXPECT_EQ(emptied_, 1);
    EXPECT_EQ(heard(peer), "") << "no reset";
}

TEST_F(LastWords, peer_that_sends_too_much_is_closed) {
    const std::size_t peer = keep();
    const std::string block(65536, 'x');
    int sent = 0;
    while (!lingering_.empty() && sent < 1000) {
        ASSERT_TRUE(writeAll(peers_[peer].get(), block));
        ++sent;
        turn();
    }
    EXPECT_NEAR(sent, 129, 2);
    EXPECT_EQ(emptied_, 1);
}

TEST_F(LastWords, beyond_the_limit_the_oldest_goes) {
    for (std::size_t i = 0; i <= Lingering::kMaxConnections; ++i) {
        keep();
    }
    EXPECT_FALSE(isKept(0));
    EXPECT_TRUE(isKept(1));
    EXPECT_TRUE(isKept(Lingering::kMaxConnections));
}

TEST_F(LastWords, all_go_when_the_service_ends_at_once) {
    const std::size_t peer = keep();
    lingering_.clear();
    EXPECT_TRUE(lingering_.empty());
    EXPECT_FALSE(isKept(peer));
    EXPECT_EQ(emptied_, 0) << "the caller knows";
}

}  // namespace
}  // namespace muster::manager
