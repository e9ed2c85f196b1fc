// Real listeners on private unix paths and loopback ports.
#include "base/listen_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/acl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

namespace muster {
namespace {

class Listener : public testing::Test {
  protected:
    void SetUp() override {
        char pattern[] = "/tmp/muster-listen.XXXXXX";
        ASSERT_NE(::mkdtemp(pattern), nullptr);
        directory_ = pattern;
    }
    void TearDown() override {
        ::unlink(path().c_str());
        ::rmdir(directory_.c_str());
    }
    [[nodiscard]] Result<UniqueFd> open(const ListenOptions& options = {}) {
        const auto address = resolveListenAddress(parseListenAddress(path()));
        EXPECT_TRUE(address);
        return openListener(address->front(), path(), options,
                            [this](LogLevel, const std::string& text) { said_.push_back(text); });
    }
    [[nodiscard]] std::string path() const { return directory_ + "/s"; }
    [[nodiscard]] static UniqueFd connectTo(const std::string& path) {
        UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), path.size());
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
            fd.reset();
        }
        return fd;
    }

    [[nodiscard]] const std::vector<std::string>& said() const { return said_; }

  private:
    std::string directory_;
    std::vector<std::string> said_;
};

TEST_F(Listener, socket_file_is_born_with_its_mode) {
    ListenOptions options;
    options.mode = 0600;
    const auto listener = open(options);
    ASSERT_TRUE(listener) << listener.error().text();
    struct stat info {};
    ASSERT_EQ(::stat(path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(Listener, live_listener_is_refused_and_stale_one_replaced) {
    auto first = open();
    ASSERT_TRUE(first);
    const auto second = open();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().text(), "Another FPM instance seems to already listen on " + path());
    first->reset();
    EXPECT_TRUE(open());
}

TEST_F(Listener, regular_file_in_the_way_is_refused_and_kept) {
    std::ofstream(path()) << "precious";
    const auto listener = open();
    ASSERT_FALSE(listener);
    std::ifstream file(path());
    std::string content;
    file >> content;
    EXPECT_EQ(content, "precious");
}

TEST_F(Listener, removes_only_its_own_socket_file) {
    auto mine = open();
    const auto file = identifySocketFile(path());
    ASSERT_TRUE(file);
    mine->reset();
    const auto other = open();
    ASSERT_TRUE(other);
    const auto theirs = identifySocketFile(path());
    ASSERT_TRUE(theirs);
    if (theirs->inode != file->inode) {  // a file system may hand out the number again
        removeSocketFile(*file);
        EXPECT_TRUE(identifySocketFile(path()));
    }
    removeSocketFile(*theirs);
    EXPECT_FALSE(identifySocketFile(path()));
}

TEST_F(Listener, queue_depth_of_a_unix_listener_is_exact) {
    ListenOptions options;
    options.backlog = 7;
    const auto listener = open(options);
    ASSERT_TRUE(listener);
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(connectTo(path()));
    }
    const auto queue = listenQueue(listener->get());
    ASSERT_TRUE(queue);
    EXPECT_EQ(queue->pending, 3U);
    EXPECT_EQ(queue->limit, 7U);
}

TEST_F(Listener, acl_gives_users_and_groups_the_socket_and_nobody_else) {
    ListenOptions options;
    options.mode = 0600;
    options.aclUsers = {12345, 12345};
    options.aclGroups = {23456};
    options.prefix = "[pool www] ";
    const auto listener = open(options);
    ASSERT_TRUE(listener) << listener.error().text();
    const std::unique_ptr<std::remove_pointer_t<acl_t>, int (*)(void*)> list(
        ::acl_get_file(path().c_str(), ACL_TYPE_ACCESS), ::acl_free);
    ASSERT_TRUE(list);
    const std::unique_ptr<char, int (*)(void*)> text(::acl_to_text(list.get(), nullptr),
                                                     ::acl_free);
    EXPECT_STREQ(text.get(),
                 "user::rw-\nuser:12345:rw-\ngroup::---\ngroup:23456:rw-\nmask::rw-\nother::---\n");
    EXPECT_EQ(said(),
              std::vector<std::string>{"[pool www] ACL of the socket '" + path() + "' is set"});
}

TEST_F(Listener, descriptors_from_outside_are_examined) {
    const auto listener = open();
    ASSERT_TRUE(listener);
    const auto bound = examineListener(listener->get());
    ASSERT_TRUE(bound) << bound.error().text();
    EXPECT_EQ(bound->key(), path());

    EXPECT_EQ(examineListener(1 << 20).error().text(), "it is not open");
    EXPECT_EQ(examineListener(-1).error().text(), "it is not open");
    const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(examineListener(file.get()).error().text(), "it is not a socket");
    const UniqueFd datagram(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(examineListener(datagram.get()).error().text(),
              "it is not a TCP or unix stream socket");
    const UniqueFd deaf(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(examineListener(deaf.get()).error().text(), "it does not listen");
}

}  // namespace
}  // namespace muster
