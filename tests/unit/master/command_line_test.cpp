// Options as php-fpm takes them.
#include "master/command_line.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>

namespace muster::master {
namespace {

CommandLine parse(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "/usr/sbin/muster");
    return parseCommandLine(arguments);
}

TEST(CommandLine, values_may_be_attached_separate_or_after_an_equals_sign) {
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"-y", "f"}, {"-yf"}, {"-y=f"}, {"--fpm-config", "f"}, {"--fpm-config=f"}}) {
        EXPECT_EQ(parse(arguments).configFile, "f") << arguments[0];
    }
}

TEST(CommandLine, short_flags_may_be_bundled) {
    const auto line = parse({"-tnR", "-Fy", "f"});
    EXPECT_EQ(line.action, Action::test);
    EXPECT_TRUE(line.ignoreIni);
    EXPECT_TRUE(line.allowRoot);
    EXPECT_EQ(line.daemonize, false);
    EXPECT_EQ(line.configFile, "f");
}

TEST(CommandLine, t_twice_dumps) {
    EXPECT_FALSE(parse({"-t"}).dump);
    EXPECT_TRUE(parse({"-tt"}).dump);
    EXPECT_TRUE(parse({"-t", "-t"}).dump);
    EXPECT_TRUE(parse({"--test", "-t"}).dump);
}

TEST(CommandLine, h_m_and_v_act_when_they_are_met) {
    EXPECT_EQ(parse({"-v", "-h"}).action, Action::version);
    EXPECT_EQ(parse({"-h", "--nonsense"}).action, Action::usage);
    EXPECT_EQ(parse({"-?"}).action, Action::usage);
    EXPECT_EQ(parse({"-m"}).action, Action::modules);
    EXPECT_EQ(parse({"-i", "-v"}).action, Action::version);
    EXPECT_FALSE(parse({"-vn"}).ignoreIni);
}

TEST(CommandLine, i_acts_when_all_options_are_read) {
    EXPECT_EQ(parse({"-i"}).action, Action::information);
    EXPECT_EQ(parse({"-t", "-i"}).action, Action::information);
    EXPECT_EQ(parse({"-i", "-t", "surplus"}).action, Action::information);
    EXPECT_EQ(parse({"-i", "-Z"}).action, Action::usageError);
    EXPECT_TRUE(parse({"-i", "-n"}).ignoreIni);
}

TEST(CommandLine, an_equals_sign_before_a_value_is_dropped_once) {
    EXPECT_EQ(parse({"-y==f"}).configFile, "=f");
    EXPECT_EQ(parse({"-y="}).configFile, "");
    EXPECT_EQ(parse({"-y", "=f"}).configFile, "=f");
    EXPECT_EQ(parse({"--fpm-config==f"}).configFile, "f");
    EXPECT_EQ(parse({"--fpm-config=="}).configFile, "");
    EXPECT_EQ(parse({"--fpm-config=", "f"}).action, Action::usageError);
    EXPECT_EQ(parse({"--test=no"}).action, Action::test);
    EXPECT_EQ(parse({"-n=no"}).action, Action::usageError);
}

TEST(CommandLine, the_last_of_daemonize_and_nodaemonize_wins) {
    EXPECT_EQ(parse({"-D", "-F"}).daemonize, false);
    EXPECT_EQ(parse({"-F", "-D"}).daemonize, true);
    EXPECT_EQ(parse({}).daemonize, std::nullopt);
}

TEST(CommandLine, definitions_keep_their_order_and_default_to_1) {
    const auto line = parse({"-d", "a=b=c", "-dx", "-d", "e="});
    const std::vector<std::pair<std::string, std::string>> expected = {
        {"a", "b=c"}, {"x", "1"}, {"e", ""}};
    EXPECT_EQ(line.iniDefinitions, expected);
}

TEST(CommandLine, definitions_are_quoted_where_an_ini_file_needs_it) {
    const auto line = parse({"-da=/x", "-db=\"y\"", "-dc='z'", "-dd=-1", "-d", "e = 1"});
    const std::vector<std::pair<std::string, std::string>> expected = {
        {"a", "\"/x\""}, {"b", "\"y\""}, {"c", "'z'"}, {"d", "\"-1\""}, {"e ", "\" 1\""}};
    EXPECT_EQ(line.iniDefinitions, expected);
}

TEST(CommandLine, what_is_unknown_missing_or_surplus_is_named) {
    EXPECT_EQ(parse({"-Z"}).action, Action::usageError);
    EXPECT_EQ(parse({"-Z"}).problem, "unknown option '-Z'");
    EXPECT_EQ(parse({"--nope"}).problem, "unknown option '--nope'");
    EXPECT_EQ(parse({"-y"}).problem, "option '-y' needs a value");
    EXPECT_EQ(parse({"surplus"}).problem, "unexpected argument 'surplus'");
    EXPECT_EQ(parse({"--", "surplus"}).problem, "unexpected argument 'surplus'");
    EXPECT_EQ(parse({"-F", "--"}).action, Action::serve);
}

TEST(CommandLine, the_program_name_is_the_last_part_of_argv0) {
    EXPECT_EQ(parse({}).programName, "muster");
    EXPECT_EQ(parseCommandLine({"php-fpm8.2"}).programName, "php-fpm8.2");
    EXPECT_EQ(parseCommandLine({"./a/php-fpm8.2"}).programName, "php-fpm8.2");
    EXPECT_TRUE(parseCommandLine({"php-fpm"}).asPhpFpm());
    EXPECT_FALSE(parse({}).asPhpFpm());
}

TEST(CommandLine, the_usage_text_shows_the_name_as_php_fpm_does) {
    EXPECT_EQ(parseCommandLine({"php-fpm8.2"}).usageName, "php");
    EXPECT_EQ(parseCommandLine({"./php-fpm8.2"}).usageName, "php-fpm8.2");
    EXPECT_EQ(parseCommandLine({"muster"}).usageName, "muster");
    EXPECT_NE(usageText("php-fpm8.2").find("Usage: php-fpm8.2 [-n]"), std::string::npos);
}

TEST(CommandLine, the_manual_page_names_every_option_of_the_usage_text) {
    std::ifstream file(MUSTER_SOURCE_DIR "/docs/man/muster.8");
    const std::string page((std::istreambuf_iterator<char>(file)), {});
    const std::string usage = usageText("muster");
    std::istringstream lines(usage);
    int found = 0;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("  -")) {
            continue;
        }
        std::istringstream words(line);
        for (std::string word; words >> word && word.starts_with('-');) {
            std::string written;
            for (const char c : word.substr(0, word.find(','))) {
                written += c == '-' ? "\\-" : std::string(1, c);
            }
            EXPECT_NE(page.find(written), std::string::npos) << word;
        }
        ++found;
    }
    EXPECT_EQ(found, 16);
}

}  // namespace
}  // namespace muster::master
