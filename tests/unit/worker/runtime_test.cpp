// Loading runtimes: what goes wrong is said with the file's name.
#include "worker/runtime.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace muster {
namespace {

class RuntimeLoading : public testing::Test {
  protected:
    RuntimeLoading() {
        std::string pattern = testing::TempDir() + "muster-runtimes-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        ::setenv("MUSTER_RUNTIME_DIR", directory_.c_str(), 1);
    }
    ~RuntimeLoading() override {
        ::unsetenv("MUSTER_RUNTIME_DIR");
        std::filesystem::remove_all(directory_);
    }

    static std::string errorOf(std::string_view name) {
        const auto loaded = loadRuntime(name);
        return loaded ? "" : loaded.error().text();
    }

    std::string directory_;
};

TEST_F(RuntimeLoading, missing_runtime_is_named_with_its_file) {
    const std::string error = errorOf("nope");
    EXPECT_NE(error.find("'nope'"), std::string::npos) << error;
    EXPECT_NE(error.find(directory_ + "/muster-nope.so"), std::string::npos) << error;
}

TEST_F(RuntimeLoading, file_that_is_no_shared_object_is_refused) {
    std::ofstream(directory_ + "/muster-text.so") << "not a program, just a text of some length\n";
    const std::string error = errorOf("text");
    EXPECT_NE(error.find("muster-text.so"), std::string::npos) << error;
}

TEST_F(RuntimeLoading, shared_object_without_a_runtime_is_refused) {
    std::filesystem::path library;
    for (const char* directory : {"/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64"}) {
        if (std::filesystem::exists(std::filesystem::path(directory) / "libm.so.6")) {
            library = std::filesystem::path(directory) / "libm.so.6";
            break;
        }
    }
    ASSERT_FALSE(library.empty());
    std::filesystem::create_symlink(library, directory_ + "/muster-math.so");
    const std::string error = errorOf("math");
    EXPECT_NE(error.find("is no runtime of muster"), std::string::npos) << error;
}

TEST_F(RuntimeLoading, names_cannot_leave_the_directory) {
    for (const char* name : {"", "../php", "a/b", "PHP", "php\n"}) {
        EXPECT_NE(errorOf(name).find("not a name of a runtime"), std::string::npos) << name;
    }
}

}  // namespace
}  // namespace muster
