// Address forms, and real listeners on private unix paths and loopback ports.
#include "base/listen_address.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>
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

  private:
    std::string directory_;
};

TEST(ListenAddressForms, follow_the_last_colon_digits_path_rule) {
    using Kind = ListenAddress::Kind;
    EXPECT_EQ(parseListenAddress("127.0.0.1:9000").kind, Kind::tcp);
    EXPECT_EQ(parseListenAddress("127.0.0.1:9000").port, "9000");
    EXPECT_EQ(parseListenAddress("[::1]:9000").host, "::1");
    EXPECT_EQ(parseListenAddress("::1:9000").host, "::1");
    EXPECT_EQ(parseListenAddress("9000").kind, Kind::port);
    EXPECT_EQ(parseListenAddress("/run/x.sock").kind, Kind::unixPath);
}

TEST(ListenAddressForms, ports_out_of_range_are_named) {
    for (const char* value : {"127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:", "127.0.0.1:x", "0"}) {
        const auto result = openListener(value, {});
        ASSERT_FALSE(result) << value;
        EXPECT_NE(result.error().text().find("invalid port value '"), std::string::npos) << value;
    }
}

TEST_F(Listener, socket_file_is_born_with_its_mode) {
    ListenOptions options;
    options.mode = 0600;
    const auto listener = openListener(path(), options);
    ASSERT_TRUE(listener) << listener.error().text();
    struct stat info {};
    ASSERT_EQ(::stat(path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(Listener, live_listener_is_refused_and_stale_one_replaced) {
    auto first = openListener(path(), {});
    ASSERT_TRUE(first);
    const auto second = openListener(path(), {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().text(), "Another FPM instance seems to already listen on " + path());
    first->reset();
    EXPECT_TRUE(openListener(path(), {}));
}

TEST_F(Listener, regular_file_in_the_way_is_refused_and_kept) {
    std::ofstream(path()) << "precious";
    const auto listener = openListener(path(), {});
    ASSERT_FALSE(listener);
    std::ifstream file(path());
    std::string content;
    file >> content;
    EXPECT_EQ(content, "precious");
}

TEST_F(Listener, too_long_path_is_refused) {
    const auto listener = openListener("/tmp/" + std::string(110, 'x'), {});
    ASSERT_FALSE(listener);
    EXPECT_NE(listener.error().text().find("too long (found length: 115"), std::string::npos);
}

TEST_F(Listener, removes_only_its_own_socket_file) {
    auto mine = openListener(path(), {});
    const auto file = identifySocketFile(path());
    ASSERT_TRUE(file);
    mine->reset();
    const auto other = openListener(path(), {});
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
    const auto listener = openListener(path(), options);
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

}  // namespace
}  // namespace muster
