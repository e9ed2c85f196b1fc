// Files, scopes, names and includes: what is read, and what every mistake is answered with.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <ctime>

#include "base/unique_fd.h"
#include "fixture.h"

namespace muster::config::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

using Reader = Files;

TEST_F(Reader, plain_configuration_is_read_without_a_message) {
    const auto outcome = read("[global]\nlog_level = debug\n" + kPool + "user = someone\n");
    EXPECT_THAT(lines(outcome), IsEmpty());
    EXPECT_TRUE(outcome.parsed);
    EXPECT_TRUE(outcome.valid);
    EXPECT_EQ(outcome.configuration.file, path("m.conf"));
    EXPECT_EQ(outcome.configuration.global.effectiveLogLevel(), LogLevel::debug);
    ASSERT_EQ(outcome.configuration.pools.size(), 1U);
    const PoolSettings& pool = outcome.configuration.pools[0];
    EXPECT_EQ(pool.name, "www");
    EXPECT_EQ(pool.origin.line, 3);
    EXPECT_EQ(pool.user, "someone");
    EXPECT_EQ(pool.pm, ProcessManager::fixed);
}

TEST_F(Reader, line_ends_bom_and_missing_last_newline) {
    const auto outcome = read(
        "\xEF\xBB\xBF[global]\r\ndaemonize = no\r\n[www]\r\nlisten = 9000\r\n"
        "pm = static\r\npm.max_children = 3");
    EXPECT_THAT(lines(outcome), IsEmpty());
    EXPECT_FALSE(outcome.configuration.global.daemonize);
    EXPECT_EQ(outcome.configuration.pools.at(0).maxChildren, 3);
    EXPECT_THAT(lines(read(kPool + "\xEF\xBB\xBFuser = someone\n")), IsEmpty());
    const auto classic = read("[www]\rlisten = 9000\rpm = static\rpm.max_children = 3\r");
    EXPECT_THAT(lines(classic), IsEmpty());
    EXPECT_EQ(classic.configuration.pools.at(0).maxChildren, 3);
}

TEST_F(Reader, global_scope_is_active_before_any_section) {
    EXPECT_FALSE(read("daemonize = no\n" + kPool).configuration.global.daemonize);
}

TEST_F(Reader, last_occurrence_of_a_directive_wins) {
    const auto outcome = read(kPool + "pm.max_children = 7\nPM.MAX_CHILDREN = 8\n");
    EXPECT_EQ(outcome.configuration.pools.at(0).maxChildren, 8);
}

TEST_F(Reader, sections_of_one_name_continue_the_pool) {
    const auto outcome = read(kPool +
                              "[GLOBAL]\ndaemonize = no\n[WWW]\nuser = a\n[b]\nlisten=1\n"
                              "pm=static\npm.max_children=1\n[www]\ngroup = b\n");
    ASSERT_EQ(outcome.configuration.pools.size(), 2U);
    EXPECT_EQ(outcome.configuration.pools[0].name, "www");
    EXPECT_EQ(outcome.configuration.pools[0].user, "a");
    EXPECT_EQ(outcome.configuration.pools[0].group, "b");
    EXPECT_EQ(outcome.configuration.pools[1].name, "b");
}

TEST_F(Reader, pool_name_replaces_its_placeholder_everywhere) {
    const auto outcome = read(
        "[w]\nlisten = /run/$pool-$pool.sock\npm = static\npm.max_children = 1\n"
        "env[A] = $pool x$pool\nphp_value[b] = ${pool}$pool\nenv[$pool] = c\n");
    const PoolSettings& pool = outcome.configuration.pools.at(0);
    EXPECT_EQ(pool.listen, "/run/w-w.sock");
    EXPECT_THAT(pool.env, ElementsAre(KeyValue{"$pool", "c"}, KeyValue{"A", "w xw"}));
    EXPECT_EQ(pool.phpValues.at(0).value, "w");
}

