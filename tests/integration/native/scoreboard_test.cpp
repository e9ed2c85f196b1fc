// The scoreboard between real processes: writers that are killed or go mad, readers that go on.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "base/clock.h"
#include "base/process.h"
#include "scoreboard/segment.h"
#include "scoreboard/snapshot.h"
#include "scoreboard/status_page.h"

namespace muster::scoreboard {
namespace {

constexpr std::uint32_t kSlots = 4;

class ScoreboardProcesses : public testing::Test {
  protected:
    void SetUp() override {
        SegmentIdentity identity{};
        identity.poolName = "www";
        identity.slotCount = kSlots;
        identity.processManager = 2;
        identity.startedWallNs = wallNs();
        auto fd = Segment::create(identity);
        ASSERT_TRUE(fd);
        auto segment = Segment::attach(fd->get(), Mapping::Access::readWrite);
        ASSERT_TRUE(segment);
        segment_ = std::move(*segment);
    }

    /// A child that does `work` over and over until it is killed.
    static pid_t start(const std::function<void()>& work) {
        const pid_t parent = ::getpid();
        const auto child = forkChild([&work, parent] {
            if (!followParent(parent, SIGKILL)) {
                return 1;
            }
            for (;;) {
                work();
            }
        });
        EXPECT_TRUE(child);
        return child.value_or(-1);
    }

    static void killAndReap(pid_t child) {
        ASSERT_GT(child, 0);
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        ASSERT_TRUE(waitChild(child));
    }

    /// Renders both pages, checks their shape, and returns the snapshot they show.
    PoolSnapshot renderAll() {
        PoolSnapshot snapshot = takeSnapshot(segment_);
        const std::string text = renderStatus(snapshot, {StatusFormat::text, true}).body;
        EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')),
                  15 + (snapshot.queueLimit > 0 ? 7U : 0U) + (snapshot.youngDeaths > 0 ? 2U : 0U) +
                      15 * snapshot.workers.size());
        const std::string json = renderStatus(snapshot, {StatusFormat::json, true}).body;
        EXPECT_TRUE(nlohmann::json::accept(json)) << json;
        return snapshot;
    }

