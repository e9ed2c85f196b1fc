// The answer to musterctl trace on its way from a manager to the master.
#include "manager/live_trace.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

#include "base/shared_memory.h"

namespace muster::manager {
namespace {

class LiveTraceForm : public testing::Test {
  protected:
    void SetUp() override {
        auto fd = createSegment("trace", liveTraceSize());
        ASSERT_TRUE(fd);
        fd_ = std::move(*fd);
    }
    LiveTrace carried(const LiveTrace& trace) {
        EXPECT_TRUE(writeLiveTrace(fd_.get(), trace));
        auto read = readLiveTrace(fd_.get());
        EXPECT_TRUE(read);
        return read ? *read : LiveTrace{};
    }
    UniqueFd fd_;
};

TEST_F(LiveTraceForm, ArrivesAsItWas) {
    LiveTrace trace;
    trace.stage = scoreboard::Stage::running;
    trace.elapsedNs = 12345;
    trace.method = "GET";
    trace.uri = "/a.php";
    trace.query = "b=c";
    trace.script = "/srv/a.php";
    trace.stack.frames = {{0xabc, "sleep", "/srv/a.php", 3}, {0xdef, "main", "/srv/b.php", 4}};
    trace.stack.moving = true;
    const LiveTrace read = carried(trace);
    EXPECT_EQ(read.stage, scoreboard::Stage::running);
    EXPECT_EQ(read.elapsedNs, 12345U);
    EXPECT_EQ(read.method + read.uri + read.query + read.script, "GET/a.phpb=c/srv/a.php");
    ASSERT_EQ(read.stack.frames.size(), 2U);
    EXPECT_EQ(read.stack.frames[1].function, "main");
    EXPECT_EQ(read.stack.frames[1].file, "/srv/b.php");
    EXPECT_EQ(read.stack.frames[1].line, 4U);
    EXPECT_EQ(read.stack.frames[1].address, 0xdefU);
    EXPECT_TRUE(read.stack.moving);
    EXPECT_FALSE(read.stack.broken || read.cut);
}

TEST_F(LiveTraceForm, CutsWhatIsTooLong) {
    LiveTrace trace;
    trace.uri.assign(100'000, 'u');
    trace.stack.frames.assign(kMostFrames + 7,
                              {1, std::string(9000, 'f'), std::string(9000, 'p'), 2});
    const LiveTrace read = carried(trace);
    EXPECT_EQ(read.uri.size(), scoreboard::kUriSize - 1);
    ASSERT_EQ(read.stack.frames.size(), kMostFrames);
    EXPECT_LT(read.stack.frames.back().function.size(), 9000U);
}

TEST_F(LiveTraceForm, BelievesNoNoise) {
    const std::vector<char> noise(liveTraceSize(), '\xff');
    ASSERT_EQ(::pwrite(fd_.get(), noise.data(), noise.size(), 0),
              static_cast<ssize_t>(noise.size()));
    const auto read = readLiveTrace(fd_.get());
    ASSERT_TRUE(read);
    EXPECT_EQ(read->stage, scoreboard::Stage::idle);
    EXPECT_EQ(read->stack.frames.size(), kMostFrames);
    EXPECT_LE(read->method.size(), scoreboard::kMethodSize);
}

}  // namespace
}  // namespace muster::manager
