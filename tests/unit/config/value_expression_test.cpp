// What stands right of '=' and between brackets means what it means to php-fpm.
#include "config/value_expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::config {
namespace {

using ::testing::HasSubstr;

std::optional<std::string> lookUp(const std::string& name) {
    if (name == "NAME") {
        return "value";
    }
    if (name == "EMPTY") {
        return "";
    }
    return std::nullopt;
}

struct Good {
    std::string raw;
    std::string text;
};

class GoodValue : public ::testing::TestWithParam<Good> {};

TEST_P(GoodValue, evaluates_as_in_php_fpm) {
    const auto value = evaluateValue(GetParam().raw, lookUp);
    ASSERT_TRUE(value) << GetParam().raw << ": " << value.error().text;
    EXPECT_EQ(value->text, GetParam().text) << GetParam().raw;
    EXPECT_FALSE(value->restDropped);
}

INSTANTIATE_TEST_SUITE_P(
    Plain, GoodValue,
    ::testing::Values(Good{"", ""}, Good{"  \t", ""}, Good{" a ", "a"}, Good{"a b  c", "a b  c"},
                      Good{"a \t b\t", "a \t b"}, Good{"a;b", "a"}, Good{"a ; b", "a"},
                      Good{"; b", ""}, Good{"a{b}c", "a{b}c"}, Good{"a\\b\\\\c", "a\\b\\\\c"},
                      Good{"a\\;b", "a\\"}, Good{"# x", "# x"}, Good{"a%b:c,d/e@f", "a%b:c,d/e@f"},
                      Good{"[a] <b> ? * + - .", "[a] <b> ? * + - ."}, Good{"-5", "-5"},
                      Good{"5 5", "5 5"}, Good{"5.50", "5.50"}, Good{"1e5 x", "1e5 x"},
                      Good{"a\xff\xc3\xa9", "a\xff\xc3\xa9"}));
INSTANTIATE_TEST_SUITE_P(
    Quotes, GoodValue,
    ::testing::Values(Good{"\"a b\"", "a b"}, Good{"\"a;b\" ; c", "a;b"}, Good{"\"a=b\"", "a=b"},
                      Good{"\"\"", ""}, Good{"a \"b\" c", "abc"}, Good{"\"a\"b\"c\"", "abc"},
                      Good{"\"a\" \"b\"", "ab"}, Good{R"("a\"b\\c\$d")", R"(a"b\c$d)"},
                      Good{R"("a\nb\'c")", R"(a\nb\'c)"}, Good{R"("\${NAME}")", "${NAME}"},
                      Good{R"("C:\dir\")", R"(C:\dir\)"}, Good{"\"a 'b' c\"", "a 'b' c"},
                      Good{"'a b'", "a b"}, Good{"a 'b' c", "a b c"}, Good{"a'b'c", "abc"},
                      Good{"'b''c'", "bc"}, Good{"'a\"b'", "a\"b"}, Good{"'${NAME}'", "${NAME}"},
                      Good{"'a\\'b", "a\\b"}, Good{"\"a\rb\"", "a\rb"}));
INSTANTIATE_TEST_SUITE_P(Constants, GoodValue,
                         ::testing::Values(Good{"E_ALL", "32767"},
                                           Good{"E_ALL & ~E_NOTICE", "32759"},
                                           Good{"(E_ALL & ~E_NOTICE)", "32759"},
                                           Good{"~E_ALL", "-32768"}, Good{"a E_ALL b", "a 32767 b"},
                                           Good{"E_ALL\"x\"", "32767x"}, Good{"PHP_OS", "Linux"},
                                           Good{"E_ALLx", "E_ALLx"}, Good{"e_all", "e_all"},
                                           Good{"\"E_ALL\"", "E_ALL"}, Good{"E_ALL/x", "E_ALL/x"},
                                           Good{"$E_ALL", "$E_ALL"}));
INSTANTIATE_TEST_SUITE_P(
    Variables, GoodValue,
    ::testing::Values(Good{"${NAME}", "value"}, Good{"x${NAME}z", "xvaluez"},
                      Good{"${ NAME } y", "value y"}, Good{"\"a ${NAME} b\"", "a value b"},
                      Good{"a ${NONE} b", "a  b"}, Good{"${NONE}", ""}, Good{"${EMPTY}", ""},
                      Good{"${NAME:-other}", "value"}, Good{"${NONE:-other}", "other"},
                      Good{"${NONE:-a b/c}", "a b/c"}, Good{"${NONE:-${NAME}}", "value"},
                      Good{"${EMPTY:-other}", ""}, Good{"${NONE:-}", ""},
                      Good{"\"${NONE:-x}\"", "x"}, Good{"${NAME}VV}", "valueVV}"},
                      Good{"$NAME", "$NAME"}, Good{"$", "$"}, Good{"$$", "$$"},
                      Good{"a$ b", "a$ b"}, Good{"$;c", "$;c"}, Good{"$\\\"a", "$\\\"a"},
                      Good{"$pool", "$pool"}));
INSTANTIATE_TEST_SUITE_P(BareWords, GoodValue,
                         ::testing::Values(Good{"true", "1"}, Good{"on", "1"}, Good{"yes", "1"},
                                           Good{"YES", "1"}, Good{" Yes  ", "1"},
                                           Good{"yes ; c", "1"}, Good{"yes;", "1"},
                                           Good{"false", ""}, Good{"off", ""}, Good{"no", ""},
                                           Good{"none", ""}, Good{"NULL", ""},
                                           Good{"nothing", "nothing"}, Good{"no,yes", "no,yes"},
                                           Good{"\"yes\"", "yes"}, Good{"'no'", "no"},
                                           Good{"PHP_VERSION", "PHP_VERSION"}));
INSTANTIATE_TEST_SUITE_P(
    Operators, GoodValue,
    ::testing::Values(Good{"5 | 2", "7"}, Good{"5|2", "7"}, Good{"6 & 3", "2"}, Good{"6 ^ 3", "5"},
                      Good{"1|2&1", "1"}, Good{"a|b", "0"}, Good{"~5", "-6"}, Good{"~5|2", "-6"},
                      Good{"~~5", "5"}, Good{"!x", "1"}, Good{"!5", "0"}, Good{"!5|2", "2"},
                      Good{"!!5", "1"}, Good{"(5|2)&4", "4"}, Good{"5 & ~1", "4"},
                      Good{"(\"abc\")", "abc"}, Good{"\"5\"|\"2\"", "7"}, Good{"\"\" | 5", "5"},
                      Good{"${NAME}|2", "2"}, Good{"99999999999|0", "1215752191"}));

struct Bad {
    std::string raw;
    std::string found;
    std::string expected;
};

class BadValue : public ::testing::TestWithParam<Bad> {};

TEST_P(BadValue, says_what_was_found_and_expected) {
    const auto value = evaluateValue(GetParam().raw, lookUp);
    ASSERT_FALSE(value) << GetParam().raw << " gave " << value->text;
    const std::string problem = value.error().text + " | " + value.error().detail;
    EXPECT_THAT(problem, HasSubstr(" " + GetParam().found)) << GetParam().raw;
    EXPECT_THAT(problem, HasSubstr("expected " + GetParam().expected)) << GetParam().raw;
}

INSTANTIATE_TEST_SUITE_P(
    Syntax, BadValue,
    ::testing::Values(Bad{"a=b", "'='", "the end of the value"}, Bad{"=", "'='", "a value"},
                      Bad{"\"abc", "end of line", "'\"'"}, Bad{"\"a\\", "end of line", "'\"'"},
                      Bad{"'b", "single quote without its partner", "a value"},
                      Bad{"5|'x", "single quote without its partner", "a value"},
                      Bad{"''", "''", "\"\" for an empty text"}, Bad{"a''b", "''", "\"\""},
                      Bad{"${NAME", "end of line", "'}'"}, Bad{"${}", "'}'", "a name"},
                      Bad{"${NA]ME}", "']'", "'}'"}, Bad{"\"${NAME\"", "'\"'", "'}'"},
                      Bad{"a no", "bare word 'no'", "double quotes"},
                      Bad{"true story", "'s' after the bare word 'true'", "the end of the value"},
                      Bad{"no${NAME}", "bare word 'no'", "double quotes"},
                      Bad{"x${NAME}yes", "bare word 'yes'", "double quotes"},
                      Bad{"\"x\"no", "bare word 'no'", "double quotes"},
                      Bad{"yes|2", "'|' after the bare word", "the end"},
                      Bad{"5|yes", "bare word 'yes'", "double quotes"},
                      Bad{"5|", "end of value", "a value"}, Bad{"|5", "'|'", "a value"},
                      Bad{"5||2", "'|'", "a value"}, Bad{"(5", "end of value", "')'"},
                      Bad{"5)", "')'", "the end"}, Bad{"(a)b", "'b'", "the end"},
                      Bad{"a(b", "'('", "the end"}, Bad{"a!b", "'!'", "the end"},
                      Bad{"a ~b", "'~'", "the end"}, Bad{"!", "end of value", "a value"},
                      Bad{std::string(100'000, '('), "operators nested", "a plain value"},
                      Bad{std::string(100'000, '~'), "operators nested", "a plain value"}));

TEST(Value, fallbacks_nested_without_end_are_refused) {
    std::string raw;
    for (int i = 0; i < 100'000; ++i) {
        raw += "${A:-";
    }
    const auto value = evaluateValue(raw, lookUp);
    ASSERT_FALSE(value);
    EXPECT_THAT(value.error().text, HasSubstr("nested"));
}

TEST(Value, unmatched_single_quote_ends_the_value_and_says_so) {
    const auto value = evaluateValue("don't do", lookUp);
    ASSERT_TRUE(value);
    EXPECT_EQ(value->text, "don");
    EXPECT_TRUE(value->restDropped);
    const auto word = evaluateValue("yes'x", lookUp);
    ASSERT_TRUE(word);
    EXPECT_EQ(word->text, "1");
    EXPECT_TRUE(word->restDropped);
}

TEST(Brackets, text_is_taken_as_it_stands_but_for_quotes_and_variables) {
    const std::vector<Good> rows = {{"w]", "w"},
                                    {" w ]", " w "},
                                    {"\"w\"]", "w"},
                                    {"'w']", "w"},
                                    {"w\"2\"3]", "w23"},
                                    {"a \"b\" c]", "a bc"},
                                    {"a 'b' c]", "a b c"},
                                    {"w ${NAME}]", "w value"},
                                    {"yes]", "yes"},
                                    {"$pool]", "$pool"},
                                    {"\"w;2\"]", "w;2"},
                                    {"\"a]b\"]", "a]b"},
                                    {"'a]b']", "a]b"},
                                    {"w[2]", "w[2"},
                                    {"w\\]2]", "w\\]2"},
                                    {"w=2|3]", "w=2|3"},
                                    {"]", ""}};
    for (const Good& row : rows) {
        const auto text = evaluateBrackets(row.raw, lookUp);
        ASSERT_TRUE(text) << row.raw << ": " << text.error().text;
        EXPECT_EQ(text->text, row.text) << row.raw;
        EXPECT_EQ(text->end, row.raw.size()) << row.raw;
    }
}

TEST(Brackets, what_never_closes_is_an_error) {
    for (const char* raw : {"w", "w;2]", "w'2]", "''", "\"w]", "w$]", "${NAME]", "w\r]", ""}) {
        EXPECT_FALSE(evaluateBrackets(raw, lookUp)) << raw;
    }
}

}  // namespace
}  // namespace muster::config
