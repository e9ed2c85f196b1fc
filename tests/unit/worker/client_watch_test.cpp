// The watching thread and a runtime that counts: who is gone, and whom that is told.
#include "worker/client_watch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>

#include "base/io.h"
#include "support/inert_runtime.h"
#include "support/streams/records.h"

namespace muster::worker {
namespace {

using fastcgi::RecordType;
using fastcgi::streams::record;

class AskedRuntime final : public InertRuntime {
  public:
    void interrupt() noexcept override { ++interrupts; }
    bool ignoresAbort() noexcept override {
        ++questions;
        return ignores;
    }

    std::atomic<int> interrupts{0};
    std::atomic<int> questions{0};
    std::atomic<bool> ignores{false};
};

class WatchedRequest : public testing::Test {
  protected:
    WatchedRequest() : watch_(ClientWatch::start(runtime_).value()) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        connection_.reset(ends[0]);
        peer_.reset(ends[1]);
    }

    void begin(bool whole = true) { watch_->begin(connection_.get(), 1, whole); }
    void say(std::string_view bytes) { ASSERT_TRUE(writeAll(peer_.get(), bytes)); }
    /// Returns when it holds; a test that waits for ever is ended from outside.
    template <typename Condition>
    static void wait(Condition condition) {
        while (!condition()) {
            ::sched_yield();
        }
    }
    void waitUntilLeft() {
        wait([this] { return watch_->left(); });
    }
    /// Ends the request, of which nothing was told, and has the thread pass by.
    void endUntold() {
        watch_->end();
        EXPECT_EQ(runtime_.interrupts, 0);
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        const UniqueFd other(ends[0]);
        ::close(ends[1]);
        watch_->begin(other.get(), 1, true);
        waitUntilLeft();
        watch_->end();
    }

    AskedRuntime runtime_;
    UniqueFd connection_;
    UniqueFd peer_;
    std::unique_ptr<ClientWatch> watch_;
};

TEST_F(WatchedRequest, client_that_closes_has_left) {
    begin();
    EXPECT_FALSE(watch_->left());
    peer_.reset();
    waitUntilLeft();
    wait([this] { return runtime_.interrupts > 0; });
    watch_->end();
    EXPECT_FALSE(watch_->left()) << "nobody asks any more";
}

TEST_F(WatchedRequest, client_that_closed_before_has_left) {
    peer_.reset();
    begin();
    waitUntilLeft();
}

TEST_F(WatchedRequest, script_that_does_not_react_is_disturbed) {
    begin();
    peer_.reset();
    wait([this] { return watch_->disturbed(); });
    watch_->end();
    begin();
    EXPECT_FALSE(watch_->disturbed()) << "that was another request";
}

TEST_F(WatchedRequest, script_that_ignores_it_is_only_told) {
    runtime_.ignores = true;
    begin();
    peer_.reset();
    wait([this] { return runtime_.questions >= 2; });
    EXPECT_FALSE(watch_->disturbed());
    EXPECT_TRUE(watch_->left());
    runtime_.ignores = false;
    wait([this] { return watch_->disturbed(); });
}

TEST_F(WatchedRequest, client_that_only_ends_its_own_side_has_not_left) {
    begin();
    ::shutdown(peer_.get(), SHUT_WR);
    endUntold();
    begin();
    EXPECT_FALSE(watch_->left());
    peer_.reset();
    waitUntilLeft();
}

TEST_F(WatchedRequest, abort_request_behind_the_request_is_leaving) {
    begin();
    say(record(RecordType::abortRequest, 1));
    waitUntilLeft();
}

TEST_F(WatchedRequest, abort_request_counts_once_the_request_is_whole) {
    begin(false);
    say(record(RecordType::abortRequest, 1));
    EXPECT_FALSE(watch_->left());
    watch_->becameWhole();
    waitUntilLeft();
}

TEST_F(WatchedRequest, other_bytes_are_for_later) {
    begin();
    say(record(RecordType::abortRequest, 2) + record(RecordType::abortRequest, 1));
    endUntold();
    char byte = 0;
    EXPECT_EQ(::recv(connection_.get(), &byte, 1, MSG_PEEK), 1);
}

TEST_F(WatchedRequest, nobody_is_told_of_a_client_that_leaves_later) {
    begin();
    watch_->end();
    peer_.reset();
    endUntold();
}

TEST_F(WatchedRequest, over_tcp_the_end_of_its_side_is_leaving) {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* general = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(listener.get(), general, length), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    ASSERT_EQ(::getsockname(listener.get(), general, &length), 0);
    peer_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(peer_.get(), general, length), 0);
    connection_.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    begin();
    EXPECT_FALSE(watch_->left());
    ::shutdown(peer_.get(), SHUT_WR);
    waitUntilLeft();
}

}  // namespace
}  // namespace muster::worker