TEST_F(Reader, variables_come_from_definitions_then_the_environment) {
    ::setenv("CONFIG_TEST_A", "from-environment", 1);
    ::setenv("CONFIG_TEST_B", "from-environment", 1);
    ReadOptions options;
    options.iniValues["CONFIG_TEST_A"] = "defined";
    const auto outcome = read(kPool +
                                  "user = ${CONFIG_TEST_A}\ngroup = ${CONFIG_TEST_B}\n"
                                  "access.format = ${CONFIG_TEST_C:-none}\n"
                                  "env[X] = $CONFIG_TEST_B\n[${CONFIG_TEST_A}]\n",
                              options);
    const PoolSettings& pool = outcome.configuration.pools.at(0);
    EXPECT_EQ(pool.user, "defined");
    EXPECT_EQ(pool.group, "from-environment");
    EXPECT_EQ(pool.accessFormat, "none");
    EXPECT_EQ(pool.env.at(0).value, "$CONFIG_TEST_B");
    EXPECT_EQ(outcome.configuration.pools.at(1).name, "defined");
}

TEST_F(Reader, array_entries_are_kept_newest_first) {
    const auto outcome = read(kPool +
                              "env[A] = 1\nenv[B] = 2\nenv[A] = 3\nphp_value[v] =\n"
                              "php_flag[f] = on\nphp_admin_flag[g] = off\n");
    const PoolSettings& pool = outcome.configuration.pools.at(0);
    EXPECT_THAT(pool.env, ElementsAre(KeyValue{"A", "3"}, KeyValue{"B", "2"}, KeyValue{"A", "1"}));
    EXPECT_THAT(pool.phpValues, ElementsAre(KeyValue{"f", "1"}, KeyValue{"v", ""}));
    EXPECT_THAT(pool.phpAdminValues, ElementsAre(KeyValue{"g", "0"}));
}

TEST_F(Reader, every_error_of_every_file_is_reported_at_once) {
    write("pool.d/a.conf", "[a]\nlisten = 9001\npm = sometimes\npm.max_children = many\n");
    write("pool.d/b.conf", "[b]\nenv[] = x\nlisten = 9002\npm = static\npm.max_children = 2\n");
    const auto outcome =
        read("log_limt = 1024\ndaemonize = perhaps\ninclude = " + path("pool.d/*.conf") +
             "\n\nclear_env = \"x\n");
    EXPECT_FALSE(outcome.parsed);
    EXPECT_FALSE(outcome.valid);
    EXPECT_THAT(
        lines(outcome),
        ElementsAre(
            "ERROR: [m.conf:1] unknown entry 'log_limt' | did you mean 'log_limit'?",
            "ERROR: [m.conf:2] unable to parse value for entry 'daemonize': invalid boolean value "
            "| found 'perhaps', expected yes or no",
            "ERROR: [pool.d/a.conf:3] unable to parse value for entry 'pm': invalid process "
            "manager (static, dynamic or ondemand) | found 'sometimes', expected static, dynamic "
            "or ondemand",
            "ERROR: [pool.d/a.conf:4] unable to parse value for entry 'pm.max_children': is not a "
            "valid number (greater or equal than zero) | found 'many', expected a whole number "
            "such as 5",
            "ERROR: Unable to include pool.d/a.conf from m.conf at line 3",
            "ERROR: [pool.d/b.conf:2] You must provide a key for field 'env' | found an empty one, "
            "expected env[NAME] = value",
            "ERROR: Unable to include pool.d/b.conf from m.conf at line 3",
            "ERROR: [m.conf:5] syntax error, unexpected end of line | expected '\"' to close the "
            "quoted text on its line"));
}

