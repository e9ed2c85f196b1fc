// Where ini files are looked for, and that one which cannot be opened is named.
#include "base/ini_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace {

namespace fs = std::filesystem;
using muster::checkReadable;
using muster::IniFiles;
using muster::listIniFiles;
using muster::locateIniFiles;

class IniPlaces : public testing::Test {
  public:
    IniPlaces() {
        std::string name = (fs::temp_directory_path() / "muster-ini-XXXXXX").string();
        directory_ = ::mkdtemp(name.data());
        ::unsetenv("PHPRC");
        ::unsetenv("PHP_INI_SCAN_DIR");
    }
    ~IniPlaces() override {
        fs::remove_all(directory_);
        ::unsetenv("PHPRC");
        ::unsetenv("PHP_INI_SCAN_DIR");
    }

  protected:
    void write(const std::string& name) const { std::ofstream(directory_ + "/" + name) << "\n"; }
    /// A file that is there but that nobody, not even root, can open.
    void makeUnreadable(const std::string& name) const {
        fs::create_symlink(name, directory_ + "/" + name);
    }

    std::string directory_;
};

TEST_F(IniPlaces, default_to_those_of_php_fpm) {
    const IniFiles files = locateIniFiles("", false);
    EXPECT_TRUE(files.path.starts_with("/etc/php/")) << files.path;
    EXPECT_TRUE(files.path.ends_with("/fpm")) << files.path;
    EXPECT_EQ(files.scanDirectory, files.path + "/conf.d");
}

TEST_F(IniPlaces, given_path_replaces_only_php_ini) {
    const IniFiles files = locateIniFiles("/x/my.ini", false);
    EXPECT_EQ(files.path, "/x/my.ini");
    EXPECT_FALSE(files.scanDirectory.empty());
}

TEST_F(IniPlaces, ignoring_leaves_only_a_given_path) {
    EXPECT_EQ(locateIniFiles("", true).path, "");
    EXPECT_EQ(locateIniFiles("", true).scanDirectory, "");
    EXPECT_EQ(locateIniFiles("/x/my.ini", true).path, "/x/my.ini");
}

TEST_F(IniPlaces, environment_counts_as_in_php) {
    const std::string usual = locateIniFiles("", false).path;
    ::setenv("PHPRC", directory_.c_str(), 1);
    ::setenv("PHP_INI_SCAN_DIR", ":/more", 1);
    const IniFiles files = locateIniFiles("", false);
    EXPECT_EQ(files.path, directory_ + ":" + usual);
    EXPECT_EQ(files.scanDirectory, usual + "/conf.d:/more");
    ::setenv("PHP_INI_SCAN_DIR", "", 1);
    EXPECT_EQ(locateIniFiles("", false).scanDirectory, "");
}

TEST_F(IniPlaces, readable_and_missing_files_pass) {
    write("php.ini");
    write("10-a.ini");
    EXPECT_TRUE(checkReadable({directory_, directory_}));
    EXPECT_TRUE(checkReadable({directory_ + "/php.ini", directory_ + "/none"}));
    EXPECT_TRUE(checkReadable({"", ""}));
}

TEST_F(IniPlaces, unreadable_php_ini_is_named) {
    makeUnreadable("php.ini");
    const auto inDirectory = checkReadable({"/nonexistent:" + directory_, ""});
    ASSERT_FALSE(inDirectory);
    EXPECT_NE(inDirectory.error().text().find(directory_ + "/php.ini"), std::string::npos);
    EXPECT_FALSE(checkReadable({directory_ + "/php.ini", ""}));
}

TEST_F(IniPlaces, unreadable_scanned_file_is_named) {
    write("10-a.ini");
    makeUnreadable("20-b.ini");
    makeUnreadable("not-an-ini.txt");
    const auto result = checkReadable({"", directory_});
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().text().find(directory_ + "/20-b.ini"), std::string::npos);
}

TEST_F(IniPlaces, scan_directory_that_is_a_file_is_named) {
    write("file");
    const auto result = checkReadable({"", directory_ + "/file"});
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().text().find(directory_ + "/file"), std::string::npos);
}

TEST_F(IniPlaces, are_listed_in_the_order_of_the_engine) {
    for (const char* name : {"php.ini", "20-b.ini", "10-a.ini", ".ini", "30-c.conf"}) {
        write(name);
    }
    const std::vector<std::string> expected = {directory_ + "/php.ini", directory_ + "/10-a.ini",
                                               directory_ + "/20-b.ini", directory_ + "/php.ini"};
    EXPECT_EQ(listIniFiles({"/nonexistent:" + directory_, directory_ + ":/nonexistent"}), expected);
    EXPECT_EQ(listIniFiles({directory_ + "/10-a.ini", ""}).size(), 1U);
    EXPECT_TRUE(listIniFiles({"", ""}).empty());
}

TEST_F(IniPlaces, file_of_the_fpm_sapi_goes_first) {
    write("php.ini");
    write("php-fpm-fcgi.ini");
    EXPECT_EQ(listIniFiles({directory_, ""}),
              std::vector<std::string>{directory_ + "/php-fpm-fcgi.ini"});
}

}  // namespace