    Segment segment_;
};

/// Waits until the slot's writer has begun; false after ten seconds.
bool waitForWorker(const Segment& segment, std::uint32_t index) {
    const std::uint64_t deadline = monotonicNs() + 10 * kNsPerSecond;
    while (segment.slot(index).pid.load() <= 0 || segment.slot(index).facts.requests == 0) {
        if (monotonicNs() > deadline) {
            return false;
        }
        ::sched_yield();
    }
    return true;
}

TEST_F(ScoreboardProcesses, scoreboard_survives_sigkilled_writers) {
    PoolWriter pool(segment_);
    std::mt19937 random(5);
    int killedInAWrite = 0;
    std::uint64_t lastTotal = 0;
    for (int round = 0; round < 200; ++round) {
        pool.prepareSlot(1);
        const pid_t child = start([this] {
            SlotWriter writer(segment_, 1);
            writer.begin(::getpid(), monotonicNs(), wallNs());
            for (std::uint64_t i = 0;; ++i) {
                const std::string text(100, static_cast<char>('a' + i % 26));
                writer.requestBegun(monotonicNs(), wallNs());
                writer.requestKnown("GET", text.c_str(), text.c_str(), "", text.c_str(), 1);
                writer.requestDone(1, 1, 1);
            }
        });
        ASSERT_TRUE(waitForWorker(segment_, 1));
        for (auto looks = random() % 20; looks > 0; --looks) {
            renderAll();
        }
        killAndReap(child);

        bool consistent = false;
        const auto left = copyWorker(segment_, 1, monotonicNs(), &consistent);
        killedInAWrite += consistent ? 0 : 1;
        ASSERT_TRUE(left);
        EXPECT_EQ(left->pid, child);
        EXPECT_GT(left->facts.requests, 0U);
        const PoolSnapshot before = renderAll();
        pool.retireSlot(1);
        const PoolSnapshot after = renderAll();
        EXPECT_EQ(after.totals.requests, before.totals.requests);
        EXPECT_GT(after.totals.requests, lastTotal);
        EXPECT_TRUE(after.workers.empty());
        lastTotal = after.totals.requests;
    }
    EXPECT_GT(killedInAWrite, 0) << "the test never met the case it is for";
}

TEST_F(ScoreboardProcesses, readers_get_consistent_copies_from_a_busy_writer) {
    const pid_t child = start([this] {
        SlotWriter writer(segment_, 0);
        writer.begin(::getpid(), monotonicNs(), wallNs());
        for (std::int64_t i = 1;; ++i) {
            const std::string text(100, static_cast<char>('a' + i % 26));
            writer.requestBegun(monotonicNs(), wallNs());
            writer.requestKnown("GET", text.c_str(), text.c_str(), "", text.c_str(), i);
            // A writer that never pauses would leave a slow reader nothing but fallbacks.
            for (const std::uint64_t until = monotonicNs() + 5'000; monotonicNs() < until;) {
            }
        }
    });
    ASSERT_TRUE(waitForWorker(segment_, 0));
    int consistentCopies = 0;
    const std::uint64_t deadline = monotonicNs() + 30 * kNsPerSecond;
    while (consistentCopies < 5000 && monotonicNs() < deadline) {
        bool consistent = false;
        const auto worker = copyWorker(segment_, 0, monotonicNs(), &consistent);
        ASSERT_TRUE(worker);
        if (!consistent || worker->facts.contentLength == 0) {
            continue;
        }
        ++consistentCopies;
        const std::string expected(100, static_cast<char>('a' + worker->facts.contentLength % 26));
        ASSERT_EQ(worker->facts.uri, expected);
        ASSERT_EQ(worker->facts.query, expected);
        ASSERT_EQ(worker->facts.script, expected);
    }
    EXPECT_EQ(consistentCopies, 5000);
    killAndReap(child);
}

TEST_F(ScoreboardProcesses, a_scribbling_worker_does_not_disturb_its_readers) {
    PoolWriter pool(segment_);
    pool.prepareSlot(0);
    pool.prepareSlot(2);
    SlotWriter good(segment_, 0);
    good.begin(::getpid(), monotonicNs(), wallNs());
    good.requestBegun(monotonicNs(), wallNs());
    good.requestKnown("GET", "/good", "", "", "/srv/good", 0);
    const pid_t child = start([this] {
        std::mt19937_64 random(9);
        auto* bytes = reinterpret_cast<volatile unsigned char*>(&segment_.slot(2));
        for (;;) {
            for (std::size_t i = 0; i < sizeof(Slot); ++i) {
                bytes[i] = static_cast<unsigned char>(random());
            }
        }
    });
    for (int look = 0; look < 3000; ++look) {
        const std::uint64_t begun = monotonicNs();
        const PoolSnapshot snapshot = renderAll();
        ASSERT_LT(monotonicNs() - begun, 2 * kNsPerSecond);
        ASSERT_FALSE(snapshot.workers.empty());
        ASSERT_EQ(snapshot.workers[0].pid, ::getpid());
        ASSERT_STREQ(snapshot.workers[0].facts.uri, "/good");
    }
    killAndReap(child);
    pool.retireSlot(2);
    const PoolSnapshot snapshot = renderAll();
    ASSERT_EQ(snapshot.workers.size(), 1U);
    // The scribbler's claim is bounded by what its short life allows.
    EXPECT_LE(snapshot.totals.requests, 1 + plausibleRequests(60 * kNsPerSecond));
}

TEST_F(ScoreboardProcesses, a_worker_that_scribbles_over_everything_is_outlived) {
    PoolWriter pool(segment_);
    pool.countSlowRequest();
    constexpr std::size_t kSize = segmentSize(kSlots);
    const pid_t child = start([this] {
        std::mt19937_64 random(10);
        auto* bytes = reinterpret_cast<volatile unsigned char*>(&segment_.header());
        for (;;) {
            bytes[random() % kSize] = static_cast<unsigned char>(random());
        }
    });
    for (int look = 0; look < 2000; ++look) {
        const PoolSnapshot snapshot = renderAll();
        ASSERT_LE(snapshot.workers.size(), kSlots);
        ASSERT_EQ(snapshot.maxChildren, kSlots);
        ASSERT_EQ(snapshot.idle + snapshot.active, snapshot.workers.size());
        pool.setListenQueue(1, 2);
    }
    killAndReap(child);
    for (std::uint32_t index = 0; index < kSlots; ++index) {
        pool.prepareSlot(index);
    }
    pool.setListenQueue(3, 4);
    const PoolSnapshot snapshot = renderAll();
    EXPECT_TRUE(snapshot.workers.empty());
    EXPECT_EQ(snapshot.totals.slowRequests, 1U);
    EXPECT_EQ(snapshot.totals.requests, 0U);
    EXPECT_EQ(snapshot.listenPending, 3U);
}

}  // namespace
}  // namespace muster::scoreboard
