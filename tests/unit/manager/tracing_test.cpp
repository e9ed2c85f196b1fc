// A worker that cannot be read, and who may give away what memory.
#include "manager/tracing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "base/process_memory.h"
#include "manager/memory_grant.h"
#include "support/inert_runtime.h"

namespace muster::manager {
namespace {

/// Reads a number of this process where it expects one of the worker's.
class FakeRuntime final : public InertRuntime {
  public:
    Backtrace backtrace(MemoryReader& worker, std::size_t depth) override {
        Backtrace stack;
        std::uint32_t line = 0;
        stack.broken = !worker.read(reinterpret_cast<std::uintptr_t>(&number_), &line, sizeof line);
        stack.frames.assign(depth, {0, "f", "file", line});
        return stack;
    }

  private:
    std::uint32_t number_ = 1234;
};

TEST(Tracing, ReadsWhatTheRuntimeAsksFor) {
    FakeRuntime runtime;
    Child child;
    child.pid = ::getpid();
    const auto stack = traceWorker(child, runtime, 3);
    ASSERT_TRUE(stack);
    EXPECT_FALSE(stack->broken);
    ASSERT_EQ(stack->frames.size(), 3U);
    EXPECT_EQ(stack->frames[0].line, 1234U);
}

TEST(Tracing, SaysWhyAWorkerCannotBeRead) {
    FakeRuntime runtime;
    Child child;
    child.pid = 0x7ffffffe;  // beyond any pid_max
    const auto stack = traceWorker(child, runtime, 3);
    ASSERT_FALSE(stack);
    EXPECT_EQ(stack.error().text(),
              "failed to read the memory of child 2147483646: No such process (3)");
}

class MemoryGrant : public testing::Test {
  protected:
    void SetUp() override {
        auto pair = MessageChannel::pair();
        ASSERT_TRUE(pair);
        worker_ = std::move(pair->first);
        manager_ = std::move(pair->second);
        auto tree = openProcessTree();
        ASSERT_TRUE(tree);
        tree_ = std::move(*tree);
    }
    UniqueFd received() {
        ReceivedMessage message;
        const auto outcome = manager_.receive(message);
        EXPECT_TRUE(outcome && *outcome == MessageChannel::Outcome::message);
        return memoryIn(message);
    }
    MessageChannel worker_;
    MessageChannel manager_;
    UniqueFd tree_;
};

TEST_F(MemoryGrant, LetsTheManagerReadByTheDescriptor) {
    ASSERT_TRUE(grantMemory(worker_, tree_.get()));
    const UniqueFd memory = received();
    ASSERT_TRUE(memory);
    FakeRuntime runtime;
    ProcessMemory reader(0x7ffffffe, memory.get());
    EXPECT_EQ(runtime.backtrace(reader, 1).frames[0].line, 1234U);
    char byte = 0;
    EXPECT_FALSE(reader.read(8, &byte, 1));
    EXPECT_FALSE(reader.read(~std::uint64_t{0} - 8, &byte, 1));
    EXPECT_EQ(reader.refusal(), 0);
}

TEST_F(MemoryGrant, IsNothingElseThanAProcessFile) {
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int fd = null.get();
    constexpr std::string_view kWord = "memory";
    ASSERT_TRUE(worker_.send(std::as_bytes(std::span(kWord)), {&fd, 1}));
    EXPECT_FALSE(received());
    ASSERT_TRUE(worker_.send(std::as_bytes(std::span(kWord))));
    EXPECT_FALSE(received());
    const auto memory = openOwnMemory(tree_.get());
    ASSERT_TRUE(memory);
    const std::array both{memory->get(), fd};
    ASSERT_TRUE(worker_.send(std::as_bytes(std::span(kWord)), both));
    EXPECT_FALSE(received());
}

TEST(ProcessMemory, SaysFalseOfWhatIsNotThere) {
    ProcessMemory memory(::getpid(), -1);
    const std::array<char, 4> here{"abc"};
    std::array<char, 4> read{};
    EXPECT_TRUE(memory.read(reinterpret_cast<std::uintptr_t>(here.data()), read.data(), 4));
    EXPECT_EQ(read, here);
    EXPECT_FALSE(memory.read(0, read.data(), 4));
    EXPECT_FALSE(memory.read(~std::uint64_t{0} - 2, read.data(), 4));
    EXPECT_EQ(memory.refusal(), 0);
}

}  // namespace
}  // namespace muster::manager
