// Which script a request means: the rules of request-environment.md §2, and nothing of PHP.
//
// Pure but for the callback that looks at files; rewrites Params as php-fpm does (PATH_INFO,
// SCRIPT_NAME, ORIG_*). Worker side; allocates only while its buffers are cold.
#pragma once

#include <string>

#include "fastcgi/params.h"

namespace muster::php {

enum class FileKind {
    unknown,  ///< nobody has looked
    missing,
    regular,
    other,  ///< exists, but is a directory, device, …
};

/// The ini settings that steer the rules.
struct PathRules {
    bool fixPathinfo = true;
    bool discardPath = false;
    const char* docRoot = nullptr;  ///< ini doc_root; null or empty: unset
};

struct ResolvedPath {
    /// A SCRIPT_FILENAME or PATH_TRANSLATED was there. Without one nothing else of the request is
    /// looked at either (§2 step A).
    bool hasCandidate = false;
    /// The walk up the path found no file: the response starts as 404.
    bool notFound = false;
    const char* uri = nullptr;     ///< script name; in Params
    const char* script = nullptr;  ///< path to run, or null; in Params
    FileKind kind = FileKind::unknown;
};

class PathResolver {
  public:
    using KindOf = FileKind (*)(const char* path);

    [[nodiscard]] ResolvedPath resolve(fastcgi::Params& params, const PathRules& rules,
                                       KindOf kindOf);

  private:
    std::string path_;  ///< scratch, kept warm
    std::string text_;
};

/// True when `path` has a ".." component.
[[nodiscard]] bool climbs(const char* path);

}  // namespace muster::php
