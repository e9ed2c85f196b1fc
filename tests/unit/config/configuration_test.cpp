// Paths, overrides, -tt's lines, and the way of a pool's settings to its manager.
#include "config/configuration.h"

#include <nlohmann/json.hpp>

#include "config/directives.h"
#include "config/paths.h"
#include "config/reference.h"
#include "fixture.h"

namespace muster::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Whole = Files;

TEST(Paths, are_put_behind_the_prefix) {
    EXPECT_EQ(absolutePath("/a", "/p", kStateDirectory), "/a");
    EXPECT_EQ(absolutePath("a", "", kStateDirectory), "/var/a");
    EXPECT_EQ(absolutePath("a", "/p", kStateDirectory), "/p/a");
    EXPECT_EQ(absolutePath("", "", kStateDirectory), "/var/");
}

TEST(Paths, of_a_pool_start_at_its_prefix) {
    EXPECT_EQ(absolutePoolPath("/a", {"/pool", "/p"}), "/a");
    EXPECT_EQ(absolutePoolPath("a", {}), "/usr/a");
    EXPECT_EQ(absolutePoolPath("a", {"", "/p"}), "/p/a");
    EXPECT_EQ(absolutePoolPath("a", {"/pool", "/p"}), "/pool/a");
    EXPECT_EQ(absolutePoolPath("a", {"", "p"}), "p/p/a");
    EXPECT_EQ(absolutePoolPath("a", {"p/pool", "p"}), "p/p/pool/a");
    EXPECT_EQ(absolutePoolPath("", {"", "/p"}), "");
}

TEST(Paths, chroot_may_start_with_the_prefix) {
    EXPECT_EQ(absoluteChroot("$prefix", {}), "/usr");
    EXPECT_EQ(absoluteChroot("$prefix", {"/pool", "/p"}), "/pool");
    EXPECT_EQ(absoluteChroot("$prefixa", {"/pool", "/p"}), "/pool/a");
    EXPECT_EQ(absoluteChroot("$prefix/a", {"", "/p"}), "/p//a");
    EXPECT_EQ(absoluteChroot("$prefix", {"", "p"}), "p/p");
    EXPECT_EQ(absoluteChroot("a/$prefix", {"/pool", "/p"}), "a/$prefix");
    EXPECT_EQ(absoluteChroot("/a/$prefix", {"/pool", "/p"}), "/a/$prefix");
    EXPECT_EQ(absoluteChroot("a", {"/pool", "/p"}), "/pool/a");
    EXPECT_EQ(absoluteChroot("", {"/pool", "/p"}), "");
}

TEST(Paths, php_settings_that_name_files_are_made_absolute) {
    const PathBase plain;
    EXPECT_EQ(absoluteIniValue("error_log", "x.log", plain), "/usr/x.log");
    EXPECT_EQ(absoluteIniValue("Error_Log", "x.log", {"/pool", "/p"}), "/pool/x.log");
    EXPECT_EQ(absoluteIniValue("error_log", "syslog", plain), "syslog");
    EXPECT_EQ(absoluteIniValue("sendmail_path", "/bin/x", plain), "/bin/x");
    EXPECT_EQ(absoluteIniValue("memory_limit", "8M", plain), "8M");
}

TEST_F(Whole, a_pools_paths_start_at_its_prefix_wherever_that_is_written) {
    write("base/in/x", "");
    const auto outcome = read(
        kPool + "listen = s\naccess.log = l\nslowlog = w\nchdir = in\nphp_value[error_log] = e\n" +
        "php_admin_value[extension_dir] = x\npm.status_listen = t\nprefix = " + path("base") +
        "\n");
    EXPECT_THAT(lines(outcome), ::testing::IsEmpty());
    const PoolSettings& pool = outcome.configuration.pools.at(0);
    EXPECT_EQ(pool.listen, path("base/s"));
    EXPECT_EQ(pool.accessLog, path("base/l"));
    EXPECT_EQ(pool.slowlog, path("base/w"));
    EXPECT_EQ(pool.chdir, path("base/in"));
    EXPECT_EQ(pool.phpValues.at(0).value, path("base/e"));
    EXPECT_EQ(pool.phpAdminValues.at(0).value, path("base/x"));
    EXPECT_EQ(pool.statusListen, "/usr/t");
}

