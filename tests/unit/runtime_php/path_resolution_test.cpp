// The path rules with every vector of request-environment.md §2.1, against a pretended file system.
#include "runtime/php/path_resolution.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>

namespace {

using muster::fastcgi::Params;
using muster::php::climbs;
using muster::php::FileKind;
using muster::php::PathResolver;
using muster::php::PathRules;
using muster::php::ResolvedPath;
using Variables = std::map<std::string, std::string>;

int looks = 0;

// Files /d/pi.php, /d/t.php, /usr/bin/php-cgi; directories /d, /d/dir.
FileKind kindOf(const char* path) {
    static const std::set<std::string> files = {"/d/pi.php", "/d/t.php", "/usr/bin/php-cgi"};
    static const std::set<std::string> directories = {"/d", "/d/", "/d/dir", "/d/dir/"};
    ++looks;
    if (files.count(path) > 0) {
        return FileKind::regular;
    }
    return directories.count(path) > 0 ? FileKind::other : FileKind::missing;
}

class Resolution {
  public:
    explicit Resolution(const Variables& variables, const PathRules& rules = {}) : rules_(rules) {
        for (const auto& [name, value] : variables) {
            params_.set(name, value);
        }
        PathResolver resolver;
        result_ = resolver.resolve(params_, rules_, kindOf);
    }

    [[nodiscard]] std::string script() const { return text(result_.script); }
    [[nodiscard]] std::string uri() const { return text(result_.uri); }
    [[nodiscard]] std::string operator[](const char* name) const { return text(params_.get(name)); }
    [[nodiscard]] std::string self() const {
        const char* info = rules_.fixPathinfo ? params_.get("PATH_INFO") : nullptr;
        return std::string(result_.uri != nullptr ? result_.uri : "") +
               (info != nullptr ? info : "");
    }
    [[nodiscard]] const ResolvedPath& result() const { return result_; }
    [[nodiscard]] Variables all() const {
        Variables all;
        params_.forEach([&all](const Params::Entry& e) { all[e.name] = e.value; });
        return all;
    }

  private:
    static std::string text(const char* value) { return value != nullptr ? value : "(none)"; }

