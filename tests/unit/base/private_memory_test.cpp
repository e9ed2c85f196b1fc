// What the process file system says about a process's own memory.
#include "base/private_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/process_memory.h"

namespace muster {
namespace {

TEST(PrivateMemory, statm_is_resident_without_shared) {
    EXPECT_EQ(anonymousPagesIn("5000 1200 900 3 0 400 0\n"), 300U);
    EXPECT_EQ(anonymousPagesIn("5000 900 1200 3 0 400 0\n"), 0U);
    EXPECT_FALSE(anonymousPagesIn("5000 900"));
    EXPECT_FALSE(anonymousPagesIn(""));
    EXPECT_FALSE(anonymousPagesIn("a b c"));
}

TEST(PrivateMemory, the_rollup_is_summed_over_what_is_private) {
    EXPECT_EQ(privateKibIn("55d0-7ffc ---p 00000000 00:00 0 [rollup]\n"
                           "Rss:                2000 kB\n"
                           "Private_Clean:        10 kB\n"
                           "Private_Dirty:       200 kB\n"
                           "Private_Hugetlb:    1000 kB\n"),
              1210U);
    EXPECT_FALSE(privateKibIn("Rss: 2000 kB\n"));
    EXPECT_FALSE(privateKibIn("Private_Clean: many kB\n"));
    EXPECT_FALSE(privateKibIn(""));
}

TEST(PrivateMemory, grows_with_what_is_written) {
    auto tree = openProcessTree();
    ASSERT_TRUE(tree);
    auto memory = PrivateMemory::open(tree->get());
    ASSERT_TRUE(memory);
    constexpr std::size_t kMuch = std::size_t{32} << 20;
    const auto before = memory->bytes();
    ASSERT_TRUE(before);
    std::vector<char> much(kMuch, 'x');
    EXPECT_GE(*memory->bytes(), *before + kMuch / 2) << much.back();
    EXPECT_GE(*memory->atMostBytes(), kMuch / 2);
}

}  // namespace
}  // namespace muster