TEST_F(Whole, php_settings_of_a_pool_with_a_root_of_its_own_stay_relative) {
    const auto outcome = read(kPool + "chroot = /\nphp_value[error_log] = e\n");
    EXPECT_EQ(outcome.configuration.pools.at(0).phpValues.at(0).value, "e");
}

TEST_F(Whole, paths_of_a_file_are_absolute_when_it_is_read) {
    write("inc/a.conf", "access.log = l\nlisten = s\nphp_value[error_log] = e\n");
    ReadOptions options;
    options.prefix = path("");
    options.prefix.pop_back();
    const auto outcome =
        read("pid = p\nerror_log = e\n" + kPool + "include = inc/*.conf\n", options);
    EXPECT_TRUE(outcome.valid);
    EXPECT_EQ(outcome.configuration.global.pid, path("p"));
    EXPECT_EQ(outcome.configuration.global.errorLog, path("e"));
    EXPECT_EQ(outcome.configuration.pools.at(0).accessLog, path("l"));
    EXPECT_EQ(outcome.configuration.pools.at(0).listen, path("s"));
    EXPECT_EQ(outcome.configuration.pools.at(0).phpValues.at(0).value, path("e"));
}

TEST_F(Whole, addresses_and_ports_are_no_paths) {
    for (const char* listen : {"9000", "127.0.0.1:9000", "[::1]:9000", "localhost:9000"}) {
        EXPECT_EQ(read(kPool + "listen = " + listen).configuration.pools.at(0).listen, listen);
    }
}

TEST_F(Whole, error_log_follows_the_program_unless_written) {
    EXPECT_EQ(read(kPool).configuration.global.errorLog, "/var/log/php-fpm.log");
    ReadOptions options;
    options.defaultErrorLog = "log/other.log";
    EXPECT_EQ(read(kPool, options).configuration.global.errorLog, "/var/log/other.log");
    EXPECT_EQ(read("error_log = SysLog\n" + kPool, options).configuration.global.errorLog,
              "SysLog");
}

TEST_F(Whole, command_line_and_file_each_have_their_say) {
    ReadOptions options;
    options.pidFile = "/g.pid";
    options.daemonize = false;
    EXPECT_EQ(read(kPool, options).configuration.global.pid, "/g.pid");
    EXPECT_EQ(read("pid = /f.pid\n" + kPool, options).configuration.global.pid, "/f.pid");
    EXPECT_FALSE(read("daemonize = yes\n" + kPool, options).configuration.global.daemonize);
    EXPECT_EQ(read(kPool).configuration.global.pid, "");
}

