// Files, lines, scopes and entries.
#include "config/reader.h"

#include <glob.h>

#include <algorithm>
#include <cstdlib>
#include <unordered_map>

#include "base/io.h"
#include "config/convert.h"
#include "config/paths.h"
#include "config/statement.h"
#include "config/text.h"

namespace muster::config {
namespace {

constexpr std::size_t kLargestFile = 64U << 20U;
constexpr int kDeepestInclude = 5;          // the main file counts as 1
constexpr std::size_t kMostFiles = 10'000;  // includes of includes multiply
constexpr std::size_t kMostErrors = 1'000;  // a wrong file given as configuration has millions

void replaceAll(std::string& text, std::string_view from, const std::string& to) {
    for (std::size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

class Reader {
  public:
    explicit Reader(const ReadOptions& options);
    Draft read();

  private:
    enum class Place { global, pool, lost };

    void readFile(const std::string& path, int depth);
    void line(std::string_view text, const Origin& origin, int depth);
    void section(const std::string& name, const Origin& origin);
    void entry(const Statement& statement, const Origin& origin);
    void array(const Statement& statement, const Origin& origin);
    bool listEntryIsSound(const Statement& statement, const Origin& origin);
    void include(const std::string& value, const Origin& origin, int depth);
    void lineError(const LineError& error, const Origin& origin);

    void unknownEntry(const std::string& name, const Origin& origin);
    void unknownArray(const std::string& name, const Origin& origin);
    std::string hint(const std::string& name);
    void noteFailed(std::string_view name, const Origin& origin);
    void error(const Origin& origin, const std::string& text, std::string detail = {});
    void plain(LogLevel level, std::string text, std::string detail = {});
    void stop();

    [[nodiscard]] Scope scope() const {
        return place_ == Place::global ? Scope::global : Scope::pool;
    }
    PoolDraft& pool() { return draft_.pools[pool_]; }
    Marks& marks() { return place_ == Place::global ? draft_.globalMarks : pool().marks; }

    const ReadOptions& options_;
    VariableLookup lookup_;
    Draft draft_;
    Place place_ = Place::global;
    std::size_t pool_ = 0;  // when place_ is pool
    std::unordered_map<std::string, std::size_t> poolsByName_;
    std::size_t files_ = 0;
    std::size_t errors_ = 0;
    bool stopped_ = false;  // nothing more is read
    bool silent_ = false;   // and nothing more reported
};

Reader::Reader(const ReadOptions& options) : options_(options) {
    lookup_ = [&options](const std::string& name) -> std::optional<std::string> {
        if (const auto defined = options.iniValues.find(name);
            defined != options.iniValues.end()) {
            return defined->second;
        }
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
    draft_.global.pid = options.pidFile;
    if (!options.defaultErrorLog.empty()) {
        draft_.global.errorLog = options.defaultErrorLog;
    }
    if (!options.defaultIdent.empty()) {
        draft_.global.syslogIdent = options.defaultIdent;
    }
}

Draft Reader::read() {
    if (options_.file.empty()) {
        draft_.sectionsLost = true;
        plain(LogLevel::error, "configuration filename is empty");
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

void Reader::plain(LogLevel level, std::string text, std::string detail) {
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

void Reader::error(const Origin& origin, const std::string& text, std::string detail) {
    plain(LogLevel::error, where(origin) + " " + text, std::move(detail));
}

void Reader::stop() {
    draft_.sectionsLost = true;
    stopped_ = true;
}

void Reader::readFile(const std::string& path, int depth) {
    if (++files_ > kMostFiles) {
        plain(LogLevel::error, "more than " + std::to_string(kMostFiles) + " files included");
        stop();
        return;
    }
    const auto content = muster::readFile(path, kLargestFile);
    if (!content) {
        const int code = content.error().code.value();
        draft_.sectionsLost = true;
        plain(LogLevel::error,
              "failed to open configuration file '" + verbatim(path) + "': " +
                  (content.error().code ? errnoText(code) + " (" + std::to_string(code) + ")"
                                        : content.error().what));
        return;
    }
    std::string_view rest = *content;
    if (rest.starts_with("\xEF\xBB\xBF")) {
        rest.remove_prefix(3);
    }
    Origin origin{path, 0};
    while (!rest.empty() && !stopped_) {
        ++origin.line;
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        line(rest.substr(0, end), origin, depth);
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
}

void Reader::line(std::string_view text, const Origin& origin, int depth) {
    const ParsedLine parsed = parseLine(text, lookup_);
    for (const Statement& statement : parsed.statements) {
        if (statement.value.restDropped) {
            plain(LogLevel::warning,
                  where(origin) + " a single quote without its partner ends the value of '" +
                      shown(statement.key) + "'",
                  "found " + quoted(statement.value.text) + ", expected '...' or \"...\"");
        }
        switch (statement.kind) {
            case Statement::Kind::section:
                section(statement.key, origin);
                break;
            case Statement::Kind::entry:
                if (statement.key == kInclude) {
                    include(statement.value.text, origin, depth);
                } else {
                    entry(statement, origin);
                }
                break;
            case Statement::Kind::array:
                array(statement, origin);
                break;
        }
    }
    if (parsed.error) {
        lineError(*parsed.error, origin);
    }
}

void Reader::lineError(const LineError& problem, const Origin& origin) {
    if (problem.key == kSectionKey) {
        // What follows belongs to a scope nobody knows: read it for its grammar only.
        place_ = Place::lost;
        draft_.sectionsLost = true;
    } else if (!problem.key.empty()) {
        noteFailed(problem.key, origin);
    }
    error(origin, problem.problem.text, problem.problem.detail);
}

/// What was meant by a line that could not be read is not reported a second time as missing.
void Reader::noteFailed(std::string_view name, const Origin& origin) {
    if (place_ == Place::lost) {
        return;
    }
    for (const Directive& directive : directives()) {
        if (directive.scope == scope() && directive.name == lowered(name)) {
            marks().failed.insert(directive.name);
            marks().written[directive.name] = origin;
        }
    }
}

void Reader::section(const std::string& name, const Origin& origin) {
    if (lowered(name) == "global") {
        place_ = Place::global;
        return;
    }
    place_ = Place::pool;
    const auto [known, isNew] = poolsByName_.emplace(lowered(name), draft_.pools.size());
    pool_ = known->second;
    if (isNew) {
        draft_.pools.emplace_back();
        pool().settings.name = name;
        pool().settings.origin = origin;
    }
}

void Reader::entry(const Statement& statement, const Origin& origin) {
    if (place_ == Place::lost) {
        return;
    }
    const Directive* directive = findDirective(scope(), statement.key, false);
    if (directive == nullptr) {
        unknownEntry(statement.key, origin);
        return;
    }
    std::string value = statement.value.text;
    const bool isText = directive->type == Type::text || directive->type == Type::optionalText ||
                        directive->type == Type::path || directive->type == Type::listen;
    const std::string subject =
        "unable to parse value for entry '" + std::string(directive->name) + "': ";
    const std::string expected(directive->expects);
    if (isText && place_ == Place::global && value.find("$pool") != std::string::npos) {
        error(origin, subject + "Can't use '$pool' when the pool is not defined",
              "found " + quoted(value) + ", expected " + expected + " without $pool");
        noteFailed(directive->name, origin);
        return;
    }
    if (isText && place_ == Place::pool) {
        replaceAll(value, "$pool", pool().settings.name);
    }
    const SettingsRef settings{&draft_.global, place_ == Place::pool ? &pool().settings : nullptr};
    const auto stored = storeScalar(*directive, settings, value);
    if (!stored) {
        const Rejection& why = stored.error();
        error(origin, subject + why.reason,
              "found " + quoted(value) + ", expected " +
                  (why.expected.empty() ? expected : why.expected));
        noteFailed(directive->name, origin);
        return;
    }
    if (!stored->remark.empty()) {
        plain(LogLevel::warning,
              where(origin) + " the value of '" + std::string(directive->name) + "' " +
                  stored->remark,
              "found " + quoted(value) + ", expected " + expected);
    }
    marks().written[directive->name] = origin;
}

void Reader::array(const Statement& statement, const Origin& origin) {
    if (place_ == Place::lost) {
        return;
    }
    const std::string entry = verbatim(statement.key) + "[" + verbatim(statement.offset) + "]";
    const Directive* directive = findDirective(Scope::pool, statement.key, true);
    const bool isList = directive != nullptr && directive->type == Type::list;
    if (isList && !listEntryIsSound(statement, origin)) {
        return;
    }
    if (!isList && statement.offset.empty()) {
        error(origin, "You must provide a key for field '" + verbatim(statement.key) + "'",
              "found an empty one, expected " + shown(statement.key) + "[NAME] = value");
        return;
    }
    if (place_ == Place::global) {
        error(origin, "Array are not allowed in the global section",
              "found " + quoted(entry) + ", expected it in a pool's section such as [www]");
        return;
    }
    if (directive == nullptr) {
        unknownArray(statement.key, origin);
        return;
    }
    if (directive->type == Type::array && statement.value.text.empty()) {
        error(
            origin, "empty value",
            "found " + quoted(entry) + " without one, expected " + std::string(directive->expects));
        return;
    }
    auto value = arrayValue(*directive, statement.value.text);
    if (!value) {
        error(origin, "error while parsing '" + entry + "' : " + value.error().reason,
              "found " + quoted(statement.value.text) + ", expected " +
                  std::string(directive->expects));
        return;
    }
    replaceAll(*value, "$pool", pool().settings.name);
    const auto list = std::get<std::vector<KeyValue> PoolSettings::*>(directive->target);
    (pool().settings.*list).push_back({statement.offset, std::move(*value)});
    marks().written[directive->name] = origin;
}

/// Both errors may be reported for one line (spec config §3.5).
bool Reader::listEntryIsSound(const Statement& statement, const Origin& origin) {
    const std::string field = quoted(statement.key);
    const bool keyed = !statement.offset.empty();
    if (keyed) {
        error(origin, "Keys provided to field " + field + " are ignored",
              "found " + quoted(statement.offset) + ", expected " + shown(statement.key) +
                  "[] = /path");
    }
    const bool isPath = statement.value.text.starts_with('/');
    if (!isPath) {
        error(origin, "Values provided to field " + field + " must begin with '/'",
              "found " + quoted(statement.value.text) + ", expected a path such as /ping");
    }
    return !keyed && isPath;
}

std::string Reader::hint(const std::string& name) {
    const Scope other = place_ == Place::global ? Scope::pool : Scope::global;
    if (findDirective(other, name, false) != nullptr) {
        return other == Scope::pool ? "it belongs to a pool's section, such as [www]"
                                    : "it belongs to the [global] section";
    }
    const auto meant = suggestDirective(name);
    if (!meant) {
        return "expected the name of a directive";
    }
    std::string text = "did you mean '" + std::string(*meant) + "'?";
    const bool here = *meant == kInclude || findDirective(scope(), *meant, false) != nullptr ||
                      findDirective(scope(), *meant, true) != nullptr;
    if (!here) {
        text += other == Scope::pool ? " It belongs to a pool's section, such as [www]"
                                     : " It belongs to the [global] section";
    }
    return text;
}

void Reader::unknownEntry(const std::string& name, const Origin& origin) {
    const std::string text = "unknown entry '" + verbatim(name) + "'";
    if (const Directive* array = findDirective(Scope::pool, name, true)) {
        error(origin, text,
              "expected " +
                  (array->type == Type::list ? std::string(array->expects)
                                             : "a key: " + shown(name) + "[NAME] = value") +
                  (place_ == Place::global ? ", in a pool's section" : ""));
        return;
    }
    error(origin, text, hint(name));
    if (const auto meant = suggestDirective(name)) {
        noteFailed(*meant, origin);
    }
}

void Reader::unknownArray(const std::string& name, const Origin& origin) {
    const std::string text = "unknown directive '" + verbatim(name) + "'";
    if (findDirective(Scope::pool, name, false) != nullptr) {
        error(origin, text, "expected no key: " + shown(name) + " = value");
        noteFailed(name, origin);
        return;
    }
    error(origin, text, hint(name));
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
        plain(LogLevel::warning,
              "Nothing matches the include pattern '" + verbatim(pattern) + "'" + from + ".");
        return;
    }
    if (failure != 0) {
        draft_.sectionsLost = true;
        plain(LogLevel::error,
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
            plain(LogLevel::error, "failed to include more than " +
                                       std::to_string(kDeepestInclude) + " files recursively");
            // Files that include each other would be read again and again on every path there.
            stop();
        } else {
            readFile(path, depth + 1);
        }
        if (errors_ > before) {
            plain(LogLevel::error, "Unable to include " + verbatim(path) + from);
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
