// Shared memory, channels, exits and names: small facts the other rooms rely on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "base/clock.h"
#include "base/identity.h"
#include "base/io.h"
#include "base/message_channel.h"
#include "base/process.h"
#include "base/shared_memory.h"
#include "base/signals.h"

namespace muster {
namespace {

std::span<const std::byte> bytesOf(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

TEST(SharedMemory, a_segment_can_neither_shrink_nor_grow) {
    const auto fd = createSegment("test", 4096);
    ASSERT_TRUE(fd);
    EXPECT_EQ(::ftruncate(fd->get(), 100), -1);
    EXPECT_EQ(::ftruncate(fd->get(), 8192), -1);
}

TEST(SharedMemory, sealed_content_is_readable_and_not_writable) {
    const auto fd = createSealedContent("test", "settings");
    ASSERT_TRUE(fd);
    EXPECT_EQ(*readDescriptor(fd->get(), 100), "settings");
    EXPECT_EQ(::pwrite(fd->get(), "x", 1, 0), -1);
    EXPECT_FALSE(readDescriptor(fd->get(), 3));
}

TEST(SharedMemory, a_mapping_refuses_a_short_segment) {
    const auto fd = createSegment("test", 64);
    EXPECT_FALSE(Mapping::map(fd->get(), Mapping::Access::readOnly, 65));
    EXPECT_TRUE(Mapping::map(fd->get(), Mapping::Access::readOnly, 64));
}

TEST(MessageChannel, carries_bytes_and_descriptors_whole) {
    auto ends = MessageChannel::pair();
    ASSERT_TRUE(ends);
    const auto content = createSealedContent("test", "passed");
    const int fd = content->get();
    ASSERT_TRUE(ends->first.send(bytesOf("hello"), {&fd, 1}));
    ReceivedMessage message;
    ASSERT_EQ(*ends->second.receive(message), MessageChannel::Outcome::message);
    EXPECT_EQ(message.bytes.size(), 5U);
    ASSERT_EQ(message.descriptors.size(), 1U);
    EXPECT_EQ(*readDescriptor(message.descriptors[0].get(), 100), "passed");
    EXPECT_NE(::fcntl(message.descriptors[0].get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(*ends->second.receive(message), MessageChannel::Outcome::nothing);
    ends->first.close();
    EXPECT_EQ(*ends->second.receive(message), MessageChannel::Outcome::closed);
}

TEST(MessageChannel, refuses_what_is_too_large) {
    auto ends = MessageChannel::pair();
    const std::string big(MessageChannel::kMaxMessage + 1, 'x');
    EXPECT_FALSE(ends->first.send(bytesOf(big)));
}

TEST(MessageChannel, a_full_channel_says_so_instead_of_blocking) {
    auto ends = MessageChannel::pair();
    const std::string text(1000, 'x');
    int sent = 0;
    while (ends->first.send(bytesOf(text)) && sent < 100000) {
        ++sent;
    }
    EXPECT_GT(sent, 10);
    EXPECT_LT(sent, 100000);
}

TEST(ProcessExit, is_described_in_php_fpms_words) {
    EXPECT_EQ(describeExit(W_EXITCODE(0, 0)), "with code 0");
    EXPECT_EQ(describeExit(W_EXITCODE(70, 0)), "with code 70");
    EXPECT_EQ(describeExit(W_EXITCODE(0, SIGTERM)), "on signal 15 (SIGTERM)");
    EXPECT_EQ(describeExit(W_EXITCODE(0, SIGSEGV) | WCOREFLAG),
              "on signal 11 (SIGSEGV - core dumped)");
    EXPECT_EQ(describeExit(W_EXITCODE(0, 16)), "on signal 16 ()");
}

TEST(Descriptors, are_all_born_closed_on_exec) {
    const auto segment = createSegment("test", 64);
    auto ends = MessageChannel::pair();
    for (const int fd : {segment->get(), ends->first.fd(), ends->second.fd()}) {
        EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    }
}

TEST(Identity, knows_root_and_says_no_to_strangers) {
    ASSERT_TRUE(findUser("root"));
    EXPECT_EQ(findUser("root")->uid, 0U);
    EXPECT_EQ(findUser(uid_t{0})->name, "root");
    EXPECT_FALSE(findUser("no-such-user-here"));
    EXPECT_EQ(findGroup("root"), gid_t{0});
    EXPECT_FALSE(findGroup("no-such-group-here"));
    EXPECT_TRUE(isNumericId("1000"));
    EXPECT_FALSE(isNumericId("10a"));
    EXPECT_FALSE(isNumericId(""));
}

TEST(Errors, carry_what_was_attempted) {
    errno = ENOENT;
    const Result<int> result = errnoError("open(x)");
    EXPECT_EQ(result.error().text(), "open(x): No such file or directory (2)");
    const Result<int> plain = plainError("just text");
    EXPECT_EQ(plain.error().text(), "just text");
}

TEST(Clock, formats_local_time_with_english_months) {
    EXPECT_EQ(formatLocalTime(0, "%Y").size(), 4U);
    EXPECT_GT(monotonicNs(), 0U);
}

}  // namespace
}  // namespace muster
