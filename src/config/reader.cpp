// Files, lines and includes.
#include "config/reader.h"

#include <glob.h>

#include <algorithm>
#include <cstdlib>

#include "base/io.h"
#include "config/draft_writer.h"
#include "config/paths.h"
#include "config/statement.h"
#include "config/text.h"

namespace muster::config {
namespace {

constexpr std::size_t kLargestFile = 64U << 20U;
constexpr int kDeepestInclude = 5;          // the main file counts as 1
constexpr std::size_t kMostFiles = 10'000;  // includes of includes multiply
constexpr std::size_t kMostErrors = 1'000;  // a wrong file given as configuration has millions

class Reader {
  public:
    explicit Reader(const ReadOptions& options);
    Draft read();

  private:
    std::optional<std::string> lookUp(const std::string& name);
    void readFile(const std::string& path, int depth);
    void line(std::string_view text, const Origin& origin, int depth);
    void include(const std::string& value, const Origin& origin, int depth);
    void lineError(const LineError& error, const Origin& origin);

    void report(LogLevel level, std::string text, std::string detail = {});
    void stop();

    const ReadOptions& options_;
    VariableLookup lookup_;
    Draft draft_;
    DraftWriter writer_;
    std::size_t files_ = 0;
    std::size_t errors_ = 0;
    bool expandedTooMuch_ = false;
    bool stopped_ = false;  // nothing more is read
    bool silent_ = false;   // and nothing more reported
};

Reader::Reader(const ReadOptions& options)
    : options_(options),
      writer_(draft_, [this](LogLevel level, std::string text, std::string detail) {
          report(level, std::move(text), std::move(detail));
      }) {
    lookup_ = [this](const std::string& name) { return lookUp(name); };
    draft_.global.pid = options.pidFile;
    if (!options.defaultErrorLog.empty()) {
        draft_.global.errorLog = options.defaultErrorLog;
    }
    if (!options.defaultIdent.empty()) {
        draft_.global.syslogIdent = options.defaultIdent;
    }
}

std::optional<std::string> Reader::lookUp(const std::string& name) {
    const auto defined = options_.iniValues.find(name);
    const char* inherited = std::getenv(name.c_str());
    std::string_view value;
    if (defined != options_.iniValues.end()) {
        value = defined->second;
    } else if (inherited != nullptr) {
        value = inherited;
    } else {
        return std::nullopt;
    }
    if (value.size() > draft_.expansionLeft) {
        expandedTooMuch_ = true;
        return std::string();
    }
    draft_.expansionLeft -= value.size();
    return std::string(value);
}

Draft Reader::read() {
    if (options_.file.empty()) {
        draft_.sectionsLost = true;
        report(LogLevel::error, "configuration filename is empty");
    } else {
        readFile(options_.file, 1);
    }
    for (PoolDraft& pool : draft_.pools) {
        for (auto* list : {&pool.settings.accessSuppressPaths, &pool.settings.env,
                           &pool.settings.phpValues, &pool.settings.phpAdminValues}) {
            std::reverse(list->begin(), list->end());  // kept newest first
        }
    }
    draft_.parsed = errors_ == 0;
    return std::move(draft_);
}

void Reader::report(LogLevel level, std::string text, std::string detail) {
    if (silent_) {
        return;
    }
    draft_.messages.push_back({level, std::move(text), std::move(detail)});
    if (level >= LogLevel::error && ++errors_ == kMostErrors) {
        draft_.messages.push_back({LogLevel::error, "more than " + std::to_string(kMostErrors) +
                                                        " errors; the rest is not read"});
        silent_ = true;
        stop();
    }
}

void Reader::stop() {
    draft_.sectionsLost = true;
    stopped_ = true;
}

void Reader::readFile(const std::string& path, int depth) {
    if (++files_ > kMostFiles) {
        report(LogLevel::error, "more than " + std::to_string(kMostFiles) + " files included");
        stop();
        return;
    }
    const auto content = muster::readFile(path, kLargestFile);
    if (!content) {
        const int code = content.error().code.value();
        draft_.sectionsLost = true;
        report(LogLevel::error,
               "failed to open configuration file '" + verbatim(path) + "': " +
                   (content.error().code ? errnoText(code) + " (" + std::to_string(code) + ")"
                                         : content.error().what));
        return;
    }
    std::string_view rest = *content;
    Origin origin{path, 0};
    while (!rest.empty() && !stopped_) {
        ++origin.line;
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        line(rest.substr(0, end), origin, depth);
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
}

void Reader::line(std::string_view text, const Origin& origin, int depth) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text.starts_with(kByteOrderMark)) {  // inside of a file, too: files are put together
        text.remove_prefix(kByteOrderMark.size());
    }
    const ParsedLine parsed = parseLine(text, lookup_);
    if (expandedTooMuch_) {
        report(LogLevel::error,
               where(origin) + " values are too large with what ${NAME} stands for",
               "more than " + std::to_string(kMostExpanded) + " bytes in all");
        stop();
        return;
    }
    for (const Statement& statement : parsed.statements) {
        if (statement.value.restDropped) {
            report(LogLevel::warning,
                   where(origin) + " a single quote without its partner ends the value of '" +
                       shown(statement.key) + "'",
                   "found " + quoted(statement.value.text) + ", expected '...' or \"...\"");
        }
        if (statement.kind == Statement::Kind::entry && statement.key == kInclude) {
            include(statement.value.text, origin, depth);
        } else {
            writer_.write(statement, origin);
        }
    }
    if (parsed.error) {
        lineError(*parsed.error, origin);
    }
}

void Reader::lineError(const LineError& problem, const Origin& origin) {
    if (problem.key == kSectionKey) {
        writer_.loseScope();
        draft_.sectionsLost = true;
    } else if (!problem.key.empty()) {
        writer_.noteFailed(problem.key, origin);
    }
    report(LogLevel::error, where(origin) + " " + problem.problem.text, problem.problem.detail);
}

void Reader::include(const std::string& value, const Origin& origin, int depth) {
    if (value.empty()) {
        return;
    }
    const std::string pattern = absolutePath(value, options_.prefix, kBaseDirectory);
    const std::string from =
        " from " + verbatim(origin.file) + " at line " + std::to_string(origin.line);
    glob_t matches{};
    const int failure =
        ::glob(pattern.c_str(), GLOB_ERR | GLOB_MARK | GLOB_NOSORT, nullptr, &matches);
    std::vector<std::string> paths;
    for (std::size_t i = 0; failure == 0 && i < matches.gl_pathc; ++i) {
        paths.emplace_back(matches.gl_pathv[i]);
    }
    ::globfree(&matches);
    if (failure == GLOB_NOMATCH) {
        report(LogLevel::warning,
               "Nothing matches the include pattern '" + verbatim(pattern) + "'" + from + ".");
        return;
    }
    if (failure != 0) {
        draft_.sectionsLost = true;
        report(LogLevel::error,
               "Unable to globalize '" + verbatim(pattern) + "' (ret=" + std::to_string(failure) +
                   ")" + from + ".",
               "expected a pattern in a directory that can be read");
        return;
    }
    std::sort(paths.begin(), paths.end());
    for (const std::string& path : paths) {
        if (path.ends_with('/')) {
            continue;
        }
        const std::size_t before = errors_;
        if (depth >= kDeepestInclude) {
            report(LogLevel::error, "failed to include more than " +
                                        std::to_string(kDeepestInclude) + " files recursively");
            // Files that include each other would be read again and again on every path there.
            stop();
        } else {
            readFile(path, depth + 1);
        }
        if (errors_ > before) {
            report(LogLevel::error, "Unable to include " + verbatim(path) + from);
        }
        if (stopped_) {
            return;
        }
    }
}

}  // namespace

Draft readDraft(const ReadOptions& options) {
    return Reader(options).read();
}

}  // namespace muster::config