TEST_F(Reader, unknown_names_get_the_best_advice) {
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"[w]\npm.max_childen = 5",
         "unknown entry 'pm.max_childen' | did you mean 'pm.max_children'?"},
        {"[w]\nfoo = 5", "unknown entry 'foo' | expected the name of a directive"},
        {"[w]\ndaemonize = no", "unknown entry 'daemonize' | it belongs to the [global] section"},
        {"\npm = static", "unknown entry 'pm' | it belongs to a pool's section, such as [www]"},
        {"[w]\ndeamonize = no",
         "unknown entry 'deamonize' | did you mean 'daemonize'? It belongs to the [global] "
         "section"},
        {"[w]\nInclude = x", "unknown entry 'Include' | did you mean 'include'?"},
        {"[w]\nenv = x", "unknown entry 'env' | expected a key: env[NAME] = value"},
        {"[w]\naccess.suppress_path = /x",
         "unknown entry 'access.suppress_path' | expected access.suppress_path[] = /path"},
        {"\nenv = x",
         "unknown entry 'env' | expected a key: env[NAME] = value, in a pool's section"},
        {"[w]\npm[x] = y", "unknown directive 'pm' | expected no key: pm = value"},
        {"[w]\nEnv[x] = y", "unknown directive 'Env' | did you mean 'env'?"},
        {"[w]\nfoo[x] = y", "unknown directive 'foo' | expected the name of a directive"},
        {"[w]\nenv[A] = ''", "empty value | found '', expected \"\" for an empty text"},
        {"[w]\nenv[A] =", "empty value | found 'env[A]' without one, expected env[NAME] = value"},
        {"[w]\nphp_flag[a] = 2",
         "error while parsing 'php_flag[a]' : invalid boolean value | found '2', expected yes or "
         "no"},
        {"\nenv[A] = b",
         "Array are not allowed in the global section | found 'env[A]', expected it in a pool's "
         "section such as [www]"},
        {"\npid = /run/$pool.pid",
         "unable to parse value for entry 'pid': Can't use '$pool' when the pool is not defined | "
         "found '/run/$pool.pid', expected a path without $pool"},
        {"[w]\nlisten.setfib = 1",
         "unknown entry 'listen.setfib' | expected the name of a directive"},
    };
    for (const auto& [content, expected] : rows) {
        EXPECT_THAT(lines(read(content)), Contains("ERROR: [m.conf:2] " + expected)) << content;
    }
}

TEST_F(Reader, suppressed_paths_have_no_key_and_start_with_a_slash) {
    const auto outcome = read(kPool +
                              "access.suppress_path[] = /$pool\n"
                              "access.suppress_path[] = /b\n");
    EXPECT_THAT(lines(outcome), IsEmpty());
    EXPECT_THAT(outcome.configuration.pools.at(0).accessSuppressPaths,
                ElementsAre(KeyValue{"", "/b"}, KeyValue{"", "/www"}));
    const std::string keyed =
        "ERROR: [m.conf:5] Keys provided to field 'access.suppress_path' are ignored | found 'k', "
        "expected access.suppress_path[] = /path";
    const auto value = [](const std::string& found) {
        return "ERROR: [m.conf:5] Values provided to field 'access.suppress_path' must begin with "
               "'/' | found '" +
               found + "', expected a path such as /ping";
    };
    EXPECT_THAT(lines(read(kPool + "access.suppress_path[k] = /a\n")), ElementsAre(keyed));
    EXPECT_THAT(lines(read(kPool + "access.suppress_path[] =\n")), ElementsAre(value("")));
    EXPECT_THAT(lines(read(kPool + "access.suppress_path[k] = a\n")),
                ElementsAre(keyed, value("a")));
    EXPECT_THAT(lines(read("access.suppress_path[] = /a\n" + kPool)),
                ElementsAre(StartsWith("ERROR: [m.conf:1] Array are not allowed")));
    EXPECT_THAT(lines(read(kPool + "Access.suppress_path[x] = /a\n")),
                ElementsAre(StartsWith("ERROR: [m.conf:5] unknown directive 'Access.")));
}

TEST_F(Reader, a_value_that_failed_is_not_missed_as_well) {
    const std::string start = "[w]\nlisten = 9000\n";
    EXPECT_EQ(read(start + "pm = sometimes\npm.max_children = 5\n").messages.size(), 1U);
    EXPECT_EQ(read(start + "pm = static\npm.max_children = x\n").messages.size(), 1U);
    EXPECT_EQ(read(start + "pm = static\npm.max_childen = 5\n").messages.size(), 1U);
    EXPECT_EQ(read(start + "pm = static\npm.max_children\n").messages.size(), 1U);
    EXPECT_EQ(read(start + "pm = static\npm.max_children = 5=6\n").messages.size(), 1U);
    EXPECT_EQ(read("[w\n" + start.substr(4) + "daemonize = no\n").messages.size(), 1U);
}

