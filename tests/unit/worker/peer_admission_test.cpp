// What a worker tells about those it turned away.
#include "worker/peer_admission.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cstring>

#include "base/clock.h"

namespace muster::worker {
namespace {

class PeerAdmissionTest : public testing::Test {
  protected:
    void SetUp() override {
        auto pair = MessageChannel::pair();
        ASSERT_TRUE(pair);
        manager_ = std::move(pair->first);
        orders_ = std::move(pair->second);
        inputs_.ordersFd = orders_.fd();
        rules_.allowClients(AllowedClients("127.0.0.1"));
        inputs_.peerRules = &rules_;
    }

    static sockaddr_storage from(const char* address) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        EXPECT_EQ(::inet_pton(AF_INET, address, &v4.sin_addr), 1);
        sockaddr_storage storage{};
        std::memcpy(&storage, &v4, sizeof v4);
        return storage;
    }

    std::vector<RefusedPeer> told() {
        std::vector<RefusedPeer> all;
        ReceivedMessage message;
        for (;;) {
            const auto outcome = manager_.receive(message);
            if (!outcome || *outcome != MessageChannel::Outcome::message) {
                return all;
            }
            if (const auto refused = refusedIn(message)) {
                all.push_back(*refused);
            }
        }
    }

    PeerRules rules_;
    MessageChannel manager_;
    MessageChannel orders_;
    WorkerInputs inputs_;
};

TEST_F(PeerAdmissionTest, tells_whom_it_refused_and_nothing_else) {
    PeerAdmission admission(inputs_);
    EXPECT_TRUE(admission.admits(-1, from("127.0.0.1"), sizeof(sockaddr_in)));
    EXPECT_FALSE(admission.admits(-1, from("127.0.0.2"), sizeof(sockaddr_in)));
    const auto refused = told();
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(textOf(refused[0].stranger.address), "127.0.0.2");
    EXPECT_EQ(refused[0].others, 0U);
}

TEST_F(PeerAdmissionTest, without_a_list_everybody_is_served) {
    inputs_.peerRules = nullptr;
    PeerAdmission admission(inputs_);
    EXPECT_TRUE(admission.admits(-1, from("127.0.0.2"), sizeof(sockaddr_in)));
    EXPECT_TRUE(admission.admits(-1));
}

TEST_F(PeerAdmissionTest, a_connection_without_a_peer_is_refused) {
    PeerAdmission admission(inputs_);
    EXPECT_FALSE(admission.admits(-1));
    EXPECT_TRUE(admission.admits(orders_.fd())) << "a unix socket";
    EXPECT_TRUE(told().empty());
}

TEST_F(PeerAdmissionTest, users_of_unix_sockets_are_told_by_number) {
    rules_.allowUsers({::getuid() + 2, ::getuid() + 1});
    PeerAdmission admission(inputs_);
    EXPECT_FALSE(admission.admits(orders_.fd()));
    EXPECT_TRUE(admission.admits(-1, from("127.0.0.1"), sizeof(sockaddr_in))) << "has no user";
    const auto refused = told();
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(refused[0].stranger.byUser, 1U);
    EXPECT_EQ(refused[0].stranger.uid, ::getuid());
    EXPECT_EQ(refused[0].stranger.pid, ::getpid());
    rules_.allowUsers({::getuid() + 1, ::getuid()});
    EXPECT_TRUE(admission.admits(orders_.fd()));
    rules_.allowUsers({});
    EXPECT_FALSE(admission.admits(orders_.fd())) << "an empty list admits nobody";
}

TEST_F(PeerAdmissionTest, a_flood_is_counted_to_the_last_one) {
    constexpr std::uint64_t kFlood = 5000;
    std::uint64_t sum = 0;
    std::size_t messages = 0;
    const auto add = [&] {
        for (const RefusedPeer& refused : told()) {
            sum += 1 + refused.others;
            ++messages;
        }
    };
    {
        PeerAdmission admission(inputs_);
        for (std::uint64_t i = 0; i < kFlood; ++i) {
            EXPECT_FALSE(admission.admits(-1, from("10.0.0.1"), sizeof(sockaddr_in)));
        }
        add();
    }
    add();
    EXPECT_EQ(sum, kFlood);
    EXPECT_LT(messages, 1000U);
}

TEST(RefusalBudget, refills_with_time_and_never_beyond_the_burst) {
    RefusalBudget budget(3, 2);
    std::uint64_t now = 10 * kNsPerSecond;
    EXPECT_TRUE(budget.take(now) && budget.take(now) && budget.take(now));
    EXPECT_FALSE(budget.take(now));
    EXPECT_FALSE(budget.take(now + kNsPerSecond / 4));
    now += kNsPerSecond / 2;
    EXPECT_TRUE(budget.take(now));
    EXPECT_FALSE(budget.take(now));
    now += 1000 * kNsPerSecond;
    EXPECT_TRUE(budget.take(now) && budget.take(now) && budget.take(now));
    EXPECT_FALSE(budget.take(now));
}

}  // namespace
}  // namespace muster::worker
