// Parked connections through a channel: what arrives is what was sent, or nothing.
#include "worker/parked_connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/shared_memory.h"

namespace muster::worker {
namespace {

class ParkedMessage : public testing::Test {
  protected:
    ParkedMessage() : channel_(MessageChannel::pair()) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        connection_.reset(ends[0]);
        peer_.reset(ends[1]);
    }

    std::optional<ParkedConnection> received() {
        ReceivedMessage message;
        const auto outcome = channel_->second.receive(message);
        EXPECT_TRUE(outcome && *outcome == MessageChannel::Outcome::message);
        return parkedIn(message);
    }

    Result<std::pair<MessageChannel, MessageChannel>> channel_;
    UniqueFd connection_;
    UniqueFd peer_;
};

TEST_F(ParkedMessage, a_peer_has_hung_up_only_when_both_directions_are_closed) {
    EXPECT_FALSE(hasHungUp(connection_.get()));
    EXPECT_TRUE(writeAll(peer_.get(), "a request"));
    EXPECT_FALSE(hasHungUp(connection_.get()));
    ::shutdown(peer_.get(), SHUT_WR);
    EXPECT_FALSE(hasHungUp(connection_.get()));
    peer_.reset();
    EXPECT_TRUE(hasHungUp(connection_.get()));
}

TEST_F(ParkedMessage, carries_the_connection_its_head_and_what_is_known) {
    const UniqueFd head = createSealedContent("head", "half a head").value();
    ParkedFacts facts;
    facts.sinceNs = 77;
    facts.sinceWallNs = 88;
    facts.requestId = 9;
    facts.lateData = facts.keptAlive = facts.headBegun = 1;
    ASSERT_TRUE(sendParked(channel_->first, connection_.get(), head.get(), facts));
    const auto parked = received();
    ASSERT_TRUE(parked.has_value());
    EXPECT_EQ(parked->facts.sinceNs, 77U);
    EXPECT_EQ(parked->facts.sinceWallNs, 88U);
    EXPECT_EQ(parked->facts.requestId, 9);
    EXPECT_EQ(parked->facts.lateData, 1);
    EXPECT_EQ(parked->facts.keptAlive, 1);
    EXPECT_EQ(readDescriptor(parked->head.get(), 100).value(), "half a head");
    ASSERT_TRUE(writeAll(peer_.get(), "x"));
    char byte = 0;
    EXPECT_EQ(::recv(parked->connection.get(), &byte, 1, MSG_DONTWAIT), 1);
}

TEST_F(ParkedMessage, head_that_is_said_but_not_there_is_refused) {
    ParkedFacts facts;
    facts.headBegun = 1;
    ASSERT_TRUE(sendParked(channel_->first, connection_.get(), -1, facts));
    EXPECT_EQ(received(), std::nullopt);
}

TEST_F(ParkedMessage, other_messages_are_refused) {
    const std::array<std::byte, sizeof(ParkedFacts) + 1> bytes{};
    const int fd = connection_.get();
    ASSERT_TRUE(channel_->first.send(bytes, {&fd, 1}));
    EXPECT_EQ(received(), std::nullopt) << "of another size";
    ASSERT_TRUE(channel_->first.send(std::span(bytes).first(sizeof(ParkedFacts))));
    EXPECT_EQ(received(), std::nullopt) << "without a connection";
    const std::array<int, 3> three{fd, fd, fd};
    ASSERT_TRUE(channel_->first.send(std::span(bytes).first(sizeof(ParkedFacts)), three));
    EXPECT_EQ(received(), std::nullopt) << "with too many";
}

TEST_F(ParkedMessage, clock_from_the_future_is_put_right) {
    ParkedFacts facts;
    facts.sinceNs = UINT64_MAX - 5;
    ASSERT_TRUE(sendParked(channel_->first, connection_.get(), -1, facts));
    const auto parked = received();
    ASSERT_TRUE(parked.has_value());
    EXPECT_LE(parked->facts.sinceNs, monotonicNs());
}

TEST(ParkedFacts, deadline_depends_on_what_the_peer_owes) {
    ParkedFacts facts;
    facts.sinceNs = 1000;
    const WaitLimits limits{.headNs = 5, .idleNs = 7};
    EXPECT_EQ(deadlineNs(facts, limits), 1000 + kFirstByteNs);
    EXPECT_EQ(deadlineNs(facts, {}), 1000 + kFirstByteNs);
    facts.headBegun = 1;
    EXPECT_EQ(deadlineNs(facts, limits), 1005U);
    EXPECT_EQ(deadlineNs(facts, {}), std::nullopt);
    facts.keptAlive = 1;
    EXPECT_EQ(deadlineNs(facts, limits), 1005U);
    EXPECT_FALSE(isIdle(facts));
    facts.headBegun = 0;
    EXPECT_TRUE(isIdle(facts));
    EXPECT_EQ(deadlineNs(facts, limits), 1007U);
    EXPECT_EQ(deadlineNs(facts, {}), std::nullopt);
}

TEST(WaitLimits, head_may_take_no_longer_than_its_request) {
    config::PoolSettings pool;
    EXPECT_EQ(WaitLimits::of(pool).headNs, 60 * kNsPerSecond);
    EXPECT_EQ(WaitLimits::of(pool).idleNs, 0U);
    pool.requestTerminateTimeout = 3;
    EXPECT_EQ(WaitLimits::of(pool).headNs, 3 * kNsPerSecond);
    pool.requestTerminateTimeout = 300;
    EXPECT_EQ(WaitLimits::of(pool).headNs, 60 * kNsPerSecond);
    pool.requestHeaderTimeout = 0;
    EXPECT_EQ(WaitLimits::of(pool).headNs, 300 * kNsPerSecond);
    pool.requestTerminateTimeout = 0;
    pool.listenKeepaliveTimeout = 2;
    EXPECT_EQ(WaitLimits::of(pool).headNs, 0U);
    EXPECT_EQ(WaitLimits::of(pool).idleNs, 2 * kNsPerSecond);
}

}  // namespace
}  // namespace muster::worker