TEST_F(Whole, dump_has_php_fpms_order_and_forms) {
    const auto outcome = read(
        "[global]\npid = /p\nprocess_control_timeout = 1m\n[www]\nuser = u\nlisten = /s\n"
        "listen.backlog = 128\nlisten.mode = 0600\npm = ondemand\npm.max_children = 5\n"
        "pm.process_idle_timeout = 20s\naccess.log = /l\naccess.format = "
        "%R\naccess.suppress_path[] = /ping\naccess.suppress_path[] = /health\napparmor_hat = h\n"
        "request_terminate_timeout = 60s\nclear_env = no\nenv[HOSTNAME] = $HOSTNAME\nenv[TMP] = "
        "/tmp\nphp_value[memory_limit] = 32M\nphp_flag[display_errors] = off\n"
        "php_admin_value[a] = 1\n");
    ASSERT_TRUE(outcome.valid);
    EXPECT_THAT(
        dumpConfiguration(outcome.configuration),
        ElementsAre(
            "[global]", "\tpid = /p", "\terror_log = /var/log/php-fpm.log",
            "\tsyslog.ident = php-fpm", "\tsyslog.facility = 24", "\tlog_buffering = yes",
            "\tlog_level = unknown value", "\tlog_limit = 1024",
            "\temergency_restart_interval = 0s", "\temergency_restart_threshold = 0",
            "\tprocess_control_timeout = 60s", "\tprocess.max = 0",
            "\tprocess.priority = undefined", "\tdaemonize = yes", "\trlimit_files = 0",
            "\trlimit_core = 0", "\tevents.mechanism = epoll", "\tsystemd_interval = 10s", " ",
            "[www]", "\tprefix = undefined", "\tuser = u", "\tgroup = undefined", "\tlisten = /s",
            "\tlisten.backlog = 128", "\tlisten.acl_users = undefined",
            "\tlisten.acl_groups = undefined", "\tlisten.owner = undefined",
            "\tlisten.group = undefined", "\tlisten.mode = 0600",
            "\tlisten.allowed_clients = undefined", "\tprocess.priority = undefined",
            "\tprocess.dumpable = no", "\tpm = ondemand", "\tpm.max_children = 5",
            "\tpm.start_servers = 0", "\tpm.min_spare_servers = 0", "\tpm.max_spare_servers = 0",
            "\tpm.max_spawn_rate = 32", "\tpm.process_idle_timeout = 20", "\tpm.max_requests = 0",
            "\tpm.status_path = undefined", "\tpm.status_listen = undefined",
            "\tping.path = undefined", "\tping.response = undefined", "\taccess.log = /l",
            "\taccess.format = %R", "\taccess.suppress_path[] = /health",
            "\taccess.suppress_path[] = /ping", "\tslowlog = undefined",
            "\trequest_slowlog_timeout = 0s", "\trequest_slowlog_trace_depth = 20",
            "\trequest_terminate_timeout = 60s", "\trequest_terminate_timeout_track_finished = no",
            "\trlimit_files = 0", "\trlimit_core = 0", "\tchroot = undefined",
            "\tchdir = undefined", "\tcatch_workers_output = no", "\tdecorate_workers_output = yes",
            "\tclear_env = no", "\tsecurity.limit_extensions = .php .phar", "\tenv[TMP] = /tmp",
            "\tenv[HOSTNAME] = $HOSTNAME", "\tphp_value[display_errors] = 0",
            "\tphp_value[memory_limit] = 32M", "\tphp_admin_value[a] = 1", " "));
}

TEST_F(Whole, dump_tells_an_empty_text_from_none) {
    const auto outcome = read("syslog.ident =\n" + kPool +
                              "group =\nslowlog =\nlisten.allowed_clients =\naccess.format =\n"
                              "ping.response = x\nsecurity.limit_extensions =\n");
    const auto dump = dumpConfiguration(outcome.configuration);
    for (const char* line :
         {"\tsyslog.ident = ", "\tgroup = ", "\tslowlog = ", "\tlisten.allowed_clients = ",
          "\taccess.format = ", "\tping.response = undefined",
          "\tsecurity.limit_extensions = ", "\tuser = undefined"}) {
        EXPECT_THAT(dump, ::testing::Contains(line));
    }
}

TEST_F(Whole, dump_shows_directives_php_fpm_lacks_only_when_they_were_written) {
    const auto dump = [&](const std::string& content) {
        return dumpConfiguration(read(content).configuration);
    };
    EXPECT_THAT(dump(kPool), ::testing::Not(::testing::Contains(HasSubstr("log.format"))));
    EXPECT_THAT(dump("log.format = Text\n" + kPool), ::testing::Contains("\tlog.format = text"));
    EXPECT_THAT(dump("log.format = json\n" + kPool), ::testing::Contains("\tlog.format = json"));
}

PoolSettings unusualPool() {
    PoolSettings pool;
    for (int i = 0; i < 256; ++i) {
        pool.name += static_cast<char>(i);
    }
    pool.origin = {"/etc/\xff.conf", 7};
    pool.listen = "/run/\xc3\xa9\xe9.sock";
    pool.pm = ProcessManager::ondemand;
    pool.maxChildren = 2147483647;
    pool.listenBacklog = -2147483647 - 1;
    pool.clearEnv = false;
    pool.limitExtensions = "";
    pool.env = {{"A", "\xfe\"\\\n"}, {"A", ""}};
    pool.phpAdminValues = {{"k", std::string("a\0b", 3)}};
    return pool;
}

