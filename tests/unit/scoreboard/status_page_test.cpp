// The status page, byte for byte, and what hostile values make of it.
#include "scoreboard/status_page.h"

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "board.h"

namespace muster::scoreboard {
namespace {

constexpr std::uint64_t kStart = 1795216320 * kNsPerSecond;  // 20 Nov 2026 23:12:00 UTC

template <std::size_t Size>
void set(char (&field)[Size], const char* text) {
    std::strncpy(field, text, Size - 1);
}

class StatusPageTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }

    StatusPageTest() {
        pool_.name = "www";
        pool_.processManager = 2;
        pool_.startedWallNs = kStart;
        pool_.takenNs = 100 * kNsPerSecond;
        pool_.takenWallNs = kStart;
        pool_.totals.requests = 3;
        pool_.totals.maxActive = 1;
        pool_.listenLimit = 4096;
        pool_.idle = 1;
        pool_.active = 1;
        pool_.workers.resize(2);
        WorkerSnapshot& running = pool_.workers[0];
        running.pid = 4606;
        running.stage = Stage::running;
        running.startedNs = pool_.takenNs;
        running.startedWallNs = kStart;
        running.facts.requests = 2;
        running.facts.acceptedNs = pool_.takenNs - 75'999;
        running.facts.durationNs = 5;
        running.facts.cpuNs = 5;
        running.facts.memoryPeak = 5;
        set(running.facts.method, "GET");
        set(running.facts.uri, "/status");
        set(running.facts.query, "full");
        WorkerSnapshot& idle = pool_.workers[1];
        idle.pid = 4607;
        idle.stage = Stage::idle;
        idle.startedNs = pool_.takenNs;
        idle.startedWallNs = kStart;
        idle.facts.requests = 1;
        idle.facts.durationNs = 347'000;
        idle.facts.memoryPeak = 2'097'152;
        set(idle.facts.method, "GET");
        set(idle.facts.uri, "/status");
    }

    [[nodiscard]] std::string text(bool full) const {
        return renderStatus(pool_, {StatusFormat::text, full}).body;
    }
    [[nodiscard]] std::string page(StatusFormat format, bool full) const {
        return renderStatus(pool_, {format, full}).body;
    }
    [[nodiscard]] std::string json(bool full) const {
        return renderStatus(pool_, {StatusFormat::json, full}).body;
    }

    PoolSnapshot pool_;
};

constexpr const char* kBriefText =
    "pool:                 www\n"
    "process manager:      dynamic\n"
    "start time:           20/Nov/2026:23:12:00 +0000\n"
    "start since:          0\n"
    "accepted conn:        3\n"
    "listen queue:         0\n"
    "max listen queue:     0\n"
    "listen queue len:     4096\n"
    "idle processes:       1\n"
    "active processes:     1\n"
    "total processes:      2\n"
    "max active processes: 1\n"
    "max children reached: 0\n"
    "slow requests:        0\n"
    "memory peak:          0\n";

constexpr const char* kWorkersText =
    "\n************************\n"
    "pid:                  4606\n"
    "state:                Running\n"
    "start time:           20/Nov/2026:23:12:00 +0000\n"
    "start since:          0\n"
    "requests:             2\n"
    "request duration:     75\n"
    "request method:       GET\n"
    "request URI:          /status?full\n"
    "content length:       0\n"
    "user:                 -\n"
    "script:               -\n"
    "last request cpu:     0.00\n"
    "last request memory:  0\n"
    "\n************************\n"
    "pid:                  4607\n"
    "state:                Idle\n"
    "start time:           20/Nov/2026:23:12:00 +0000\n"
    "start since:          0\n"
    "requests:             1\n"
    "request duration:     347\n"
    "request method:       GET\n"
    "request URI:          /status\n"
    "content length:       0\n"
    "user:                 -\n"
    "script:               -\n"
    "last request cpu:     0.00\n"
    "last request memory:  2097152\n";

