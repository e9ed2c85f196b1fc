// The path rules, step by step with the letters of request-environment.md §2.
#include "runtime/php/path_resolution.h"

#include <strings.h>

#include <cstring>
#include <string_view>

namespace muster::php {

namespace {

using fastcgi::Params;
using std::string_view;

constexpr string_view kProxyPrefixes[] = {"proxy:fcgi://", "proxy:balancer://"};

/// The variables of the rules. Upper-case names of the specification are the present values in
/// Params; those ending in 0 are the values before step D.
struct Work {
    Params& params;
    const PathRules& rules;
    PathResolver::KindOf kindOf;
    ResolvedPath out;
    const char* script = nullptr;
    bool apache = false;
    const char* filename0 = nullptr;
    const char* translated0 = nullptr;
    const char* info0 = nullptr;
    const char* name0 = nullptr;
    const char* name = nullptr;  ///< `sn`
    const char* redirect = nullptr;

    const char* put(string_view key, string_view value) const {
        params.set(key, value);
        return params.get(key);
    }

    void putIfPresent(string_view key, const char* value) const {
        if (value != nullptr) {
            params.set(key, value);
        }
    }

    /// SCRIPT_NAME and the URI become `value`, keeping the old name aside.
    void rename(string_view value) {
        putIfPresent("ORIG_SCRIPT_NAME", name0);
        out.uri = put("SCRIPT_NAME", value);
    }
};

bool same(const char* a, const char* b) {
    return a != nullptr && b != nullptr && std::strcmp(a, b) == 0;
}

int hexDigit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Percent-decodes into `to`; '+' stays.
void percentDecode(string_view from, std::string& to) {
    to.clear();
    for (std::size_t i = 0; i < from.size(); ++i) {
        if (from[i] == '%' && i + 2 < from.size()) {
            const int high = hexDigit(from[i + 1]);
            const int low = hexDigit(from[i + 2]);
            if (high >= 0 && low >= 0) {
                to += static_cast<char>(high * 16 + low);
                i += 2;
                continue;
            }
        }
        to += from[i];
    }
}

// Step B.
void splitIisPath(Params& params) {
    const char* server = params.get("SERVER_SOFTWARE");
    const char* name = params.get("SCRIPT_NAME");
    const char* info = params.get("PATH_INFO");
    if (server == nullptr || name == nullptr || info == nullptr ||
        !string_view(server).starts_with("Microsoft-IIS") || !string_view(info).starts_with(name)) {
        return;
    }
    params.set("ORIG_PATH_INFO", info);
    const string_view rest = string_view(info).substr(std::strlen(name));
    if (rest.empty()) {
        params.erase("PATH_INFO");
    } else {
        params.set("PATH_INFO", rest);
    }
}

// Step C.
void stripProxyPrefix(Work& work) {
    const char* filename = work.params.get("SCRIPT_FILENAME");
    if (filename == nullptr) {
        return;
    }
    for (const string_view prefix : kProxyPrefixes) {
        if (strncasecmp(filename, prefix.data(), prefix.size()) != 0) {
            continue;
        }
        string_view path(filename);
        const std::size_t slash = path.find('/', prefix.size());
        if (slash != string_view::npos) {
            path.remove_prefix(slash);
            work.apache = true;
        }
        path = path.substr(0, path.find('?'));
        work.script = work.put("SCRIPT_FILENAME", path);
        return;
    }
}

/// Cuts `path` down to the first part that is a regular file; false when there is none.
bool cutToRegularFile(std::string& path, PathResolver::KindOf kindOf) {
    while (true) {
        std::size_t cut = path.rfind('/');
        if (cut == std::string::npos) {
            cut = path.rfind('\\');
        }
        if (cut == std::string::npos) {
            return false;
        }
        path.resize(cut);
        if (kindOf(path.c_str()) == FileKind::regular) {
            return true;
        }
    }
}

/// Apache passes the whole path as SCRIPT_NAME, decoded or not: takes the tail off it.
void cutTailOffName(Work& work, string_view tail, std::string& scratch) {
    const string_view name(work.name0);
    string_view suffix = tail;
    if (!(name.size() > suffix.size() && name.ends_with(suffix))) {
        if (tail.find('%') == string_view::npos) {
            return;
        }
        percentDecode(tail, scratch);
        suffix = scratch;
        if (!(name.size() > suffix.size() && name.ends_with(suffix))) {
            return;
        }
    }
    work.rename(name.substr(0, name.size() - suffix.size()));
    work.name = work.out.uri;
}

/// D-walk: what the tail behind the script does to PATH_INFO and SCRIPT_NAME.
void splitInfo(Work& work, string_view scriptTail, std::string& scratch) {
    string_view tail;
    if (work.apache) {
        if (work.info0 != nullptr && work.info0 == scriptTail) {
            return;
        }
        tail = scriptTail;
    } else {
        if (work.info0 == nullptr || std::strlen(work.info0) <= scriptTail.size()) {
            return;
        }
        tail = string_view(work.info0).substr(std::strlen(work.info0) - scriptTail.size());
    }
    if (work.info0 != nullptr) {
        work.params.set("ORIG_PATH_INFO", work.info0);
        const string_view info(work.info0);
        const string_view head =
            work.apache ? info : info.substr(0, info.size() - scriptTail.size());
        if (work.name0 == nullptr || head != work.name0) {
            work.rename(head);
        } else {
            work.out.uri = work.name0;
        }
    } else if (work.name0 != nullptr) {
        cutTailOffName(work, tail, scratch);
    }
    work.params.set("PATH_INFO", tail);
}

/// D-walk: PATH_TRANSLATED for the script `path`.
void translate(Work& work, const std::string& path, std::string& scratch) {
    const char* root = work.params.get("DOCUMENT_ROOT");
    if (root != nullptr) {
        scratch = root;
        if (scratch.ends_with('/')) {
            scratch.pop_back();
        }
    } else if (work.name != nullptr && path.find(work.name) != std::string::npos) {
        scratch.assign(path, 0, path.size() - std::strlen(work.name));
    } else {
        return;
    }
    if (const char* info = work.params.get("PATH_INFO")) {
        scratch += info;
    }
    work.putIfPresent("ORIG_PATH_TRANSLATED", work.translated0);
    work.params.set("PATH_TRANSLATED", scratch);
}

void walk(Work& work, std::string& path, std::string& scratch) {
    path = work.script;
    if (cutToRegularFile(path, work.kindOf)) {
        splitInfo(work, string_view(work.script).substr(path.size()), scratch);
        if (work.filename0 == nullptr || path != work.filename0) {
            work.putIfPresent("ORIG_SCRIPT_FILENAME", work.filename0);
            work.script = work.put("SCRIPT_FILENAME", path);
            work.out.kind = FileKind::regular;
        }
        translate(work, path, scratch);
    } else {
        work.putIfPresent("ORIG_SCRIPT_FILENAME", work.filename0);
        work.params.erase("SCRIPT_FILENAME");
        work.script = nullptr;
        work.out.notFound = true;
    }
    if (work.out.uri != nullptr || work.name == nullptr) {
        return;
    }
    if (same(work.name0, work.name)) {
        work.out.uri = work.name0;
    } else {
        work.rename(work.name);
    }
}

void acceptExisting(Work& work) {
    if (!same(work.filename0, work.script)) {
        work.putIfPresent("ORIG_SCRIPT_FILENAME", work.filename0);
        work.script = work.put("SCRIPT_FILENAME", work.script);
    }
    if (!work.apache && work.redirect != nullptr) {
        if (work.info0 != nullptr) {
            work.params.set("ORIG_PATH_INFO", work.info0);
            work.params.erase("PATH_INFO");
        }
        if (work.translated0 != nullptr) {
            work.params.set("ORIG_PATH_TRANSLATED", work.translated0);
            work.params.erase("PATH_TRANSLATED");
        }
    }
    if (work.name != work.name0) {
        work.rename(work.name);
    } else {
        work.out.uri = work.name0;
    }
}

// Step D.
void fixPathinfo(Work& work, std::string& path, std::string& scratch) {
    work.filename0 = work.params.get("SCRIPT_FILENAME");
    work.translated0 = work.params.get("PATH_TRANSLATED");
    work.info0 = work.params.get("PATH_INFO");
    work.name0 = work.params.get("SCRIPT_NAME");
    work.name = work.name0;
    work.redirect = work.params.get("REDIRECT_URL");
    const char* docRoot = work.rules.docRoot;
    if (docRoot != nullptr && *docRoot != '\0' && work.params.get("DOCUMENT_ROOT") == nullptr) {
        work.params.set("DOCUMENT_ROOT", docRoot);
    }
    if (!work.apache && work.translated0 != nullptr && work.redirect != nullptr &&
        !same(work.translated0, work.script)) {
        work.script = work.translated0;
        work.name = work.redirect;
    }
    const string_view script(work.script);
    if (!script.empty() && !script.ends_with('/')) {
        work.out.kind = work.kindOf(work.script);
    }
    if (!script.empty() && (script.ends_with('/') || work.out.kind == FileKind::missing)) {
        walk(work, path, scratch);
    } else {
        acceptExisting(work);
    }
}

// Step E.
void takeAsGiven(Work& work) {
    const char* info = work.params.get("PATH_INFO");
    work.out.uri = info != nullptr ? info : work.params.get("SCRIPT_NAME");
    const char* translated = work.params.get("PATH_TRANSLATED");
    if (!work.rules.discardPath && translated != nullptr) {
        work.script = translated;
    }
}

}  // namespace

bool climbs(const char* path) {
    for (string_view rest(path);;) {
        const std::size_t slash = rest.find('/');
        if (rest.substr(0, slash) == "..") {
            return true;
        }
        if (slash == string_view::npos) {
            return false;
        }
        rest.remove_prefix(slash + 1);
    }
}

ResolvedPath PathResolver::resolve(fastcgi::Params& params, const PathRules& rules, KindOf kindOf) {
    Work work{params, rules, kindOf, {}};
    work.script = params.get("SCRIPT_FILENAME");
    if (work.script == nullptr) {
        work.script = params.get("PATH_TRANSLATED");
    }
    if (work.script == nullptr) {
        return work.out;
    }
    work.out.hasCandidate = true;
    splitIisPath(params);
    stripProxyPrefix(work);
    if (rules.fixPathinfo) {
        fixPathinfo(work, path_, text_);
    } else {
        takeAsGiven(work);
    }
    if (work.script != nullptr && !climbs(work.script)) {
        work.out.script = work.script;
    }
    return work.out;
}

}  // namespace muster::php
