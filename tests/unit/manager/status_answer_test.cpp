// What is asked on pm.status_listen, and what is answered.
#include "manager/status_answer.h"

#include <gtest/gtest.h>

namespace muster::manager {
namespace {

class StatusAnswerTest : public testing::Test {
  protected:
    StatusAnswerTest() {
        pool_.name = "www";
        pool_.statusListen = "/run/status.sock";
        pool_.statusPath = "/status";
        pool_.pingPath = "/ping";
    }
    std::string ask(const char* uri, const char* method = "GET", const char* query = "") {
        fastcgi::Params params;
        params.set("SCRIPT_FILENAME", "/nowhere");
        params.set("SCRIPT_NAME", uri);
        params.set("REQUEST_METHOD", method);
        params.set("QUERY_STRING", query);
        return ask(params);
    }
    std::string ask(const fastcgi::Params& params) {
        return statusAnswer(pool_, params, {.poweredBy = "X-Powered-By: PHP/8.2.35"}, [this] {
            ++snapshots_;
            scoreboard::PoolSnapshot snapshot;
            snapshot.name = "www";
            return snapshot;
        });
    }

    config::PoolSettings pool_;
    int snapshots_ = 0;
};

constexpr const char* kNotFound =
    "Status: 404 Not Found\r\nX-Powered-By: PHP/8.2.35\r\n"
    "Content-type: text/html; charset=UTF-8\r\n\r\nFile not found.\n";

TEST_F(StatusAnswerTest, status_ping_and_nothing_else) {
    EXPECT_NE(ask("/status").find("\r\n\r\npool:                 www\n"), std::string::npos);
    EXPECT_NE(ask("/status", "GET", "json").find("\r\n\r\n{\"pool\":\"www\""), std::string::npos);
    EXPECT_EQ(snapshots_, 2);
    EXPECT_TRUE(ask("/ping").ends_with("\r\n\r\npong"));
    EXPECT_TRUE(ask("/status", "HEAD").ends_with("\r\n\r\n"));
    for (const char* other : {"", "/", "/status/", "/index.php"}) {
        EXPECT_EQ(ask(other), kNotFound) << other;
    }
}

TEST_F(StatusAnswerTest, needs_a_script_and_a_method_as_php_fpm_does) {
    fastcgi::Params params;
    EXPECT_EQ(ask(params), kNotFound);
    params.set("SCRIPT_NAME", "/ping");
    params.set("REQUEST_METHOD", "GET");
    EXPECT_EQ(ask(params), kNotFound);
    params.set("PATH_TRANSLATED", "/x");
    EXPECT_TRUE(ask(params).ends_with("pong"));
    params.erase("REQUEST_METHOD");
    EXPECT_EQ(ask(params), kNotFound);
}

TEST_F(StatusAnswerTest, without_a_path_the_status_is_at_the_root) {
    pool_.statusPath.clear();
    EXPECT_NE(ask("/").find("pool:"), std::string::npos);
    EXPECT_EQ(ask("/status"), kNotFound);
    pool_.statusListen.clear();
    EXPECT_EQ(ask("/"), kNotFound);
}

}  // namespace
}  // namespace muster::manager