    Params params_;
    PathRules rules_;
    ResolvedPath result_;
};

constexpr const char* kNone = "(none)";

Variables withRoot(Variables variables) {
    variables["DOCUMENT_ROOT"] = "/d";
    return variables;
}

TEST(PathResolution, plain_script_with_path_info_is_left_alone) {
    const Variables given = withRoot(
        {{"SCRIPT_FILENAME", "/d/pi.php"}, {"SCRIPT_NAME", "/pi.php"}, {"PATH_INFO", "/foo"}});
    const Resolution r(given);
    EXPECT_EQ(r.script(), "/d/pi.php");
    EXPECT_EQ(r.all(), given);
    EXPECT_EQ(r.self(), "/pi.php/foo");
    EXPECT_EQ(r.result().kind, FileKind::regular);
}

TEST(PathResolution, plain_script_is_looked_at_once) {
    looks = 0;
    const Resolution r(withRoot({{"SCRIPT_FILENAME", "/d/pi.php"}, {"SCRIPT_NAME", "/pi.php"}}));
    EXPECT_EQ(looks, 1);
}

TEST(PathResolution, unsplit_name_without_path_info_loses_only_the_tail_of_the_file) {
    const Resolution r(
        withRoot({{"SCRIPT_FILENAME", "/d/pi.php/foo/bar"}, {"SCRIPT_NAME", "/pi.php/foo/bar"}}));
    EXPECT_EQ(r.script(), "/d/pi.php");
    EXPECT_EQ(r["SCRIPT_FILENAME"], "/d/pi.php");
    EXPECT_EQ(r["SCRIPT_NAME"], "/pi.php/foo/bar");
    EXPECT_EQ(r["PATH_INFO"], kNone);
    EXPECT_EQ(r["PATH_TRANSLATED"], "/d");
    EXPECT_EQ(r["ORIG_SCRIPT_FILENAME"], "/d/pi.php/foo/bar");
    EXPECT_EQ(r["ORIG_SCRIPT_NAME"], kNone);
}

TEST(PathResolution, unsplit_name_repeated_in_path_info_is_split) {
    Variables given = {{"SCRIPT_FILENAME", "/d/pi.php/foo/bar"},
                       {"SCRIPT_NAME", "/pi.php/foo/bar"},
                       {"PATH_INFO", "/pi.php/foo/bar"}};
    const Resolution r(withRoot(given));
    EXPECT_EQ(r["SCRIPT_NAME"], "/pi.php");
    EXPECT_EQ(r.uri(), "/pi.php");
    EXPECT_EQ(r["PATH_INFO"], "/foo/bar");
    EXPECT_EQ(r["PATH_TRANSLATED"], "/d/foo/bar");
    EXPECT_EQ(r["ORIG_SCRIPT_NAME"], "/pi.php/foo/bar");
    EXPECT_EQ(r["ORIG_SCRIPT_FILENAME"], "/d/pi.php/foo/bar");
    EXPECT_EQ(r["ORIG_PATH_INFO"], "/pi.php/foo/bar");

    const Resolution rootless(given);
    EXPECT_EQ(rootless["PATH_INFO"], "/foo/bar");
    EXPECT_EQ(rootless["PATH_TRANSLATED"], kNone);
}

TEST(PathResolution, split_path_info_stays) {
    Variables given = {{"SCRIPT_FILENAME", "/d/pi.php/foo/bar"},
                       {"SCRIPT_NAME", "/pi.php"},
                       {"PATH_INFO", "/foo/bar"}};
    const Resolution r(withRoot(given));
    EXPECT_EQ(r["SCRIPT_FILENAME"], "/d/pi.php");
    EXPECT_EQ(r["PATH_INFO"], "/foo/bar");
    EXPECT_EQ(r["PATH_TRANSLATED"], "/d/foo/bar");
    EXPECT_EQ(r["ORIG_SCRIPT_FILENAME"], "/d/pi.php/foo/bar");
    EXPECT_EQ(r["ORIG_PATH_INFO"], kNone);

    given["PATH_INFO"] = "";
    const Resolution empty(withRoot(given));
    EXPECT_EQ(empty["PATH_INFO"], "");
    EXPECT_EQ(empty["PATH_TRANSLATED"], "/d");
    EXPECT_EQ(empty.self(), "/pi.php");
}

TEST(PathResolution, without_document_root_the_script_name_is_cut_off) {
    const Resolution r(
        {{"SCRIPT_FILENAME", "/d/pi.php/foo"}, {"SCRIPT_NAME", "/pi.php"}, {"PATH_INFO", "/foo"}});
    EXPECT_EQ(r["PATH_TRANSLATED"], "/d/foo");
}

TEST(PathResolution, action_handler_runs_the_translated_path) {
    const Resolution r(withRoot({{"SCRIPT_FILENAME", "/usr/bin/php-cgi"},
                                 {"SCRIPT_NAME", "/cgi/php"},
                                 {"PATH_INFO", "/pi.php/test"},
                                 {"PATH_TRANSLATED", "/d/pi.php/test"},
                                 {"REDIRECT_URL", "/pi.php/test"}}));
    EXPECT_EQ(r["SCRIPT_NAME"], "/pi.php");
    EXPECT_EQ(r.script(), "/d/pi.php");
    EXPECT_EQ(r["SCRIPT_FILENAME"], "/d/pi.php");
    EXPECT_EQ(r["PATH_INFO"], "/test");
    EXPECT_EQ(r["PATH_TRANSLATED"], "/d/test");
    EXPECT_EQ(r["ORIG_SCRIPT_NAME"], "/cgi/php");
    EXPECT_EQ(r["ORIG_SCRIPT_FILENAME"], "/usr/bin/php-cgi");
    EXPECT_EQ(r["ORIG_PATH_INFO"], "/pi.php/test");
    EXPECT_EQ(r["ORIG_PATH_TRANSLATED"], "/d/pi.php/test");
}

TEST(PathResolution, action_handler_without_tail_drops_path_info) {
    const Resolution r(withRoot({{"SCRIPT_FILENAME", "/usr/bin/php-cgi"},
                                 {"SCRIPT_NAME", "/cgi/php"},
                                 {"PATH_INFO", "/pi.php"},
                                 {"PATH_TRANSLATED", "/d/pi.php"},
                                 {"REDIRECT_URL", "/pi.php"}}));
    EXPECT_EQ(r["SCRIPT_NAME"], "/pi.php");
    EXPECT_EQ(r["SCRIPT_FILENAME"], "/d/pi.php");
    EXPECT_EQ(r["PATH_INFO"], kNone);
    EXPECT_EQ(r["PATH_TRANSLATED"], kNone);
    EXPECT_EQ(r["ORIG_SCRIPT_NAME"], "/cgi/php");
    EXPECT_EQ(r["ORIG_SCRIPT_FILENAME"], "/usr/bin/php-cgi");
    EXPECT_EQ(r["ORIG_PATH_INFO"], "/pi.php");
    EXPECT_EQ(r["ORIG_PATH_TRANSLATED"], "/d/pi.php");
}

TEST(PathResolution, redirect_alone_moves_path_info_away) {
    const Resolution r(withRoot({{"SCRIPT_FILENAME", "/d/pi.php"},
                                 {"SCRIPT_NAME", "/pi.php"},
                                 {"PATH_INFO", "/foo"},
                                 {"REDIRECT_URL", "/x"}}));
    EXPECT_EQ(r["PATH_INFO"], kNone);
    EXPECT_EQ(r["ORIG_PATH_INFO"], "/foo");
    EXPECT_EQ(r.self(), "/pi.php");
}

TEST(PathResolution, redirect_with_translated_path_runs_that) {
    const Resolution r(withRoot({{"SCRIPT_FILENAME", "/d/t.php"},
                                 {"SCRIPT_NAME", "/t.php"},
                                 {"PATH_TRANSLATED", "/d/pi.php"},
                                 {"REDIRECT_URL", "/x"}}));
    EXPECT_EQ(r.script(), "/d/pi.php");
    EXPECT_EQ(r["SCRIPT_NAME"], "/x");
    EXPECT_EQ(r["ORIG_SCRIPT_NAME"], "/t.php");
    EXPECT_EQ(r["ORIG_SCRIPT_FILENAME"], "/d/t.php");
    EXPECT_EQ(r["ORIG_PATH_TRANSLATED"], "/d/pi.php");
}

TEST(PathResolution, translated_path_stands_in_for_a_missing_file_name) {
    const Resolution r(withRoot({{"SCRIPT_NAME", "/pi.php"}, {"PATH_TRANSLATED", "/d/pi.php"}}));
    EXPECT_EQ(r.script(), "/d/pi.php");
    EXPECT_EQ(r["SCRIPT_FILENAME"], "/d/pi.php");
    EXPECT_EQ(r["PATH_TRANSLATED"], "/d/pi.php");

    const Resolution tail(withRoot({{"PATH_INFO", "/x"}, {"PATH_TRANSLATED", "/d/pi.php/x"}}));
    EXPECT_EQ(tail["SCRIPT_FILENAME"], "/d/pi.php");
    EXPECT_EQ(tail["PATH_INFO"], "/x");
    EXPECT_EQ(tail["PATH_TRANSLATED"], "/d/x");
    EXPECT_EQ(tail["ORIG_PATH_TRANSLATED"], "/d/pi.php/x");
    EXPECT_EQ(tail.uri(), kNone);
}

TEST(PathResolution, apache_proxy_prefix_is_stripped_in_place) {
    for (const char* name : {"proxy:fcgi://h:9000/d/pi.php", "PROXY:FCGI://h/d/pi.php",
                             "proxy:fcgi:///d/pi.php?q=1", "proxy:balancer://b/d/pi.php"}) {
        const Resolution r(withRoot({{"SCRIPT_FILENAME", name}, {"SCRIPT_NAME", "/pi.php"}}));
        EXPECT_EQ(r.script(), "/d/pi.php") << name;
        EXPECT_EQ(r["SCRIPT_FILENAME"], "/d/pi.php") << name;
        EXPECT_EQ(r["ORIG_SCRIPT_FILENAME"], kNone) << name;
    }
}

TEST(PathResolution, apache_proxy_without_a_path_or_to_a_unix_socket_finds_nothing) {
    for (const char* name : {"proxy:fcgi://localhost", "proxy:unix:/s|fcgi://h/d/pi.php"}) {
        const Resolution r(withRoot({{"SCRIPT_FILENAME", name}}));
        EXPECT_EQ(r.script(), kNone) << name;
        EXPECT_TRUE(r.result().notFound) << name;
    }
}

TEST(PathResolution, apache_proxy_splits_script_name) {
    const Resolution r(withRoot(
        {{"SCRIPT_FILENAME", "proxy:fcgi://h/d/pi.php/foo"}, {"SCRIPT_NAME", "/pi.php/foo"}}));
    EXPECT_EQ(r["SCRIPT_NAME"], "/pi.php");
    EXPECT_EQ(r["PATH_INFO"], "/foo");
    EXPECT_EQ(r["PATH_TRANSLATED"], "/d/foo");
    EXPECT_EQ(r["ORIG_SCRIPT_NAME"], "/pi.php/foo");
    EXPECT_EQ(r["ORIG_SCRIPT_FILENAME"], "/d/pi.php/foo");
}

TEST(PathResolution, apache_proxy_tail_may_be_encoded) {
    const Resolution r(withRoot(
        {{"SCRIPT_FILENAME", "proxy:fcgi://h/d/pi.php/1%202"}, {"SCRIPT_NAME", "/pi.php/1 2"}}));
    EXPECT_EQ(r["SCRIPT_NAME"], "/pi.php");
    EXPECT_EQ(r["PATH_INFO"], "/1%202");
    EXPECT_EQ(r.self(), "/pi.php/1%202");

    const Resolution plus(withRoot(
        {{"SCRIPT_FILENAME", "proxy:fcgi://h/d/pi.php/1+%2"}, {"SCRIPT_NAME", "/pi.php/1 2"}}));
    EXPECT_EQ(plus["SCRIPT_NAME"], "/pi.php/1 2");
    EXPECT_EQ(plus["PATH_INFO"], "/1+%2");
}

TEST(PathResolution, apache_proxy_with_path_info) {
    Variables given = withRoot({{"SCRIPT_FILENAME", "proxy:fcgi://h/d/pi.php/foo"},
                                {"SCRIPT_NAME", "/pi.php"},
                                {"PATH_INFO", "/foo"}});
    const Resolution same(given);
    EXPECT_EQ(same.script(), "/d/pi.php");
    EXPECT_EQ(same["PATH_INFO"], "/foo");
    EXPECT_EQ(same["PATH_TRANSLATED"], "/d/foo");

    given["PATH_INFO"] = "/bar";
    const Resolution other(given);
    EXPECT_EQ(other["SCRIPT_NAME"], "/bar");
    EXPECT_EQ(other["PATH_INFO"], "/foo");
    EXPECT_EQ(other.self(), "/bar/foo");
}

TEST(PathResolution, proxied_translated_path_is_left_as_is) {
    const Resolution r(withRoot({{"SCRIPT_FILENAME", "proxy:fcgi://h/d/pi.php"},
                                 {"SCRIPT_NAME", "/pi.php"},
                                 {"PATH_INFO", "/foo"},
                                 {"PATH_TRANSLATED", "proxy:fcgi://h/foo"}}));
    EXPECT_EQ(r["PATH_TRANSLATED"], "proxy:fcgi://h/foo");
}

TEST(PathResolution, directories_are_no_scripts_but_exist) {
    const Resolution plain(withRoot({{"SCRIPT_FILENAME", "/d/dir"}, {"SCRIPT_NAME", "/dir"}}));
    EXPECT_EQ(plain.script(), "/d/dir");
    EXPECT_EQ(plain.result().kind, FileKind::other);

    const Resolution slash(withRoot({{"SCRIPT_FILENAME", "/d/dir/"}, {"SCRIPT_NAME", "/dir/"}}));
    EXPECT_EQ(slash.script(), kNone);
    EXPECT_TRUE(slash.result().notFound);
    EXPECT_EQ(slash["SCRIPT_FILENAME"], kNone);
    EXPECT_EQ(slash["ORIG_SCRIPT_FILENAME"], "/d/dir/");
}

TEST(PathResolution, climbing_paths_are_refused) {
    const Resolution r(withRoot({{"SCRIPT_FILENAME", "/d/dir/../pi.php"}}));
    EXPECT_EQ(r.script(), kNone);

    for (const char* path : {"..", "../a", "/a/..", "a/../b"}) {
        EXPECT_TRUE(climbs(path)) << path;
    }
    for (const char* path : {"", "/a..b", "..a/b", "/a/..b/", "/a/...", "/."}) {
        EXPECT_FALSE(climbs(path)) << path;
    }
}

TEST(PathResolution, trailing_slash_after_a_script_is_cut) {
    const Resolution r(withRoot({{"SCRIPT_FILENAME", "/d/pi.php/"}, {"SCRIPT_NAME", "/pi.php/"}}));
    EXPECT_EQ(r["SCRIPT_FILENAME"], "/d/pi.php");
    EXPECT_EQ(r["SCRIPT_NAME"], "/pi.php/");
    EXPECT_EQ(r["PATH_TRANSLATED"], "/d");
}

TEST(PathResolution, empty_file_name_is_a_path_of_its_own) {
    const Resolution r(withRoot({{"SCRIPT_FILENAME", ""}, {"PATH_TRANSLATED", "/d/pi.php"}}));
    EXPECT_EQ(r.script(), "");
    EXPECT_FALSE(r.result().notFound);
}

TEST(PathResolution, unresolvable_relative_name_is_not_found) {
    const Resolution r(withRoot({{"SCRIPT_FILENAME", "pi.php"}, {"SCRIPT_NAME", "/pi.php"}}));
    EXPECT_EQ(r.script(), kNone);
    EXPECT_TRUE(r.result().notFound);
    EXPECT_EQ(r.uri(), "/pi.php");
}

TEST(PathResolution, nothing_to_go_by_leaves_all_unset) {
    const Resolution r(withRoot({{"SCRIPT_NAME", "/pi.php"}, {"PATH_INFO", "/x"}}));
    EXPECT_FALSE(r.result().hasCandidate);
    EXPECT_EQ(r.script(), kNone);
    EXPECT_EQ(r.uri(), kNone);
}

TEST(PathResolution, iis_path_info_loses_the_script_name) {
    Variables given = withRoot({{"SERVER_SOFTWARE", "Microsoft-IIS/10"},
                                {"SCRIPT_FILENAME", "/d/pi.php"},
                                {"SCRIPT_NAME", "/pi.php"},
                                {"PATH_INFO", "/pi.php/foo"}});
    const Resolution r(given);
    EXPECT_EQ(r["PATH_INFO"], "/foo");
    EXPECT_EQ(r["ORIG_PATH_INFO"], "/pi.php/foo");

    given["PATH_INFO"] = "/pi.php";
    EXPECT_EQ(Resolution(given)["PATH_INFO"], kNone);
    EXPECT_EQ(Resolution(given, {false, false, nullptr})["PATH_INFO"], kNone);
}

TEST(PathResolution, ini_doc_root_stands_in_for_the_document_root) {
    const Resolution r({{"SCRIPT_FILENAME", "/d/pi.php"}}, {true, false, "/srv"});
    EXPECT_EQ(r["DOCUMENT_ROOT"], "/srv");
    EXPECT_EQ(Resolution({{"SCRIPT_FILENAME", "/d/pi.php"}}, {true, false, ""})["DOCUMENT_ROOT"],
              kNone);
}

TEST(PathResolution, without_fixing_nothing_is_looked_at_or_renamed) {
    looks = 0;
    const PathRules rules{false, false, nullptr};
    const Variables given = withRoot({{"SCRIPT_FILENAME", "/d/pi.php/foo"},
                                      {"SCRIPT_NAME", "/pi.php/foo"},
                                      {"PATH_INFO", "/foo"}});
    const Resolution r(given, rules);
    EXPECT_EQ(looks, 0);
    EXPECT_EQ(r.all(), given);
    EXPECT_EQ(r.script(), "/d/pi.php/foo");
    EXPECT_EQ(r.self(), "/foo");
    EXPECT_EQ(r.result().kind, FileKind::unknown);
}

TEST(PathResolution, without_fixing_the_translated_path_wins_unless_discarded) {
    const Variables given = withRoot({{"SCRIPT_FILENAME", "/usr/bin/php-cgi"},
                                      {"SCRIPT_NAME", "/cgi/php"},
                                      {"PATH_TRANSLATED", "/d/pi.php"}});
    const Resolution kept(given, {false, false, nullptr});
    EXPECT_EQ(kept.script(), "/d/pi.php");
    EXPECT_EQ(kept.uri(), "/cgi/php");
    EXPECT_EQ(Resolution(given, {false, true, nullptr}).script(), "/usr/bin/php-cgi");

    const Variables nameless = withRoot({{"PATH_TRANSLATED", "/d/pi.php"}});
    EXPECT_EQ(Resolution(nameless, {false, true, nullptr}).script(), "/d/pi.php");
}

TEST(PathResolution, without_fixing_proxy_prefixes_are_still_stripped) {
    const Resolution r(withRoot({{"SCRIPT_FILENAME", "proxy:fcgi://h/d/pi.php"}}),
                       {false, false, nullptr});
    EXPECT_EQ(r.script(), "/d/pi.php");
}

}  // namespace
