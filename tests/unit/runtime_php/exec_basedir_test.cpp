// Which paths lead below the directories of security.exec_basedir.
#include "runtime/php/exec_basedir.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace muster::php {
namespace {

namespace fs = std::filesystem;
using Place = ExecBasedir::Place;

class ExecBasedirTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "basedir-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        root_ = fs::canonical(pattern);
        for (const char* name : {"app", "app2", "other"}) {
            fs::create_directory(root_ / name);
            std::ofstream(root_ / name / "x.php") << name;
        }
    }
    void TearDown() override { fs::remove_all(root_); }

    [[nodiscard]] std::string at(const std::string& name) const { return root_ / name; }

    static Place place(const std::string& directories, const std::string& path) {
        char real[PATH_MAX];
        return ExecBasedir(directories).placeOf(path.c_str(), real);
    }

    fs::path root_;
};

TEST_F(ExecBasedirTest, a_directory_ends_at_a_slash) {
    EXPECT_EQ(place(at("app"), at("app/x.php")), Place::inside);
    EXPECT_EQ(place(at("app/"), at("app/x.php")), Place::inside);
    EXPECT_EQ(place(at("app"), at("app2/x.php")), Place::outside);
    EXPECT_EQ(place(at("app"), at("app")), Place::outside);
    EXPECT_EQ(place("/", at("app2/x.php")), Place::inside);
}

TEST_F(ExecBasedirTest, each_of_several_counts_and_missing_ones_admit_nothing) {
    const std::string two = at("none") + "::" + at("app") + ":" + at("app2");
    EXPECT_EQ(place(two, at("app/x.php")), Place::inside);
    EXPECT_EQ(place(two, at("app2/x.php")), Place::inside);
    EXPECT_EQ(place(two, at("other/x.php")), Place::outside);
    EXPECT_EQ(place(at("none"), at("app/x.php")), Place::outside);
    EXPECT_EQ(place(at("app"), at("app/none.php")), Place::nowhere);
}

TEST_F(ExecBasedirTest, links_are_followed_on_both_sides) {
    fs::create_symlink(at("other/x.php"), at("app/out.php"));
    fs::create_symlink(at("app/x.php"), at("other/in.php"));
    fs::create_directory_symlink(at("app"), at("current"));
    EXPECT_EQ(place(at("app"), at("app/out.php")), Place::outside);
    EXPECT_EQ(place(at("app"), at("other/in.php")), Place::inside);
    EXPECT_EQ(place(at("current"), at("app/x.php")), Place::inside);
    EXPECT_EQ(place(at("app"), at("current/x.php")), Place::inside);
    EXPECT_EQ(place(at("app"), at("app/../other/x.php")), Place::outside);
}

TEST_F(ExecBasedirTest, a_turned_link_is_seen_at_once) {
    fs::create_directory_symlink(at("app"), at("current"));
    const ExecBasedir base(at("current"));
    char real[PATH_MAX];
    EXPECT_EQ(base.placeOf(at("app2/x.php").c_str(), real), Place::outside);
    fs::remove(at("current"));
    fs::create_directory_symlink(at("app2"), at("current"));
    EXPECT_EQ(base.placeOf(at("app2/x.php").c_str(), real), Place::inside);
    EXPECT_EQ(std::string(real), at("app2/x.php"));
}

TEST_F(ExecBasedirTest, an_open_file_is_known_again) {
    const int fd = ::open(at("app/x.php").c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    EXPECT_TRUE(isFileAt(fd, at("app/x.php").c_str()));
    EXPECT_FALSE(isFileAt(fd, at("app2/x.php").c_str()));
    EXPECT_FALSE(isFileAt(fd, at("none").c_str()));
    EXPECT_FALSE(isFileAt(-1, at("app/x.php").c_str()));
    ::close(fd);
}

}  // namespace
}  // namespace muster::php
