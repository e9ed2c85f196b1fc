// Ping and status pages: when, which headers in which order, which body.
#include "worker/pages.h"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

config::PoolSettings poolWithPages() {
    config::PoolSettings pool;
    pool.statusPath = "/status";
    pool.pingPath = "/ping";
    return pool;
}

RequestInfo requestFor(const char* uri, const char* method = "GET", const char* query = nullptr) {
    RequestInfo info;
    info.method = method;
    info.uri = uri;
    info.query = query;
    return info;
}

constexpr PageSettings kPoweredBy{.poweredBy = "X-Powered-By: PHP/8.2.35"};

TEST(Pages, path_matches_exactly) {
    const auto pool = poolWithPages();
    EXPECT_EQ(pageFor(pool, requestFor("/ping")), Page::ping);
    EXPECT_EQ(pageFor(pool, requestFor("/status")), Page::status);
    for (const char* other : {"/ping/", "/PING", "/status2", "/statu", "", "/"}) {
        EXPECT_EQ(pageFor(pool, requestFor(other)), Page::none) << other;
    }
}

TEST(Pages, ping_goes_before_status) {
    auto pool = poolWithPages();
    pool.statusPath = pool.pingPath;
    EXPECT_EQ(pageFor(pool, requestFor("/ping")), Page::ping);
}

TEST(Pages, need_a_method_and_a_script_name) {
    const auto pool = poolWithPages();
    EXPECT_EQ(pageFor(pool, requestFor(nullptr)), Page::none);
    EXPECT_EQ(pageFor(pool, requestFor("/ping", nullptr)), Page::none);
    EXPECT_EQ(pageFor(pool, requestFor("/ping", "")), Page::ping);
}

TEST(Pages, unset_paths_match_nothing) {
    EXPECT_EQ(pageFor({}, requestFor("")), Page::none);
}

TEST(Pages, ping_is_byte_for_byte_as_php_fpm_sends_it) {
    auto pool = poolWithPages();
    pool.pingResponse = "<pong>";
    const PageResponse page = pingPage(pool, requestFor("/ping"), kPoweredBy);
    EXPECT_EQ(page.headers,
              "X-Powered-By: PHP/8.2.35\r\n"
              "Content-type: text/plain;charset=UTF-8\r\n"
              "Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
              "Cache-Control: no-cache, no-store, must-revalidate, max-age=0\r\n\r\n");
    EXPECT_EQ(page.body, "<pong>");
}

TEST(Pages, head_of_ping_has_the_same_headers_and_no_body) {
    const auto pool = poolWithPages();
    const PageResponse get = pingPage(pool, requestFor("/ping"), {});
    const PageResponse head = pingPage(pool, requestFor("/ping", "HEAD"), {});
    EXPECT_EQ(head.headers, get.headers);
    EXPECT_TRUE(head.headers.starts_with("Content-type: "));
    EXPECT_EQ(head.body, "");
    EXPECT_EQ(pingPage(pool, requestFor("/ping", "head"), {}).body, "pong");
}

TEST(Pages, status_has_its_headers_in_order_and_the_format_asked_for) {
    scoreboard::PoolSnapshot snapshot;
    snapshot.name = "www";
    const PageResponse text = statusPage({}, snapshot, requestFor("/status"), kPoweredBy);
    EXPECT_EQ(text.headers,
              "X-Powered-By: PHP/8.2.35\r\n"
              "Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
              "Cache-Control: no-cache, no-store, must-revalidate, max-age=0\r\n"
              "Content-type: text/plain;charset=UTF-8\r\n\r\n");
    EXPECT_TRUE(text.body.starts_with("pool:                 www\n"));
    const PageResponse json = statusPage({}, snapshot, requestFor("/status", "GET", "json"), {});
    EXPECT_TRUE(json.headers.ends_with("\r\nContent-Type: application/json\r\n\r\n"));
    EXPECT_TRUE(json.body.starts_with("{\"pool\":\"www\""));
}

TEST(Pages, head_of_status_is_html_whatever_the_format) {
    const PageResponse page = statusPage({}, {}, requestFor("/status", "HEAD", "json"), {});
    EXPECT_EQ(page.headers,
              "Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
              "Cache-Control: no-cache, no-store, must-revalidate, max-age=0\r\n"
              "Content-type: text/html; charset=UTF-8\r\n\r\n");
    EXPECT_EQ(page.body, "");
}

TEST(Pages, the_engines_charset_and_type_are_in_the_headers) {
    const PageSettings settings{.charset = "latin1", .mimeType = "text/x"};
    EXPECT_TRUE(pingPage({}, requestFor("/ping"), settings)
                    .headers.starts_with("Content-type: text/plain;charset=latin1\r\n"));
    EXPECT_TRUE(statusPage({}, {}, requestFor("/status", "GET", "xml"), settings)
                    .headers.ends_with("Content-type: text/xml;charset=latin1\r\n\r\n"));
    EXPECT_TRUE(statusPage({}, {}, requestFor("/status", "HEAD"), settings)
                    .headers.ends_with("Content-type: text/x; charset=latin1\r\n\r\n"));
    EXPECT_TRUE(timeoutPage({.charset = "x", .mimeType = "image/x"})
                    .headers.ends_with("\nContent-type: image/x\r\n\r\n"));
}

TEST(Pages, an_overloaded_pool_says_when_to_come_back) {
    const PageResponse page = overloadPage({}, 7);
    EXPECT_TRUE(page.headers.starts_with("Status: 503 Service Unavailable\r\n"));
    EXPECT_EQ(headerValue(page.headers, "Retry-After"), "7");
    EXPECT_TRUE(page.headers.ends_with("\r\n\r\n"));
    EXPECT_FALSE(page.body.empty());
}

TEST(Pages, without_a_charset_none_is_named) {
    const PageSettings settings{.charset = ""};
    EXPECT_TRUE(pingPage({}, requestFor("/ping"), settings)
                    .headers.starts_with("Content-Type: text/plain\r\n"));
    EXPECT_TRUE(notFoundPage(settings).headers.ends_with("\nContent-type: text/html\r\n\r\n"));
}

TEST(Pages, without_a_query_for_scripts_status_is_text) {
    const PageResponse page =
        statusPage({}, {}, requestFor("/status", "GET", "json"), {.readsQuery = false});
    EXPECT_TRUE(page.body.starts_with("pool: "));
}

TEST(Pages, header_values_are_found_by_their_exact_names) {
    constexpr std::string_view kHeaders = "A: 1\r\nLong-Name: two words\r\nEmpty: \r\nA: 3\r\n\r\n";
    EXPECT_EQ(headerValue(kHeaders, "A"), "1");
    EXPECT_EQ(headerValue(kHeaders, "Long-Name"), "two words");
    for (const char* absent : {"a", "Long", "Empty", "", "Long-Name:", "words"}) {
        EXPECT_EQ(headerValue(kHeaders, absent), "") << absent;
    }
}

}  // namespace
}  // namespace muster::worker