TEST_F(StatusPageTest, brief_text) {
    EXPECT_EQ(text(false), kBriefText);
}

TEST_F(StatusPageTest, full_text) {
    EXPECT_EQ(text(true), std::string(kBriefText) + kWorkersText);
}

constexpr const char* kPoolJson =
    R"({"pool":"www","process manager":"dynamic","start time":1795216320,"start since":0,)"
    R"("accepted conn":3,"listen queue":0,"max listen queue":0,"listen queue len":4096,)"
    R"("idle processes":1,"active processes":1,"total processes":2,"max active processes":1,)"
    R"("max children reached":0,"slow requests":0,"memory peak":0)";

TEST_F(StatusPageTest, brief_json) {
    EXPECT_EQ(json(false), std::string(kPoolJson) + "}");
}

TEST_F(StatusPageTest, full_json) {
    EXPECT_EQ(
        json(true),
        std::string(kPoolJson) +
            R"(, "processes":[{"pid":4606,"state":"Running","start time":1795216320,)"
            R"("start since":0,"requests":2,"request duration":75,"request method":"GET",)"
            R"("request uri":"\/status?full","content length":0,"user":"-","script":"-",)"
            R"("last request cpu":0.00,"last request memory":0},)"
            R"({"pid":4607,"state":"Idle","start time":1795216320,"start since":0,"requests":1,)"
            R"("request duration":347,"request method":"GET","request uri":"\/status",)"
            R"("content length":0,"user":"-","script":"-","last request cpu":0.00,)"
            R"("last request memory":2097152}]})");
}

TEST_F(StatusPageTest, full_without_workers) {
    pool_.workers.clear();
    EXPECT_EQ(text(true), kBriefText);
    EXPECT_EQ(json(true), std::string(kPoolJson) + R"(, "processes":[]})");
}

