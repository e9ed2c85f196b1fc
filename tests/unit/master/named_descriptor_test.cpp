// Paths that mean an open descriptor.
#include "master/named_descriptor.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace muster::master {
namespace {

TEST(NamedDescriptor, names_of_the_standard_streams) {
    EXPECT_EQ(descriptorNamed("/dev/stdout"), 1);
    EXPECT_EQ(descriptorNamed("/dev/stderr"), 2);
    EXPECT_EQ(descriptorNamed("/proc/self/fd/2"), 2);
    EXPECT_EQ(descriptorNamed("/dev/fd/17"), 17);
}

TEST(NamedDescriptor, other_paths_mean_none) {
    for (const char* path :
         {"", "/", "/dev/null", "/dev/fd", "/dev/fd/", "/dev/fd/1x", "/dev/fd/-1",
          "/dev/fd/99999999999999999999", "/var/log/fd/2", "relative"}) {
        EXPECT_EQ(descriptorNamed(path), std::nullopt) << path;
    }
}

class NamedDescriptorLinks : public testing::Test {
  protected:
    NamedDescriptorLinks() { EXPECT_NE(::mkdtemp(folder_), nullptr); }
    NamedDescriptorLinks(const NamedDescriptorLinks&) = delete;
    NamedDescriptorLinks& operator=(const NamedDescriptorLinks&) = delete;
    ~NamedDescriptorLinks() override {
        for (const char* name : {"a", "b"}) {
            ::unlink(path(name).c_str());
        }
        ::rmdir(folder_);
    }
    [[nodiscard]] std::string path(const char* name) const {
        return std::string(folder_) + "/" + name;
    }
    char folder_[32] = "/tmp/muster-links-XXXXXX";
};

TEST_F(NamedDescriptorLinks, links_are_followed) {
    ASSERT_EQ(::symlink("/dev/stderr", path("a").c_str()), 0);
    ASSERT_EQ(::symlink("a", path("b").c_str()), 0);
    EXPECT_EQ(descriptorNamed(path("b")), 2);
}

TEST_F(NamedDescriptorLinks, a_circle_means_none) {
    ASSERT_EQ(::symlink("b", path("a").c_str()), 0);
    ASSERT_EQ(::symlink("a", path("b").c_str()), 0);
    EXPECT_EQ(descriptorNamed(path("a")), std::nullopt);
}

TEST(StartDescriptors, a_socket_is_duplicated) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const StartDescriptors start;
    const auto file = start.openForAppending(ends[0]);
    ASSERT_TRUE(file) << file.error().text();
    EXPECT_EQ(::write(file->get(), "x", 1), 1);
    char c = 0;
    EXPECT_EQ(::read(ends[1], &c, 1), 1);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(StartDescriptors, numbers_of_later_are_refused) {
    const StartDescriptors start;
    const int later = ::dup(STDERR_FILENO);
    const auto file = start.openForAppending(later);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code.value(), ENOENT);
    ::close(later);
}

TEST(StartDescriptors, stdout_is_what_it_was) {
    StartDescriptors start;
    EXPECT_GT(start.original(STDOUT_FILENO), STDERR_FILENO);
    EXPECT_EQ(start.original(STDIN_FILENO), -1);
    start.forget();
    EXPECT_EQ(start.original(STDERR_FILENO), -1);
}

}  // namespace
}  // namespace muster::master
