// What a waiting worker is told of, with real sockets.
#include "worker/wait_set.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>

#include "base/clock.h"

namespace muster::worker {
namespace {

class WaitSetTest : public testing::Test {
  protected:
    WaitSetTest()
        : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
          told_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        // The kernel chooses an abstract name.
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address),
                         sizeof address.sun_family),
                  0);
        EXPECT_EQ(::listen(listener_.get(), 8), 0);
        auto set = WaitSet::create(listener_.get(), told_.get());
        EXPECT_TRUE(set);
        set_ = std::move(*set);
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        connection_.reset(ends[0]);
        peer_.reset(ends[1]);
    }

    UniqueFd connect() const {
        sockaddr_un address{};
        socklen_t length = sizeof address;
        EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length),
                  0);
        UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
        return client;
    }

    UniqueFd listener_;
    UniqueFd told_;
    UniqueFd connection_;
    UniqueFd peer_;
    WaitSet set_;
};

TEST_F(WaitSetTest, tells_of_each_of_the_three) {
    ASSERT_EQ(::write(peer_.get(), "x", 1), 1);
    auto ready = set_.wait(connection_.get(), WaitSet::kForever);
    EXPECT_TRUE(ready.connection && !ready.listener && !ready.told);
    set_.forget(connection_.get());
    const UniqueFd client = connect();
    ready = set_.waitForListener();
    EXPECT_TRUE(ready.listener && !ready.connection && !ready.told);
    ASSERT_EQ(::eventfd_write(told_.get(), 1), 0);
    EXPECT_TRUE(set_.waitForListener().told);
}

TEST_F(WaitSetTest, a_deadline_ends_the_wait_with_nothing) {
    const auto ready = set_.wait(connection_.get(), monotonicNs() + kNsPerMs);
    EXPECT_FALSE(ready.connection || ready.listener || ready.told);
}

TEST_F(WaitSetTest, a_closed_connection_that_a_script_keeps_open_is_heard_of_once_at_most) {
    ASSERT_FALSE(set_.wait(connection_.get(), monotonicNs() + kNsPerMs).connection);
    const UniqueFd elsewhere(::dup(connection_.get()));
    connection_.reset();
    set_.closed();
    peer_.reset();
    EXPECT_FALSE(set_.waitForListener().connection);
    const UniqueFd client = connect();
    const auto ready = set_.waitForListener();
    EXPECT_TRUE(ready.listener);
    EXPECT_FALSE(ready.connection) << "it would be told of for ever";
}

}  // namespace
}  // namespace muster::worker