TEST_F(Reader, hostile_names_do_not_spoil_the_log) {
    const auto outcome = read(kPool + std::string(70'000, 'k') + " = 1\na\x01\x7f" + " = 2\n");
    ASSERT_EQ(outcome.messages.size(), 2U);
    EXPECT_LT(outcome.messages[0].text.size(), 2'300U);
    EXPECT_THAT(outcome.messages[1].text, HasSubstr("'a\\x01\\x7f'"));
}

TEST_F(Reader, sloppy_values_are_warned_about) {
    const auto outcome = read(kPool + "request_terminate_timeout = 1.5m\nping.response = don't\n");
    EXPECT_TRUE(outcome.valid);
    EXPECT_THAT(
        lines(outcome),
        ElementsAre(AllOf(StartsWith("WARNING: [m.conf:5] the value of 'request_terminate_timeout' "
                                     "is read as 60 seconds"),
                          HasSubstr(" | found '1.5m'")),
                    AllOf(StartsWith("WARNING: [m.conf:6] a single quote without its partner"),
                          HasSubstr(" | found 'don'"))));
}

TEST_F(Reader, includes_are_sorted_and_leave_out_hidden_files_and_directories) {
    write("d/b.conf", "[b]\nlisten = 2\npm = static\npm.max_children = 1\n");
    write("d/a.conf", "[a]\nlisten = 1\npm = static\npm.max_children = 1\n");
    write("d/.c.conf", "[hidden]\n");
    write("d/e.conf/f", "[directory]\n");
    const auto outcome = read("include = " + path("d/*.conf") + "\nuser = late\n");
    EXPECT_THAT(lines(outcome), IsEmpty());
    ASSERT_EQ(outcome.configuration.pools.size(), 2U);
    EXPECT_EQ(outcome.configuration.pools[0].name, "a");
    EXPECT_EQ(outcome.configuration.pools[0].origin.file, path("d/a.conf"));
    EXPECT_EQ(outcome.configuration.pools[1].name, "b");
    EXPECT_EQ(outcome.configuration.pools[1].user, "late");
}

TEST_F(Reader, line_numbers_are_true_after_an_include) {
    write("a.inc", "; 1\n; 2\n; 3\n");
    EXPECT_THAT(lines(read("include = " + path("a.inc") + "\n\nfoo = 1\n" + kPool)),
                ElementsAre(StartsWith("ERROR: [m.conf:3] ")));
}

TEST_F(Reader, includes_that_find_nothing) {
    EXPECT_THAT(lines(read(kPool + "include = " + path("none.conf") + "\ninclude =\n")),
                ElementsAre("WARNING: Nothing matches the include pattern 'none.conf' from m.conf "
                            "at line 5."));
    const auto outcome = read(kPool + "include = " + path("none/*.conf") + "\n");
    EXPECT_THAT(lines(outcome),
                ElementsAre(StartsWith("ERROR: Unable to globalize 'none/*.conf' (ret=2) from "
                                       "m.conf at line 5. | expected a pattern")));
    EXPECT_FALSE(outcome.parsed);
}

TEST_F(Reader, included_file_that_cannot_be_read) {
    ::symlink(path("gone").c_str(), path("a.inc").c_str());
    EXPECT_THAT(lines(read(kPool + "include = " + path("*.inc") + "\n")),
                ElementsAre("ERROR: failed to open configuration file 'a.inc': No such file or "
                            "directory (2)",
                            "ERROR: Unable to include a.inc from m.conf at line 5"));
}

TEST_F(Reader, five_files_deep_is_the_limit) {
    for (int i = 1; i < 5; ++i) {
        write(std::to_string(i) + ".inc", "include = " + path(std::to_string(i + 1) + ".inc"));
    }
    write("4.inc", kPool);
    EXPECT_THAT(lines(read("include = " + path("1.inc"))), IsEmpty());
    write("4.inc", "include = " + path("5.inc"));
    write("5.inc", kPool);
    EXPECT_THAT(lines(read("include = " + path("1.inc"))),
                ElementsAre("ERROR: failed to include more than 5 files recursively",
                            "ERROR: Unable to include 5.inc from 4.inc at line 1",
                            "ERROR: Unable to include 4.inc from 3.inc at line 1",
                            "ERROR: Unable to include 3.inc from 2.inc at line 1",
                            "ERROR: Unable to include 2.inc from 1.inc at line 1",
                            "ERROR: Unable to include 1.inc from m.conf at line 1"));
}

TEST_F(Reader, files_that_include_each_other_end_soon) {
    for (int i = 0; i < 50; ++i) {
        write("d/" + std::to_string(i) + ".conf", "include = " + path("d/*.conf") + "\n");
    }
    EXPECT_LT(read("include = " + path("d/*.conf")).messages.size(), 10U);
}

TEST_F(Reader, main_file_that_cannot_be_read) {
    const auto text = [&](const std::string& file) {
        ReadOptions options;
        options.file = file;
        const auto outcome = readConfiguration(options);
        EXPECT_FALSE(outcome.parsed);
        EXPECT_FALSE(outcome.valid);
        return lines(outcome);
    };
    EXPECT_THAT(text(""), ElementsAre("ERROR: configuration filename is empty"));
    EXPECT_THAT(text(path("none")), ElementsAre("ERROR: failed to open configuration file 'none': "
                                                "No such file or directory (2)"));
    write("d/x", "");
    EXPECT_THAT(text(path("d")), ElementsAre("ERROR: failed to open configuration file 'd': Is a "
                                             "directory (21)"));
    ::symlink(path("loop").c_str(), path("loop").c_str());
    EXPECT_THAT(text(path("loop")), ElementsAre(HasSubstr("Too many levels of symbolic links")));
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path("s").copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_THAT(text(path("s")), ElementsAre(HasSubstr("No such device or address (6)")));
    EXPECT_THAT(text("/dev/zero"), ElementsAre(HasSubstr("larger than")));
    if (::geteuid() != 0) {
        ::chmod(write("secret", "").c_str(), 0);
        EXPECT_THAT(text(path("secret")), ElementsAre(HasSubstr("Permission denied (13)")));
    }
}

TEST_F(Reader, long_lines_are_read_whole) {
    const std::string text(64 * 1024, 'x');
    const auto outcome = read(kPool + "env[A] = " + text + "\nping.response = \"" + text +
                              "\"\nping.path = /p\n;" + text + "\nuser = end\n");
    EXPECT_THAT(lines(outcome), IsEmpty());
    const PoolSettings& pool = outcome.configuration.pools.at(0);
    EXPECT_EQ(pool.env.at(0).value, text);
    EXPECT_EQ(pool.pingResponse, text);
    EXPECT_EQ(pool.user, "end");
}

TEST_F(Reader, expansions_cannot_fill_the_memory) {
    const std::string name(100'000, 'n');
    std::string words;
    std::string variables;
    for (int i = 0; i < 10'000; ++i) {
        words += "$pool";
        variables += "${LONG}";
    }
    const std::string pool = "[" + name + "]\nlisten = 9000\npm = static\npm.max_children = 1\n";
    EXPECT_THAT(lines(read(pool + "env[A] = " + words + "\n")),
                ElementsAre(HasSubstr("values are too large with the pool's name")));
    EXPECT_THAT(lines(read(pool + "ping.response = " + words + "\n")),
                ElementsAre(HasSubstr("values are too large with the pool's name")));
    ReadOptions options;
    options.iniValues["LONG"] = name;
    EXPECT_THAT(lines(read(kPool + "env[A] = " + variables + "\n", options)),
                Contains(HasSubstr("values are too large with what ${NAME} stands for")));
}

TEST_F(Reader, large_files_take_bounded_time) {
    const std::clock_t start = std::clock();
    std::string entries = kPool;
    std::string pools;
    std::string noise;
    for (int i = 0; entries.size() < (10U << 20U); ++i) {
        entries += "env[name_of_variable_" + std::to_string(i) + "] = value\n";
    }
    for (int i = 0; i < 20'000; ++i) {
        pools += "[p" + std::to_string(i) + "]\nlisten = /s/" + std::to_string(i) +
                 "\npm = static\npm.max_children = 1\n";
    }
    while (noise.size() < (10U << 20U)) {
        noise += "unknwon.directive = 1\n";
    }
    EXPECT_TRUE(read(entries).valid);
    EXPECT_EQ(read(pools).configuration.pools.size(), 20'000U);
    const auto outcome = read(noise);
    EXPECT_FALSE(outcome.valid);
    EXPECT_LE(outcome.messages.size(), 1'001U);
    EXPECT_THAT(outcome.messages.back().text, HasSubstr("the rest is not read"));
    EXPECT_FALSE(read(kPool + std::string(10U << 20U, 'x')).valid);
    // Of this process's own time: what else the machine does is not our business.
    EXPECT_LT((std::clock() - start) / CLOCKS_PER_SEC, 30);
}

}  // namespace
}  // namespace muster::config::test
