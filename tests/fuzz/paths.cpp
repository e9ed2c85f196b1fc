// Resolves arbitrary variables to a script in a pretended file system.
//
// Input: a byte of rules, a byte of files; then names (by number) and values, each ended by a
// newline. The files are those of kTree, and as many of the values themselves as the second byte
// says.
#include <array>
#include <map>
#include <set>
#include <vector>

#include "input.h"
#include "runtime/php/path_resolution.h"

namespace {

using namespace muster;
using php::FileKind;

constexpr std::array kNames = {
    "SCRIPT_FILENAME", "PATH_TRANSLATED",      "PATH_INFO",       "SCRIPT_NAME",
    "REDIRECT_URL",    "DOCUMENT_ROOT",        "SERVER_SOFTWARE", "ORIG_SCRIPT_NAME",
    "ORIG_PATH_INFO",  "ORIG_SCRIPT_FILENAME", "REQUEST_URI",     "HTTP_X",
};
/// Variables the rules may write or delete; all others stay as they are.
const std::set<std::string_view> kWritten = {
    "SCRIPT_FILENAME",      "PATH_TRANSLATED", "PATH_INFO",
    "SCRIPT_NAME",          "DOCUMENT_ROOT",   "ORIG_SCRIPT_FILENAME",
    "ORIG_PATH_TRANSLATED", "ORIG_PATH_INFO",  "ORIG_SCRIPT_NAME",
};
using Variables = std::map<std::string, std::string>;

std::map<std::string, FileKind>& files() {
    static std::map<std::string, FileKind> files;
    return files;
}

std::vector<std::string>& looked() {
    static std::vector<std::string> looked;
    return looked;
}

FileKind kindOf(const char* path) {
    looked().emplace_back(path);
    const auto found = files().find(path);
    return found == files().end() ? FileKind::missing : found->second;
}

Variables contentOf(const fastcgi::Params& params) {
    Variables all;
    params.forEach([&](const fastcgi::Params::Entry& entry) { all[entry.name] = entry.value; });
    return all;
}

void fill(fastcgi::Params& params, const Variables& variables) {
    params.clear();
    for (const auto& [name, value] : variables) {
        params.set(name, value);
    }
}

/// The path behind Apache's prefix; the whole value when there is none.
std::string_view withoutProxy(std::string_view value) {
    for (const std::string_view prefix : {"proxy:fcgi://", "proxy:balancer://"}) {
        if (value.size() >= prefix.size() &&
            std::equal(prefix.begin(), prefix.end(), value.begin(),
                       [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); })) {
            const std::size_t slash = value.find('/', prefix.size());
            value.remove_prefix(slash == std::string_view::npos ? 0 : slash);
            return value.substr(0, value.find('?'));
        }
    }
    return value;
}

/// `path` is `whole` or ends where `whole` has a separator.
bool isHeadOf(std::string_view path, std::string_view whole) {
    return whole.starts_with(path) &&
           (path.size() == whole.size() || whole[path.size()] == '/' || whole[path.size()] == '\\');
}

std::vector<std::string> candidatesIn(const Variables& given) {
    std::vector<std::string> candidates;
    for (const char* name : {"SCRIPT_FILENAME", "PATH_TRANSLATED"}) {
        const auto found = given.find(name);
        if (found != given.end()) {
            candidates.push_back(found->second);
            candidates.emplace_back(withoutProxy(found->second));
        }
    }
    return candidates;
}

void checkScript(const Variables& given, const php::ResolvedPath& found,
                 const php::PathRules& rules) {
    const std::vector<std::string> candidates = candidatesIn(given);
    const auto comesFromCandidate = [&](std::string_view path) {
        return std::any_of(candidates.begin(), candidates.end(),
                           [&](const std::string& whole) { return isHeadOf(path, whole); });
    };
    fuzz::hold(found.hasCandidate == !candidates.empty(), "a candidate is one that was sent");
    fuzz::hold(looked().size() <= 4096, "looks at few files");
    for (const std::string& path : looked()) {
        fuzz::hold(comesFromCandidate(path), "looks only where it was sent", path);
    }
    fuzz::hold(rules.fixPathinfo || looked().empty(), "looks at no file without cgi.fix_pathinfo");
    if (found.script == nullptr) {
        return;
    }
    const std::string_view script(found.script);
    fuzz::hold(found.hasCandidate && !found.notFound, "no script without a candidate", script);
    fuzz::hold(comesFromCandidate(script), "the script is what was sent, or a part of it", script);
    fuzz::hold(("/" + std::string(script) + "/").find("/../") == std::string::npos,
               "the script does not climb", script);
    const bool whole = std::any_of(candidates.begin(), candidates.end(),
                                   [&](const std::string& one) { return one == script; });
    const auto file = files().find(std::string(script));
    const FileKind kind = file == files().end() ? FileKind::missing : file->second;
    fuzz::hold(whole || kind == FileKind::regular, "only a file ends the walk", script);
    fuzz::hold(found.kind == FileKind::unknown || found.kind == kind, "its kind is true", script);
}