TEST_F(StatusPageTest, content_types_are_php_fpms) {
    const auto typeOf = [this](StatusFormat format) {
        const StatusPage page = renderStatus(pool_, {format, false});
        return page.contentType + (page.takesCharset ? " + charset" : "");
    };
    EXPECT_EQ(typeOf(StatusFormat::text), "text/plain + charset");
    EXPECT_EQ(typeOf(StatusFormat::json), "application/json");
    EXPECT_EQ(typeOf(StatusFormat::xml), "text/xml + charset");
    EXPECT_EQ(typeOf(StatusFormat::html), "text/html + charset");
    EXPECT_EQ(typeOf(StatusFormat::openMetrics),
              "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

constexpr const char* kPoolHtml =
    "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" "
    "\"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\">\n"
    "<html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" lang=\"en\">\n"
    "<head><title>PHP-FPM Status Page</title></head>\n"
    "<body>\n"
    "<table>\n"
    "<tr><th>pool</th><td>www</td></tr>\n"
    "<tr><th>process manager</th><td>dynamic</td></tr>\n"
    "<tr><th>start time</th><td>20/Nov/2026:23:12:00 +0000</td></tr>\n"
    "<tr><th>start since</th><td>0</td></tr>\n"
    "<tr><th>accepted conn</th><td>3</td></tr>\n"
    "<tr><th>listen queue</th><td>0</td></tr>\n"
    "<tr><th>max listen queue</th><td>0</td></tr>\n"
    "<tr><th>listen queue len</th><td>4096</td></tr>\n"
    "<tr><th>idle processes</th><td>1</td></tr>\n"
    "<tr><th>active processes</th><td>1</td></tr>\n"
    "<tr><th>total processes</th><td>2</td></tr>\n"
    "<tr><th>max active processes</th><td>1</td></tr>\n"
    "<tr><th>max children reached</th><td>0</td></tr>\n"
    "<tr><th>slow requests</th><td>0</td></tr>\n"
    "<tr><th>memory peak</th><td>0</td></tr>\n"
    "";
constexpr const char* kHeadRowHtml =
    "</table>\n"
    "<table border=\"1\">\n"
    "<tr><th>pid</th><th>state</th><th>start time</th><th>start "
    "since</th><th>requests</th><th>request duration</th><th>request method</th><th>request "
    "uri</th><th>content length</th><th>user</th><th>script</th><th>last request cpu</th><th>last "
    "request memory</th></tr>\n"
    "";
constexpr const char* kPoolXml =
    "<?xml version=\"1.0\" ?>\n"
    "<status>\n"
    "<pool>www</pool>\n"
    "<process-manager>dynamic</process-manager>\n"
    "<start-time>1795216320</start-time>\n"
    "<start-since>0</start-since>\n"
    "<accepted-conn>3</accepted-conn>\n"
    "<listen-queue>0</listen-queue>\n"
    "<max-listen-queue>0</max-listen-queue>\n"
    "<listen-queue-len>4096</listen-queue-len>\n"
    "<idle-processes>1</idle-processes>\n"
    "<active-processes>1</active-processes>\n"
    "<total-processes>2</total-processes>\n"
    "<max-active-processes>1</max-active-processes>\n"
    "<max-children-reached>0</max-children-reached>\n"
    "<slow-requests>0</slow-requests>\n"
    "<memory-peak>0</memory-peak>\n"
    "";
constexpr const char* kMetrics =
    "# HELP phpfpm_up Could pool www using a dynamic PM on PHP-FPM be reached?\n"
    "# TYPE phpfpm_up gauge\n"
    "phpfpm_up 1\n"
    "# HELP phpfpm_start_since The number of seconds since FPM has started.\n"
    "# TYPE phpfpm_start_since gauge\n"
    "phpfpm_start_since 0\n"
    "# HELP phpfpm_accepted_connections The number of requests accepted by the pool.\n"
    "# TYPE phpfpm_accepted_connections unknown\n"
    "phpfpm_accepted_connections 3\n"
    "# HELP phpfpm_listen_queue The number of requests in the queue of pending connections.\n"
    "# TYPE phpfpm_listen_queue gauge\n"
    "phpfpm_listen_queue 0\n"
    "# HELP phpfpm_max_listen_queue The maximum number of requests in the queue of pending "
    "connections since FPM has started.\n"
    "# TYPE phpfpm_max_listen_queue gauge\n"
    "phpfpm_max_listen_queue 0\n"
    "# TYPE phpfpm_listen_queue_length gauge\n"
    "# HELP phpfpm_listen_queue_length The size of the socket queue of pending connections.\n"
    "phpfpm_listen_queue_length 4096\n"
    "# HELP phpfpm_idle_processes The number of idle processes.\n"
    "# TYPE phpfpm_idle_processes gauge\n"
    "phpfpm_idle_processes 1\n"
    "# HELP phpfpm_active_processes The number of active processes.\n"
    "# TYPE phpfpm_active_processes gauge\n"
    "phpfpm_active_processes 1\n"
    "# HELP phpfpm_total_processes The number of idle + active processes.\n"
    "# TYPE phpfpm_total_processes gauge\n"
    "phpfpm_total_processes 2\n"
    "# HELP phpfpm_max_active_processes The maximum number of active processes since FPM has "
    "started.\n"
    "# TYPE phpfpm_max_active_processes gauge\n"
    "phpfpm_max_active_processes 1\n"
    "# HELP phpfpm_max_children_reached The number of times, the process limit has been reached, "
    "when pm tries to start more children (works only for pm 'dynamic' and 'ondemand').\n"
    "# TYPE phpfpm_max_children_reached unknown\n"
    "phpfpm_max_children_reached 0\n"
    "# HELP phpfpm_slow_requests The number of requests that exceeded your "
    "'request_slowlog_timeout' value.\n"
    "# TYPE phpfpm_slow_requests unknown\n"
    "phpfpm_slow_requests 0\n"
    "# HELP phpfpm_memory_peak The memory usage peak since FPM has started.\n"
    "# TYPE phpfpm_memory_peak gauge\n"
    "phpfpm_memory_peak 0\n"
    "# HELP phpfpm_timed_out_requests The number of requests that exceeded your "
    "'request_terminate_timeout' value.\n"
    "# TYPE phpfpm_timed_out_requests unknown\n"
    "phpfpm_timed_out_requests 0\n"
    "# HELP phpfpm_failed_requests The number of requests answered with a status of 500 or more.\n"
    "# TYPE phpfpm_failed_requests unknown\n"
    "phpfpm_failed_requests 0\n"
    "# HELP phpfpm_workers_died_young How many workers in a row died before they served a request, "
    "while the next one is held back.\n"
    "# TYPE phpfpm_workers_died_young gauge\n"
    "phpfpm_workers_died_young 0\n"
    "# HELP phpfpm_max_children The most processes the pool may have (pm.max_children).\n"
    "# TYPE phpfpm_max_children gauge\n"
    "phpfpm_max_children 0\n"
    "# HELP phpfpm_max_requests The number of requests after which a process is replaced, 0: never "
    "(pm.max_requests).\n"
    "# TYPE phpfpm_max_requests gauge\n"
    "phpfpm_max_requests 0\n"
    "# HELP phpfpm_request_terminate_timeout_seconds The most time a request may take, 0: no limit "
    "(request_terminate_timeout).\n"
    "# TYPE phpfpm_request_terminate_timeout_seconds gauge\n"
    "phpfpm_request_terminate_timeout_seconds 0\n"
    "# HELP phpfpm_request_slowlog_timeout_seconds The time from which a request is slow, 0: none "
    "is "
    "(request_slowlog_timeout).\n"
    "# TYPE phpfpm_request_slowlog_timeout_seconds gauge\n"
    "phpfpm_request_slowlog_timeout_seconds 0\n"
    "# EOF\n"
    "";

TEST_F(StatusPageTest, brief_and_full_html) {
    EXPECT_EQ(page(StatusFormat::html, false), std::string(kPoolHtml) + "</table>\n</body></html>");
    EXPECT_EQ(page(StatusFormat::html, true),
              std::string(kPoolHtml) + kHeadRowHtml +
                  "<tr><td>4606</td><td>Running</td><td>20/Nov/2026:23:12:00 +0000</td><td>0</td>"
                  "<td>2</td><td>75</td><td>GET</td><td>/status?full</td><td>0</td><td>-</td>"
                  "<td>-</td><td>0.00</td><td>0</td></tr>\n"
                  "<tr><td>4607</td><td>Idle</td><td>20/Nov/2026:23:12:00 +0000</td><td>0</td>"
                  "<td>1</td><td>347</td><td>GET</td><td>/status</td><td>0</td><td>-</td>"
                  "<td>-</td><td>0.00</td><td>2097152</td></tr>\n"
                  "</table></body></html>");
}

TEST_F(StatusPageTest, brief_and_full_xml) {
    EXPECT_EQ(page(StatusFormat::xml, false), std::string(kPoolXml) + "</status>");
    EXPECT_EQ(page(StatusFormat::xml, true),
              std::string(kPoolXml) +
                  "<processes>\n"
                  "<process><pid>4606</pid><state>Running</state><start-time>1795216320"
                  "</start-time><start-since>0</start-since><requests>2</requests>"
                  "<request-duration>75</request-duration><request-method>GET</request-method>"
                  "<request-uri>/status?full</request-uri><content-length>0</content-length>"
                  "<user>-</user><script>-</script><last-request-cpu>0.00</last-request-cpu>"
                  "<last-request-memory>0</last-request-memory></process>\n"
                  "<process><pid>4607</pid><state>Idle</state><start-time>1795216320"
                  "</start-time><start-since>0</start-since><requests>1</requests>"
                  "<request-duration>347</request-duration><request-method>GET</request-method>"
                  "<request-uri>/status</request-uri><content-length>0</content-length>"
                  "<user>-</user><script>-</script><last-request-cpu>0.00</last-request-cpu>"
                  "<last-request-memory>2097152</last-request-memory></process>\n"
                  "</processes>\n</status>");
}

TEST_F(StatusPageTest, openmetrics_brief_or_full) {
    EXPECT_EQ(page(StatusFormat::openMetrics, false), kMetrics);
    EXPECT_EQ(page(StatusFormat::openMetrics, true), kMetrics);
}

TEST_F(StatusPageTest, openmetrics_have_every_number) {
    pool_.takenWallNs = kStart + 61 * kNsPerSecond;
    pool_.totals = {11, 12, 13, 14, 15, 20, 21};
    pool_.totals.failed = 25;
    pool_.youngDeaths = 26;
    pool_.listenPending = 16;
    pool_.listenLimit = 19;
    pool_.idle = 17;
    pool_.active = 18;
    pool_.maxChildren = 21;
    const std::string metrics =
        renderStatus(pool_, {StatusFormat::openMetrics, false}, {22, 23, 24}).body;
    for (const char* line : {"up 1",
                             "start_since 61",
                             "accepted_connections 11",
                             "slow_requests 12",
                             "max_children_reached 13",
                             "max_active_processes 14",
                             "max_listen_queue 15",
                             "listen_queue 16",
                             "idle_processes 17",
                             "active_processes 18",
                             "total_processes 35",
                             "listen_queue_length 19",
                             "memory_peak 20",
                             "timed_out_requests 21",
                             "failed_requests 25",
                             "workers_died_young 26",
                             "max_children 21",
                             "max_requests 22",
                             "request_terminate_timeout_seconds 23",
                             "request_slowlog_timeout_seconds 24"}) {
        EXPECT_NE(metrics.find("\nphpfpm_" + std::string(line) + "\n"), std::string::npos) << line;
    }
}

TEST_F(StatusPageTest, markup_is_escaped_in_every_text) {
    const char* nasty = "</td><b a=\"1\">&'\xC3\xA9\xFF\x01";
    const std::string escaped = "&lt;/td&gt;&lt;b a=&quot;1&quot;&gt;&amp;'\xC3\xA9\\x01";
    RequestFacts& facts = pool_.workers[0].facts;
    set(facts.uri, nasty);
    set(facts.query, nasty);
    set(facts.user, nasty);
    set(facts.script, nasty);
    set(facts.method, "<&\">");
    pool_.name = nasty;
    for (const auto format : {StatusFormat::html, StatusFormat::xml}) {
        const std::string body = page(format, true);
        const std::string end = format == StatusFormat::html ? "<" : "</";
        EXPECT_EQ(body.find(nasty), std::string::npos);
        EXPECT_EQ(body.find("<b"),
                  format == StatusFormat::html ? body.find("<body>") : std::string::npos);
        EXPECT_NE(body.find(">" + escaped + "?" + escaped + end), std::string::npos) << body;
        EXPECT_NE(body.find(">&lt;&amp;&quot;&gt;" + end), std::string::npos) << body;
        EXPECT_NE(body.find("pool>" + escaped + end) == std::string::npos,
                  format == StatusFormat::xml);
    }
}

TEST_F(StatusPageTest, what_xml_cannot_hold_is_left_out) {
    pool_.name = "a\xEF\xBF\xBE\xEF\xBF\xBF\xED\xA0\x80z\t";
    EXPECT_NE(page(StatusFormat::xml, false).find("<pool>az\\x09</pool>"), std::string::npos);
}

TEST_F(StatusPageTest, a_pool_name_cannot_forge_a_metric) {
    pool_.name = "a\"\\\nphpfpm_up 0\x01";
    EXPECT_TRUE(page(StatusFormat::openMetrics, false)
                    .starts_with("# HELP phpfpm_up Could pool a\\\"\\\\\\nphpfpm_up 0 using a "
                                 "dynamic PM on PHP-FPM be reached?\n# TYPE"));
}

TEST_F(StatusPageTest, process_manager_names) {
    const std::pair<std::uint32_t, const char*> names[] = {
        {1, "static"}, {2, "dynamic"}, {3, "ondemand"}, {0, "unknown"}, {~0U, "unknown"}};
    for (const auto& [ordinal, name] : names) {
        pool_.processManager = ordinal;
        EXPECT_EQ(nlohmann::json::parse(json(false))["process manager"], name);
    }
}

TEST_F(StatusPageTest, all_pool_numbers_have_their_place) {
    pool_.takenWallNs = kStart + 61 * kNsPerSecond + 999;
    pool_.totals = {11, 12, 13, 14, 15, 20};
    pool_.listenPending = 16;
    pool_.idle = 17;
    pool_.active = 18;
    const auto page = nlohmann::json::parse(json(false));
    EXPECT_EQ(page["start since"], 61);
    EXPECT_EQ(page["accepted conn"], 11);
    EXPECT_EQ(page["slow requests"], 12);
    EXPECT_EQ(page["max children reached"], 13);
    EXPECT_EQ(page["max active processes"], 14);
    EXPECT_EQ(page["max listen queue"], 15);
    EXPECT_EQ(page["memory peak"], 20);
    EXPECT_EQ(page["listen queue"], 16);
    EXPECT_EQ(page["idle processes"], 17);
    EXPECT_EQ(page["active processes"], 18);
    EXPECT_EQ(page["total processes"], 35);
}

TEST_F(StatusPageTest, a_pool_without_a_queue_of_its_own_shows_none) {
    for (const auto format : {StatusFormat::text, StatusFormat::json, StatusFormat::xml,
                              StatusFormat::html, StatusFormat::openMetrics}) {
        EXPECT_EQ(page(format, false).find("queued"), std::string::npos);
    }
}

TEST_F(StatusPageTest, the_queue_of_a_pool_that_has_one) {
    pool_.queueLimit = 100;
    pool_.queued = 7;
    pool_.queuedNs = 3'000'500;
    pool_.totals.maxQueued = 8;
    pool_.totals.overLimit = 9;
    pool_.totals.overdue = 10;
    pool_.totals.hungUp = 11;
    const auto page = nlohmann::json::parse(json(false));
    EXPECT_EQ(page["queued requests"], 7);
    EXPECT_EQ(page["oldest queued request"], 3000);
    EXPECT_EQ(page["max queued requests"], 8);
    EXPECT_EQ(page["queue limit"], 100);
    EXPECT_EQ(page["queue limit rejections"], 9);
    EXPECT_EQ(page["queue timeout rejections"], 10);
    EXPECT_EQ(page["queue hang ups"], 11);
    const std::string metrics = this->page(StatusFormat::openMetrics, false);
    for (const char* line : {"queued_requests 7", "oldest_queued_request_milliseconds 3",
                             "max_queued_requests 8", "queue_limit 100", "queue_limit_rejections 9",
                             "queue_timeout_rejections 10", "queue_hang_ups 11"}) {
        EXPECT_NE(metrics.find(std::string("\nphpfpm_") + line + "\n"), std::string::npos) << line;
    }
    EXPECT_TRUE(metrics.ends_with("# EOF\n"));
}

TEST_F(StatusPageTest, cpu_is_a_share_of_the_last_request_and_only_shown_idle) {
    WorkerSnapshot& worker = pool_.workers[1];
    worker.facts.durationNs = 3'000'000;
    worker.facts.cpuNs = 1'000'000;
    EXPECT_NE(text(true).find("last request cpu:     33.33\n"), std::string::npos);
    EXPECT_NE(json(true).find("\"last request cpu\":33.33,"), std::string::npos);
    worker.stage = Stage::finishing;
    EXPECT_EQ(text(true).find("33.33"), std::string::npos);
    worker.stage = Stage::idle;
    worker.facts.durationNs = 0;
    EXPECT_NE(json(true).find("\"last request cpu\":0.00,\"last request memory\":2097152"),
              std::string::npos);
}

TEST_F(StatusPageTest, an_empty_uri_is_a_dash) {
    set(pool_.workers[0].facts.uri, "");
    pool_.workers[0].facts.uri[0] = '\0';
    pool_.workers[0].facts.query[0] = '\0';
    EXPECT_EQ(nlohmann::json::parse(json(true))["processes"][0]["request uri"], "-");
    EXPECT_NE(text(true).find("request URI:          -\n"), std::string::npos);
}

TEST_F(StatusPageTest, every_json_string_is_escaped) {
    const char* nasty = "u\"\\/\b\f\n\r\t\x01<&'";
    RequestFacts& facts = pool_.workers[0].facts;
    set(facts.method, nasty);
    set(facts.uri, nasty);
    set(facts.query, nasty);
    set(facts.user, nasty);
    set(facts.script, nasty);
    pool_.name = nasty;
    const std::string body = json(true);
    EXPECT_NE(body.find(R"("user":"u\"\\\/\b\f\n\r\t\u0001<&'")"), std::string::npos) << body;
    const auto page = nlohmann::json::parse(body);
    EXPECT_EQ(page["pool"], nasty);
    for (const char* key : {"request method", "user", "script"}) {
        EXPECT_EQ(page["processes"][0][key], nasty) << key;
    }
    EXPECT_EQ(page["processes"][0]["request uri"], std::string(nasty) + "?" + nasty);
}

TEST_F(StatusPageTest, json_unicode_is_escaped_and_invalid_bytes_are_dropped) {
    const std::pair<std::string, std::string> samples[] = {
        {"\xC3\xA9", "\\u00e9"},
        {"\xE2\x82\xAC", "\\u20ac"},
        {"\xF0\x9F\x98\x80", "\\ud83d\\ude00"},
        {"\xF4\x8F\xBF\xBF", "\\udbff\\udfff"},
        {"\xEF\xBF\xBF", "\\uffff"},
        {"\x7F", "\x7F"},
        {"a\xFF\xFEz", "az"},
        {"a\x80z", "az"},
        {"a\xC3", "a"},
        {"a\xE2\x82z", "az"},
        {"a\xC0\xAFz", "az"},
        {"a\xE0\x80\xAFz", "az"},
        {"a\xED\xA0\x80z", "az"},
        {"a\xF4\x90\x80\x80z", "az"},
        {"a\xF0\x80\x80\x80z", "az"},
    };
    for (const auto& [value, encoded] : samples) {
        pool_.name = value;
        EXPECT_TRUE(json(false).starts_with("{\"pool\":\"" + encoded + "\",")) << encoded;
    }
}

TEST_F(StatusPageTest, no_value_can_forge_a_line_of_text) {
    RequestFacts& facts = pool_.workers[0].facts;
    const char* nasty = "a\r\nb\t\x1b\x7f";
    set(facts.method, nasty);
    set(facts.uri, nasty);
    set(facts.query, nasty);
    set(facts.user, nasty);
    set(facts.script, nasty);
    pool_.name = nasty;
    const std::string body = text(true);
    EXPECT_NE(body.find("user:                 a\\x0D\\x0Ab\\x09\\x1B\\x7F\n"), std::string::npos);
    EXPECT_EQ(std::count(body.begin(), body.end(), '\n'), 15 + 2 * 15);
}

TEST_F(StatusPageTest, sane_text_values_are_shown_as_they_are) {
    pool_.name = "w\\x0Aw \"\xC3\xA9\" <b>";
    EXPECT_TRUE(text(false).starts_with("pool:                 w\\x0Aw \"\xC3\xA9\" <b>\n"));
}

TEST_F(StatusPageTest, noise_in_slots_gives_sane_pages) {
    Board board(3);
    std::mt19937_64 random(42);
    for (int round = 0; round < 10000; ++round) {
        scribble(&board.segment.slot(0), 3 * sizeof(Slot), random);
        // Some slots odd, some even, most of them used; sometimes the pool's values, too.
        board.segment.slot(0).sequence.store(static_cast<std::uint32_t>(round));
        board.segment.slot(1).sequence.store(2);
        board.segment.slot(0).pid.store(round + 1);
        if (round % 16 == 0) {
            Header& header = board.segment.header();
            scribble(&header.processManager, sizeof header - offsetof(Header, processManager),
                     random);
        }
        const PoolSnapshot snapshot = takeSnapshot(board.segment);
        ASSERT_LE(snapshot.workers.size(), 3U);
        ASSERT_GE(snapshot.workers.size(), 1U);
        ASSERT_EQ(snapshot.idle + snapshot.active, snapshot.workers.size());
        const std::string page = renderStatus(snapshot, {StatusFormat::text, true}).body;
        ASSERT_EQ(static_cast<std::size_t>(std::count(page.begin(), page.end(), '\n')),
                  15U + (snapshot.queueLimit > 0 ? 7U : 0U) + (snapshot.youngDeaths > 0 ? 2U : 0U) +
                      15 * snapshot.workers.size());
        const auto json = nlohmann::json::parse(
            renderStatus(snapshot, {StatusFormat::json, true}).body, nullptr, false);
        ASSERT_FALSE(json.is_discarded());
        ASSERT_EQ(json["processes"].size(), snapshot.workers.size());
    }
}

struct QuerySample {
    const char* query;
    StatusFormat format;
    bool full;
};
class StatusQueryTest : public testing::TestWithParam<QuerySample> {};

TEST_P(StatusQueryTest, keys_decide) {
    const StatusQuery query = parseStatusQuery(GetParam().query);
    EXPECT_EQ(query.format, GetParam().format) << GetParam().query;
    EXPECT_EQ(query.full, GetParam().full) << GetParam().query;
}

INSTANTIATE_TEST_SUITE_P(Queries, StatusQueryTest,
                         testing::Values(QuerySample{"", StatusFormat::text, false},
                                         QuerySample{"json", StatusFormat::json, false},
                                         QuerySample{"full", StatusFormat::text, true},
                                         QuerySample{"json&full", StatusFormat::json, true},
                                         QuerySample{"full&json", StatusFormat::json, true},
                                         QuerySample{"json=0", StatusFormat::json, false},
                                         QuerySample{"x=json&y=full", StatusFormat::text, false},
                                         QuerySample{"JSON&Full", StatusFormat::text, false},
                                         QuerySample{"jsonx&xfull", StatusFormat::text, false},
                                         QuerySample{"json[]=1&full[a]", StatusFormat::json, true},
                                         QuerySample{"json%5B%5D=1", StatusFormat::json, false},
                                         QuerySample{"%6Aso%6e", StatusFormat::json, false},
                                         QuerySample{"json%5B", StatusFormat::text, false},
                                         QuerySample{"json%00x", StatusFormat::json, false},
                                         QuerySample{"js%6", StatusFormat::text, false},
                                         QuerySample{"json%", StatusFormat::text, false},
                                         QuerySample{"+json&%20full", StatusFormat::json, true},
                                         QuerySample{"json+", StatusFormat::text, false},
                                         QuerySample{"&&&json&", StatusFormat::json, false},
                                         QuerySample{"=json", StatusFormat::text, false},
                                         QuerySample{"html", StatusFormat::html, false},
                                         QuerySample{"xml&full", StatusFormat::xml, true},
                                         QuerySample{"openmetrics", StatusFormat::openMetrics,
                                                     false},
                                         QuerySample{"openmetrics&json", StatusFormat::json, false},
                                         QuerySample{"json&xml", StatusFormat::xml, false},
                                         QuerySample{"xml&json&html", StatusFormat::html, false},
                                         QuerySample{"HTML&Xml", StatusFormat::text, false}));

}  // namespace
}  // namespace muster::scoreboard
