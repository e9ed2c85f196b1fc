// Parked connections over socketpairs: who becomes ready, who has to go, and in what order.
#include "manager/parking.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/io.h"
#include "base/shared_memory.h"

namespace muster::manager {
namespace {

using worker::ParkedConnection;

class ParkingLot : public testing::Test {
  protected:
    explicit ParkingLot(const ParkingLimits& limits = {})
        : loop_(EventLoop::create()),
          queue_(MessageChannel::pair()),
          parking_(*loop_, limits, {&queue_->first, &queue_->second, &full_},
                   [this] { ++readyCalls_; }) {}

    enum Kind { stranger, idle, begun };

    /// Parks a connection and returns its peer's number.
    std::size_t park(Kind kind, std::size_t headBytes = 3) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        peers_.emplace_back(ends[1]);
        ParkedConnection parked;
        parked.connection.reset(ends[0]);
        parked.facts.sinceNs = monotonicNs();
        parked.facts.keptAlive = kind == idle ? 1 : 0;
        parked.facts.requestId = static_cast<std::uint16_t>(peers_.size() - 1);
        if (kind == begun) {
            parked.facts.headBegun = 1;
            parked.head = *createSealedContent("head", std::string(headBytes, 'h'));
        }
        parking_.park(std::move(parked));
        return peers_.size() - 1;
    }
    void say(std::size_t peer) { EXPECT_TRUE(writeAll(peers_[peer].get(), "x")); }
    bool closed(std::size_t peer) {
        char byte = 0;
        return ::recv(peers_[peer].get(), &byte, 1, MSG_DONTWAIT) == 0;
    }
    /// One round of the loop, with everything that is ready by now.
    void turn() {
        const auto watch = loop_->after(std::chrono::milliseconds(0), [this] { loop_->stop(); });
        loop_->run();
    }
    static std::vector<int> arrivedAt(MessageChannel& channel) {
        std::vector<int> ids;
        ReceivedMessage message;
        for (;;) {
            const auto outcome = channel.receive(message);
            if (!outcome || *outcome != MessageChannel::Outcome::message) {
                return ids;
            }
            ids.push_back(worker::parkedIn(message)->facts.requestId);
        }
    }
    std::vector<int> taken() { return arrivedAt(queue_->second); }

