// The signals of the time limit, sent by this process to itself.
#include "worker/time_limit.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "base/io.h"
#include "base/signals.h"
#include "fastcgi/client.h"
#include "support/inert_runtime.h"

namespace muster::worker {
namespace {

class CountingRuntime final : public InertRuntime {
  public:
    void interrupt() noexcept override { interrupts = interrupts + 1; }

    volatile int interrupts = 0;
};

class LimitedRequest : public testing::Test {
  protected:
    LimitedRequest() {
        EXPECT_TRUE(installTimeLimitHandlers());
        limit_.begin(kRequest, connection_, runtime_, "page");
    }
    ~LimitedRequest() override { limit_.end(); }

    static void interrupt(std::uint64_t request) {
        ASSERT_TRUE(queueSignal(::getpid(), interruptSignal(), requestName(request)));
    }

    static constexpr std::uint64_t kRequest = 1'000'000'000'001;
    fastcgi::ServerConnection connection_;
    CountingRuntime runtime_;
    TimeLimit limit_;
};

TEST_F(LimitedRequest, is_interrupted) {
    EXPECT_FALSE(limit_.isUp());
    interrupt(kRequest);
    EXPECT_TRUE(limit_.isUp());
    EXPECT_TRUE(limit_.wasInterrupted());
    interrupt(kRequest);
    EXPECT_EQ(runtime_.interrupts, 2);
}

TEST_F(LimitedRequest, ignores_what_is_meant_for_another) {
    interrupt(kRequest - 1);
    interrupt(0);
    EXPECT_FALSE(limit_.isUp());
    EXPECT_EQ(runtime_.interrupts, 0);
}

TEST_F(LimitedRequest, ignores_signals_without_a_request) {
    ::kill(::getpid(), interruptSignal());
    ::kill(::getpid(), lastWordSignal());
    EXPECT_FALSE(limit_.isUp());
}

TEST_F(LimitedRequest, ignores_everything_once_it_is_over) {
    limit_.end();
    interrupt(kRequest);
    ASSERT_TRUE(queueSignal(::getpid(), lastWordSignal(), requestName(kRequest)));
    EXPECT_EQ(runtime_.interrupts, 0);
}

TEST_F(LimitedRequest, cannot_be_interrupted_once_the_limit_is_lifted) {
    limit_.lift();
    interrupt(kRequest);
    EXPECT_FALSE(limit_.isUp());
    EXPECT_FALSE(limit_.wasInterrupted());
}

TEST_F(LimitedRequest, that_was_interrupted_remembers_it_when_the_limit_is_lifted) {
    interrupt(kRequest);
    limit_.lift();
    EXPECT_FALSE(limit_.isUp());
    EXPECT_TRUE(limit_.wasInterrupted());
}

TEST_F(LimitedRequest, leaves_nothing_for_the_next) {
    interrupt(kRequest);
    limit_.end();
    limit_.begin(kRequest + 1, connection_, runtime_, "page");
    EXPECT_FALSE(limit_.isUp());
    EXPECT_FALSE(limit_.wasInterrupted());
}

TEST_F(LimitedRequest, answers_and_ends_the_process_when_nothing_helped) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const UniqueFd peer(ends[0]);
    connection_.open(UniqueFd(ends[1]));
    ASSERT_TRUE(writeAll(peer.get(), fastcgi::encodeRequest({{"A", "b"}}, {}, false)));
    connection_.receive();
    ASSERT_EQ(connection_.readHead(), fastcgi::HeadOutcome::request);
    static volatile std::sig_atomic_t terminated = 0;
    ASSERT_TRUE(installHandler(SIGTERM, [](int) { terminated = 1; }));
    ASSERT_TRUE(queueSignal(::getpid(), lastWordSignal(), requestName(kRequest)));
    EXPECT_EQ(terminated, 1);
    EXPECT_EQ(fastcgi::readResponse(peer.get())->out, "page");
    std::signal(SIGTERM, SIG_DFL);
}

}  // namespace
}  // namespace muster::worker
