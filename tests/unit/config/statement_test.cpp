// A line falls into the statements php-fpm would see.
#include "config/statement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::config {
namespace {

using ::testing::StartsWith;

std::optional<std::string> noVariables(const std::string& /*name*/) {
    return std::nullopt;
}

/// "[section] key=value key[offset]=value !error", to compare at a glance.
std::string summary(std::string_view line) {
    const ParsedLine parsed = parseLine(line, noVariables);
    std::string text;
    for (const Statement& statement : parsed.statements) {
        text += text.empty() ? "" : " ";
        switch (statement.kind) {
            case Statement::Kind::section:
                text += "[" + statement.key + "]";
                break;
            case Statement::Kind::entry:
                text += statement.key + "=" + statement.value.text;
                break;
            case Statement::Kind::array:
                text += statement.key + "[" + statement.offset + "]=" + statement.value.text;
                break;
        }
    }
    return text + (parsed.error ? "!" : "");
}

TEST(Statement, forms_of_a_line) {
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"", ""},
        {"  \t ", ""},
        {"; c", ""},
        {" \t; c = d", ""},
        {"a = b", "a=b"},
        {"\t a=b ; c", "a=b"},
        {"a b = c", "a b=c"},
        {"a =", "a="},
        {"a = ; c", "a="},
        {"a = \"b = c\"", "a=b = c"},
        {"#a = b", "#a=b"},
        {"a:b = c", "a:b=c"},
        {"listen = 127.0.0.1:9000", "listen=127.0.0.1:9000"},
        {"'a' = b", "'a'=b"},
        {"yes1 = b", "yes1=b"},
        {"[w]", "[w]"},
        {"\t[w]", "[w]"},
        {"[w] ; c", "[w]"},
        {"[w];c", "[w]"},
        {"[w]a=b", "[w] a=b"},
        {"[w] [x]", "[w] [x]"},
        {"a[b] = c", "a[b]=c"},
        {"a[ b ]=c", "a[b ]=c"},
        {"a [b]\t=\tc", "a[b]=c"},
        {"a[] = c", "a[]=c"},
        {"a[\"b=c\"] = d", "a[b=c]=d"},
        {"a[b=c] = d", "a[b=c]=d"},
        {"a[b:c] = d:e", "a[b:c]=d:e"},
        {"yes[b] = c", "yes[b]=c"},
        {"w] = c", "w]=c"},
        {"a[b] =", "a[b]="},
        {"a = [b]", "a=[b]"},
    };
    for (const auto& [line, expected] : rows) {
        EXPECT_EQ(summary(line), expected) << line;
    }
}

TEST(Statement, carriage_returns_and_nul_end_a_line) {
    EXPECT_EQ(summary("a = b\r"), "a=b");
    EXPECT_EQ(summary("[w]\r"), "[w]");
    EXPECT_EQ(summary("; c\r"), "");
    EXPECT_EQ(summary("a = b\rc = d"), "a=b c=d");
    EXPECT_EQ(summary("; a\rc = d"), "c=d");
    EXPECT_EQ(summary("a = \rc = d"), "a= c=d");
    EXPECT_EQ(summary("a = \"b\rc\"\rd = e"), "a=b\rc d=e");
    EXPECT_EQ(summary("a = 'b\rc'"), "a=b\rc");
    EXPECT_EQ(summary(std::string("a = b\0c = d", 11)), "a=b");
}

TEST(Statement, errors_name_what_was_found) {
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"junk", "value is NULL for a ZEND_INI_PARSER_ENTRY | found 'junk' alone"},
        {"junk ; c", "value is NULL for a ZEND_INI_PARSER_ENTRY | found 'junk' alone"},
        {"junk;a=b", "value is NULL for a ZEND_INI_PARSER_ENTRY | found 'junk' alone"},
        {"# junk", "value is NULL for a ZEND_INI_PARSER_ENTRY | found '# junk' alone"},
        {"a:b", "value is NULL for a ZEND_INI_PARSER_ENTRY | found 'a:b' alone"},
        {"a\tb = c", "value is NULL for a ZEND_INI_PARSER_ENTRY | found 'a' alone"},
        {"[w] junk", "value is NULL for a ZEND_INI_PARSER_ENTRY | found 'junk' alone"},
        {"[w]]", "value is NULL for a ZEND_INI_PARSER_ENTRY | found ']' alone"},
        {"w]", "value is NULL for a ZEND_INI_PARSER_ENTRY | found 'w]' alone"},
        {"= b", "syntax error, unexpected '=' | expected a directive's name"},
        {"a = b = c", "syntax error, unexpected '=' | expected the end of the value"},
        {"yes = b", "syntax error, unexpected 'yes' | found a reserved word"},
        {"NULL", "syntax error, unexpected 'NULL' | found a reserved word"},
        {"\"a\" = b", "syntax error, unexpected '\"' | found in a directive's name"},
        {"a(b = c", "syntax error, unexpected '(' | found in a directive's name"},
        {"a$b = c", "syntax error, unexpected '$' | found in a directive's name"},
        {"a!b = c", "syntax error, unexpected '!' | found in a directive's name"},
        {" [w]", "syntax error, unexpected '[' | found a space before '['"},
        {"[w", "syntax error, unexpected end of line | expected ']'"},
        {"[w;2]", "syntax error, unexpected ';' | expected ']'"},
        {"a[b", "syntax error, unexpected end of line | expected ']'"},
        {"a[b]", "syntax error, unexpected end of line | expected '='"},
        {"a[b] ; c", "syntax error, unexpected end of line | expected '='"},
        {"a[b]c = d", "syntax error, unexpected 'c = d' | expected '='"},
        {"a[b][c] = d", "syntax error, unexpected '[c] = d' | expected '='"},
        {"a[b]==c", "syntax error, unexpected '='"},
    };
    for (const auto& [line, expected] : rows) {
        const ParsedLine parsed = parseLine(line, noVariables);
        ASSERT_TRUE(parsed.error) << line;
        const Problem& problem = parsed.error->problem;
        EXPECT_THAT(problem.text + " | " + problem.detail, StartsWith(expected)) << line;
    }
}

TEST(Statement, what_stands_before_an_error_counts) {
    EXPECT_EQ(summary("[w] a=b\rjunk"), "[w] a=b!");
}

TEST(Statement, hostile_lines_take_bounded_time) {
    std::string sections;
    std::string quotes;
    for (int i = 0; i < 200'000; ++i) {
        sections += "[a]";
        quotes += "='\r";
    }
    EXPECT_EQ(parseLine(sections, noVariables).statements.size(), 200'000U);
    EXPECT_TRUE(parseLine(quotes, noVariables).error);
    EXPECT_TRUE(parseLine(std::string(1 << 20, ':'), noVariables).error);
    EXPECT_TRUE(parseLine(std::string(1 << 20, '['), noVariables).error);
}

}  // namespace
}  // namespace muster::config