    Result<EventLoop> loop_;
    Result<std::pair<MessageChannel, MessageChannel>> queue_;
    std::vector<UniqueFd> peers_;
    int readyCalls_ = 0;
    std::atomic<std::uint32_t> full_{0};
    Parking parking_;
};

class SmallParkingLot : public ParkingLot {
  protected:
    SmallParkingLot()
        : ParkingLot({.connections = 3, .latecomers = 2, .headBytes = 100, .wait = {}}) {}
};

TEST(ParkingLimits, leave_descriptors_for_the_rest) {
    config::PoolSettings pool;
    pool.maxChildren = 7;
    EXPECT_EQ(ParkingLimits::of(pool, 1024, 80).connections, 472U);
    EXPECT_EQ(ParkingLimits::of(pool, 1'000'000, 80).connections, 1024U);
    EXPECT_EQ(ParkingLimits::of(pool, 64, 80).connections, 1U);
    EXPECT_EQ(ParkingLimits::of(pool, 64, 80).latecomers, 7U);
    pool.listenMaxWaiting = 20'000;
    EXPECT_EQ(ParkingLimits::descriptorsFor(pool), 40'000U);
    EXPECT_EQ(ParkingLimits::of(pool, 40'080, 80).connections, 20'000U);
}

TEST_F(ParkingLot, silent_ones_stay_and_speaking_ones_are_queued_in_order) {
    for (int i = 0; i < 4; ++i) {
        park(i % 2 == 0 ? idle : stranger);
    }
    turn();
    EXPECT_EQ(readyCalls_, 0);
    say(2);
    turn();
    say(0);
    turn();
    EXPECT_EQ(readyCalls_, 2);
    parking_.fillQueue();
    EXPECT_EQ(parking_.readyCount(), 2U);
    EXPECT_EQ(taken(), (std::vector{2, 0}));
    EXPECT_EQ(parking_.readyCount(), 0U);
    EXPECT_FALSE(parking_.empty());
}

TEST_F(ParkingLot, bytes_are_left_for_the_worker) {
    say(park(idle));
    turn();
    parking_.fillQueue();
    ReceivedMessage message;
    ASSERT_TRUE(queue_->second.receive(message));
    const auto parked = worker::parkedIn(message);
    char bytes[4];
    EXPECT_EQ(::recv(parked->connection.get(), bytes, sizeof bytes, MSG_DONTWAIT), 1);
}

TEST_F(ParkingLot, peer_that_leaves_is_forgotten) {
    peers_[park(idle)].reset();
    peers_[park(begun)].reset();
    turn();
    turn();
    EXPECT_TRUE(parking_.empty());
    EXPECT_EQ(readyCalls_, 0);
}

TEST_F(ParkingLot, more_than_the_queue_holds_waits_and_keeps_its_order) {
    std::vector<int> expected;
    for (int i = 0; i < 200; ++i) {
        say(park(idle));
        turn();
        expected.push_back(i);
    }
    std::vector<int> arrived;
    while (parking_.readyCount() > 0) {
        parking_.fillQueue();
        const auto some = taken();
        EXPECT_LE(some.size(), 64U);
        ASSERT_FALSE(some.empty());
        arrived.insert(arrived.end(), some.begin(), some.end());
    }
    EXPECT_EQ(arrived, expected);
}

TEST_F(SmallParkingLot, strangers_have_to_go_the_oldest_first) {
    park(idle);
    park(stranger);
    park(begun);
    park(idle);
    EXPECT_TRUE(closed(1));
    EXPECT_FALSE(closed(2));
    EXPECT_EQ(full_, 0U) << "strangers take nobody's place";
    park(idle);
    EXPECT_TRUE(closed(2));
    EXPECT_EQ(full_, 1U);
    park(stranger);
    EXPECT_TRUE(closed(5));
    EXPECT_FALSE(closed(0) || closed(3) || closed(4));
}

TEST_F(SmallParkingLot, stranger_that_is_silent_goes_before_one_with_bytes) {
    say(park(begun));
    park(begun);
    park(begun);
    park(idle);
    EXPECT_TRUE(closed(1));
    EXPECT_FALSE(closed(0) || closed(2));
}

TEST_F(ParkingLot, quarter_of_the_places_is_for_strangers) {
    for (int i = 0; i < 768; ++i) {
        EXPECT_EQ(full_, 0U);
        park(idle);
    }
    EXPECT_EQ(full_, 1U);
    for (int i = 0; i < 256; ++i) {
        park(stranger);
    }
    EXPECT_FALSE(closed(768));
    park(stranger);
    EXPECT_TRUE(closed(768));
}

TEST_F(SmallParkingLot, idle_ones_stay_and_more_are_declined) {
    for (int i = 0; i < 5; ++i) {
        park(idle);
    }
    EXPECT_EQ(full_, 1U);
    for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_FALSE(closed(i)) << "each may be the last one a worker kept alive";
    }
    peers_[1].reset();
    peers_[2].reset();
    turn();
    turn();
    EXPECT_EQ(full_, 1U);
    peers_[3].reset();
    turn();
    EXPECT_EQ(full_, 0U);
}

TEST_F(SmallParkingLot, beyond_all_bounds_the_oldest_idle_one_goes_unless_it_speaks) {
    for (int i = 0; i < 5; ++i) {
        park(idle);
    }
    say(0);
    park(idle);
    EXPECT_FALSE(closed(0));
    EXPECT_TRUE(parking_.hasUnqueued());
    EXPECT_TRUE(closed(1));
}

TEST_F(SmallParkingLot, heads_share_a_budget) {
    park(stranger);
    park(begun, 60);
    park(begun, 60);
    EXPECT_FALSE(closed(0)) << "closing it would free nothing";
    EXPECT_TRUE(closed(1));
    EXPECT_FALSE(closed(2));
    park(begun, 101);
    EXPECT_TRUE(closed(2));
    EXPECT_TRUE(closed(3)) << "too large for any budget";
}

TEST_F(ParkingLot, heir_gets_the_ready_ones_first_also_from_the_queue) {
    for (int i = 0; i < 4; ++i) {
        park(idle);
    }
    say(3);
    turn();
    parking_.fillQueue();
    say(1);
    turn();
    auto heir = MessageChannel::pair();
    ASSERT_TRUE(parking_.handOn(heir->first));
    EXPECT_TRUE(parking_.empty());
    EXPECT_EQ(arrivedAt(heir->second), (std::vector{3, 1, 0, 2}));
}

TEST_F(ParkingLot, full_channel_to_the_heir_loses_nothing) {
    constexpr int kMany = 400;
    for (int i = 0; i < kMany; ++i) {
        park(idle);
    }
    auto heir = MessageChannel::pair();
    std::vector<int> arrived;
    while (!parking_.empty()) {
        ASSERT_TRUE(parking_.handOn(heir->first));
        const auto some = arrivedAt(heir->second);
        ASSERT_FALSE(some.empty());
        arrived.insert(arrived.end(), some.begin(), some.end());
    }
    ASSERT_EQ(arrived.size(), static_cast<std::size_t>(kMany));
    for (int i = 0; i < kMany; ++i) {
        EXPECT_EQ(arrived[static_cast<std::size_t>(i)], i);
    }
}

TEST_F(ParkingLot, heir_that_is_gone_is_told) {
    park(idle);
    auto heir = MessageChannel::pair();
    heir->second.close();
    EXPECT_FALSE(parking_.handOn(heir->first));
    EXPECT_FALSE(closed(0));
}

class ImpatientParkingLot : public ParkingLot {
  protected:
    ImpatientParkingLot() : ParkingLot({.wait = {.headNs = 1, .idleNs = 1}}) {}
    /// Until the sweep has been round.
    void sweep() {
        const auto watch = loop_->after(std::chrono::milliseconds(300), [this] { loop_->stop(); });
        loop_->run();
    }
};

TEST_F(ImpatientParkingLot, closes_who_takes_too_long) {
    park(idle);
    park(begun);
    park(stranger);
    sweep();
    EXPECT_TRUE(closed(0) && closed(1));
    EXPECT_FALSE(closed(2)) << "has five seconds for a first byte";
}

TEST_F(ParkingLot, end_of_service_keeps_who_has_begun_or_had_no_time_to) {
    park(stranger);
    park(idle);
    park(begun);
    say(park(idle));
    parking_.closeIdle();
    EXPECT_TRUE(closed(1));
    EXPECT_FALSE(closed(0) || closed(2) || closed(3));
    EXPECT_EQ(parking_.readyCount(), 1U);
    parking_.clear();
    EXPECT_TRUE(parking_.empty());
    EXPECT_TRUE(closed(2));
}

}  // namespace
}  // namespace muster::manager