TEST(Transfer, every_byte_comes_back) {
    const PoolSettings pool = unusualPool();
    const std::string text = encodePool(pool);
    const auto back = decodePool(text);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(encodePool(*back), text);
    EXPECT_EQ(back->name, pool.name);
    EXPECT_EQ(back->origin.file, pool.origin.file);
    EXPECT_EQ(back->origin.line, 7);
    EXPECT_EQ(back->listen, pool.listen);
    EXPECT_EQ(back->pm, ProcessManager::ondemand);
    EXPECT_EQ(back->maxChildren, 2147483647);
    EXPECT_EQ(back->listenBacklog, pool.listenBacklog);
    EXPECT_FALSE(back->clearEnv);
    EXPECT_EQ(back->limitExtensions, "");
    EXPECT_EQ(back->env, pool.env);
    EXPECT_EQ(back->phpAdminValues, pool.phpAdminValues);
}

TEST(Transfer, every_directive_travels) {
    const auto object = nlohmann::json::parse(encodePool(PoolSettings{}));
    for (const Directive& directive : directives()) {
        const bool ofPool = findDirective(Scope::pool, directive.name, false) != nullptr ||
                            findDirective(Scope::pool, directive.name, true) != nullptr;
        EXPECT_EQ(object.contains(std::string(directive.name)),
                  ofPool && directive.type != Type::flagArray)
            << directive.name;
    }
}

TEST(Transfer, anything_but_a_whole_pool_is_refused) {
    const auto problem = [](const std::string& text) {
        const auto pool = decodePool(text);
        return pool ? std::string("accepted") : pool.error().text();
    };
    for (const char* text : {"", "{", "[]", "1", "null", "\"x\""}) {
        EXPECT_THAT(problem(text), HasSubstr("not a JSON object")) << text;
    }
    const auto with = [](const char* key, const nlohmann::json& value) {
        auto object = nlohmann::json::parse(encodePool(PoolSettings{}));
        object[key] = value;
        return object.dump();
    };
    EXPECT_THAT(problem("{}"), HasSubstr("is missing"));
    EXPECT_THAT(problem(with("surprise", 1)), HasSubstr("'surprise' is unknown"));
    const std::vector<std::pair<const char*, nlohmann::json>> wrong = {
        {"pm", "fixed"},
        {"pm", 3},
        {"pm.max_children", "5"},
        {"pm.max_children", 2147483648U},
        {"pm.max_children", -2147483649},
        {"pm.max_children", 18446744073709551615U},
        {"pm.max_children", 1.5},
        {"clear_env", 1},
        {"user", nullptr},
        {"user", "\xe2\x82\xac"},
        {"env", {{"A"}}},
        {"env", {{"A", 1}}},
        {"env", "A"},
        {"section line", "1"},
    };
    for (const auto& [key, value] : wrong) {
        EXPECT_THAT(problem(with(key, value)), HasSubstr("has a value of the wrong kind"))
            << key << value;
    }
}

/// A file of docs/ is what the table says now; MUSTER_WRITE_REFERENCE=1 makes it so.
void expectCurrent(const std::string& file, const std::string& text) {
    const std::string path = std::string(MUSTER_SOURCE_DIR) + "/docs/" + file;
    if (std::getenv("MUSTER_WRITE_REFERENCE") != nullptr) {
        std::ofstream(path) << text;
    }
    EXPECT_EQ(contentOf(path), text);
}

TEST(Reference, document_is_current) {
    expectCurrent("directives.md", directivesReference());
}

TEST(Reference, manual_page_is_current) {
    expectCurrent("man/muster.conf.5", manualPage());
}

}  // namespace
}  // namespace muster::config::test
