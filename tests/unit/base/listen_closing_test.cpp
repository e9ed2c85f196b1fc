// Real listeners: abstract unix sockets and loopback ports.
#include "base/listen_closing.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>

#include "base/listen_socket.h"
#include "base/unique_fd.h"

namespace muster {
namespace {

class Closing : public testing::TestWithParam<int> {
  protected:
    void SetUp() override {
        listener_.reset(::socket(GetParam(), SOCK_STREAM | SOCK_CLOEXEC, 0));
        length_ = GetParam() == AF_UNIX ? sizeof(sa_family_t) : sizeof(sockaddr_in);
        sockaddr_in loopback{};
        loopback.sin_family = AF_INET;
        loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address_.ss_family = AF_UNIX;  // … and nothing else: the kernel chooses a name
        const auto* wanted = GetParam() == AF_UNIX ? reinterpret_cast<const sockaddr*>(&address_)
                                                   : reinterpret_cast<const sockaddr*>(&loopback);
        ASSERT_EQ(::bind(listener_.get(), wanted, length_), 0);
        ASSERT_EQ(::listen(listener_.get(), 8), 0);
        length_ = sizeof address_;
        ASSERT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address_), &length_),
                  0);
    }

    [[nodiscard]] UniqueFd newcomer() const {
        UniqueFd fd(::socket(GetParam(), SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address_), length_) < 0) {
            refusal_ = errno;
            fd.reset();
        }
        return fd;
    }
    [[nodiscard]] bool acceptsOne() const {
        const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        return static_cast<bool>(connection);
    }
    [[nodiscard]] bool readable() const {
        pollfd entry{listener_.get(), POLLIN, 0};
        return ::poll(&entry, 1, 0) > 0;
    }

    UniqueFd listener_;
    sockaddr_storage address_{};
    socklen_t length_ = 0;
    mutable int refusal_ = 0;
};

TEST_P(Closing, newcomers_are_refused_and_the_queue_can_still_be_accepted) {
    const UniqueFd first = newcomer();
    const UniqueFd second = newcomer();
    ASSERT_TRUE(first && second);
    ASSERT_TRUE(closeToNewcomers(listener_.get()));
    EXPECT_FALSE(newcomer());
    EXPECT_EQ(refusal_, ECONNREFUSED);
    EXPECT_TRUE(acceptsOne());
    EXPECT_TRUE(acceptsOne());
}

TEST_P(Closing, accept_fails_at_once_when_it_has_ended) {
    ASSERT_TRUE(closeToNewcomers(listener_.get()));
    endListening(listener_.get());
    EXPECT_TRUE(readable());
    EXPECT_FALSE(acceptsOne());
    EXPECT_EQ(errno, EINVAL);
    EXPECT_FALSE(newcomer());
}

TEST_P(Closing, it_may_be_asked_for_twice_but_for_tcp_only_by_those_who_may) {
    ASSERT_TRUE(closeToNewcomers(listener_.get()));
    const auto again = closeToNewcomers(listener_.get());
    EXPECT_TRUE(again || GetParam() != AF_UNIX);
    EXPECT_FALSE(newcomer());
}

TEST_P(Closing, kinds_are_told_apart) {
    EXPECT_EQ(isUnixSocket(listener_.get()), GetParam() == AF_UNIX);
    EXPECT_FALSE(isUnixSocket(-1));
}

INSTANTIATE_TEST_SUITE_P(Kinds, Closing, testing::Values(AF_UNIX, AF_INET));

}  // namespace
}  // namespace muster