void checkVariables(const Variables& before, const Variables& after) {
    for (const auto& [name, value] : after) {
        const auto old = before.find(name);
        fuzz::hold(kWritten.contains(name) || (old != before.end() && old->second == value),
                   "no other variable is written", name);
    }
    for (const auto& [name, value] : before) {
        fuzz::hold(kWritten.contains(name) || after.contains(name), "none is lost", name);
    }
    for (const std::string_view name :
         {"SCRIPT_FILENAME", "PATH_TRANSLATED", "PATH_INFO", "SCRIPT_NAME"}) {
        const auto kept = after.find("ORIG_" + std::string(name));
        if (kept == after.end()) {
            continue;
        }
        const auto old = before.find(kept->first);
        const auto source = before.find(std::string(name));
        // PATH_INFO may have lost IIS's script name before.
        fuzz::hold(
            (old != before.end() && old->second == kept->second) ||
                (source != before.end() &&
                 (source->second == kept->second || withoutProxy(source->second) == kept->second ||
                  (name == "PATH_INFO" && source->second.ends_with(kept->second)))),
            "ORIG_ variables hold what was there before", kept->second);
    }
}

/// A script that was found is found again, and nothing more is put aside.
void checkAgain(const fastcgi::Params& resolved, const php::ResolvedPath& found,
                const php::PathRules& rules) {
    if (found.script == nullptr || !rules.fixPathinfo || *found.script == '\0' ||
        withoutProxy(found.script) != found.script || resolved.get("REDIRECT_URL") != nullptr) {
        return;
    }
    const std::string script = found.script;
    if (script.ends_with('/') || !files().contains(script)) {
        return;
    }
    const Variables once = contentOf(resolved);
    fastcgi::Params params;
    fill(params, once);
    params.erase("SERVER_SOFTWARE");
    php::PathResolver resolver;
    const php::ResolvedPath again = resolver.resolve(params, rules, kindOf);
    fuzz::hold(again.script != nullptr && script == again.script, "found again", script);
    Variables twice = contentOf(params);
    const auto server = once.find("SERVER_SOFTWARE");
    if (server != once.end()) {
        twice.insert(*server);
    }
    fuzz::hold(once == twice, "resolving twice changes nothing", script);
}

Variables variablesIn(fuzz::Input& input, unsigned asFiles) {
    Variables variables;
    while (!input.empty()) {
        const std::string name = kNames[input.byte() % kNames.size()];
        const std::string_view line = input.upTo('\n');
        const std::string value(line.substr(0, line.find('\0')));
        variables[name] = value;
        if (asFiles > 0 && !value.empty()) {
            --asFiles;
            const std::string path(withoutProxy(value));
            files()[path] = path.ends_with('/') ? FileKind::other : FileKind::regular;
        }
    }
    return variables;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static php::PathResolver warm;
    fuzz::Input input(data, size);
    const unsigned flags = input.byte();
    const php::PathRules rules{.fixPathinfo = (flags & 1U) == 0,
                               .discardPath = (flags & 2U) != 0,
                               .docRoot = (flags & 4U) != 0 ? "/d" : nullptr};
    files() = {{"/d/pi.php", FileKind::regular},
               {"/d/t.php", FileKind::regular},
               {"/usr/bin/php-cgi", FileKind::regular},
               {"/d", FileKind::other},
               {"/d/", FileKind::other},
               {"/d/dir", FileKind::other},
               {"\\d", FileKind::regular}};
    const unsigned asFiles = input.byte() % 3;
    const Variables given = variablesIn(input, asFiles);

    fastcgi::Params params;
    fill(params, given);
    looked().clear();
    const php::ResolvedPath found = warm.resolve(params, rules, kindOf);
    checkScript(given, found, rules);
    checkVariables(given, contentOf(params));

    fastcgi::Params other;
    fill(other, given);
    php::PathResolver cold;
    const php::ResolvedPath same = cold.resolve(other, rules, kindOf);
    fuzz::hold(contentOf(other) == contentOf(params) &&
                   std::string_view(same.script == nullptr ? "-" : same.script) ==
                       (found.script == nullptr ? "-" : found.script),
               "the same for a resolver of any past");
    checkAgain(params, found, rules);
    return 0;
}
