// Watches: what fires, what is cancelled, and that cancelling from anywhere is safe.
#include "base/event_loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "base/unique_fd.h"

namespace muster {
namespace {

using std::chrono::milliseconds;

TEST(EventLoop, timers_fire_once_or_again_and_again) {
    auto loop = EventLoop::create();
    ASSERT_TRUE(loop);
    int ticks = 0;
    int shots = 0;
    const auto once = loop->after(milliseconds(1), [&] { ++shots; });
    const auto tick = loop->every(milliseconds(1), [&] {
        if (++ticks == 5) {
            loop->stop();
        }
    });
    loop->run();
    EXPECT_EQ(ticks, 5);
    EXPECT_EQ(shots, 1);
}

TEST(EventLoop, a_watch_may_cancel_itself_and_its_neighbour_in_the_same_round) {
    auto loop = EventLoop::create();
    ASSERT_TRUE(loop);
    const UniqueFd first(::eventfd(1, EFD_CLOEXEC));
    const UniqueFd second(::eventfd(1, EFD_CLOEXEC));
    EventLoop::Watch a;
    EventLoop::Watch b;
    int calls = 0;
    const auto cancelBoth = [&] {
        ++calls;
        a.cancel();
        b.cancel();
        loop->stop();
    };
    a = loop->whenReadable(first.get(), cancelBoth);
    b = loop->whenReadable(second.get(), cancelBoth);
    loop->run();
    EXPECT_EQ(calls, 1);
}

TEST(EventLoop, an_edge_is_reported_once_until_something_new_arrives) {
    auto loop = EventLoop::create();
    ASSERT_TRUE(loop);
    const UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    int edges = 0;
    const auto watch = loop->whenReadable(
        fd.get(), [&] { ++edges; }, EventLoop::Trigger::edge);
    ASSERT_EQ(::eventfd_write(fd.get(), 1), 0);
    const auto end = loop->after(milliseconds(20), [&] { loop->stop(); });
    loop->run();
    EXPECT_EQ(edges, 1);
}

TEST(EventLoop, tells_when_a_descriptor_can_be_written) {
    auto loop = EventLoop::create();
    ASSERT_TRUE(loop);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    const UniqueFd near(ends[0]);
    const UniqueFd far(ends[1]);
    const std::string block(65536, 'x');
    while (::send(near.get(), block.data(), block.size(), MSG_DONTWAIT) > 0) {
    }
    int times = 0;
    const auto watch = loop->whenWritable(near.get(), [&] {
        ++times;
        loop->stop();
    });
    const auto reader = loop->after(std::chrono::milliseconds(1), [&] {
        EXPECT_EQ(times, 0) << "it is full";
        std::string taken(block.size(), ' ');
        while (::recv(far.get(), taken.data(), taken.size(), MSG_DONTWAIT) > 0) {
        }
    });
    loop->run();
    EXPECT_EQ(times, 1);
}

}  // namespace
}  // namespace muster
