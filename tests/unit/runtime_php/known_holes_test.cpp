// Whom the start-up warning about PHP's version is for.
#include "runtime/php/known_holes.h"

#include <gtest/gtest.h>

namespace muster::php {
namespace {

TEST(KnownHoles, releases_before_the_mended_one_of_their_branch_have_them) {
    for (const long version : {80234L, 80200L, 80335L, 80426L, 80400L, 80511L}) {
        EXPECT_EQ(knownHoles(version).size(), 1U) << version;
    }
    for (const long version : {80235L, 80236L, 80336L, 80427L, 80512L, 80599L}) {
        EXPECT_TRUE(knownHoles(version).empty()) << version;
    }
}

TEST(KnownHoles, branches_without_an_update_have_them_and_new_ones_do_not) {
    for (const long version : {50699L, 70433L, 80030L, 80134L}) {
        EXPECT_EQ(knownHoles(version).size(), 1U) << version;
    }
    EXPECT_TRUE(knownHoles(80600).empty());
    EXPECT_TRUE(knownHoles(90000).empty());
}

TEST(KnownHoles, the_sentence_names_the_version_and_the_hole) {
    EXPECT_EQ(knownHoles(80234).at(0),
              "PHP 8.2.34 has CVE-2026-109618 and CVE-2026-109619: a request that runs out of "
              "memory can leave its data to the next one on the same worker; update PHP, unless "
              "its packager has mended that");
}

}  // namespace
}  // namespace muster::php
