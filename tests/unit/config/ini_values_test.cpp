// Values of php.ini and of -d, and that nothing in these files is an error.
#include "config/ini_values.h"

#include <stdlib.h>

#include "fixture.h"

namespace muster::config::test {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Pair;
using Definitions = std::vector<std::pair<std::string, std::string>>;

class IniValuesOf : public Files {
  protected:
    IniValues of(const std::string& text, const Definitions& definitions = {}) const {
        write("php.ini", text);
        return readIniValues({path("php.ini"), ""}, definitions);
    }
};

TEST_F(IniValuesOf, the_last_value_of_a_name_counts) {
    const IniValues values = of("a = 1\n; a = 2\n[PHP]\nfpm.config = \"/x y\" ; here\na=on\n");
    EXPECT_EQ(values, (IniValues{{"a", "1"}, {"fpm.config", "/x y"}}));
}

TEST_F(IniValuesOf, definitions_win_over_files_and_see_their_values) {
    const IniValues values = of("a = 1\nb = 2\n", {{"a", "\"/x${b}\""}, {"c", "3\nd=4"}});
    EXPECT_EQ(values, (IniValues{{"a", "/x2"}, {"b", "2"}, {"c", "3"}, {"d", "4"}}));
}

TEST_F(IniValuesOf, scanned_files_come_after_php_ini_in_their_order) {
    write("php.ini", "a = 0\nb = 0\nc = 0\n");
    write("conf.d/20-z.ini", "a = 20\n");
    write("conf.d/10-a.ini", "a = 10\nb = ${a}1\n");
    const IniValues values = readIniValues({path("php.ini"), path("conf.d")}, {});
    EXPECT_EQ(values, (IniValues{{"a", "20"}, {"b", "101"}, {"c", "0"}}));
}

TEST_F(IniValuesOf, sections_of_hosts_and_paths_do_not_count) {
    const IniValues values =
        of("[HOST=a]\nx = 1\n[PATH=/b]\nx = 2\n[Pathological]\nx=3\n"
           "[Session]\ny = 4\n");
    EXPECT_EQ(values, (IniValues{{"y", "4"}}));
}

TEST_F(IniValuesOf, lines_that_are_not_understood_are_passed_over) {
    const IniValues values =
        of(std::string("= 1\nword\na[] = 2\nb = (\n") + '\0' + "\nc = 3\n[open\nd = \"x\n");
    EXPECT_THAT(values, Contains(Pair("c", "3")));
    EXPECT_EQ(values.size(), 1U);
}

TEST_F(IniValuesOf, missing_files_give_nothing) {
    EXPECT_THAT(readIniValues({path("none.ini"), path("none")}, {}), IsEmpty());
    EXPECT_THAT(readIniValues({"", ""}, {}), IsEmpty());
}

}  // namespace
}  // namespace muster::config::test
